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

FALLS_WITHIN_S = 1.5
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
        self._doubted = False
        """This carrier stood when we let go: it is somebody's."""
        self._fell_at: float | None = None

    def came_on(self, now: float) -> None:
        """Somebody is heard from now on: not who was there when we let go."""
        if self._let_go_at is None:
            self._finder.heard.begin(now)

    def went_off(self, now: float) -> None:
        """COR has ended."""
        let_go_at, self._let_go_at, self._doubted = self._let_go_at, None, False
        if let_go_at is None or now - let_go_at > FALLS_WITHIN_S:
            return
        before, self._fell_at = self._fell_at, now
        if before is not None and now - before <= AGAIN_S:
            self._found("the carrier falls when we let go")
        else:
            self._suspected()

    def let_go(self, now: float) -> None:
        """The spurt was ended under a carrier that stands."""
        if self._let_go_at is None:
            self._let_go_at = now

    def hear(self, frame: PcmFrame, now: float) -> bool:
        """Take 20 ms of somebody's voice; tell whether to let go for a moment (`Squelch.doubt`)."""
        if not self._finder.hear(frame, now):
            return False
        echo = self._finder.look()
        if echo is not None:
            self._found(f"heard again after {echo.back_s:.1f} s")
            return False
        if not self._finder.repeats or self._doubted:
            return False
        self._let_go_at, self._doubted = now, True
        return True
