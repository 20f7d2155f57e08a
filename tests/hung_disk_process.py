"""`python -m tests.hung_disk_process CONFIG FLAG`: a gateway whose disk hangs once FLAG is there.

Each commit then waits for ever in its thread, after it has made FLAG.hangs; so does who reads the
configuration anew, after FLAG.read.
"""

import sqlite3
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from radiobridge import serving
from radiobridge.config.load import LoadedGateway, load_gateway
from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.state import SqliteStateStore

FLAG = Path(sys.argv[2])


def _hang(what: str) -> None:
    if FLAG.exists():
        FLAG.with_suffix(what).touch()
        threading.Event().wait()


class OnThatDisk(sqlite3.Connection):
    """SQLite on that disk."""

    def execute(self, sql: str, /, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            _hang(".hangs")
        return super().execute(sql, *parameters)


def load(path: Path) -> LoadedGateway:
    """Read the configuration from that disk."""
    _hang(".read")
    return load_gateway(path)


def main() -> int:
    """Run the gateway of the configuration on that disk."""
    with (
        patch("radiobridge.app.SqliteStateStore", partial(SqliteStateStore, connection=OnThatDisk)),
        patch("radiobridge.app.SqliteAuditLog", partial(SqliteAuditLog, connection=OnThatDisk)),
        patch("radiobridge.serving.load_gateway", load),
    ):
        return serving.run(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
