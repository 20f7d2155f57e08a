"""The one timer of a shell around pure machines."""

import asyncio
import time
from collections.abc import Callable

from radiobridge.services.lateness import Lateness


class OneTimer:
    """Calls `fire(now)` once at the time last set; setting it again moves it.

    Times are CLOCK_MONOTONIC seconds. uvloop rounds a delay to a millisecond, so a call may come
    up to that much early: `now` is then the time that was asked for, never less.
    """

    __slots__ = ("_fire", "_handle", "_lateness", "_loop", "_when")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fire: Callable[[float], None],
        lateness: Lateness | None = None,
    ) -> None:
        """Call `fire` in `loop`; how late the loop was goes to `lateness`."""
        self._loop = loop
        self._fire = fire
        self._lateness = lateness
        self._handle: asyncio.TimerHandle | None = None
        self._when = 0.0

    def set(self, when: float | None) -> None:
        """Fire at `when`; None: not at all."""
        if self._handle is not None:
            if when == self._when:
                return
            self._handle.cancel()
            self._handle = None
        if when is None:
            return
        self._when = when
        self._handle = self._loop.call_later(max(0.0, when - time.monotonic()), self._call)

    def _call(self) -> None:
        self._handle = None
        now = time.monotonic()
        if self._lateness is not None:
            self._lateness.note(now - self._when)
        self._fire(max(self._when, now))


def earliest(*deadlines: float | None) -> float | None:
    """Return the first of some deadlines; None stands for never."""
    first: float | None = None
    for deadline in deadlines:
        if deadline is not None and (first is None or deadline < first):
            first = deadline
    return first
