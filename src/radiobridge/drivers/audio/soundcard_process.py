"""The process that holds one sound card, for `drivers/audio/soundcard.py`.

A process of its own, because PortAudio lists devices once for the whole process, hangs now and
then when a USB card is pulled, and needs the interpreter within a few ms for each block; see
docs/decisions/0005-sound-card-process.md. Ends when its socket closes.

Packets on the socket (SOCK_SEQPACKET), first byte says what:
to us `P` + 20 ms to play, `D` discard; from us `O` open, `F` + JSON failed (then we end),
`A` + `STATUS` + 20 ms heard. PCM is s16, mono, in the machine's order.

A card that gives nothing is noticed by the gateway; one that gives sound but takes none ends us.
"""

import json
import math
import os
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from radiobridge.drivers.audio.ring import SAMPLE_BYTES, PlayRing
from radiobridge.errors import DependencyMissingError, DriverError

STATUS = struct.Struct("=dIIIII")
"""When the last sample was heard (monotonic s); frames taken from the gateway; waiting to be played
and held by the device (both µs); underruns; overruns."""

PACKET = 65_536
_ENDED, _TAKES_NOTHING = 3, 4
FIRST_S = 5.0
"""Until the first sound: PulseAudio may take 2 s to wake a sink."""

AWAKE_S = 1.0
"""From the first sound that a card gives until it must take some; one block it may take at once."""

SILENT_S = 0.7
"""A card that gives or takes no sound for so long is lost."""

_END_S = 0.1
"""A ring that stays dry for so long was at the end of a spurt, not in the middle."""


class Card:
    """One card's two streams."""

    def __init__(self, portaudio: Any, link: socket.socket, settings: Mapping[str, Any]) -> None:  # noqa: ANN401  untyped library
        self._link = link
        self._rate: int = settings["rate"]
        self._ring = PlayRing(self._rate)
        self._frame_bytes = self._rate // 50 * SAMPLE_BYTES
        self._heard = bytearray()
        self._taken = self._underruns = self._lost = 0
        self._dry_since: float | None = -math.inf
        self._play_at = math.inf
        self._awake = False
        self._awake_by = self._plays_by = math.inf
        self._lead_s: float = 0.4 * settings["latency"]
        self._output_s = 0.0
        devices = list(portaudio.query_devices())
        common = {
            "samplerate": self._rate,
            "channels": 1,
            "dtype": "int16",
            "blocksize": self._rate // 100,
            "latency": settings["latency"],
            "finished_callback": _finished,
        }
        self._output = portaudio.RawOutputStream(
            device=find_device(devices, settings["output"], "max_output_channels"),
            callback=self._play,
            **common,
        )
        self._input = portaudio.RawInputStream(
            device=find_device(devices, settings["input"], "max_input_channels"),
            callback=self._hear,
            **common,
        )

    def start(self) -> None:
        """Start both streams."""
        self._awake_by = self._plays_by = time.monotonic() + FIRST_S
        self._output.start()
        self._input.start()

    def serve(self) -> None:
        """Take what the gateway sends until it hangs up."""
        while packet := self._link.recv(PACKET):
            if packet[:1] == b"P":
                self._taken += 1
                self._ring.push(packet[1:])
            elif packet[:1] == b"D":
                self._ring.clear()

    def _play(self, out: Any, frames: int, when: Any, status: Any) -> None:  # noqa: ANN401  cffi
        size = frames * SAMPLE_BYTES
        self._plays_by = max(self._awake_by, time.monotonic() + SILENT_S)
        pcm = self._ring.pull(size) if self._primed() else b""
        out[: len(pcm)] = pcm
        if len(pcm) < size:
            out[len(pcm) :] = bytes(size - len(pcm))
        self._output_s = _sane(when.outputBufferDacTime - when.currentTime)
        self._underruns += bool(pcm and status.output_underflow)

    def _primed(self) -> bool:
        """Tell whether to play: after silence, a frame waits for `_lead_s` first.

        The device takes its blocks in bursts of up to its latency; what waited covers them, and a
        frame that comes some ms late.
        """
        now, waiting = time.monotonic(), self._ring.queued_s() > 0
        if self._dry_since is None:
            self._dry_since = None if waiting else now
            return waiting
        if not waiting:
            self._play_at = math.inf
            return False
        self._play_at = min(self._play_at, now + self._lead_s)
        if now < self._play_at:
            return False
        self._underruns += now - self._lead_s - self._dry_since < _END_S
        self._dry_since = None
        return True

    def _hear(self, pcm: Any, frames: int, when: Any, status: Any) -> None:  # noqa: ANN401, ARG002  cffi
        # PortAudio's inputBufferAdcTime is no help: through PulseAudio it is off by 100 ms.
        now = time.monotonic()
        if not self._awake:
            self._awake = True
            self._awake_by = self._plays_by = now + AWAKE_S
        if now > self._plays_by:
            os._exit(_TAKES_NOTHING)
        self._lost += bool(status.input_overflow)
        self._heard += pcm
        while len(self._heard) >= self._frame_bytes:
            frame = bytes(self._heard[: self._frame_bytes])
            del self._heard[: self._frame_bytes]
            self._send(now - len(self._heard) / SAMPLE_BYTES / self._rate, frame)

    def _send(self, at: float, frame: bytes) -> None:
        queued = round(self._ring.queued_s() * 1e6)
        status = STATUS.pack(
            at,
            self._taken,
            queued,
            round(self._output_s * 1e6),
            self._underruns,
            self._ring.overruns + self._lost,
        )
        try:
            self._link.send(b"A" + status + frame, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._lost += 1
        except OSError:
            os._exit(0)


def find_device(devices: Sequence[Mapping[str, Any]], wanted: str, channels: str) -> int:
    """Return the index of the one device that `wanted` names; raise DriverError.

    A path (below /dev/snd: by-path, by-id) names a card whatever its number; else the whole name
    or a part of it, ignoring case. Never a guess: two that fit are an error.
    """
    usable: dict[int, str] = {d["index"]: str(d["name"]) for d in devices if d[channels] > 0}
    part = _hardware_name(wanted) if wanted.startswith("/") else wanted
    exact = [index for index, name in usable.items() if name == part]
    found = exact or [i for i, name in usable.items() if part.casefold() in name.casefold()]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f'"{usable[i]}"' for i in (found or usable)) or "-"
    if found:
        raise DriverError(
            f'"{wanted}" fits several sound cards: {listed}; name one, best by /dev/snd/by-path',
            f"« {wanted} » correspond à plusieurs cartes son : {listed}; nommez-en une, au mieux"
            " par /dev/snd/by-path",
        )
    raise DriverError(
        f'no sound card "{wanted}"; connected now: {listed}',
        f"pas de carte son « {wanted} »; présentes : {listed}",
    )


