"""A keyer that takes its time to start is waited for, one that hangs is not; neither keys."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from radiobridge.keyer import client as keyer_client
from radiobridge.keyer.client import KeyerClient
from radiobridge.keyer.protocol import MAX_MESSAGE, Kind, pack_event, pack_rate, unpack
from radiobridge.model.ids import RadioName
from radiobridge.model.interface import DeviceBack, DeviceLost, KeyAnswer, KeyAnswered, Unkeyed
from tests.keyer.radios import LIMIT_S, Sink

pytestmark = pytest.mark.real

ONE, TWO = RadioName("one"), RadioName("two")
SETTINGS = {name: {"driver": "none"} for name in (ONE, TWO)}
SILENT_S = 0.3
SLOW = (
    "import sys, time; time.sleep(float(sys.argv[1]));"
    " from radiobridge.keyer.process import main; main(sys.argv[2:])"
)
"""A keyer that reads nothing for a while: a slow board, its imports from a slow disk."""


def spawn_slow(fd: int) -> subprocess.Popen[bytes]:
    ours = [str(5 * SILENT_S), "--fd", str(fd), "--parent", str(os.getpid())]
    return subprocess.Popen([sys.executable, "-c", SLOW, *ours], pass_fds=(fd,))


class StuckKeyers:
    """Keyers that answer as the test says and never get done with their start."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.socks: list[socket.socket] = []
        self._begun = threading.Semaphore(0)

    def spawn(self, fd: int) -> subprocess.Popen[bytes]:
        sock = socket.socket(fileno=os.dup(fd))
        sock.setblocking(False)
        self.socks.append(sock)
        self.processes.append(subprocess.Popen(["sleep", "3600"]))
        self._begun.release()
        return self.processes[-1]

    async def begun(self) -> None:
        """Wait for the next one."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=LIMIT_S)

    def told(self) -> list[Kind]:
        """Return what the first of them was told so far."""
        kinds: list[Kind] = []
        while True:
            try:
                raw = self.socks[0].recv(MAX_MESSAGE)
            except BlockingIOError:
                return kinds
            if not raw:
                return kinds
            kinds.append(unpack(raw).kind)


@pytest.fixture
def stuck() -> Iterator[StuckKeyers]:
    made = StuckKeyers()
    yield made
    for process, sock in zip(made.processes, made.socks, strict=True):
        process.kill()
        process.wait()
        sock.close()


async def restarted_by(
    spawn: Callable[[int], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> tuple[KeyerClient, Sink]:
    """Kill a keyer that works; those that follow are started by `spawn`."""
    client, sink = await KeyerClient.start(SETTINGS), Sink()
    client.line(ONE).attach(sink)
    await sink.event(DeviceBack)
    monkeypatch.setattr(keyer_client, "_spawn", spawn)
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    await sink.event(DeviceLost)
    return client, sink


async def test_a_keyer_that_starts_slowly_after_a_crash_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyer_client, "SILENT_S", SILENT_S)
    client, sink = await restarted_by(spawn_slow, monkeypatch)
    await sink.event(DeviceBack, 2)
    assert client.restarts == 1
    await client.close()


async def test_a_gateway_without_radios_waits_for_its_keyer_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyer_client, "SILENT_S", SILENT_S)
    monkeypatch.setattr(keyer_client, "_spawn", spawn_slow)
    client = await KeyerClient.start({})
    assert client.restarts == 0
    await client.close()


async def test_nothing_is_keyed_by_a_keyer_that_hangs_at_its_start_and_it_is_killed(
    monkeypatch: pytest.MonkeyPatch, stuck: StuckKeyers
) -> None:
    monkeypatch.setattr(keyer_client, "START_S", 5 * SILENT_S)
    monkeypatch.setattr(keyer_client, "SILENT_S", SILENT_S)
    client, sink = await restarted_by(stuck.spawn, monkeypatch)
    await stuck.begun()
    now = time.monotonic()
    stuck.socks[0].send(pack_rate(0, now, 0))
    stuck.socks[0].send(pack_event(0, 0, DeviceBack(at=now)))
    await sink.event(DeviceBack, 2)
    line = client.line(ONE)
    line.key()
    answer = await sink.event(KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.FAILED
    line.unkey()
    await sink.event(Unkeyed)
    assert set(stuck.told()) == {Kind.ADD}
    await stuck.begun()
    assert stuck.processes[0].returncode == -signal.SIGKILL
    assert not line.device_open
    assert len(sink.of(DeviceLost)) == 2
    await client.close()
    assert all(process.poll() is not None for process in stuck.processes)
