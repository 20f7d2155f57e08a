"""The audit log on the disk: durable, in order, never in the way, and clear when it cannot be."""

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiobridge.core.audit_chain import EMPTY, Record, read_record, verify
from radiobridge.core.audit_findings import Kind, Verdict
from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.audit_file import read_log
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditEvent, Order, Outcome
from tests.core.audit_log import entry

SOON = 0.05
"""A patience that tests can wait for, in s."""

LONG = 60.0


@asynccontextmanager
async def opened(path: Path, **settings: Any) -> AsyncIterator[SqliteAuditLog]:
    log = SqliteAuditLog(path, **settings)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def check(path: Path) -> Verdict:
    return verify(read_log(path))


def whats(path: Path) -> list[str]:
    return [read_record(record.body).entry.what for record in read_log(path)]


def numbers(path: Path) -> list[Any]:
    sealed = [read_record(record.body) for record in read_log(path)]
    return [one.entry.detail.get("epoch") for one in sealed]


async def until(condition: Any) -> None:
    """Wait until the thread has done something."""
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 - a thread's doing, it sets no event of ours
            await asyncio.sleep(0.005)


# --- what it is for -----------------------------------------------------------------------------


async def test_what_was_logged_before_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.db"
    async with opened(path) as log:
        assert log.head() == EMPTY
        await log.before(entry(1))
        sealed = [read_record(record.body) for record in read_log(path)]
        assert [(one.entry, one.order) for one in sealed] == [(entry(1), Order.BEFORE)]
        assert log.head() == check(path).head


async def test_the_order_is_the_order_of_the_calls_and_each_says_which_it_was(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        for number in range(1, 1000):
            log.after(entry(number))
        await log.before(entry(1000))
        log.after(entry(1001))
    assert numbers(path) == list(range(1, 1002))
    orders = [read_record(record.body).order for record in read_log(path)]
    assert orders == [Order.AFTER] * 999 + [Order.BEFORE, Order.AFTER]
    assert check(path).ok


async def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    for number in (1, 2, 3):
        async with opened(path) as log:
            await log.before(entry(number))
    assert numbers(path) == [1, 2, 3]
    assert check(path).ok


async def test_only_we_may_read_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "audit.db") as log:
        await log.before(entry(1))
        assert _modes(tmp_path) == {0o600}


def _modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir()}


async def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        await log.before(entry(1))
    before = _contents(tmp_path)
    assert check(path).ok
    assert _contents(tmp_path) == before


async def test_it_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        await log.before(entry(1))
        reading = read_log(path)
        assert next(reading).sequence == 1
        await log.before(entry(2))
        assert list(reading) == [], "a reader sees the log as it was when it began"
        assert check(path).entries == 2


@pytest.mark.real
async def test_a_copy_is_whole_however_fast_the_log_is_written(tmp_path: Path) -> None:
    """Over several rounds of the write-ahead log, which begins anew every 1000 pages or so."""
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        writing = asyncio.ensure_future(write_many(log, 6000))
        seen = []
        while not writing.done():
            verdict = await asyncio.to_thread(check, path)
            assert verdict.ok, verdict.findings
            seen.append(verdict.entries)
        await writing
    assert seen == sorted(seen)
    assert check(path).entries == 6000


