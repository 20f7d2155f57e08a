"""Opening the voice of an interface, by itself: no process, a line whose device comes when told."""

import asyncio
import time

import pytest

from radiobridge.errors import DriverError
from radiobridge.keyer import voice
from radiobridge.keyer.remote_line import RemoteLine
from radiobridge.keyer.voice import KeyerVoice
from radiobridge.model.interface import DeviceBack, DeviceLost
from radiobridge.model.voice import PcmFrame
from radiobridge.text import Text


class Sink:
    def audio(self, samples: PcmFrame, at: float) -> None:
        pass

    def audio_lost(self, reason: Text) -> None:
        pass


def line() -> RemoteLine:
    made = RemoteLine(0, asyncio.get_running_loop(), lambda _raw: True)
    made.rate = 8000
    return made


async def test_a_cancel_that_comes_with_the_device_is_not_lost() -> None:
    device = line()
    opening = asyncio.create_task(KeyerVoice(device).open(Sink()))
    await asyncio.sleep(0)
    device.event(0, DeviceBack(at=time.monotonic()))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_the_device_comes_while_it_is_waited_for() -> None:
    device = line()
    opening = asyncio.create_task(KeyerVoice(device).open(Sink()))
    await asyncio.sleep(0)
    device.event(0, DeviceBack(at=time.monotonic()))
    await opening


async def test_a_device_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "OPEN_S", 0.0)
    device = line()
    device.event(0, DeviceLost(reason=Text("unplugged", "débranché"), at=time.monotonic()))
    with pytest.raises(DriverError, match="unplugged"):
        await KeyerVoice(device).open(Sink())
