"""Voice that a link has held back, told from voice of a sender whose clock is behind ours.

Both come with an old date. What a link holds back is gone when the link starts anew, and is younger
over another link; a clock that is behind is behind everywhere, and still so after a new start. So
the youngest voice of a sender, over all links, says how old its voice is by its clock (`least`).
Rules, for one sender; "late" is `LATE_MS` beyond the least, or beyond 0 while nothing is known:

    voice that counts, not late     played; the least falls to its age
    late, and the least is known    not played: fresh voice must not queue behind it
    late, and nothing is known      played: perhaps the clock is behind
    late, a copy of what was heard, or too old to count at all: shows that its link holds voice back

Voice that is younger than nothing shows a clock that is ahead of ours. Clocks are set right, so a
least below 0 counts for 30 to 60 s of voice only, then the least since; without this all voice of
that sender would have less time for good. From 0 on the least never rises by itself: a link that
holds voice back a little longer with each minute looks just like that, and delay must not add up.

A stall ends in one burst, of which only the oldest is late: a new start would lose the rest of it.
So a link starts anew when all that comes by it has been late for `HELD_S`. After a new start the
next voice that counts says what the least is, whatever it is; before that nothing asks for another
one, because what is old then is old by its clock.
"""

import sys
from enum import Enum

LATE_MS = 1000
"""Voice that has waited for longer is of no use any more."""

HELD_S = 0.2
"""Longer than the burst after a stall takes to come in."""

_APART_S = 1.0
"""What is late after such a pause has nothing to do with what was late before."""


_HALF = 1500
"""Packets, 30 s of voice: a least below 0 lasts for the rest of such a half, and for the next."""

_NONE_MS = sys.maxsize
"""The least of a half in which nothing has come yet."""


class Age(Enum):
    """What is to be done with voice of this age."""

    FRESH = "fresh"
    OLD = "old"
    """Play it; its link may hold voice back."""
    LATE = "late"
    """Do not play it; its link holds voice back."""


class _Held:
    __slots__ = ("last", "since")

    def __init__(self, now: float) -> None:
        self.since = self.last = now


class Backlog:
    """The age of one sender's voice. Ages are ms by our bridge time, `now` is monotonic s."""

    __slots__ = ("_anew", "_count", "_half_ms", "_held", "_least_ms")

    def __init__(self) -> None:
        self._least_ms: int | None = None
        self._half_ms = _NONE_MS
        """The least of this half, of which `_count` packets have come."""
        self._count = 0
        self._anew = False
        """A link has started anew, and nothing that counts has come since."""
        self._held: dict[str, _Held] = {}

    def take(self, age_ms: int, link: str) -> Age:
        """Take the age of voice that counts (hot)."""
        least = self._least_ms
        if self._anew:
            self._anew = False
            self._begin(age_ms)
        elif age_ms > LATE_MS + (least or 0):
            return Age.OLD if least is None else Age.LATE
        elif least is None:
            self._begin(age_ms)
        else:
            self._follow(age_ms, least)
        if self._held:
            self._held.pop(link, None)
        return Age.FRESH

    def _begin(self, age_ms: int) -> None:
        self._least_ms = self._half_ms = age_ms
        self._count = 1

    def _follow(self, age_ms: int, least: int) -> None:
        if age_ms < self._half_ms:
            self._half_ms = age_ms
            if age_ms < least:
                self._least_ms = least = age_ms
        self._count += 1
        if self._count >= _HALF:
            self._least_ms = min(self._half_ms, max(least, 0))
            self._half_ms, self._count = _NONE_MS, 0

    def copied(self, age_ms: int, link: str) -> bool:
        """Take the age of a copy of what was heard already; tell whether it is late (hot)."""
        if age_ms > LATE_MS + (self._least_ms or 0):
            return True
        if self._held:
            self._held.pop(link, None)
        return False

    def held_back(self, link: str, now: float) -> bool:
        """Note that late voice came by a link; tell whether the link has to start anew."""
        if self._anew:
            return False
        held = self._held.get(link)
        if held is None or now - held.last > _APART_S:
            held = self._held[link] = _Held(now)
        held.last = now
        return now - held.since >= HELD_S

    def started_anew(self, link: str, *, asked: bool) -> None:
        """Note that a link has started anew, because we `asked` for it or another sender did."""
        self._held.pop(link, None)
        self._anew = self._anew or asked
