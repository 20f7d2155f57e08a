"""The life of the process: signs of life in a restart, and its end whatever hangs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from radiobridge import serving
from radiobridge.app import Running
from radiobridge.cli.client import call
from radiobridge.config.load import LoadedGateway
from tests.config.home import Home, make_home
from tests.services.virtual_time import in_virtual_time
from tests.test_app import FakeRunning, World

LIMIT_S = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def world(home: Home, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(home.load)
    monkeypatch.setattr(serving, "load_gateway", lambda _path: made.loads())
    monkeypatch.setattr(Running, "start", made.start)
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the service manager hears."""
    made: list[str] = []
    monkeypatch.setattr(serving, "notify", made.append)
    return made


# --- signs of life --------------------------------------------------------------------------------


@in_virtual_time
async def test_a_restart_says_each_second_that_the_loop_turns_and_not_for_ever() -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(serving, "notify", told.append)
        async with serving._said_alive():
            await asyncio.sleep(30.5)
            assert told == ["WATCHDOG=1"] * 31
            assert logs == []
            await asyncio.sleep(10 * serving.RESTART_S)
    assert told == ["WATCHDOG=1"] * round(serving.RESTART_S / serving.BEAT_S)
    assert [line["event"] for line in logs] == ["restart-takes-too-long"]


@in_virtual_time
async def test_after_a_restart_only_the_gateway_says_so() -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "notify", told.append)
        async with serving._said_alive():
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
    assert told == ["WATCHDOG=1"]


@pytest.mark.parametrize("why", ["other radios", "half taken", "the clock"])
async def test_each_kind_of_restart_is_heard_from_its_first_step_to_its_last(
    home: Home, world: World, told: list[str], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(serving, "BEAT_S", 0.0)
    beat = asyncio.Event()

    def hear(state: str) -> None:
        told.append(state)
        beat.set()

    monkeypatch.setattr(serving, "notify", hear)

    async def heard() -> None:
        for _ in range(3):
            beat.clear()
            await asyncio.wait_for(beat.wait(), LIMIT_S)

    class SlowRunning(FakeRunning):
        async def stop(self) -> None:
            await heard()
            await super().stop()

    async def slow_start(loaded: LoadedGateway) -> FakeRunning:
        await heard()
        return await World.start(world, loaded)

    monkeypatch.setattr(Running, "start", slow_start)
    running: Any = SlowRunning(home.load(), world)
    service = serving.Service(Path("windsor.yaml"))
    if why == "the clock":
        await service._start_by_the_clock(running)
    else:
        if why == "half taken":
            world.taking = KeyError("a fault of ours")
            home.edit("plans.yaml", "Pursuit across the bridge", "Pursuit")
        else:
            home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
        await service.reread(running)
    assert world.log == ["stop", "start"]
    await asyncio.sleep(0)
    after = len(told)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(told) == after


# --- SIGTERM in the middle of something -----------------------------------------------------------


async def test_a_start_that_hangs_is_given_up_for_sigterm(
    home: Home, world: World, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, undone = asyncio.Event(), asyncio.Event()

    async def hang(_loaded: LoadedGateway) -> None:
        if not world.log:
            return await World.start(world, _loaded)  # type: ignore[return-value]
        hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            undone.set()

    monkeypatch.setattr(Running, "start", hang)
    serves = asyncio.create_task(serving.Service(Path("windsor.yaml")).serve(home.load()))
    first = await world.starting.get()
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(hanging.wait(), LIMIT_S)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(serves, LIMIT_S) == 0
    assert undone.is_set()
    assert first.stopped
    assert told[-1] == "STOPPING=1"


async def test_a_disk_that_hangs_under_a_reread_holds_up_no_sigterm(
    home: Home, world: World
) -> None:
    loaded, reading, free = home.load(), threading.Event(), threading.Event()

    def hang() -> LoadedGateway:
        reading.set()
        free.wait(LIMIT_S)
        return loaded

    world.loads = hang
    serves = asyncio.create_task(serving.Service(Path("windsor.yaml")).serve(loaded))
    first = await world.starting.get()
    os.kill(os.getpid(), signal.SIGHUP)
    assert await asyncio.to_thread(reading.wait, LIMIT_S)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(serves, LIMIT_S) == 0
    assert world.log == ["start", "stop"]
    assert first.stopped
    free.set()


# --- whole processes ------------------------------------------------------------------------------


class Manager:
    """What a service manager hears of a process, and the log of that."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(LIMIT_S)

    def wait(self, state: str) -> None:
        while self.socket.recv(100) != state.encode():
            pass


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.socket.close()


def wait_for(found: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.real
def test_a_disk_that_hangs_does_not_keep_a_process_from_its_end(
    home: Home, tmp_path: Path, manager: Manager
) -> None:
    """Status 0: it has ended in order, before STOP_S was over (then it would be 1)."""
    flag, out = tmp_path / "disk", tmp_path / "out"
    command = [sys.executable, "-m", "tests.hung_disk_process", str(home.gateway), str(flag)]
    with (
        out.open("wb") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": str(manager.path)}
        ) as gateway,
    ):
        try:
            manager.wait("READY=1")
            flag.touch()
            call(home.folder / "api.sock", "POST", "/v1/stop-transmit")
            wait_for(flag.with_suffix(".hangs").exists)
            gateway.send_signal(signal.SIGHUP)
            wait_for(flag.with_suffix(".read").exists)
            gateway.send_signal(signal.SIGTERM)
            status = gateway.wait(LIMIT_S)
        finally:
            gateway.kill()
    said = out.read_text()
    assert status == 0, said
    assert "state-not-closed" in said
    assert "gateway-stopped" in said
    assert "threads-not-ended" in said


RESORT = """
import asyncio, sys, threading
from radiobridge.drivers.process import LastResort

async def main():
    last = LastResort()
    last.within(3600, 1)
    last.within(0.2, 7)
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)

asyncio.run(main())
"""


@pytest.mark.real
def test_threads_that_wait_for_ever_are_not_waited_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RESORT], timeout=LIMIT_S, capture_output=True, check=False, text=True
    )
    assert done.returncode == 7
    assert "threads-not-ended" in done.stdout
