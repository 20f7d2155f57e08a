"""Costs of a gateway's whole way of voice, up and down, for one frame of 20 ms."""

import itertools
import time

from radiobridge.model.interface import CorChanged
from radiobridge.model.voice import FRAME_MEDIA_TIME, FRAME_S, VoicePacket
from radiobridge.text import Text
from radiobridge.wire.topics import voice_topic
from radiobridge_sim.bench import cast
from radiobridge_sim.bench.station import Station
from radiobridge_sim.bench.stopwatch import Batch, Micro

_BACK_MS = 100
"""How old the first packet of a spurt is when it arrives."""

_kids = itertools.count(1)


def micros() -> tuple[Micro, ...]:
    """Return what is to be measured inside a running event loop."""
    return (
        Micro(
            id="plane-send",
            name=Text("frame to packet on a link", "de la trame au paquet sur un lien"),
            batch=_sent,
        ),
        Micro(
            id="plane-receive",
            name=Text("packet to jitter buffer", "du paquet au tampon de gigue"),
            batch=_received,
        ),
        Micro(
            id="plane-play",
            name=Text("jitter buffer to sound device", "du tampon de gigue au son"),
            batch=_played,
        ),
    )


def _sent() -> Batch:
    """Gain, level, squelch, Opus, floor, SFrame, each tenth with a proof, publish on one link."""
    station, frames = Station(), cast.speech()
    at = time.monotonic()
    station.radio.audio(frames[0], at)
    station.radio.interface_event(CorChanged(active=True, at=at))

    def run() -> None:
        for n, frame in enumerate(frames, 1):
            station.radio.audio(frame, at + n * FRAME_S)
        if station.link.sent < len(frames):
            raise AssertionError("not everything was sent")
        station.close()

    return Batch(run, len(frames))


def _received() -> Batch:
    """Topic, reception, each tenth with a proof, floor, route, into the jitter buffer."""
    station = Station()
    topic = voice_topic(cast.DETROIT, cast.BORDER.name)
    sent = cast.packets(station.bridge.now_ms() - _BACK_MS, next(_kids))

    def run() -> None:
        for packet in sent:
            station.plane.voice(topic, packet, station.link.name)
        if station.plane.status()["counters"]["voice-accepted"] != len(sent):
            raise AssertionError("not everything was received")
        station.close()

    return Batch(run, len(sent))


def _played() -> Batch:
    """Jitter buffer, Opus, gain, transmit machine, sound device."""
    station = Station()
    claim, coded = cast.claim_at(0), cast.coded_speech()
    heard = [
        VoicePacket(claim, 1, n, n * FRAME_MEDIA_TIME, opus, end=False, proven=True)
        for n, opus in enumerate(coded)
    ]
    start = time.monotonic()

    def run() -> None:
        for n, packet in enumerate(heard):
            station.down.play(claim, packet, start + n * FRAME_S)
            station.down.tick(start + n * FRAME_S + FRAME_S / 2)
        if station.audio.played < len(heard) - 2:
            raise AssertionError("not everything was played")
        station.close()

    return Batch(run, len(heard))
