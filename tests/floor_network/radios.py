"""Donor radios and the channels that they are on: real runners on devices that cost nothing.

Each frame of voice carries its own name in its first samples: who speaks, and which frame of that
talk it is. So no frame is taken for another.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from radiobridge.core.jitter import JitterSettings
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchSettings
from radiobridge.core.transmit import (
    AbortReason,
    NotDelivered,
    Transmit,
    TransmitSettings,
    TransmitState,
)
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.interface import CorChanged, DeviceBack, KeyAnswer, KeyAnswered, UnkeyCause
from radiobridge.model.interface import Unkeyed as UnkeyedEvent
from radiobridge.model.voice import FRAME_S, Claim, PcmFrame
from radiobridge.services.downlink import Downlink, DownlinkPorts
from radiobridge.services.outgoing import Outgoing
from radiobridge.services.radio import RadioRunner
from radiobridge.services.timer import OneTimer
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.spi import AudioSink, InterfaceSink
from tests.floor_network.history import Site, Talk
from tests.floor_network.kernel import Kernel

RATE = 8000
SpurtName: TypeAlias = tuple[str, str, int]
"""Sender, talkgroup, start."""

_VOICE = np.tile(np.array([9000, -9000], dtype=np.int16), RATE // 100)
_VOICE.setflags(write=False)
_QUIET = np.zeros(RATE // 50, dtype=np.int16)
_QUIET.setflags(write=False)
_PACKET = struct.Struct(">HHHH")


def name_of(claim: Claim) -> SpurtName:
    """Return what names a spurt, whatever its rank."""
    return str(claim.sender), str(claim.talkgroup), claim.start_ms


class Frame(NamedTuple):
    """One encoded frame of voice, as a packet carries it."""

    encoder: int
    number: int
    """How many frames this encoder had encoded before."""
    talk: int
    place: int
    """Which frame of the talk it is."""

    @property
    def is_voice(self) -> bool:
        """Tell whether somebody speaks in it."""
        return self.talk > 0

    @classmethod
    def of(cls, payload: bytes) -> "Frame":
        return cls(*_PACKET.unpack(payload))


@lru_cache(4096)
def _spoken(talk: int, index: int) -> PcmFrame:
    """Return what a receiver hears of a talk; talk 0 is silence."""
    if not talk:
        return _QUIET
    frame = _VOICE.copy()
    frame[:2] = talk, index
    frame.setflags(write=False)
    return frame


class _Encoder:
    """Stands for Opus: what it makes of a frame is the frame's name."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._count = 0

    def encode(self, samples: PcmFrame) -> bytes:
        self._count += 1
        talk, index = (int(samples[0]), int(samples[1])) if samples[2] else (0, 0)
        return _PACKET.pack(self._number, self._count, talk, index)

    def reset(self) -> None:
        pass


class _Untouched:
    """Stands for a limiter: nothing here is too loud."""

    @staticmethod
    def process(samples: PcmFrame) -> PcmFrame:
        return samples


class Played(NamedTuple):
    """One frame on the air, and when it begins."""

    at: float
    frame: Frame


class Sound:
    """An AudioDevice and the decoder before it: notes whose voice is on the air when."""

    def __init__(self, kernel: Kernel) -> None:
        self.rate = RATE
        self.underruns = self.overruns = 0
        self.played: list[Played] = []
        self._kernel = kernel
        self._until = 0.0
        self._frame: Frame | None = None

    def decode(self, packet: bytes) -> PcmFrame:
        self._frame = Frame.of(packet)
        return _VOICE if self._frame.is_voice else _QUIET

    def conceal(self) -> PcmFrame:
        self._frame = None
        return _VOICE

    def reset(self) -> None:
        pass

    async def open(self, sink: AudioSink) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def write(self, samples: PcmFrame) -> None:
        start = max(self._kernel.now, self._until)
        self._until = start + FRAME_S
        if self._frame is not None and (samples is _VOICE or not self._frame.is_voice):
            self.played.append(Played(start, self._frame))
            self._frame = None

    def queued_s(self) -> float:
        return max(0.0, self._until - self._kernel.now)

    def discard(self) -> None:
        now = self._kernel.now
        while self.played and self.played[-1].at > now:
            self.played.pop()
        self._until = min(self._until, now)


class Line:
    """A KeyerLine whose transmitter is on the air `grant_s` after it was keyed."""

    def __init__(self, kernel: Kernel, grant_s: float, changed: Callable[[], None]) -> None:
        self.keyed = False
        self.keyings: list[float] = []
        self._kernel = kernel
        self._grant_s = grant_s
        self._changed = changed
        self._sink: InterfaceSink

    def attach(self, sink: InterfaceSink) -> None:
        self._sink = sink

    def key(self) -> None:
        self.keyed = True
        self.keyings.append(self._kernel.now)
        self._changed()
        self._kernel.call_later(self._grant_s, self._grant, len(self.keyings))

    def _grant(self, keying: int) -> None:
        if self.keyed and keying == len(self.keyings):
            self.tell(KeyAnswered(answer=KeyAnswer.GRANTED, at=self._kernel.now))

    def renew(self) -> None:
        pass

    def unkey(self) -> None:
        self.keyed = False
        self._changed()
        event = UnkeyedEvent(cause=UnkeyCause.COMMAND, at=self._kernel.now)
        self._kernel.call_soon(self.tell, event)

    def tell(self, event: Any) -> None:
        self._sink.interface_event(event)


