"""The sound of an interface that carries voice in the same stream as the key (`usrp`)."""

import asyncio
import time

import numpy as np

from radiobridge.errors import DriverError, LocalProtocolError
from radiobridge.keyer.protocol import Message
from radiobridge.keyer.remote_line import RemoteLine
from radiobridge.model.voice import FRAME_S, PcmFrame
from radiobridge.spi import AudioSink

MAX_QUEUED_S = 0.5
STALE_S = 0.5
OPEN_S = 1.0


class KeyerVoice:
    """An `spi.AudioDevice` through the keyer process.

    Nothing is queued on this side: a frame is on its way when `write` returns. `queued_s` counts
    what the far end has not played yet, at 20 ms for each frame; above 500 ms the newest frame is
    dropped, because what has been sent cannot be taken back.
    """

    def __init__(self, line: RemoteLine) -> None:
        self.rate = line.rate
        self.underruns = 0
        self.overruns = 0
        self._line = line
        self._sink: AudioSink | None = None
        self._played_at = 0.0

    async def open(self, sink: AudioSink) -> None:
        """Start to deliver; waits up to a second for the device, then raises DriverError."""
        if self._sink is not None:
            raise LocalProtocolError("the voice of an interface has one sink")
        changed = asyncio.Event()
        self._line.device_changed = changed.set
        end = time.monotonic() + OPEN_S
        while not self._line.device_open:
            changed.clear()
            try:
                # Not wait_for, which in Python 3.11 loses a cancel that comes with the change.
                async with asyncio.timeout(end - time.monotonic()):
                    await changed.wait()
            except TimeoutError:
                raise DriverError(*self._line.lost_reason) from None
        self._sink = sink
        self._played_at = 0.0
        self._line.device_changed = self._device_changed
        self._line.heard = self._heard

    def write(self, samples: PcmFrame) -> None:
        """Send 20 ms; never blocks."""
        now = time.monotonic()
        if self._played_at - now > MAX_QUEUED_S:
            self.overruns += 1
            return
        self._line.write(samples.tobytes())
        self._played_at = max(self._played_at, now) + FRAME_S

    def queued_s(self) -> float:
        """Return how much the far end has not played yet, in s."""
        return max(0.0, self._played_at - time.monotonic())

    def discard(self) -> None:
        """Forget what is not yet played; it is sent already."""
        self._played_at = 0.0

    async def close(self) -> None:
        """Stop to deliver."""
        self._sink = None

    def _heard(self, message: Message) -> None:
        if self._sink is None:
            return
        if time.monotonic() - message.at > STALE_S:
            self.overruns += 1
            return
        self._sink.audio(np.frombuffer(message.body, dtype=np.int16), message.at)

    def _device_changed(self) -> None:
        sink = self._sink
        if sink is not None and not self._line.device_open:
            self._sink = None
            sink.audio_lost(self._line.lost_reason)
