"""CPU time for one call, measured so that other load on the machine counts as little as can be.

A batch does the same thing many times and has its own fresh state, made outside the measurement.
CPU time of the thread is taken, not time on the wall; of several batches the median counts.
"""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from radiobridge.text import Text


class Batch(NamedTuple):
    """Something to be measured once."""

    run: Callable[[], object]
    calls: int
    """How many calls `run` makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Micro:
    """One thing whose cost is measured."""

    id: str
    name: Text
    batch: Callable[[], Batch]
    limit_us: float | None = None
    """More than that is a missed target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU time for one call in µs."""

    micro: Micro
    median_us: float
    best_us: float

    @property
    def ok(self) -> bool:
        """Tell whether the target is met, if there is one."""
        return self.micro.limit_us is None or self.median_us <= self.micro.limit_us


def measure(micro: Micro, batches: int) -> Cost:
    """Run `batches` batches after one to warm up."""
    micro.batch().run()
    gc.collect()
    costs = [_cost_us(micro.batch()) for _ in range(batches)]
    return Cost(micro=micro, median_us=statistics.median(costs), best_us=min(costs))


def _cost_us(batch: Batch) -> float:
    begin = time.thread_time_ns()
    batch.run()
    return (time.thread_time_ns() - begin) / 1000.0 / batch.calls
