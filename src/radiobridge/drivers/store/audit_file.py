"""The SQLite file of an audit log: its one table, its guards, and reading it beside the gateway.

    entry(sequence INTEGER PRIMARY KEY, record TEXT, hash TEXT)

What a record is: `core.audit_chain`. The guards stop mistakes, not an attacker who may write the
file; what shows that one is the chain.

The gateway holds the file locked, which keeps SQLite's index of the write-ahead log in its own
memory. Shared with readers it would be a file mapped into memory, and on a full disk the kernel
ends a process that touches a page of it which has no room (SIGBUS): the gateway with all its voice.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from radiobridge.core.audit_chain import EMPTY, Record, intact
from radiobridge.drivers.store.sqlite_reason import is_damaged, is_full, is_held, reason_of
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditHead

APPLICATION = 0x7262_4155
"""SQLite's application_id: tells an audit log from any other database."""

VERSION = 1

MAGIC = b"SQLite format 3\0"
"""How every SQLite file begins."""

CACHE_KB = 128
"""Pages that SQLite keeps in memory. It writes at the end only: more would be memory that grows, by
2 MB at the usual setting, for nothing."""

COPIES = 10
"""Attempts to copy a log while it is written."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS entry (
        sequence INTEGER PRIMARY KEY, record TEXT NOT NULL, hash TEXT NOT NULL) STRICT""",
    """CREATE TRIGGER IF NOT EXISTS entry_stays BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'an audit log is only ever appended to'); END""",
    """CREATE TRIGGER IF NOT EXISTS entry_remains BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'an audit log is only ever appended to'); END""",
    """CREATE TRIGGER IF NOT EXISTS entry_follows BEFORE INSERT ON entry
        WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM entry)
        BEGIN SELECT RAISE(ABORT, 'an audit log is only ever appended to'); END""",
)

_RECORDS = (
    "SELECT sequence, CAST(record AS BLOB), CAST(hash AS BLOB), typeof(record) || typeof(hash)"
    " FROM entry ORDER BY sequence"
)


def open_log(
    path: Path, connection: type[sqlite3.Connection]
) -> tuple[sqlite3.Connection, AuditHead]:
    """Open or create the file (0600); return it and the head. Raises StoreError and SQLite's."""
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
        database.execute(f"PRAGMA cache_size=-{CACHE_KB}")
        _check(database, path)
        if new or not _has_schema(database):
            database.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute(f"PRAGMA application_id={APPLICATION}")
            database.execute(f"PRAGMA user_version={VERSION}")
            database.execute("COMMIT")
        return database, _tail(database, path)
    except BaseException:
        database.close()
        raise


def append(database: sqlite3.Connection, records: list[Record]) -> None:
    """Append records in one commit, durable when it returns; raise sqlite3.Error."""
    rows = [(record.sequence, record.body.decode("utf-8"), record.hash) for record in records]
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")


def read_log(path: Path) -> Iterator[Record]:
    """Yield all records of the log at `path`, also while a gateway writes it.

    Changes nothing there: a log that is not at rest is copied first (to TMPDIR). Raises StoreError
    when the file is no audit log, or damaged from some point on.
    """
    read = 0
    try:
        with _to_be_read(path) as file, closing(_open_copy(file)) as database:
            _check(database, path)
            for row in database.execute(_RECORDS):
                yield _record(*row)
                read += 1
    except OSError as error:
        why = reason_of(error)
        raise StoreError(
            f"the audit log {path} cannot be read: {why.en}",
            f"le journal {path} ne peut être lu: {why.fr}",
        ) from error
    except sqlite3.Error as error:
        if read:
            raise StoreError(
                f"{path} is damaged behind entry {read} and cannot be read further: {error}",
                f"{path} est endommagé après l'entrée {read} et illisible au-delà: {error}",
            ) from error
        raise unusable(path, error) from error


def unusable(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what an operator should know and do about `error`."""
    if is_damaged(error):
        return _damaged(path)
    if is_full(error):
        return StoreError(
            f"the disk is full: the audit log {path} cannot be written; free some space",
            f"le disque est plein: le journal {path} ne peut être écrit; libérez de l'espace",
        )
    if is_held(error):
        return StoreError(
            f"the audit log {path} is held by another process; end that process",
            f"le journal {path} est retenu par un autre processus; mettez-y fin",
        )
    why = reason_of(error)
    return StoreError(
        f"the audit log {path} cannot be used: {why.en}",
        f"le journal {path} est inutilisable: {why.fr}",
    )


@contextmanager
def _to_be_read(path: Path) -> Iterator[Path]:
    """Give a file that nobody writes: the log itself when it is at rest, else a copy of it."""
    if not path.is_file():
        raise StoreError(
            f"there is no audit log at {path}; name a gateway's file, or the log itself",
            f"il n'y a pas de journal à {path}; nommez le fichier d'une passerelle, ou le journal",
        )
    if not _wal(path).exists():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="radiobridge-audit-") as folder:
        copy = Path(folder, path.name)
        copy_log(path, copy)
        yield copy


def copy_log(path: Path, copy: Path) -> None:
    """Copy a log that may be written meanwhile; raise StoreError, OSError.

    The write-ahead log holds all that the database lacks until it begins anew, and each time it
    does, its first 32 bytes change, before anything else in it (sqlite.org/fileformat2.html, 4.1).
    """
    for _ in range(COPIES):
        before = _wal_header(path)
        shutil.copyfile(path, copy)
        if before is not None:
            shutil.copyfile(_wal(path), _wal(copy))
        if _wal_header(path) == before:
            return
    raise StoreError(
        f"the audit log {path} changes too fast to be copied; try again",
        f"le journal {path} change trop vite pour être copié; réessayez",
    )


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _wal_header(path: Path) -> bytes | None:
    try:
        with _wal(path).open("rb") as file:
            return file.read(32)
    except FileNotFoundError:
        return None


def _open_copy(path: Path) -> sqlite3.Connection:
    how = "mode=rw" if _wal(path).exists() else "immutable=1"
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    return database


def _has_schema(database: sqlite3.Connection) -> bool:
    (parts,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(parts >= len(_SCHEMA))


def _check(database: sqlite3.Connection, path: Path) -> None:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if tables and application != APPLICATION:
        raise StoreError(
            f"{path} is a database of something else than an audit log",
            f"{path} est la base d'autre chose qu'un journal d'audit",
        )
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer radiobridge; use that version",
            f"{path} a été écrit par un radiobridge plus récent; utilisez cette version",
        )


def _tail(database: sqlite3.Connection, path: Path) -> AuditHead:
    """Return the head. A log whose last record is broken is not continued."""
    row = database.execute(f"{_RECORDS} DESC LIMIT 1").fetchone()
    if row is None:
        return EMPTY
    record = _record(*row)
    if not intact(record):
        raise _damaged(path)
    return AuditHead(row[0], record.hash)


def _record(sequence: int, body: bytes | None, hash_: bytes | None, types: str) -> Record:
    """Return one row, whatever stands in it: what is not text was never written by us."""
    if types != "texttext" or body is None or hash_ is None:
        return Record(sequence, b"", "")
    return Record(sequence, body, hash_.decode("utf-8", "replace"))


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable too: SQLite syncs the folder for its logs only."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"the audit log {path} is damaged; keep it as evidence, under another name: the gateway"
        " then begins a new one",
        f"le journal {path} est endommagé; gardez-le comme preuve, sous un autre nom: la passerelle"
        " en commence alors un nouveau",
    )
