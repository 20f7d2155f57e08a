"""What a process tells of itself."""

import asyncio
import contextlib
import os
import resource
import threading
from collections.abc import Iterator

from radiobridge.drivers.process import holdings


@contextlib.contextmanager
def none_left() -> Iterator[None]:
    """No file handle is left to this process, and it may not have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_what_is_opened_is_counted_and_what_is_closed_no_longer() -> None:
    before = holdings()
    woken, ended = asyncio.Event(), threading.Event()
    task = asyncio.create_task(woken.wait())
    thread = threading.Thread(target=ended.wait)
    thread.start()
    reading, writing = os.pipe()
    during = holdings()
    woken.set()
    ended.set()
    await task
    thread.join()
    os.close(reading)
    os.close(writing)
    after = holdings()
    for what, more in (("tasks", 1), ("threads", 1), ("open_files", 2)):
        first, then = before[what], during[what]
        assert first is not None
        assert then == first + more
        assert after[what] == first
    assert before["open_files_limit"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def test_memory_is_what_is_resident() -> None:
    before = holdings()["memory_kb"]
    kept = bytearray(os.urandom(1 << 20) * 32)
    during = holdings()["memory_kb"]
    assert before is not None
    assert during is not None
    assert during - before >= len(kept) // 1024 * 3 // 4


async def test_without_a_file_handle_the_rest_is_still_told() -> None:
    with none_left():
        told = holdings()
    assert told["open_files"] is None
    assert told["memory_kb"] is None
    assert told["tasks"] == 1
