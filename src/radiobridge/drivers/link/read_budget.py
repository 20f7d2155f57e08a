"""How many documents a connection may bring, so that a flood of them takes nothing from the voice.

What gateways have to say to each other is a few documents a second, and at a connect all that
stands at the broker. Whatever comes faster waits unread, first in the kernel, then at the broker.

    SLICE documents have come        nothing is read until SLICE_S after the first of them
    BURST and PER_S are used up      nothing is read for PAUSE_S
    that goes on for FLOODED_S       the connection is flooded. It is to start anew, which throws
                                     away what waits, and brings again what stands at the broker

Pure: `now` is monotonic seconds.
"""

SLICE, SLICE_S = 8, 0.01
"""A thousand at a connect take a bit more than a second, and voice goes on between them."""

BURST, PER_S = 2048, 200
"""Documents at once, more than stand at any broker; and a second, for as long as one likes."""

PAUSE_S = 0.1
FLOODED_S = 5.0


class ReadBudget:
    """Tells when to stop reading, and when more comes than ever could be read."""

    __slots__ = ("_at", "_empty_since", "_left", "_slice_left", "_slice_until")

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._at = now
        self._empty_since: float | None = None
        self._slice_left = 0
        self._slice_until = now

    def take(self) -> None:
        """Note one document (hot in a flood)."""
        self._left -= 1.0
        self._slice_left -= 1

    def pause_s(self, now: float) -> float:
        """Return for how long nothing may be read; 0: go on."""
        self._left = min(float(BURST), self._left + (now - self._at) * PER_S)
        self._at = now
        if self._left < 1.0:
            self._empty_since = now if self._empty_since is None else self._empty_since
            return PAUSE_S
        if self._left >= BURST / 2:
            self._empty_since = None
        if now >= self._slice_until:
            # The document just read is the first of the next slice.
            self._slice_left, self._slice_until = SLICE - 1, now + SLICE_S
        return 0.0 if self._slice_left > 0 else self._slice_until - now

    def flooded(self, now: float) -> bool:
        """Tell whether it was empty, and never half full since, for so long that it is no burst."""
        return self._empty_since is not None and now - self._empty_since >= FLOODED_S
