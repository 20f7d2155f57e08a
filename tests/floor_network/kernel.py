"""Virtual time for thousands of short lives: a heap of calls, and no more than that.

It stands in for the event loop of `services.timer` and of the in-process link. An asyncio loop
would ask the operating system before each call, which costs more than all of the calls.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, cast

import structlog

from tests.services.virtual_time import START_S, services_see

EARLY_S = 1e-9
"""Sums of times differ by less."""


class Handle:
    """One call to come."""

    __slots__ = ("args", "call", "cancelled")

    def __init__(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        self.call = call
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Kernel:
    """Time that jumps from call to call. What a call raises goes up to who runs it."""

    def __init__(self) -> None:
        self.now = START_S
        self.calls = 0
        self.after: Callable[[], None] = _nothing
        """Called after each call: what must hold always."""
        self._heap: list[tuple[float, int, Handle]] = []
        self._numbers = count()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return this as what services take for an event loop."""
        return cast(asyncio.AbstractEventLoop, self)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., object], *args: object) -> Handle:
        handle = Handle(call, args)
        heapq.heappush(self._heap, (max(when, self.now), next(self._numbers), handle))
        return handle

    def call_later(self, delay_s: float, call: Callable[..., object], *args: object) -> Handle:
        return self.call_at(self.now + delay_s, call, *args)

    def call_soon(self, call: Callable[..., object], *args: object) -> Handle:
        return self.call_at(self.now, call, *args)

    def run(self, until: float) -> None:
        """Let time pass up to `until`."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _number, handle = heapq.heappop(heap)
            if handle.cancelled:
                continue
            self.now = when
            self.calls += 1
            handle.call(*handle.args)
            self.after()
        self.now = until


def done(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


@contextmanager
def living(kernel: Kernel) -> Iterator[None]:
    """Let the services live in the time of `kernel`, and log nothing but disasters."""
    known = structlog.get_config()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    asyncio._set_running_loop(kernel.loop)
    try:
        with services_see(kernel.time):
            yield
    finally:
        asyncio._set_running_loop(None)
        structlog.configure(**known)


def _nothing() -> None:
    """Nothing has to hold."""