class WatchedRunner(RadioRunner):
    """A runner that notes what was taken from its transmitter."""

    cuts: list[tuple[SpurtName, float]]
    forgone: bool = False
    """Who is heard has had his time."""

    def forgo(self) -> None:
        self.forgone = True
        super().forgo()

    @property
    def muted(self) -> bool:
        return bool(self._muted_by)

    def cut(self, claim: Claim, reason: AbortReason, now: float) -> None:
        self.cuts.append((name_of(claim), now))
        super().cut(claim, reason, now)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a radio asks of its gateway."""

    start: Callable[[RadioRunner, float, float], Outgoing | None]
    ended: Callable[[Outgoing, float], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A spurt that was not delivered, or not to its end."""

    spurt: SpurtName
    reason: str
    at: float


@dataclass
class Radio:
    """One donor radio."""

    number: int
    site: Site
    runner: WatchedRunner
    line: Line
    sound: Sound
    transmits: bool
    failed: list[Failure] = field(default_factory=list)
    cor: bool = False
    hearing: int = 0
    """The number of the talk that it heard last."""
    idle_s: float = 0.0
    """For how long it has heard somebody while the floor was free."""

    def hear(self, samples: PcmFrame, now: float) -> None:
        self.runner.audio(samples, now)

    def tell_cor(self, *, active: bool, now: float) -> None:
        if active is not self.cor:
            self.cor = active
            self.runner.forgone, self.idle_s = False, 0.0
            self.line.tell(CorChanged(active=active, at=now))

    @property
    def on_air(self) -> Claim | None:
        """Return whose voice this radio is keyed for; while it bridges a gap, nobody's is there."""
        down = self.runner.down
        bridges = down.transmit.state is TransmitState.HOLD
        claims = down.claims() if self.line.keyed and not bridges else []
        return claims[0] if claims else None


def make_radio(
    number: int, name: str, talkgroup: TalkgroupId, site: Site, channel: "Channel",
    ports: Ports, *, transmits: bool,
) -> Radio:  # fmt: skip
    """Build a radio on a channel."""
    kernel, sound = channel.kernel, Sound(channel.kernel)
    line = Line(kernel, site.grant_s, channel.wake)
    squelch = Squelch(SquelchSettings(hang_s=site.hang_s))
    devices: dict[str, Any] = {"limiter": _Untouched(), "encoder": _Encoder(number)}
    runner = WatchedRunner(
        RadioName(name),
        talkgroup,
        squelch=squelch,
        by_cor=True,
        make_timer=partial(OneTimer, kernel.loop),
        audio_failed=_nothing,
    )
    runner.cuts = []
    start = partial(ports.start, runner)
    up = Uplink(
        squelch=squelch,
        preroll=Preroll(PrerollSettings(cor_delay_s=site.cor_delay_s)),
        rate=RATE,
        ports=UplinkPorts(start=start, stuck=runner.stuck, ended=ports.ended),
        **devices,
    )
    radio = Radio(number, site, runner, line, sound, transmits)

    def not_delivered(claim: Claim | None, why: NotDelivered, now: float) -> None:
        if claim is not None:
            radio.failed.append(Failure(name_of(claim), why.reason.value, now))

    decoder: Any = sound
    down = Downlink(
        transmit=Transmit(TransmitSettings(reports_grant=True)),
        jitter=JitterSettings(),
        decoder=decoder,
        audio=sound,
        line=line,
        limiter=devices["limiter"],
        ports=DownlinkPorts(own_transmission=runner.own_transmission, not_delivered=not_delivered),
    )
    runner.assemble(up, down)
    line.attach(runner)
    line.tell(DeviceBack(at=kernel.now))
    runner.audio_opened()
    channel.radios.append(radio)
    return radio


class Channel:
    """One frequency: each radio on it that does not transmit hears the talker.

    Who presses the key while another speaks, or while a radio transmits, is not heard: handhelds
    are half-duplex as well. Radios do not hear each other here: loops over the air, and what opens
    them, have tests of their own.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.radios: list[Radio] = []
        self.heard: Callable[[Radio], None] = _nobody
        """Called for each 20 ms in which a radio hears a talker."""
        self._talk: tuple[int, Talk, float] | None = None
        self._awake = False

    def press(self, number: int, talk: Talk) -> bool:
        """Let somebody speak; tell whether the channel was free for him."""
        if self._talk is not None or any(radio.line.keyed for radio in self.radios):
            return False
        self._talk = number, talk, self.kernel.now
        self.wake()
        return True

    def wake(self) -> None:
        """Something has changed on this channel."""
        if not self._awake:
            self._awake = True
            self.kernel.call_later(FRAME_S, self._turn)

    def _turn(self) -> None:
        """Let 20 ms be heard by each radio that does not transmit."""
        now = self.kernel.now
        talk, index, said_s, rest_s, away_s = 0, 0, 0.0, 1.0, 0.0
        if self._talk is not None:
            talk, what, since = self._talk
            said_s, rest_s, away_s = now - since, now - since - what.length_s, what.away_s
            index = round(said_s / FRAME_S)
            if rest_s > 0.2:
                self._talk = None
        for radio in self.radios:
            away = talk and said_s > away_s and radio is self.radios[0]
            if radio.line.keyed or away:
                radio.tell_cor(active=False, now=now)
            elif talk and rest_s <= radio.site.tail_s and said_s >= radio.site.cor_delay_s:
                radio.hearing = talk
                radio.tell_cor(active=True, now=now)
                radio.hear(_spoken(talk if rest_s <= 0 else 0, index), now)
                if rest_s <= 0:
                    self.heard(radio)
            elif talk and rest_s <= 0:
                radio.hear(_spoken(talk, index), now)
            else:
                radio.tell_cor(active=False, now=now)
        self._awake = False
        if self._talk is not None or any(radio.line.keyed for radio in self.radios):
            self.wake()


def _nothing() -> None:
    pass


def _nobody(_radio: Radio) -> None:
    pass
