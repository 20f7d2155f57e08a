"""Why SQLite cannot use a file, in words for the person who has to repair it.

Result codes: sqlite.org/rescode.html. SQLite's own words are English and name no remedy.
"""

import sqlite3

from radiobridge.errors import os_reason
from radiobridge.text import Text

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_REASONS = {
    sqlite3.SQLITE_READONLY: Text(
        "its disk is read-only; look for a fault of the disk, then mount it for writing",
        "son disque est en lecture seule; cherchez une panne du disque, puis remontez-le en"
        " écriture",
    ),
    sqlite3.SQLITE_CANTOPEN: Text(
        "it cannot be opened; look at its folder's owner, and whether file handles are left",
        "il ne peut être ouvert; voyez à qui est son dossier, et s'il reste des descripteurs",
    ),
    sqlite3.SQLITE_IOERR: Text(
        "its disk fails; look into the system's log",
        "son disque est en panne; voyez le journal du système",
    ),
    sqlite3.SQLITE_NOMEM: Text("no memory is left", "il n'y a plus de mémoire"),
}


def is_damaged(error: sqlite3.Error | OSError) -> bool:
    """Tell whether the file is no database any more."""
    return _code(error) in _DAMAGED


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Tell whether the disk is full."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_held(error: sqlite3.Error | OSError) -> bool:
    """Tell whether another process holds the file."""
    return _code(error) == sqlite3.SQLITE_BUSY


def reason_of(error: sqlite3.Error | OSError) -> Text:
    """Return what is wrong, after "the file PATH cannot be used: "."""
    if isinstance(error, OSError):
        return os_reason(error)
    return _REASONS.get(_code(error), Text(str(error), str(error)))


def _code(error: sqlite3.Error | OSError) -> int:
    """Return the primary result code, 0 without one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
