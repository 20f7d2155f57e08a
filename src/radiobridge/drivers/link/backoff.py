"""How long to wait before the next attempt to connect."""

from collections.abc import Callable
from random import random


class Backoff:
    """Doubling waits with jitter, so that gateways do not all come back in the same instant.

    The n-th wait in a row is drawn from the upper half of `first_s * 2**n`, at most `longest_s`.
    """

    def __init__(
        self,
        *,
        first_s: float = 0.25,
        longest_s: float = 5.0,
        draw: Callable[[], float] = random,
    ) -> None:
        """`draw` returns a number in [0, 1)."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._draw = draw
        self._next_s = first_s

    def wait_s(self) -> float:
        """Return the next wait in s."""
        wait = self._next_s * (0.5 + 0.5 * self._draw())
        self._next_s = min(self._next_s * 2, self._longest_s)
        return wait

    def reset(self) -> None:
        """Start over: the connection held for a while."""
        self._next_s = self._first_s
