"""The state store: durable when it says so, clear when it cannot be."""

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.errors import StoreError


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStateStore]:
    store = SqliteStateStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_what_was_put_is_there_after_opening_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "state.db") as store:
        assert store.get("epoch/TAC1") is None
        await store.put("epoch/TAC1", "7")
        await store.put("epoch/TAC1", "8")
        await store.put("été", "à l'ouest")
    async with opened(tmp_path / "new" / "state.db") as store:
        assert store.get("epoch/TAC1") == "8"
        assert store.get("été") == "à l'ouest"


async def test_only_we_may_read_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.put("k", "v")
        assert _modes(tmp_path) == {0o600}


def _modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_many_puts_at_once_are_all_kept_and_the_last_one_counts(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await asyncio.gather(*(store.put(f"k{n % 100}", str(n)) for n in range(1000)))
        assert [store.get(f"k{n}") for n in range(100)] == [str(900 + n) for n in range(100)]


async def test_a_value_shows_only_once_it_is_on_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        putting = asyncio.ensure_future(store.put("k", "v"))
        await asyncio.sleep(0)
        assert store.get("k") is None
        await putting
        assert store.get("k") == "v"


async def test_close_stores_what_still_waits(tmp_path: Path) -> None:
    store = SqliteStateStore(tmp_path / "state.db")
    await store.open()
    putting = asyncio.gather(*(store.put(f"k{n}", "v") for n in range(50)))
    await asyncio.sleep(0)
    await store.close()
    await putting
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.put("k", "late")


@pytest.mark.real
def test_kill_keeps_every_put_that_returned(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from radiobridge.drivers.store.state import SqliteStateStore\n"
        "async def main():\n"
        "    store = SqliteStateStore(Path(sys.argv[1]))\n"
        "    await store.open()\n"
        "    n = 0\n"
        "    while True:\n"
        "        await store.put('n', str(n))\n"
        "        print(n, flush=True)\n"
        "        n += 1\n"
        "asyncio.run(main())\n"
    )
    path, done = tmp_path / "state.db", -1
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(25):
                done = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            done = int((child.stdout.read().split() or [str(done)])[-1])
        kept = asyncio.run(_read(path, "n"))
        assert kept is not None
        # The put after the last one we heard of may be durable too, its word lost.
        assert int(kept) in (done, done + 1)


async def _read(path: Path, key: str) -> str | None:
    async with opened(path) as store:
        return store.get(key)


@pytest.mark.parametrize(
    "damage",
    [
        b"this is no database, it is a letter to the editor" * 20,
        b"SQLite format 3\0" + b"\xff" * 900,
    ],
)
async def test_a_damaged_file_says_what_to_do(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(damage)
    with pytest.raises(StoreError, match="damaged; move it away") as caught:
        await SqliteStateStore(path).open()
    assert "endommagé" in caught.value.text.fr
    assert path.read_bytes() == damage


async def test_damage_in_the_middle_is_noticed_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await asyncio.gather(*(store.put(f"key {n}", "v" * 200) for n in range(200)))
    data = bytearray(path.read_bytes())
    data[4096 : 3 * 4096] = b"\xaa" * 8192
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        await SqliteStateStore(path).open()


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE contacts (name TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="another program"):
        await SqliteStateStore(path).open()


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path):
        pass
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(StoreError, match="newer radiobridge"):
        await SqliteStateStore(path).open()


async def test_two_gateways_cannot_share_one_state(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db"):
        with pytest.raises(StoreError, match="in use by another process"):
            await SqliteStateStore(tmp_path / "state.db").open()


async def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        await SqliteStateStore(tmp_path / "file" / "state.db").open()


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Make every write beyond `size` bytes fail, as a full disk does (EFBIG for ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


async def test_a_failing_write_is_a_store_error_and_the_next_one_may_succeed(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.put("k", "before")
        with no_file_above(100_000), pytest.raises(StoreError, match="state"):
            await store.put("k", "x" * 200_000)
        assert store.get("k") == "before"
        await store.put("k", "after")
    async with opened(tmp_path / "state.db") as store:
        assert store.get("k") == "after"


async def test_a_disk_that_takes_nothing_more_gives_what_it_has_at_a_start(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.put("k", "before")
    with no_file_above(0):
        async with opened(tmp_path / "state.db") as store:
            assert store.get("k") == "before"
            with pytest.raises(StoreError, match="state"):
                await store.put("k", "after")


async def test_two_gateways_cannot_share_a_state_that_nobody_has_written_yet(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.put("k", "v")
    async with opened(path):
        with pytest.raises(StoreError, match="in use by another process"):
            await SqliteStateStore(path).open()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk; the RLIMIT_FSIZE test covers the rest")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this kernel or container does not let us mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.real
async def test_a_full_disk_says_so_and_the_loop_goes_on(small_disk: Path) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with opened(small_disk / "state.db") as store:
        await store.put("k", "before")
        counting = asyncio.ensure_future(count_turns())
        (small_disk / "filler").write_bytes(bytes(256 * 1024 - _used(small_disk) - 8192))
        with pytest.raises(StoreError, match="disk is full"):
            await store.put("k", "x" * 100_000)
        counting.cancel()
        assert turns > 1
        assert store.get("k") == "before"
        (small_disk / "filler").unlink()
        await store.put("k", "after")
        assert store.get("k") == "after"


def _used(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


# --- a disk that hangs --------------------------------------------------------------------------


class _Disk:
    """Real SQLite on a disk whose fsync hangs while told to."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    disk.free.wait()
                return super().execute(sql, *parameters)

        self.connection: type[sqlite3.Connection] = Connection


async def test_a_disk_that_hangs_does_not_hold_up_the_close(tmp_path: Path) -> None:
    disk, path = _Disk(), tmp_path / "state.db"
    store = SqliteStateStore(path, connection=disk.connection, patience_s=0.05)
    await store.open()
    disk.free.clear()
    putting = asyncio.create_task(store.put("k", "v"))
    await asyncio.sleep(0)
    with capture_logs() as logs:
        await asyncio.wait_for(store.close(), 60)
    assert [(line["event"], line["path"]) for line in logs] == [("state-not-closed", str(path))]
    assert not putting.done()
    # A disk that comes back: what was given to it is kept, and the file can be opened again.
    disk.free.set()
    await putting
    await asyncio.wait_for(store._ended, 60)
    assert await _read(path, "k") == "v"


async def test_a_close_in_order_says_nothing(tmp_path: Path) -> None:
    store = SqliteStateStore(tmp_path / "state.db")
    await store.open()
    with capture_logs() as logs:
        await store.close()
    assert logs == []
    assert await _read(tmp_path / "state.db", "k") is None


def test_a_disk_that_hangs_does_not_hold_up_the_end_of_the_process(tmp_path: Path) -> None:
    script = (
        "import asyncio, sqlite3, sys, threading\n"
        "from pathlib import Path\n"
        "from radiobridge.drivers.store.audit import SqliteAuditLog\n"
        "from radiobridge.drivers.store.state import SqliteStateStore\n"
        "from tests.drivers.store.test_failing_disk import ENTRY\n"
        "free = threading.Event()\n"
        "free.set()\n"
        "class Hanging(sqlite3.Connection):\n"
        "    def execute(self, sql, /, *parameters):\n"
        "        free.wait() if sql == 'COMMIT' else None\n"
        "        return super().execute(sql, *parameters)\n"
        "async def main():\n"
        "    store = SqliteStateStore(Path(sys.argv[1]), connection=Hanging, patience_s=0.1)\n"
        "    log = SqliteAuditLog(Path(sys.argv[2]), connection=Hanging, close_s=0.1)\n"
        "    await store.open()\n"
        "    await log.open()\n"
        "    free.clear()\n"
        "    log.after(ENTRY)\n"
        "    putting = asyncio.ensure_future(store.put('k', 'v'))\n"
        "    await asyncio.sleep(0)\n"
        "    await log.close()\n"
        "    await store.close()\n"
        "    putting.cancel()\n"
        "asyncio.run(main())\n"
    )
    paths = [str(tmp_path / "state.db"), str(tmp_path / "audit.db")]
    command = [sys.executable, "-c", script, *paths]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "state-not-closed" in done.stdout
    assert "audit-not-written" in done.stdout
