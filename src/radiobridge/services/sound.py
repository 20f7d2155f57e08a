"""Keeps one radio's sound device open: opens it, and opens it again after each loss."""

import asyncio
import random

import structlog

from radiobridge.errors import DriverError
from radiobridge.services.radio import RadioRunner
from radiobridge.spi import AudioDevice

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0

log = structlog.get_logger()


class SoundKeeper:
    """Owns the device; the runner hears it and plays on it while it is open."""

    def __init__(self, runner: RadioRunner, device: AudioDevice) -> None:
        self.device = device
        self._runner = runner
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to open the device."""
        self._task = asyncio.create_task(self._keep(), name=f"sound {self._runner.name}")

    def failed(self) -> None:
        """Open again: the device said that it is lost."""
        self._lost.set()

    async def close(self) -> None:
        """Close the device for good; never raises."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.device.close()

    async def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            self._lost.clear()
            try:
                await self.device.open(self._runner)
            except DriverError as error:
                self._runner.audio_lost(error.text)
            except Exception:
                log.exception("audio-error", radio=str(self._runner.name))
            else:
                wait_s = FIRST_WAIT_S
                self._runner.audio_opened()
                await self._lost.wait()
            await self.device.close()
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
