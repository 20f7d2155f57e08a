"""All costs of single calls, in the order of the way of the voice."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from radiobridge.text import Text
from radiobridge_sim.bench import micro_gateway, micro_link, micro_voice
from radiobridge_sim.bench.stopwatch import Cost, measure

_T = TypeVar("_T")


def run_micro(folder: Path, batches: int, doing: Callable[[Text], None]) -> Sequence[Cost]:
    """Measure everything; `folder` is for a broker's files."""
    costs = []
    for micro in micro_voice.micros():
        doing(micro.name)
        costs.append(measure(micro, batches))
    return costs + _run(_in_loop(folder, batches, doing))


async def _in_loop(folder: Path, batches: int, doing: Callable[[Text], None]) -> list[Cost]:
    # What a gateway logs when a spurt begins is no cost of a frame.
    with structlog.testing.capture_logs():
        costs = []
        for micro in micro_gateway.micros():
            doing(micro.name)
            costs.append(measure(micro, batches))
    doing(Text("links", "liens"))
    return costs + await micro_link.measure_links(folder, batches)


def _run(main: Coroutine[object, object, _T]) -> _T:
    """Run in the kind of event loop that the daemon has."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
