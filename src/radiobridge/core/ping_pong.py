"""Finds a loop by its rhythm: short spurts to and fro, each set off by the end of the one before.

A squelch tail or a beep that keys the other side, whose tail keys this one, holds no words by which
`media.echo` could know it. Rules: four spurts in a row, each shorter than a second, each from
another talkgroup than the one before, and each begun within half a second after the one before had
ended: people need longer than that to answer by radio.
"""

from collections import deque

from radiobridge.model.ids import TalkgroupId
from radiobridge.model.voice import Claim

SPURTS = 4
SHORT_S = 1.0
AT_ONCE_S = 0.5


class PingPong:
    """Watches one group of joined talkgroups. Times are monotonic s and never go back."""

    def __init__(self) -> None:
        self._row: deque[Claim] = deque(maxlen=SPURTS)
        self._talkgroup: TalkgroupId | None = None
        self._began = 0.0
        self._ended = 0.0

    def took(self, claim: Claim, now: float) -> None:
        """Note that a spurt has taken the floor."""
        answers = now - self._ended <= AT_ONCE_S and claim.talkgroup != self._talkgroup
        if not answers:
            self._row.clear()
        self._talkgroup, self._began = claim.talkgroup, now
        self._row.append(claim)

    def broken(self) -> None:
        """Note that it was cut off or fell silent: that is no end which sets off another."""
        self._row.clear()

    def left(self, claim: Claim, now: float) -> tuple[Claim, ...]:
        """Note that it has left; return the spurts of a loop, the oldest first, if it is one."""
        self._ended = now
        if not self._row or self._row[-1].start_ms != claim.start_ms:
            return ()
        if now - self._began >= SHORT_S:
            self._row.clear()
        if len(self._row) < SPURTS:
            return ()
        found = tuple(self._row)
        self._row.clear()
        return found
