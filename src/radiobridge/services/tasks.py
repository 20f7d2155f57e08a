"""Short pieces of work beside the callbacks: waiting for a disk, mostly."""

import asyncio
from collections.abc import Coroutine
from typing import Any

PATIENCE_S = 5.0
"""How long the end of the gateway waits for links (3 s of it at most) and for them: a disk may be
slow, and must not be lost for it; one that hangs must not hold up the start of the next gateway."""


class Tasks:
    """Keeps tasks alive until they end. Whoever spawns one catches what it may raise."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start `work` in the running event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Wait until all have ended."""
        while self._tasks:
            await asyncio.wait(set(self._tasks), timeout=1.0)
