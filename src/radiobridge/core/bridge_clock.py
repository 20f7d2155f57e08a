"""Bridge time: the gateway's clock for the wire, in ms since 1970.

Rules:
  It starts from the wall clock, and never below the value that was stored before the last stop.
  It only grows. Towards the wall clock it slews by at most 500 ppm; no step of the wall clock,
  however large, makes it jump.
  Until the wall clock was synchronised for the first time it is provisional: the first
  synchronised reading may put it forward, because nothing foreign was joined before. When that
  reading is behind, a battery clock has misled us: only a fresh start of the gateway puts it right.
  A wall clock that has drifted while its time server was away, and is put right by 1 to 30 s within
  a minute after that is back, would leave bridge time behind for hours: start anew as well, once
  that has stood for a minute. Any other step is somebody's mistake, and for people to judge: what
  is believed once cannot be taken back.
  It is synchronised while the system says so and it agrees with the wall clock within 1 s: others
  take packets from 2 s ago to 1 s ahead only.
"""

from dataclasses import dataclass

SLEW_PPM = 500
TOLERANCE_MS = 1000
"""How far bridge time may be from a synchronised wall clock and still count as synchronised."""

DRIFT_MS = 30_000
"""What a crystal drifts in weeks."""

DRIFTED_S = 60.0
"""How soon after the time server is back the wall clock must be put right, and how long that must
stand before it is believed."""

_SLEW = SLEW_PPM / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The wall clock left the tolerance around bridge time: somebody must know."""

    offset_ms: int
    """Wall clock minus bridge time. It closes by 0.5 ms each second."""


class BridgeClock:
    """Bridge time from readings of the two clocks. `monotonic` in s, never going back."""

    __slots__ = (
        "_ahead_since", "_at", "_back_at", "_base_ms", "_floor_ms", "_offset_ms", "_outside",
        "_provisional", "_synchronised", "misled",
    )  # fmt: skip

    def __init__(
        self, monotonic: float, wall_ms: int, *, synchronised: bool, floor_ms: int = 0
    ) -> None:
        """Start at `wall_ms`, or at `floor_ms`, the value stored last, where that is later."""
        self.misled = False
        """It was started from a clock that was ahead, or has drifted: start anew."""
        self._ahead_since: float | None = None
        self._back_at: float | None = None
        """When the system became synchronised after it had not been."""
        self._at = monotonic
        self._floor_ms = floor_ms
        self._base_ms = float(max(wall_ms, floor_ms))
        self._offset_ms = wall_ms - self._base_ms
        self._synchronised = synchronised
        self._provisional = not synchronised
        self._outside = False

    def now_ms(self, monotonic: float) -> int:
        """Return bridge time; never less than it was for an earlier `monotonic`."""
        return int(self._exact(monotonic))

    def observe(self, monotonic: float, wall_ms: int, *, synchronised: bool) -> ClockStep | None:
        """Compare with the wall clock; call every few seconds.

        Returns a ClockStep when the wall clock has just left the tolerance.
        """
        self._base_ms = self._exact(monotonic)
        self._at = monotonic
        if synchronised and not self._synchronised:
            self._back_at = monotonic
        self._synchronised = synchronised
        if synchronised and self._provisional:
            self._settle(float(wall_ms))
        self._offset_ms = wall_ms - self._base_ms
        self._follow_drift(monotonic)
        was_outside, self._outside = self._outside, abs(self._offset_ms) > TOLERANCE_MS
        if self._outside and not was_outside:
            return ClockStep(offset_ms=self.offset_ms)
        return None

    @property
    def synchronised(self) -> bool:
        """Tell whether others can rely on this time."""
        return self._synchronised and abs(self._offset_ms) <= TOLERANCE_MS

    @property
    def offset_ms(self) -> int:
        """Return wall clock minus bridge time, at the last observation."""
        return round(self._offset_ms)

    def to_store_ms(self, monotonic: float) -> int | None:
        """Return the value to store as the next start's floor; None while provisional.

        A clock that was never synchronised may be years ahead, and a floor cannot be taken back.
        """
        return None if self._provisional else self.now_ms(monotonic)

    def _follow_drift(self, monotonic: float) -> None:
        """Find out whether the wall clock was put right, and bridge time stays behind."""
        ahead = TOLERANCE_MS < self._offset_ms <= DRIFT_MS
        if not ahead or not self._synchronised or self._provisional:
            self._ahead_since = None
        elif self._ahead_since is None:
            drifted = self._back_at is not None and monotonic - self._back_at <= DRIFTED_S
            self._ahead_since = monotonic if drifted else None
        elif monotonic - self._ahead_since >= DRIFTED_S:
            self.misled = True

    def _settle(self, wall_ms: float) -> None:
        """Take the first synchronised reading, unless what was started from was ahead of it."""
        right_ms = max(wall_ms, self._floor_ms)
        self.misled = self.misled or self._base_ms - right_ms > TOLERANCE_MS
        if not self.misled:
            self._base_ms = max(self._base_ms, right_ms)
            self._provisional = False

    def _exact(self, monotonic: float) -> float:
        elapsed_ms = max(0.0, monotonic - self._at) * 1000
        slew = min(elapsed_ms * _SLEW, abs(self._offset_ms))
        return self._base_ms + elapsed_ms + (slew if self._offset_ms >= 0 else -slew)
