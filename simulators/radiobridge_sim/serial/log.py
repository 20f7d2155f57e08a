"""What the devices report: changes of a line, as they would be seen with a probe on the cable."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class LineChange(NamedTuple):
    """One change of one line."""

    at: float
    """CLOCK_MONOTONIC, s."""
    line: str
    """`PTT`, `COR`, `RTS`, `DTR`, ..."""
    value: bool
    cause: str


LineCallback: TypeAlias = Callable[[LineChange], None]
"""Called in the thread of the device; quick, never raises."""


class LineHistory:
    """A LineCallback that keeps all changes. Thread-safe."""

    def __init__(self) -> None:
        self._changes: list[LineChange] = []
        self._news = threading.Condition()

    def __call__(self, change: LineChange) -> None:
        """Append one change."""
        with self._news:
            self._changes.append(change)
            self._news.notify_all()

    def of(self, line: str) -> list[LineChange]:
        """Return the changes of one line, in order."""
        with self._news:
            return [change for change in self._changes if change.line == line]

    def wait(
        self, line: str, *, value: bool, after: float, limit_s: float = 10.0
    ) -> LineChange | None:
        """Wait for a change of `line` to `value` at or after `after`; None when none comes."""
        end = time.monotonic() + limit_s
        with self._news:
            while True:
                for change in self._changes:
                    if change.line == line and change.value is value and change.at >= after:
                        return change
                left = end - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    return None
