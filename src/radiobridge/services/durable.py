"""Answering soon about what is being written: a disk that hangs delays no answer."""

import asyncio

from radiobridge.text import Text

HANGS = Text("the disk does not answer", "le disque ne répond pas")

SOON_S = 0.05
"""A command that takes away answers within 100 ms, whatever the disk does."""


async def settled(task: "asyncio.Task[None]", within_s: float = SOON_S) -> bool:
    """Wait a moment for what is being made durable; tell whether it is. The task goes on."""
    done, _ = await asyncio.wait({task}, timeout=within_s)
    return bool(done) and not task.cancelled() and task.exception() is None
