"""What happens on the cables when the gateway, or its keyer, is stopped in any way while keyed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from radiobridge.model.ids import RadioName
from tests.keyer.radios import ALL, CCDI, LIMIT_S, LINES, USRP, Radios, radios

pytestmark = pytest.mark.real

UNKEY_S = 0.5
"""The promise: a gateway that ends or stands still is unkeyed within that time."""

PRESS_S = 0.5
"""A press of the radio ends by itself (and 20 ms for two clocks)."""


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Radios]:
    with radios(tmp_path / "usb-radio") as devices:
        yield devices


class Gateway:
    """The process under test and its keyer."""

    def __init__(self, process: asyncio.subprocess.Process, keyer: int) -> None:
        self.process = process
        self.keyer = keyer

    def kill(self, number: signal.Signals) -> float:
        """Send a signal to the gateway alone; return when."""
        at = time.monotonic()
        self.process.send_signal(number)
        return at


@asynccontextmanager
async def gateway(
    devices: Radios, mode: str = "renew", *, terminal: bool = False
) -> AsyncIterator[Gateway]:
    """Run a gateway as a service does, or as one job of a terminal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.keyer.gateway_process",
        json.dumps(devices.settings),
        mode,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=not terminal,
        process_group=0 if terminal else None,
    )
    try:
        assert process.stdout is not None
        line = b""
        async with asyncio.timeout(LIMIT_S):
            while not line.startswith(b"{"):
                line = await process.stdout.readline()
                assert line, "the gateway ended"
        yield Gateway(process, json.loads(line)["keyer"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def went_off(devices: Radios, radio: RadioName, after: float) -> float:
    """Return how long after `after` the radio was unkeyed, in s."""
    log = devices.history[radio]
    change = await asyncio.to_thread(log.wait, "PTT", value=False, after=after, limit_s=LIMIT_S)
    assert change is not None, f"{radio} is still keyed"
    return change.at - after


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""

    def wait() -> None:
        end = time.monotonic() + LIMIT_S
        while _runs(pid):
            assert time.monotonic() < end, "the keyer still runs"
            time.sleep(0.01)

    await asyncio.to_thread(wait)


def guard_of(keyer: int) -> int:
    return int(Path(f"/proc/{keyer}/task/{keyer}/children").read_text())


def open_files(pid: int) -> list[str]:
    return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_killed_or_stopped_gateway_is_unkeyed(
    devices: Radios, number: signal.Signals
) -> None:
    async with gateway(devices) as process:
        at = process.kill(number)
        for radio in ALL:
            assert await went_off(devices, radio, at) <= UNKEY_S
    await gone(process.keyer)
    for radio in ALL:
        assert [change.value for change in devices.history[radio].of("PTT")] == [True, False]


async def test_a_gateway_that_goes_on_after_a_stop_does_not_key_again(devices: Radios) -> None:
    async with gateway(devices) as process:
        at = process.kill(signal.SIGSTOP)
        for radio in ALL:
            await went_off(devices, radio, at)
        process.kill(signal.SIGCONT)
        await asyncio.sleep(0.5)
        for radio in ALL:
            assert [change.value for change in devices.history[radio].of("PTT")] == [True, False]


async def test_a_stuck_event_loop_is_unkeyed(devices: Radios) -> None:
    async with gateway(devices, "hang"):
        for radio in ALL:
            await went_off(devices, radio, 0.0)
            on, off = devices.history[radio].of("PTT")
            assert off.at - on.at <= UNKEY_S


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_unkeys(devices: Radios, number: signal.Signals) -> None:
    async with gateway(devices) as process:
        at = time.monotonic()
        os.killpg(process.process.pid, number)
        for radio in ALL:
            assert await went_off(devices, radio, at) <= UNKEY_S
        await gone(process.keyer)


async def test_a_killed_keyer_ends_every_transmission(devices: Radios) -> None:
    async with gateway(devices) as process:
        at = time.monotonic()
        os.kill(process.keyer, signal.SIGKILL)
        assert await went_off(devices, LINES, at) <= UNKEY_S
        assert devices.history[LINES].of("PTT")[1].cause == "disconnect"
        assert await went_off(devices, USRP, at) <= UNKEY_S
        assert devices.history[USRP].of("PTT")[1].cause == "stream-gone"
        assert await went_off(devices, CCDI, at) <= PRESS_S + 0.02


async def test_a_killed_keyer_and_gateway_leave_no_press(devices: Radios) -> None:
    async with gateway(devices) as process:
        at = process.kill(signal.SIGSTOP)
        os.kill(process.keyer, signal.SIGKILL)
        assert await went_off(devices, CCDI, at) <= PRESS_S + 0.02
        assert devices.history[CCDI].of("PTT")[1].cause == "press-ended"


async def test_a_stopped_keyer_is_killed_by_the_gateway(devices: Radios) -> None:
    async with gateway(devices) as process:
        at = time.monotonic()
        os.kill(process.keyer, signal.SIGSTOP)
        for radio in ALL:
            await went_off(devices, radio, at)
        await gone(process.keyer)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_stopped_keyer_is_killed_by_its_guard_when_the_gateway_cannot(
    devices: Radios, number: signal.Signals
) -> None:
    """Nobody is left to renew, to unkey or to kill but the guard: a line would stay keyed."""
    async with gateway(devices) as process:
        os.kill(process.keyer, signal.SIGSTOP)
        at = process.kill(number)
        assert await went_off(devices, LINES, at) <= UNKEY_S
        assert devices.history[LINES].of("PTT")[1].cause == "disconnect"
        assert await went_off(devices, USRP, at) <= UNKEY_S
        assert await went_off(devices, CCDI, at) <= PRESS_S + 0.02
        await gone(process.keyer)


async def test_a_gateway_stopped_from_its_terminal_is_unkeyed_by_the_lease(devices: Radios) -> None:
    """Ctrl-Z stops a whole process group, but not the keyer in it."""
    async with gateway(devices, terminal=True) as process:
        at = time.monotonic()
        os.killpg(process.process.pid, signal.SIGTSTP)
        for radio in ALL:
            assert await went_off(devices, radio, at) <= UNKEY_S
        assert devices.history[LINES].of("PTT")[1].cause == "client"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_keyer_without_its_guard_unkeys_and_ends(
    devices: Radios, number: signal.Signals
) -> None:
    async with gateway(devices) as process:
        guard = guard_of(process.keyer)
        at = time.monotonic()
        os.kill(guard, number)
        if number is signal.SIGTERM:
            await asyncio.sleep(2 * UNKEY_S)
            assert not any(log.of("PTT")[1:] for log in devices.history.values())
            os.kill(guard, signal.SIGKILL)
            at = time.monotonic()
        for radio in ALL:
            assert await went_off(devices, radio, at) <= UNKEY_S
        await gone(process.keyer)


async def test_the_guard_ends_with_its_keyer_and_holds_no_device(devices: Radios) -> None:
    async with gateway(devices) as process:
        guard = guard_of(process.keyer)
        held = open_files(guard)
        assert sorted(held)[:3] == ["/dev/null"] * 3
        assert [name.partition(":")[0] for name in sorted(held)[3:]] == ["pipe"]
        os.kill(process.keyer, signal.SIGKILL)
        await gone(guard)


async def test_a_signal_to_the_keyer_alone_unkeys_and_it_ends_when_its_socket_does(
    devices: Radios,
) -> None:
    async with gateway(devices) as process:
        at = time.monotonic()
        os.kill(process.keyer, signal.SIGTERM)
        for radio in ALL:
            assert await went_off(devices, radio, at) <= UNKEY_S
        assert _runs(process.keyer)
        process.kill(signal.SIGKILL)
        await gone(process.keyer)