def _hardware_name(path: str) -> str:
    """Return the part of PortAudio's name that tells the card behind a path of /dev/snd."""
    number = "".join(c for c in Path(path).resolve().name if c.isdigit() or c == "D")
    return f"(hw:{number.partition('D')[0] or '?'},"


def _sane(latency_s: float) -> float:
    """Return the device's word on its latency, or nothing: some drivers tell nonsense."""
    return latency_s if 0.0 <= latency_s <= 0.2 else 0.0


def _finished() -> NoReturn:
    """End with the stream: the gateway sees the socket close."""
    os._exit(_ENDED)


def _portaudio() -> Any:  # noqa: ANN401  untyped library
    try:
        import sounddevice  # what is missing is reported in words
    except OSError as error:
        raise DependencyMissingError(
            f"PortAudio is not installed: apt-get install libportaudio2 ({error})",
            f"PortAudio n'est pas installé : apt-get install libportaudio2 ({error})",
        ) from None
    return sounddevice


def main() -> None:
    """Open the card that argv says (descriptor, JSON settings) and serve it."""
    link = socket.socket(fileno=int(sys.argv[1]))
    try:
        portaudio = _portaudio()
        try:
            card = Card(portaudio, link, json.loads(sys.argv[2]))
            card.start()
        except (portaudio.PortAudioError, ValueError) as error:
            why = " ".join(str(a) for a in error.args[:1])
            raise DriverError(
                f"the sound card does not open: {why}", f"la carte son ne s'ouvre pas : {why}"
            ) from None
    except DriverError as error:
        link.send(b"F" + json.dumps(error.text).encode())
        return
    link.send(b"O")
    card.serve()
    # Stopping a card that is gone can hang for ever, and there is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    main()
