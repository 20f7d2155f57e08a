"""The audit log in one SQLite file: append-only, chained, and never in anybody's way.

All of SQLite runs in a thread of its own; the event loop only appends to a queue. `before` and
`after` share that queue, so the log has one order. What cannot be written stays at the front of the
queue and is tried again; only `before` gives up, because somebody waits for it.

    before   fails at once when a write fails, and after PATIENCE_S when the disk hangs. Its entry
             then leaves the queue, or, when the disk is at it already and succeeds later, is
             followed by one that says `failed`: it never took effect.
    after    waits in the queue, QUEUE entries at most. Beyond that entries are counted, and the
             count is written where they would have been.

Durable means: write-ahead log, `synchronous=FULL`, one fsync for each commit
(sqlite.org/pragma.html#pragma_synchronous). Triggers refuse UPDATE, DELETE, REPLACE and any number
but the next. The file is locked while it is open; `radiobridge audit` reads a copy.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import structlog

from radiobridge.core.audit_chain import EMPTY, seal_entry
from radiobridge.drivers.store.audit_file import append, open_log, unusable
from radiobridge.drivers.store.letting_go import LET_GO_S, lets_go, wait_until_let_go
from radiobridge.errors import StoreError
from radiobridge.model.audit import (
    AuditEntry,
    AuditEvent,
    AuditHead,
    AuditState,
    Order,
    Outcome,
)
from radiobridge.text import Text

QUEUE = 10_000
"""Entries that may wait; beyond that the newest are counted and not kept."""

PATIENCE_S = 2.0
"""How long `before` waits for the disk."""

CLOSE_S = 1.0
"""How long `close` waits for what is left; a disk that hangs keeps its thread, and nobody else."""

RETRY_S = 5.0
"""After a failure: when what waits is tried again, unless a `before` asks earlier."""

_BATCH = 256
"""Most entries in one commit."""

_THE_LOG = Text("the audit log", "le journal")

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiting:
    """One entry in the queue."""

    entry: AuditEntry
    done: asyncio.Future[None] | None
    """Of a `before`; None for an `after`."""
    given_up: bool = False
    """Nobody waits for it any more: if it is written all the same, it is to be taken back."""

    @property
    def order(self) -> Order:
        """Return which of the two it is."""
        return Order.AFTER if self.done is None else Order.BEFORE


class _LeftOut:
    """Entries that did not fit, until their count can be written."""

    def __init__(self, where: str, when_ms: int) -> None:
        self._where = where
        self._first_ms = self._last_ms = when_ms
        self._count = 0

    def add(self, when_ms: int) -> None:
        """Count one."""
        self._count += 1
        self._last_ms = when_ms

    def entry(self) -> AuditEntry:
        """Return the entry that stands where they would have been."""
        return AuditEntry(
            what=AuditEvent.LEFT_OUT,
            when_ms=self._last_ms,
            where=self._where,
            source="queue",
            outcome=Outcome.FAILED,
            identity=self._where,
            detail={"count": self._count, "first_ms": self._first_ms},
        )


class SqliteAuditLog:
    """An AuditLog (see `spi`) in the file `path`. `open` first, `close` last.

    `connection` is what opens SQLite (tests give one whose disk hangs).
    """

    def __init__(
        self,
        path: Path,
        *,
        connection: type[sqlite3.Connection] = sqlite3.Connection,
        patience_s: float = PATIENCE_S,
        close_s: float = CLOSE_S,
        retry_s: float = RETRY_S,
        let_go_s: float = LET_GO_S,
        queue: int = QUEUE,
    ) -> None:
        self._path = path
        self._connection = connection
        self._patience_s = patience_s
        self._close_s = close_s
        self._retry_s = retry_s
        self._let_go_s = let_go_s
        self._bound = queue
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None]
        """Set when the thread has closed the file."""
        self._state = AuditState(head=None)
        self._left_out: _LeftOut | None = None
        # Between the event loop and the thread, under `_change`:
        self._change = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._writing: tuple[_Waiting, ...] = ()
        """The front of the queue while the thread is at it."""
        self._urgent = False
        """A `before` has come since the last attempt: it is made without waiting for RETRY_S."""
        self._closing = False

    async def open(self) -> None:
        """Start; wait until the log is open, but no longer than for anything else.

        Raises nothing: a log that cannot be used is tried again, and stops what grants meanwhile.
        """
        self._loop = asyncio.get_running_loop()
        tried: asyncio.Future[None] = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(tried,), name="audit", daemon=True)
        self._thread.start()
        with suppress(TimeoutError):
            await asyncio.wait_for(tried, self._patience_s)

    async def before(self, entry: AuditEntry) -> None:
        """See AuditLog."""
        if self._loop is None or self._closing:
            raise StoreError(
                f"the audit log {self._path} is closed", f"le journal {self._path} est fermé"
            )
        done: asyncio.Future[None] = self._loop.create_future()
        waiting = _Waiting(entry, done)
        self._append(waiting)
        try:
            await asyncio.wait_for(asyncio.shield(done), self._patience_s)
        except TimeoutError:
            error = _hangs(self._path, self._patience_s)
            self._failed(error.text)
            raise error from None
        finally:
            if not done.done() or done.cancelled():
                self._give_up(waiting)

    def after(self, entry: AuditEntry) -> None:
        """See AuditLog."""
        if self._left_out is None and len(self._queue) < self._bound:
            self._append(_Waiting(entry, None))
            return
        self._state = replace(self._state, left_out=self._state.left_out + 1)
        if self._left_out is None:
            self._left_out = _LeftOut(entry.where, entry.when_ms)
            log.error("audit-left-out", waiting=len(self._queue))
        self._left_out.add(entry.when_ms)

    def head(self) -> AuditHead | None:
        """See AuditLog."""
        return self._state.head

    def state(self) -> AuditState:
        """See AuditLog."""
        return replace(self._state, waiting=len(self._queue))

    async def close(self) -> None:
        """See AuditLog. Waits `close_s` at most: a daemon thread holds up no process's end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._write_left_out()
        lets_go(self._path, thread)
        with self._change:
            self._closing = True
            self._change.notify()
        await asyncio.wait({self._ended}, timeout=self._close_s)
        if self._queue:
            log.error("audit-not-written", entries=len(self._queue), path=str(self._path))

    # --- in the event loop ----------------------------------------------------------------

    def _append(self, waiting: _Waiting) -> None:
        with self._change:
            self._queue.append(waiting)
            self._urgent = self._urgent or waiting.done is not None
            self._change.notify()

    def _give_up(self, waiting: _Waiting) -> None:
        """Nobody waits any more: take it out, or, when the disk is at it, mark it."""
        if waiting.done is not None:
            waiting.done.cancel()
        with self._change:
            waiting.given_up = True
            if waiting not in self._writing and waiting in self._queue:
                self._queue.remove(waiting)

    def _written(self, batch: tuple[_Waiting, ...], head: AuditHead) -> None:
        if self._state.error is not None:
            log.warning("audit-written-again", waiting=len(self._queue))
        self._state = replace(self._state, head=head, error=None)
        for sequence, one in enumerate(batch, head.sequence - len(batch) + 1):
            if one.given_up:
                self.after(_no_effect(one.entry, sequence))
            elif one.done is not None and not one.done.done():
                one.done.set_result(None)
        self._write_left_out()

    def _not_written(self, given_back: tuple[_Waiting, ...], error: StoreError) -> None:
        self._failed(error.text)
        for one in given_back:
            if one.done is not None and not one.done.done():
                one.done.set_exception(StoreError(*error.text))

    def _failed(self, why: Text) -> None:
        if self._state.error != why:
            log.error("audit-not-writable", error=why.en, waiting=len(self._queue))
        self._state = replace(self._state, failures=self._state.failures + 1, error=why)

    def _write_left_out(self) -> None:
        left, self._left_out = self._left_out, None
        if left is not None:
            self._append(_Waiting(left.entry(), None))

    # --- in the thread --------------------------------------------------------------------

    def _work(self, tried: asyncio.Future[None]) -> None:
        disk = _Disk(self._path, self._connection, self._let_go_s)
        working = self._attempt(disk, ())
        self._tell(_finish, tried)
        while (batch := self._next_batch(working=working)) is not None:
            working = self._attempt(disk, batch)
            if not working and self._closing:
                break
        disk.close()
        self._tell(_finish, self._ended)

    def _next_batch(self, *, working: bool) -> tuple[_Waiting, ...] | None:
        """Wait for something to write, and after a failure for the time to; None: closed."""
        retry_at = time.monotonic() + self._retry_s
        with self._change:
            while True:
                due = working or self._urgent or self._closing or time.monotonic() >= retry_at
                if self._queue and due:
                    self._urgent = False
                    self._writing = tuple(islice(self._queue, _BATCH))
                    return self._writing
                if self._closing:
                    return None
                if not working and time.monotonic() >= retry_at:
                    return ()
                self._change.wait(None if working else max(0.0, retry_at - time.monotonic()))

    def _attempt(self, disk: "_Disk", batch: tuple[_Waiting, ...]) -> bool:
        """Write a batch, or nothing to see whether the log can be used; tell whether it worked."""
        try:
            head = disk.write(batch)
        except StoreError as error:
            with self._change:
                self._writing = ()
                given_back = tuple(one for one in self._queue if one.done is not None)
                for one in given_back:
                    self._queue.remove(one)
            self._tell(self._not_written, given_back, error)
            return False
        with self._change:
            self._writing = ()
            for _ in batch:
                self._queue.popleft()
        self._tell(self._written, batch, head)
        return True

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        assert self._loop is not None  # noqa: S101  `open` set it
        with suppress(RuntimeError):  # the loop has ended: nobody waits any longer
            self._loop.call_soon_threadsafe(call, *args)


