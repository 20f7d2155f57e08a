"""What a process costs, from outside: /proc (proc(5), Linux)."""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """What a process has used since it started, all its threads together."""

    cpu_s: float
    """On a processor, in user mode and in the kernel; in steps of 10 ms."""
    waited_s: float
    """Ready to run, and waiting for a processor: the machine is busy with something else."""

    def since(self, before: "Usage") -> "Usage":
        """Return what was used after `before`."""
        return Usage(self.cpu_s - before.cpu_s, self.waited_s - before.waited_s)


def usage(pid: int) -> Usage:
    """Return what a process has used; raise OSError when there is no such process."""
    folder = Path(f"/proc/{pid}")
    # The command's name may hold blanks and brackets; the fields after it do not.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, _waited_s(folder))


def _waited_s(folder: Path) -> float:
    """Return the waits of all threads that live; 0 on a kernel that does not count them."""
    total = 0
    for file in folder.glob("task/*/schedstat"):
        try:
            total += int(file.read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return total / 1e9


class Held(NamedTuple):
    """What a process holds at one moment."""

    memory_kb: int
    """Resident and its own: what is not a file mapped into memory."""
    threads: int
    files: int


def held(pid: int) -> Held:
    """Return what a process holds; raise OSError when there is no such process."""
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Held(
        memory_kb=int(status["RssAnon"].split()[0]),
        threads=int(status["Threads"]),
        files=sum(1 for _ in (folder / "fd").iterdir()),
    )