async def write_many(log: SqliteAuditLog, count: int) -> None:
    for number in range(0, count, 4):
        await asyncio.gather(*(log.before(entry(number + more)) for more in range(4)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET hash = 'x' WHERE sequence = 2",
        "UPDATE entry SET sequence = 9 WHERE sequence = 2",
        "DELETE FROM entry WHERE sequence = 3",
        "DELETE FROM entry",
        "INSERT OR REPLACE INTO entry VALUES (2, '{}', 'x')",
        "INSERT INTO entry VALUES (9, '{}', 'x')",
        "INSERT INTO entry VALUES (0, '{}', 'x')",
        "INSERT INTO entry VALUES (NULL, '{}', 'x')",
    ],
)
async def test_sql_cannot_change_what_is_written(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        for number in (1, 2, 3):
            log.after(entry(number))
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    assert numbers(path) == [1, 2, 3]


# --- a disk that is full ------------------------------------------------------------------------


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


async def test_what_cannot_be_written_is_refused_or_kept_and_written_later_in_order(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    async with opened(path, retry_s=SOON) as log:
        await log.before(entry(1))
        with no_file_above(1000):
            log.after(entry(2))
            with pytest.raises(StoreError, match="audit log") as caught:
                await log.before(entry(3))
            assert "journal" in caught.value.text.fr
            log.after(entry(4))
            await until(lambda: log.state().failures >= 2)
            assert log.state().waiting == 2
            assert log.state().error is not None
        await log.before(entry(5))
        assert log.state().error is None
    assert numbers(path) == [1, 2, 4, 5]
    assert check(path).ok


async def test_what_waits_is_written_by_itself_when_the_disk_is_back(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path, retry_s=SOON) as log:
        with no_file_above(1000):
            log.after(entry(1))
            await until(lambda: log.state().error is not None)
        await until(lambda: log.state().error is None and log.state().waiting == 0)
        assert numbers(path) == [1]


async def test_more_than_the_queue_holds_is_counted_where_it_would_have_been(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    async with opened(path, retry_s=SOON, queue=10) as log:
        with no_file_above(1000):
            log.after(entry(1))
            await until(lambda: log.state().error is not None)
            for number in range(2, 26):
                log.after(entry(number))
            assert (log.state().waiting, log.state().left_out) == (10, 15)
        await until(lambda: log.state().error is None and log.state().waiting == 0)
        log.after(entry(99))
    assert numbers(path) == [*range(1, 11), None, 99]
    left_out = [read_record(r.body).entry for r in read_log(path)][10]
    assert left_out.what == AuditEvent.LEFT_OUT
    assert left_out.outcome is Outcome.FAILED
    assert left_out.detail == {"count": 15, "first_ms": entry(11).when_ms}
    assert left_out.when_ms == entry(25).when_ms


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk; the RLIMIT_FSIZE tests cover the rest")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this kernel or container does not let us mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.real
async def test_a_full_disk_says_so_in_both_languages(small_disk: Path) -> None:
    path = small_disk / "audit.db"
    async with opened(path, retry_s=SOON) as log:
        await log.before(entry(1))
        (small_disk / "filler").write_bytes(bytes(256 * 1024 - _used(small_disk)))
        with pytest.raises(StoreError, match="disk is full") as caught:
            await asyncio.gather(*(log.before(entry(number)) for number in range(2, 100)))
        assert "le disque est plein" in caught.value.text.fr
        kept = log.head()
        log.after(entry(100))
        (small_disk / "filler").unlink()
        await until(lambda: log.state().waiting == 0)
        assert kept is not None
        assert check(path).entries == kept.sequence + 1
        assert check(path).ok


def _used(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.iterdir())


# --- a disk that hangs --------------------------------------------------------------------------


class Disk:
    """Real SQLite on a disk whose fsync hangs while told to."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.hanging = threading.Event()
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and not disk.free.is_set():
                    disk.hanging.set()
                    disk.free.wait(LONG)
                return super().execute(sql, *parameters)

        self.connection: type[sqlite3.Connection] = Connection


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.free.set()


async def test_a_disk_that_hangs_fails_what_grants_and_delays_nothing_else(
    tmp_path: Path, disk: Disk
) -> None:
    path = tmp_path / "audit.db"
    async with opened(path, connection=disk.connection, patience_s=SOON) as log:
        await log.before(entry(1))
        disk.free.clear()
        with pytest.raises(StoreError, match="does not answer") as caught:
            await log.before(entry(2))
        assert "ne répond pas" in caught.value.text.fr
        assert disk.hanging.is_set()
        # The thread hangs in COMMIT still: nothing of this waits for it.
        log.after(entry(3))
        with pytest.raises(StoreError, match="does not answer"):
            await log.before(entry(4))
        assert log.state().waiting == 2, "what is being written, and what comes after"
        assert log.state().error is not None
        disk.free.set()
        await until(lambda: log.state().waiting == 0)
    assert numbers(path) == [1, 2, 3, None]
    sealed = [read_record(record.body) for record in read_log(path)]
    assert sealed[1].entry.outcome is Outcome.DONE
    late = sealed[3].entry
    assert (late.what, late.outcome) == (entry(2).what, Outcome.FAILED)
    assert late.detail == {"entry": 2, "reason": "written-too-late"}
    assert check(path).ok


async def test_two_seconds_is_the_patience(tmp_path: Path) -> None:
    log = SqliteAuditLog(tmp_path / "audit.db")
    assert log._patience_s == 2.0


async def test_who_stops_waiting_takes_its_entry_back(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "audit.db"
    async with opened(path, connection=disk.connection, patience_s=LONG) as log:
        disk.free.clear()
        log.after(entry(1))
        await until(disk.hanging.is_set)
        asking = asyncio.ensure_future(log.before(entry(2)))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        disk.free.set()
        await until(lambda: log.state().waiting == 0)
    assert numbers(path) == [1]


async def test_closing_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, disk: Disk) -> None:
    log = SqliteAuditLog(tmp_path / "audit.db", connection=disk.connection, patience_s=SOON)
    await log.open()
    disk.free.clear()
    log.after(entry(1))
    await until(disk.hanging.is_set)
    await log.close()
    with pytest.raises(StoreError, match="closed"):
        await log.before(entry(2))


async def test_opening_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, disk: Disk) -> None:
    disk.free.clear()
    path = tmp_path / "audit.db"
    async with opened(path, connection=disk.connection, patience_s=SOON) as log:
        assert log.head() is None
        log.after(entry(1))
        disk.free.set()
        await until(lambda: log.head() is not None and log.state().waiting == 0)
    assert numbers(path) == [1]


# --- a file that is damaged, or somebody else's -------------------------------------------------


async def test_a_damaged_log_is_not_continued_until_it_is_put_away(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 900)
    async with opened(path, retry_s=SOON) as log:
        with pytest.raises(StoreError, match="damaged; keep it as evidence") as caught:
            await log.before(entry(1))
        assert "endommagé" in caught.value.text.fr
        log.after(entry(2))
        path.rename(tmp_path / "audit-evidence.db")
        await until(lambda: log.state().waiting == 0 and log.state().error is None)
    assert numbers(path) == [2]


async def test_a_log_whose_last_entry_was_altered_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as log:
        await log.before(entry(1))
    tamper(path, "UPDATE entry SET record = replace(record, 'local', 'LOCAL')")
    async with opened(path, retry_s=LONG) as log:
        assert log.head() is None
        with pytest.raises(StoreError, match="damaged"):
            await log.before(entry(2))


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE contacts (name TEXT)")
    async with opened(path, retry_s=LONG) as log:
        with pytest.raises(StoreError, match="something else than an audit log"):
            await log.before(entry(1))
    with pytest.raises(StoreError, match="something else than an audit log"):
        check(path)


async def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path):
        pass
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="newer radiobridge"):
        check(path)


def test_no_log_and_no_database_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no audit log"):
        check(tmp_path / "audit.db")
    (tmp_path / "letter").write_text("Dear editor, " * 200)
    with pytest.raises(StoreError, match="damaged"):
        check(tmp_path / "letter")


async def test_no_other_hand_writes_it_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    async with opened(path):
        with (
            closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("INSERT INTO entry VALUES (1, '{}', 'x')")
        async with opened(path, retry_s=LONG) as second:
            with pytest.raises(StoreError, match="another process"):
                await second.before(entry(1))


# --- whatever is changed in the file is found ---------------------------------------------------


def tamper(path: Path, statement: str, *values: object) -> None:
    """Change the file as one who may write it does: past the triggers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for trigger in ("entry_stays", "entry_remains", "entry_follows"):
            database.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        database.execute(statement, values)
        database.execute("PRAGMA journal_mode=DELETE")


ENTRIES = 8
HEADER = (1, 2, 3, 4, 6, 7, 8, 9)
"""Bytes before a row of this size: types and lengths of hash and record; size of that header;
number; length of the row. The fifth is of a column that SQLite never reads: its number again."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "audit.db"

    async def write() -> None:
        async with opened(path) as log:
            for number in range(1, ENTRIES + 1):
                log.after(entry(number))

    asyncio.run(write())
    return path


anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@anywhere
@given(place=st.integers(1, ENTRIES), data=st.data(), mask=st.integers(1, 255))
def test_any_byte_of_any_entry_in_the_file(
    written: Path, tmp_path: Path, place: int, data: st.DataObject, mask: int
) -> None:
    """The very bytes of the file: SQLite keeps record and hash side by side."""
    row = row_of(list(read_log(written))[place - 1])
    raw = bytearray(written.read_bytes())
    raw[raw.index(row) + data.draw(st.integers(0, len(row) - 1))] ^= mask
    copy = tmp_path / "audit.db"
    copy.write_bytes(raw)
    found = check(copy).findings[0]
    assert (found.kind, found.sequence) == (Kind.ALTERED, place)


@anywhere
@given(place=st.integers(1, ENTRIES), back=st.sampled_from(HEADER), mask=st.integers(1, 255))
def test_any_byte_of_what_sqlite_keeps_about_an_entry(
    written: Path, tmp_path: Path, place: int, back: int, mask: int
) -> None:
    """Its length, its number, the lengths of its parts."""
    row = row_of(list(read_log(written))[place - 1])
    raw = bytearray(written.read_bytes())
    raw[raw.index(row) - back] ^= mask
    copy = tmp_path / "audit.db"
    copy.write_bytes(raw)
    assert spoilt(copy)


def spoilt(path: Path) -> bool:
    try:
        return not check(path).ok
    except StoreError:
        return True


def row_of(record: Record) -> bytes:
    return record.body + record.hash.encode()


@pytest.mark.real
def test_kill_keeps_every_entry_that_was_logged_before(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from radiobridge.drivers.store.audit import SqliteAuditLog\n"
        "from radiobridge.model.audit import AuditEntry, Outcome\n"
        "async def main():\n"
        "    log = SqliteAuditLog(Path(sys.argv[1]))\n"
        "    await log.open()\n"
        "    n = log.head().sequence\n"
        "    while True:\n"
        "        n += 1\n"
        "        await log.before(AuditEntry(what='x', when_ms=n, where='a/b', source='s',\n"
        "            outcome=Outcome.DONE, identity='i', detail={'epoch': n}))\n"
        "        print(n, flush=True)\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "audit.db"
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(25):
                done = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            done = int((child.stdout.read().split() or [str(done)])[-1])
        verdict = check(path)
        assert verdict.ok
        # The entry after the last one we heard of may be durable too, its word lost.
        assert verdict.entries in (done, done + 1)
