"""A driver that hangs while it should unkey: the keyer ends itself, and that closes the device."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiobridge.keyer.client import KeyerClient
from radiobridge.keyer.line import CONFIRM_S
from radiobridge.keyer.process import HANG_S
from radiobridge.keyer.protocol import LEASE_S
from radiobridge.model.interface import DeviceBack, KeyAnswered, UnkeyCause, Unkeyed
from tests.keyer.radios import LIMIT_S, LINES, Radios, Sink, radios

pytestmark = pytest.mark.real

SLACK_S = 0.15
"""For the kernel to end the process and the far end to see the connection close."""

DRIVERS = """
import ctypes, time
from radiobridge.drivers.interface.lines import LinesInterface

class Stuck(LinesInterface):
    def unkey(self):
        time.sleep(60)

class Frozen(LinesInterface):
    def unkey(self):
        ctypes.PyDLL(None).sleep(60)  # keeps the interpreter lock: no thread of ours runs

class Wild(LinesInterface):
    def unkey(self):
        raise KeyboardInterrupt
"""

ENTRIES = """[radiobridge.interfaces]
stuck = hanging_drivers:Stuck
frozen = hanging_drivers:Frozen
wild = hanging_drivers:Wild
"""


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Radios]:
    (tmp_path / "hanging_drivers.py").write_text(DRIVERS)
    info = tmp_path / "hanging_drivers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging_drivers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with radios(tmp_path / "usb-radio") as devices:
        yield devices


@pytest.mark.parametrize(
    ("driver", "fence_s"), [("stuck", CONFIRM_S), ("frozen", HANG_S), ("wild", 0.0)]
)
async def test_a_driver_that_does_not_unkey_is_ended_with_its_process(
    devices: Radios, driver: str, fence_s: float
) -> None:
    settings = {LINES: {**devices.settings[LINES], "driver": driver}}
    client = await KeyerClient.start(settings)
    sink, line, log = Sink(), client.line(LINES), devices.history[LINES]
    line.attach(sink)
    await sink.event(DeviceBack)
    asked = time.monotonic()
    line.key()
    await sink.event(KeyAnswered)
    off = await asyncio.to_thread(log.wait, "PTT", value=False, after=asked, limit_s=LIMIT_S)
    unkeyed = await sink.event(Unkeyed)
    await client.close()
    assert off is not None
    assert off.cause == "disconnect"
    assert off.at - asked <= LEASE_S + fence_s + SLACK_S
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.DEVICE
