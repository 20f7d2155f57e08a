"""An event loop whose time jumps to the next timer: minutes pass in milliseconds, always alike.

`time.monotonic()` of the services is the loop's time. What would wait for ever fails instead, and
so does a test in which a callback raised. Work given to threads is done at once, in the loop.
"""

import asyncio
import functools
import selectors
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, Unpack

import pytest

from radiobridge import services

START_S = 1000.0
"""The loop's time at the start of each test."""

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: asked to, it lets the loop's time jump instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "nothing is under way: this would wait for ever"
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the top of the file."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self.failures: list[dict[str, Any]] = []
        """What callbacks raised."""
        super().__init__(self._jumping)
        self.set_exception_handler(lambda _loop, context: self.failures.append(context))

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
            future.set_exception(error)
        return future


def now() -> float:
    """Return the virtual monotonic time in s."""
    return asyncio.get_running_loop().time()


async def turns(count: int = 3) -> None:
    """Let the loop turn without time passing: what was called soon happens."""
    for _ in range(count):
        await asyncio.sleep(0)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test in a VirtualLoop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, VirtualLoop)
            with services_see(loop.time):
                runner.run(test(*args, **kwargs))
            assert not loop.failures, loop.failures

    return run


@contextmanager
def services_see(monotonic: Callable[[], float]) -> Iterator[None]:
    """Let the services take this for the time."""
    clock = SimpleNamespace(monotonic=monotonic)
    with pytest.MonkeyPatch.context() as patch:
        for module in _timed_modules():
            patch.setattr(module, "time", clock)
        yield


def _timed_modules() -> list[ModuleType]:
    """Return the service modules that look at the time, of those that were imported."""
    ours = [module for name, module in sys.modules.items() if name.startswith(services.__name__)]
    return [module for module in ours if getattr(module, "time", None) is time]
