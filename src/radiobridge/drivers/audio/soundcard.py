"""A radio's sound through a sound card (PortAudio), held by a process of its own.

The card's callbacks run in that process; here, frames come and go as packets on a socket, without
a thread and without waiting. What the process cannot hand over for 500 ms is dropped, oldest
first. No sound from the card for 0.7 s, none taken by it for as long, or the end of the process, is
a lost device: the owner closes it and opens it again.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Self

import numpy as np

from radiobridge.drivers.audio.ring import LIMIT_S, SAMPLE_BYTES
from radiobridge.drivers.audio.soundcard_process import FIRST_S, PACKET, SILENT_S, STATUS
from radiobridge.drivers.interface import settings as read
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.voice import FRAME_S, RADIO_RATES, PcmFrame
from radiobridge.spi import AudioSink
from radiobridge.text import Text

DEFAULT_LATENCY_S = 0.02
_OPEN_S = 10.0
_END_S = 1.0
_HEAD = 1 + STATUS.size


class SoundCard:
    """An AudioDevice (see `spi`) at 8, 16 or 48 kHz."""

    def __init__(
        self, *, source: str, output: str, rate: int, latency_s: float = DEFAULT_LATENCY_S
    ) -> None:
        """`source` and `output` name devices as `find_device` understands them."""
        self.rate = rate
        self.underruns = 0
        self._settings = {"input": source, "output": output, "rate": rate, "latency": latency_s}
        self._dropped = self._card_overruns = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._sink: AudioSink | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._written = 0
        self._taken = 0
        self._queued_then_s = 0.0
        self._device_s = 0.0

    @property
    def overruns(self) -> int:
        """See AudioDevice."""
        return self._card_overruns + self._dropped

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from `{device, rate: 48000, latency: 0.02}`, or `input` and `output` apart.

        `latency` is in s. Raises ConfigError.
        """
        read.no_other_keys(settings, ("device", "input", "output", "rate", "latency"))
        rate = read.whole(settings, "rate", RADIO_RATES[-1])
        if rate not in RADIO_RATES:
            raise ConfigError(
                f"'rate' is {rate}; right would be one of: {RADIO_RATES}",
                f"« rate » vaut {rate}; il faudrait un de : {RADIO_RATES}",
            )
        source, output = (
            read.text(settings, "device" if settings.get(key) is None else key)
            for key in ("input", "output")
        )
        latency_s = float(settings.get("latency", DEFAULT_LATENCY_S))
        return cls(source=source, output=output, rate=rate, latency_s=latency_s)

    async def open(self, sink: AudioSink) -> None:
        """See AudioDevice."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                self._process = await asyncio.to_thread(self._start, theirs)
            await self._wait_open(ours)
        except BaseException:
            ours.close()
            await self._end_process()
            raise
        self._link, self._sink = ours, sink
        self._written = self._taken = 0
        self._queued_then_s, self._heard_at = 0.0, monotonic() + FIRST_S - SILENT_S
        loop = asyncio.get_running_loop()
        loop.add_reader(ours.fileno(), self._readable)
        self._watch = loop.call_later(SILENT_S, self._look)

    def write(self, samples: PcmFrame) -> None:
        """See AudioDevice."""
        if self._link is None:
            return
        try:
            self._link.send(b"P" + samples.tobytes())
        except BlockingIOError:
            self._dropped += 1
        except OSError:
            pass  # the reader sees the end too, and reports it
        else:
            self._written += 1

    def queued_s(self) -> float:
        """See AudioDevice. What the card itself holds is counted."""
        waiting = self._queued_then_s + (self._written - self._taken) * FRAME_S
        if waiting <= 0.0:
            return 0.0
        return max(0.0, waiting + self._device_s - (monotonic() - self._heard_at))

    def discard(self) -> None:
        """See AudioDevice."""
        if self._link is not None:
            with suppress(OSError):
                self._link.send(b"D")

    async def close(self) -> None:
        """See AudioDevice. Takes at most 2 s, however stuck the card is."""
        self._detach()
        await self._end_process()

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        number = theirs.fileno()
        module = "radiobridge.drivers.audio.soundcard_process"
        return subprocess.Popen(
            [sys.executable, "-m", module, str(number), json.dumps(self._settings)],
            pass_fds=(number,),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # ALSA and PortAudio write there about other cards
            start_new_session=True,
        )

    async def _wait_open(self, link: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_OPEN_S):
                said = await loop.sock_recv(link, PACKET)
        except TimeoutError:
            raise DriverError(
                "the sound card does not answer", "la carte son ne répond pas"
            ) from None
        if said[:1] == b"F":
            raise DriverError(*json.loads(said[1:]))
        if said[:1] not in (b"O", b"A"):
            raise DriverError("the sound card failed at once", "la carte son a échoué aussitôt")

    def _readable(self) -> None:
        now = monotonic()
        while self._link is not None:
            try:
                packet = self._link.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._lost(Text("the sound card is gone", "la carte son a disparu"))
            elif packet[:1] == b"A":
                self._take(packet, now)

    def _take(self, packet: bytes, now: float) -> None:
        at, self._taken, queued, device, self.underruns, self._card_overruns = STATUS.unpack_from(
            packet, 1
        )
        self._queued_then_s, self._device_s, self._heard_at = queued * 1e-6, device * 1e-6, now
        if now - at > LIMIT_S:
            self._dropped += 1
        elif self._sink is not None and len(packet) - _HEAD == self.rate // 50 * SAMPLE_BYTES:
            # A copy of our own, since whoever hears it may change it in place.
            self._sink.audio(np.frombuffer(packet, np.int16, offset=_HEAD).copy(), at)

    def _look(self) -> None:
        silent_s = monotonic() - self._heard_at
        if silent_s > SILENT_S:
            self._lost(Text("the sound card went silent", "la carte son ne donne plus rien"))
        else:
            loop = asyncio.get_running_loop()
            left_s = SILENT_S - max(0.0, silent_s)
            self._watch = loop.call_later(left_s + FRAME_S, self._look)

    def _lost(self, reason: Text) -> None:
        sink = self._sink
        self._detach()
        if sink is not None:
            sink.audio_lost(reason)

    def _detach(self) -> None:
        link, self._link, self._sink = self._link, None, None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if link is not None:
            asyncio.get_running_loop().remove_reader(link.fileno())
            link.close()

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for how in (None, process.kill):
            if how is not None:
                how()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _END_S)
                return
