"""A store opened anew while an earlier one of this process still closes the file on a slow disk."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.audit_file import read_log
from radiobridge.drivers.store.letting_go import LET_GO_S, lets_go, wait_until_let_go
from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.errors import StoreError
from radiobridge.serving import _OLD_AGAIN_S, _OLD_TRIES, RESTART_S
from radiobridge.text import Text
from tests.core.audit_log import entry

SOON = 0.05
"""A patience that tests can wait for, in s."""

A_WHILE_S = 0.3
"""Long enough for an open that does not wait to have failed."""

LONG = 60.0
END_S = 7.0
"""The end of a gateway on a disk that hangs, at most."""

WHAT = Text("the state", "l'état")


class SlowDisk:
    """Real SQLite on a disk on which closing takes until `free`."""

    def __init__(self) -> None:
        self.free = threading.Event()
        disk = self

        class Connection(sqlite3.Connection):
            def close(self) -> None:
                disk.free.wait(LONG)
                super().close()

        self.connection: type[sqlite3.Connection] = Connection


@pytest.fixture
def disk() -> Iterator[SlowDisk]:
    made = SlowDisk()
    yield made
    made.free.set()


async def closing_state(path: Path, disk: SlowDisk) -> None:
    """Leave a state behind that was closed, and whose file is still held."""
    store = SqliteStateStore(path, connection=disk.connection, patience_s=SOON)
    await store.open()
    await store.put("k", "v")
    await store.close()


async def closing_log(path: Path, disk: SlowDisk) -> None:
    log = SqliteAuditLog(path, connection=disk.connection, close_s=SOON)
    await log.open()
    await log.before(entry(1))
    await log.close()


async def opened_state(path: Path) -> None:
    store = SqliteStateStore(path, let_go_s=LONG)
    await store.open()
    assert store.get("k") == "v"
    await store.close()


async def opened_log(path: Path) -> None:
    log = SqliteAuditLog(path, patience_s=LONG, let_go_s=LONG)
    await log.open()
    state = log.state()
    assert (state.failures, state.error) == (0, None)
    await log.before(entry(2))
    await log.close()
    assert [record.sequence for record in read_log(path)] == [1, 2]


Closing = Callable[[Path, SlowDisk], Awaitable[None]]


@pytest.mark.parametrize(
    ("closing", "opened"), [(closing_state, opened_state), (closing_log, opened_log)]
)
async def test_the_next_open_waits_for_a_slow_close(
    tmp_path: Path, disk: SlowDisk, closing: Closing, opened: Callable[[Path], Any]
) -> None:
    path = tmp_path / "store.db"
    await closing(path, disk)
    # The loop turns meanwhile: this very wait ends.
    opening = asyncio.create_task(opened(path))
    await asyncio.wait({opening}, timeout=A_WHILE_S)
    assert not opening.done()
    disk.free.set()
    await asyncio.wait_for(opening, LONG)


async def state_error(path: Path) -> Text:
    with pytest.raises(StoreError) as caught:
        await SqliteStateStore(path, let_go_s=SOON).open()
    return caught.value.text


async def log_error(path: Path) -> Text:
    log = SqliteAuditLog(path, patience_s=LONG, let_go_s=SOON)
    await log.open()
    with pytest.raises(StoreError) as caught:
        await log.before(entry(2))
    assert log.state().error == caught.value.text
    await log.close()
    return caught.value.text


@pytest.mark.parametrize(
    ("closing", "error_of", "en", "fr"),
    [
        (closing_state, state_error, "the state", "l'état"),
        (closing_log, log_error, "the audit log", "le journal"),
    ],
)
async def test_a_close_that_does_not_end_is_told_as_what_it_is(
    tmp_path: Path, disk: SlowDisk, closing: Closing, error_of: Any, en: str, fr: str
) -> None:
    path = tmp_path / "store.db"
    await closing(path, disk)
    # Who waited in vain has ended too, and hides nobody who has not.
    for _ in range(2):
        assert await error_of(path) == Text(
            f"the disk does not answer: {en} {path} was not closed within 0.05 s",
            f"le disque ne répond pas : {fr} {path} n'a pas été fermé en 0.05 s",
        )


async def test_another_file_is_opened_meanwhile(tmp_path: Path, disk: SlowDisk) -> None:
    await closing_state(tmp_path / "store.db", disk)
    other = SqliteStateStore(tmp_path / "other.db", let_go_s=SOON)
    await other.open()
    await other.close()


def test_each_of_several_is_waited_for_and_a_relative_name_is_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ends = [threading.Event() for _ in range(3)]
    threads = [threading.Thread(target=end.wait, args=(LONG,), daemon=True) for end in ends]
    for thread in threads:
        thread.start()
        lets_go(Path("store.db"), thread)
    for end, thread in zip(reversed(ends), reversed(threads), strict=True):
        with pytest.raises(StoreError, match="does not answer"):
            wait_until_let_go(tmp_path / "store.db", WHAT, SOON)
        end.set()
        thread.join(LONG)
    wait_until_let_go(tmp_path / "store.db", WHAT, 0)


def test_who_is_told_to_close_waits_for_those_before_him_only() -> None:
    path, go, end = Path("/store.db"), threading.Event(), threading.Event()
    said: list[str] = []

    def work() -> None:
        go.wait(LONG)
        try:
            wait_until_let_go(path, WHAT, LONG)
        except BaseException as error:
            said.append(repr(error))
            raise
        said.append("let go")

    first, second, third = (
        threading.Thread(target=target, args=args, daemon=True)
        for target, args in ((end.wait, (LONG,)), (work, ()), (end.wait, (LONG,)))
    )
    for thread in (first, second):
        thread.start()
        lets_go(path, thread)
    end.set()
    first.join(LONG)
    end.clear()
    third.start()
    lets_go(path, third)
    go.set()
    second.join(LONG / 2)
    assert said == ["let go"]
    end.set()
    third.join(LONG)


async def test_a_log_that_cannot_be_opened_ends_all_the_same_when_it_closes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 900)
    log = SqliteAuditLog(path, close_s=LONG, let_go_s=LONG)
    await log.open()
    log.after(entry(1))
    await log.close()
    assert log._ended.done()
    error = log.state().error
    assert error is not None
    assert "damaged" in error.en


def test_a_restart_has_time_to_say_of_each_start_that_the_disk_does_not_answer() -> None:
    starts = (1 + _OLD_TRIES) * LET_GO_S + (_OLD_TRIES - 1) * _OLD_AGAIN_S
    assert END_S + starts <= RESTART_S