class _Disk:
    """The file and the end of its chain; opened when first needed and after each failure."""

    def __init__(self, path: Path, connection: type[sqlite3.Connection], let_go_s: float) -> None:
        self._path = path
        self._connection = connection
        self._let_go_s = let_go_s
        self._database: sqlite3.Connection | None = None
        self._head = EMPTY

    def write(self, batch: tuple[_Waiting, ...]) -> AuditHead:
        """Append a batch in one commit; return the new head. Raises StoreError: nothing is new."""
        try:
            if self._database is None:
                wait_until_let_go(self._path, _THE_LOG, self._let_go_s)
                self._database, self._head = open_log(self._path, self._connection)
            head, records = self._head, []
            for one in batch:
                record = seal_entry(one.entry, one.order, head)
                records.append(record)
                head = AuditHead(head.sequence + 1, record.hash)
                # A long queue is written at once when a disk is back: let the voice go first.
                time.sleep(0)
            if records:
                append(self._database, records)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise unusable(self._path, error) from error
        self._head = head
        return head

    def close(self) -> None:
        """Close the file; never raises."""
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                database.close()


def _no_effect(entry: AuditEntry, sequence: int) -> AuditEntry:
    """Return the entry that says of another: it reached the disk too late, and was not done."""
    detail: dict[str, str | int] = {"entry": sequence, "reason": "written-too-late"}
    return replace(entry, outcome=Outcome.FAILED, detail=detail)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _hangs(path: Path, patience_s: float) -> StoreError:
    return StoreError(
        f"the disk does not answer: the audit log {path} was not written within {patience_s:g} s",
        f"le disque ne répond pas: le journal {path} n'a pas été écrit en {patience_s:g} s",
    )
