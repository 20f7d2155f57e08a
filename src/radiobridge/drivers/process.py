"""A gateway's own process: its sign of life, and what it holds (tasks, threads, files, memory).

Source: proc(5), Linux.
"""

import asyncio
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from radiobridge.drivers.service_manager import notify
from radiobridge.drivers.spare_files import SpareFiles, no_file_handles

log = structlog.get_logger()

_SAY_S = 0.1
"""How long the last word may take to be written."""

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class OwnProcess:
    """What a gateway does for and tells about its process. `beat` each second, `close` last."""

    def __init__(self) -> None:
        self._spare = SpareFiles()

    def beat(self) -> None:
        """Tell the service manager that the event loop turns; see to the file handles."""
        notify("WATCHDOG=1")
        self._spare.look()

    def status(self) -> dict[str, Any]:
        """Return what the process holds, and `error` when that is too much."""
        error = no_file_handles()._asdict() if self._spare.none_left else None
        return {**holdings(), "error": error}

    def close(self) -> None:
        """Let go what is held back."""
        self._spare.close()


class LastResort:
    """Ends the process for good after a time: threads that wait for a disk end it never."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def within(self, delay_s: float, status: int) -> None:
        """End the process with `status` in `delay_s` from now, unless it has ended; counts anew."""
        self.cancel()
        self._timer = threading.Timer(delay_s, _end, (status,))
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Leave the end to others."""
        if self._timer is not None:
            self._timer.cancel()


def _end(status: int) -> None:
    log.error("threads-not-ended", threads=sorted(one.name for one in threading.enumerate()))
    time.sleep(_SAY_S)
    os._exit(status)


def holdings() -> dict[str, int | None]:
    """Return what the process holds now; None for what cannot be told (no file handle is left).

    `tasks`: of the running event loop; call from it. `memory_kb`: resident.
    """
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "open_files": _open_files(),
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "memory_kb": _memory_kb(),
    }


def _open_files() -> int | None:
    try:
        # The listing itself holds one of them open.
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1
    except OSError:
        return None


def _memory_kb() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB
    except (OSError, IndexError, ValueError):
        return None
