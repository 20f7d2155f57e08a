"""State that survives a restart, in one SQLite file: epochs, bridge time, versions, inhibits.

`put` returns when the value is on the disk: write-ahead log, `synchronous=FULL`, one fsync for
each commit (sqlite.org/pragma.html#pragma_synchronous). All of SQLite runs in a thread of its own,
so a slow or hanging disk delays who waits for `put` and nobody else; puts that wait together share
one commit. The file is locked for this process: two gateways on one state would use keys twice.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import structlog

from radiobridge.drivers.store.letting_go import LET_GO_S, lets_go, wait_until_let_go
from radiobridge.drivers.store.sqlite_reason import is_damaged, is_full, is_held, reason_of
from radiobridge.errors import StoreError
from radiobridge.text import Text

T = TypeVar("T")

CLOSE_S = 1.0
"""How long `close` waits for the disk; one that hangs keeps its thread, and nobody else."""

_APPLICATION = 0x7262_5354
"""SQLite's application_id: tells our state from any other database."""

_VERSION = 1
_CACHE_KB = 128
_BATCH = 256
"""Most puts in one commit."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class _Put:
    key: str
    value: str
    done: asyncio.Future[None]


class SqliteStateStore:
    """A StateStore (see `spi`) in the file `path`. `open` first, `close` last.

    `connection` is what opens SQLite (tests give one whose disk hangs).
    """

    def __init__(
        self,
        path: Path,
        *,
        connection: type[sqlite3.Connection] = sqlite3.Connection,
        patience_s: float = CLOSE_S,
        let_go_s: float = LET_GO_S,
    ) -> None:
        self._path = path
        self._connection = connection
        self._patience_s = patience_s
        self._let_go_s = let_go_s
        self._values: dict[str, str] = {}
        self._queue: SimpleQueue[_Put | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None]
        """Set when the thread has closed the file."""

    async def open(self) -> None:
        """Open or create the file (0600), check it and load it; raise StoreError.

        Waits `let_go_s` for an earlier store of this process whose `close` the disk outlasts.
        """
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[dict[str, str]] = self._loop.create_future()
        self._ended = self._loop.create_future()
        thread = threading.Thread(target=self._work, args=(opened,), name="state", daemon=True)
        thread.start()
        self._values = await opened
        self._thread = thread

    def get(self, key: str) -> str | None:
        """See StateStore."""
        return self._values.get(key)

    def items(self, prefix: str) -> Mapping[str, str]:
        """See StateStore."""
        return {key: value for key, value in self._values.items() if key.startswith(prefix)}

    async def put(self, key: str, value: str) -> None:
        """See StateStore. Once given to the disk it is stored even if the caller is cancelled."""
        if self._thread is None or self._loop is None:
            raise StoreError(f"the state {self._path} is closed", f"l'état {self._path} est fermé")
        put = _Put(key, value, self._loop.create_future())
        self._queue.put(put)
        await put.done

    async def close(self) -> None:
        """See StateStore. Waits `patience_s` at most: a daemon thread holds up no process's end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        lets_go(self._path, thread)
        self._queue.put(None)
        if not (await asyncio.wait({self._ended}, timeout=self._patience_s))[0]:
            log.error("state-not-closed", path=str(self._path), waited_s=self._patience_s)

    # --- in the thread --------------------------------------------------------------------

    def _work(self, opened: asyncio.Future[dict[str, str]]) -> None:
        try:
            wait_until_let_go(self._path, Text("the state", "l'état"), self._let_go_s)
            database, values = _open(self._path, self._connection)
        except (sqlite3.Error, OSError) as error:
            self._tell(_fail, opened, _unusable(self._path, error))
            return
        except StoreError as error:
            self._tell(_fail, opened, error)
            return
        self._tell(_succeed, opened, values)
        while batch := self._next_batch():
            self._commit(database, batch)
        with suppress(sqlite3.Error):
            database.close()
        self._tell(_succeed, self._ended, None)

    def _next_batch(self) -> list[_Put]:
        """Wait for puts; empty when the store closes."""
        batch: list[_Put] = []
        put = self._queue.get()
        while put is not None:
            batch.append(put)
            if len(batch) == _BATCH:
                return batch
            try:
                put = self._queue.get_nowait()
            except Empty:
                return batch
        if batch:
            self._queue.put(None)
        return batch

    def _commit(self, database: sqlite3.Connection, batch: list[_Put]) -> None:
        rows = [(put.key, put.value) for put in batch]
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            self._tell(self._not_stored, batch, _unusable(self._path, error))
        else:
            self._tell(self._stored, batch)

    def _tell(self, call: object, *args: object) -> None:
        assert self._loop is not None and callable(call)  # noqa: S101, PT018  `open` set it
        with suppress(RuntimeError):  # the loop has ended: nobody waits any longer
            self._loop.call_soon_threadsafe(call, *args)

    # --- back in the event loop -----------------------------------------------------------

    def _stored(self, batch: list[_Put]) -> None:
        for put in batch:
            self._values[put.key] = put.value
            _succeed(put.done, None)

    def _not_stored(self, batch: list[_Put], error: StoreError) -> None:
        for put in batch:
            _fail(put.done, error)


