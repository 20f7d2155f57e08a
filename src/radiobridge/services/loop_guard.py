"""Watches one radio for a loop that radio waves close: two donors on a channel, a patch elsewhere.

Three signs:

* What comes in is what came in up to 3 s before, begun as it began (`media.echo`): it was sent on,
  and is back.
* The same piece comes in again and again, or a carrier without any sound. That may be a siren or a
  thumb on a key; so the spurt is ended for a moment. A carrier that falls soon after that
  may be our own doing, by way of others; the loop is open then, and people are told. It falls by
  chance now and then, so the radio is cut the second time within a minute.
* Short spurts to and fro (`core.ping_pong`).

17 us for a frame that is heard; a look of 0.06 ms five times a second, while somebody is.
"""

from collections.abc import Callable

from radiobridge.core.squelch import Squelch
from radiobridge.media.echo import EchoFinder
from radiobridge.model.voice import PcmFrame

DOUBT_S = 1.2
"""How long a loop takes to fall when we let go: network, tail and squelch of the others."""

LONG_DOUBT_S = 2.5
"""The same for words, which pause, at the second time, and at the first one where they began as
others before: a slow radio may still have 2 s of them to say."""

FALLS_WITHIN_S = 0.3
"""How much later a carrier may fall and still count as fallen by that."""
DEAD_FALLS_S = 0.8
"""The same for a carrier without a sound: nothing of it waits anywhere."""
AGAIN_S = 60.0


class LoopGuard:
    """Belongs to one radio; every call is quick. Times are monotonic s."""

    def __init__(
        self,
        rate: int,
        squelch: Squelch,
        *,
        found: Callable[[str], None],
        suspected: Callable[[], None],
    ) -> None:
        """`found(why)` opens the loop; `suspected` tells people of what may be one."""
        self._finder = EchoFinder(rate)
        self._squelch = squelch
        self._found = found
        self._suspected = suspected
        self._let_go_at: float | None = None
        self._falls_by = 0.0
        self._doubts = 0
        """How often this carrier stood when we let go: it is somebody's in the end."""
        self._fell_at: float | None = None

    def came_on(self, now: float) -> None:
        """Somebody is heard from now on: not who was there when we let go."""
        if self._let_go_at is None:
            self._finder.heard.begin(now)

    def went_off(self, now: float) -> None:
        """COR has ended."""
        let_go_at, self._let_go_at, self._doubts = self._let_go_at, None, 0
        if let_go_at is None or now > self._falls_by:
            return
        before, self._fell_at = self._fell_at, now
        if before is not None and now - before <= AGAIN_S:
            self._found("the carrier falls when we let go")
        else:
            self._suspected()

    def let_go(self, now: float) -> None:
        """The spurt was ended under a carrier that stands."""
        if self._let_go_at is None:
            self._let_go_at, self._falls_by = now, now + DEAD_FALLS_S

    def hear(self, frame: PcmFrame, now: float) -> float:
        """Take 20 ms of somebody's voice; return for how long to let go (`Squelch.doubt`), or 0."""
        if not self._finder.hear(frame, now):
            return 0.0
        echo = self._finder.look()
        if echo is not None:
            self._found(f"heard again after {echo.back_s:.1f} s")
            return 0.0
        if not self._finder.repeats or self._doubts >= (2 if self._finder.pauses else 1):
            return 0.0
        for_s = LONG_DOUBT_S if self._doubts or self._finder.returned else DOUBT_S
        self._doubts += 2 if for_s == LONG_DOUBT_S else 1
        self._let_go_at, self._falls_by = now, now + for_s + FALLS_WITHIN_S
        return for_s
