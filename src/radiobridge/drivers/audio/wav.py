"""A WAV file in place of a radio's receiver, and one in place of its transmitter.

For tests and for levels at the bench. The input is heard in real time from the moment of opening
(silence once it is over, or again from the start with `repeat`); the output gets all that is
played and silence in between, so both files share one time axis.
"""

import asyncio
import threading
import wave
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, Self

import numpy as np

from radiobridge.drivers.audio.ring import SAMPLE_BYTES, PlayRing
from radiobridge.drivers.interface import settings as read
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.voice import FRAME_S, RADIO_RATES, PcmFrame
from radiobridge.spi import AudioSink

_LONGEST_BYTES = 200_000_000
_SPURT_GAP_S = 0.1


class WavAudio:
    """An AudioDevice (see `spi`) made of two files, either of which may be missing."""

    def __init__(
        self, rate: int, *, source: Path | None, output: Path | None, repeat: bool = False
    ) -> None:
        self.rate = rate
        self.underruns = 0
        self._source = source
        self._output = output
        self._repeat = repeat
        self._ring = PlayRing(rate)
        self._frame_bytes = rate // 50 * SAMPLE_BYTES
        self._silence = bytes(self._frame_bytes)
        self._pcm = b""
        self._at = 0
        self._sink: AudioSink | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._dry_from = inf
        """When the last frame that was played ends, if nothing waits behind it."""
        self._writer: _Writer | None = None

    @property
    def overruns(self) -> int:
        """See AudioDevice."""
        return self._ring.overruns

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from `{input, output, rate: 8000, repeat: false}`; raise ConfigError."""
        read.no_other_keys(settings, ("input", "output", "rate", "repeat"))
        rate = read.whole(settings, "rate", RADIO_RATES[0])
        if rate not in RADIO_RATES:
            raise ConfigError(
                f"'rate' is {rate}; right would be one of: {RADIO_RATES}",
                f"« rate » vaut {rate}; il faudrait un de : {RADIO_RATES}",
            )
        source, output = (
            None if settings.get(key) is None else Path(read.text(settings, key))
            for key in ("input", "output")
        )
        return cls(
            rate,
            source=source,
            output=output,
            repeat=read.flag(settings, "repeat", default=False),
        )

    async def open(self, sink: AudioSink) -> None:
        """See AudioDevice."""
        if self._source is not None:
            self._pcm = await asyncio.to_thread(_load, self._source, self.rate)
        if self._output is not None:
            self._writer = await asyncio.to_thread(_Writer, self._output, self.rate)
        self._sink, self._at = sink, 0
        self._due = monotonic() + FRAME_S
        self._tick()

    def write(self, samples: PcmFrame) -> None:
        """See AudioDevice."""
        if self._sink is None:
            return
        self.underruns += 0 < monotonic() - self._dry_from < _SPURT_GAP_S
        self._dry_from = inf
        self._ring.push(samples.astype("<i2", copy=False).tobytes())

    def queued_s(self) -> float:
        """See AudioDevice."""
        return self._ring.queued_s()

    def discard(self) -> None:
        """See AudioDevice."""
        self._ring.clear()

    async def close(self) -> None:
        """See AudioDevice."""
        self._sink = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(writer.close)

    def _tick(self) -> None:
        while self._sink is not None and self._due <= monotonic():
            self._play()
            self._hear(self._due)
            self._due += FRAME_S
        if self._sink is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._due - monotonic(), self._tick)

    def _play(self) -> None:
        pcm = self._ring.pull(self._frame_bytes)
        if pcm and not self._ring.queued_s():
            self._dry_from = self._due + FRAME_S
        if self._writer is not None:
            self._writer.put(pcm or self._silence)

    def _hear(self, at: float) -> None:
        pcm = self._pcm[self._at : self._at + self._frame_bytes]
        self._at += len(pcm)
        if self._repeat and self._at >= len(self._pcm):
            self._at = 0
        samples = np.zeros(self.rate // 50, dtype=np.int16)
        heard = np.frombuffer(pcm, "<i2")
        samples[: len(heard)] = heard
        if self._sink is not None:
            self._sink.audio(samples, at)


class _Writer:
    """Writes a WAV file from a thread; the header is right after each write."""

    def __init__(self, path: Path, rate: int) -> None:
        try:
            self._raw = path.open("wb")
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from None
        self._file = wave.open(self._raw, "wb")  # noqa: SIM115  closed by `close`
        self._file.setnchannels(1)
        self._file.setsampwidth(SAMPLE_BYTES)
        self._file.setframerate(rate)
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="wav", daemon=True)
        self._thread.start()

    def put(self, pcm: bytes) -> None:
        self._queue.put(pcm)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._raw.close()

    def _work(self) -> None:
        while (pcm := self._queue.get()) is not None:
            with suppress(OSError):  # a full disk: the rest is missing, the radio goes on
                self._file.writeframes(pcm)
                self._raw.flush()


def _load(path: Path, rate: int) -> bytes:
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if shape != (1, SAMPLE_BYTES, rate):
                raise _unusable(path, f"{shape} is not (1, {SAMPLE_BYTES}, {rate})")
            if file.getnframes() * SAMPLE_BYTES > _LONGEST_BYTES:
                raise _unusable(path, f"> {_LONGEST_BYTES} bytes")
            return file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError) as error:
        raise _unusable(path, str(error) or type(error).__name__) from None


def _unusable(path: Path, why: str) -> DriverError:
    return DriverError(
        f"{path} cannot be used as sound (16-bit mono WAV): {why}",
        f"{path} est inutilisable comme son (WAV 16 bits mono) : {why}",
    )