def _succeed(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: StoreError) -> None:
    if not future.done():
        future.set_exception(StoreError(*error.text))


def _open(
    path: Path, connection: type[sqlite3.Connection]
) -> tuple[sqlite3.Connection, dict[str, str]]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not path.exists()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if new:
        _sync_folder(path.parent)
    database = sqlite3.connect(path, timeout=0, isolation_level=None, factory=connection)
    try:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        # Everything is in `_values`: pages kept by SQLite would be memory that grows, for nothing.
        database.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
        # Nothing is written when all is there: a gateway starts with its state on a full disk too.
        if not _check(database, path):
            database.execute("BEGIN IMMEDIATE")
            database.execute("CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT)")
            database.execute(f"PRAGMA application_id={_APPLICATION}")
            database.execute(f"PRAGMA user_version={_VERSION}")
            database.execute("COMMIT")
        return database, dict(database.execute("SELECT key, value FROM state"))
    except BaseException:
        database.close()
        raise


def _check(database: sqlite3.Connection, path: Path) -> bool:
    """Tell whether it is ready to be used; raise StoreError for what is not ours."""
    (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise _damaged(path)
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if tables and application != _APPLICATION:
        raise StoreError(
            f"{path} is a database of another program; name another file for the state",
            f"{path} est la base d'un autre programme ; indiquez un autre fichier pour l'état",
        )
    if version > _VERSION:
        raise StoreError(
            f"{path} was written by a newer radiobridge; install that version again",
            f"{path} a été écrit par un radiobridge plus récent ; réinstallez cette version",
        )
    return bool(tables) and (application, version) == (_APPLICATION, _VERSION)


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable too: SQLite syncs the folder for its logs only."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"the state {path} is damaged; move it away: the gateway then starts without state and"
        " opens nothing foreign until its own agency confirms",
        f"l'état {path} est endommagé ; déplacez-le : la passerelle démarre alors sans état et"
        " n'ouvre rien d'étranger avant confirmation de sa propre agence",
    )


def _unusable(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    if is_damaged(error):
        return _damaged(path)
    if is_held(error):
        return StoreError(
            f"the state {path} is in use by another process; is this gateway running already?",
            f"l'état {path} est utilisé par un autre processus ; la passerelle tourne-t-elle ?",
        )
    if is_full(error):
        return StoreError(
            f"the disk is full: the state {path} cannot be written; free some space",
            f"le disque est plein : l'état {path} ne peut être écrit ; libérez de l'espace",
        )
    why = reason_of(error)
    return StoreError(
        f"the state {path} cannot be used: {why.en}", f"l'état {path} est inutilisable : {why.fr}"
    )
