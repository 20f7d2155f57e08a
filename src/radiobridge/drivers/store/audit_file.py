"""The SQLite file of an audit log: its one table, its guards, and reading it beside the gateway.

    entry(sequence INTEGER PRIMARY KEY, record TEXT, hash TEXT)

What a record is: `core.audit_chain`. The guards stop mistakes, not an attacker who may write the
file; what shows that one is the chain.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from radiobridge.core.audit_chain import EMPTY, Record, intact
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditHead

APPLICATION = 0x7262_4155
"""SQLite's application_id: tells an audit log from any other database."""

VERSION = 1

MAGIC = b"SQLite format 3\0"
"""How every SQLite file begins."""

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
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
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

    Changes nothing. Raises StoreError when the file is no audit log, or damaged from some point on.
    """
    read = 0
    try:
        with closing(_open_to_read(path)) as database:
            _check(database, path)
            for row in database.execute(_RECORDS):
                yield _record(*row)
                read += 1
    except sqlite3.Error as error:
        if read:
            raise StoreError(
                f"{path} is damaged behind entry {read} and cannot be read further: {error}",
                f"{path} est endommagé après l'entrée {read} et illisible au-delà: {error}",
            ) from error
        raise unusable(path, error) from error


def unusable(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what an operator should know and do about `error`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path)
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            f"the disk is full: the audit log {path} cannot be written; free some space",
            f"le disque est plein: le journal {path} ne peut être écrit; libérez de l'espace",
        )
    if code == sqlite3.SQLITE_BUSY:
        return StoreError(
            f"the audit log {path} is held by another process; end that process",
            f"le journal {path} est retenu par un autre processus; mettez-y fin",
        )
    why = str(error)
    return StoreError(
        f"the audit log {path} cannot be used: {why}", f"le journal {path} est inutilisable: {why}"
    )


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open without making any file: with no write-ahead log beside it, nobody writes meanwhile."""
    if not path.is_file():
        raise StoreError(
            f"there is no audit log at {path}; name a gateway's file, or the log itself",
            f"il n'y a pas de journal à {path}; nommez le fichier d'une passerelle, ou le journal",
        )
    at_rest = not path.with_name(path.name + "-wal").exists()
    how = "immutable=1" if at_rest else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)


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
