"""A log that grows on the disk does not grow in memory."""

import subprocess
import sys
from pathlib import Path

ENTRIES = 2000
MOST_KB = 400
"""SQLite's usual cache takes twice that in as many entries, and goes on to 2 MB."""

GROWS = """
import asyncio, sys
from pathlib import Path
from radiobridge.drivers.store.audit import SqliteAuditLog
from tests.core.audit_log import entry

def memory_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

async def main(path, count):
    log = SqliteAuditLog(path)
    await log.open()
    for number in range(count):
        await log.before(entry(number))
        if number == 100:
            before = memory_kb()
    print(memory_kb() - before)
    await log.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_what_is_written_does_not_stay_in_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWS, str(tmp_path / "audit.db"), str(ENTRIES)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= MOST_KB
