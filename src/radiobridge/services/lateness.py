"""How late the event loop calls what it was asked to call: the first sign of too busy a machine."""

from typing import Any

LIMITS_MS = (1, 2, 5, 10, 20, 50, 100)


class Lateness:
    """Counts the calls that came later than each limit, since the start."""

    __slots__ = ("_counts", "fired")

    def __init__(self) -> None:
        self.fired = 0
        self._counts = [0] * len(LIMITS_MS)

    def note(self, late_s: float) -> None:
        """Take one call that came `late_s` after its time (hot)."""
        self.fired += 1
        late_ms = late_s * 1000.0
        place = 0
        while place < len(LIMITS_MS) and late_ms > LIMITS_MS[place]:
            self._counts[place] += 1
            place += 1

    def status(self) -> dict[str, Any]:
        """Return how many calls there were, and how many of them came later than each limit."""
        over = {str(ms): count for ms, count in zip(LIMITS_MS, self._counts, strict=True)}
        return {"fired": self.fired, "late_over_ms": over}
