"""When a frame was heard, whenever we came round to reading it.

A USRP peer sends a frame each 20 ms and numbers them. One that was held up, on its way or by our
own event loop, was heard on time all the same: taken at its arrival, it would look as if frames
before it were lost, and silence would stand in speech for each.
"""

from radiobridge.model.voice import FRAME_S

LATE_S = 0.2
"""What is later than this has begun anew. A busy machine holds an event loop up for 0.1 s at times;
a preroll holds 0.25 s at least."""

_FOLLOWS = 0.02
"""Share of the lateness that is believed: the peer's clock is not ours."""

_LOST = 10
"""Most frames that are lost in one go."""

_WRAPS = 1 << 32


class HeardAt:
    """The peer's beat, by sequence number and arrival (monotonic s)."""

    __slots__ = ("_at", "_seq")

    def __init__(self) -> None:
        self._seq = 0
        self._at = -LATE_S

    def at(self, seq: int, now: float) -> float:
        """Return when the last sample of packet `seq`, read `now`, was heard: never after it."""
        steps = (seq - self._seq) % _WRAPS
        due = self._at + steps * FRAME_S
        late_s = now - due
        if 0 < steps <= _LOST and 0.0 < late_s <= LATE_S:
            self._at = due + late_s * _FOLLOWS
        else:
            self._at = now
        self._seq = seq
        return self._at
