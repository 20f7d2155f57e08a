"""The replay window of one KID: each CTR counts once. Source: the window of RFC 4303, 3.4.3.

Look first, authenticate, then commit: a forged packet must not use up the number of a real one.
"""

from radiobridge.errors import LocalProtocolError

WINDOW = 128
"""CTRs behind the highest that can still be told apart; at 20 ms each more than is ever fresh."""


class ReplayWindow:
    """Remembers which of the last 128 CTRs were taken; everything older counts as taken."""

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0
        """Bit i: CTR `highest - i` was taken."""

    def look(self, ctr: int) -> bool:
        """Tell whether `ctr` is new. Changes nothing."""
        behind = self.highest - ctr
        return behind < 0 or (behind < WINDOW and not self._seen >> behind & 1)

    def commit(self, ctr: int) -> None:
        """Take `ctr`, once its packet is authenticated. Raises LocalProtocolError when taken."""
        if not self.look(ctr):
            raise LocalProtocolError("committed a CTR twice")
        ahead = ctr - self.highest
        if ahead <= 0:
            self._seen |= 1 << -ahead
        else:
            kept = self._seen << ahead if ahead < WINDOW else 0
            self._seen = (kept | 1) & ((1 << WINDOW) - 1)
            self.highest = ctr
