"""Somebody else's patch: repeats one frequency on another, and back.

It takes up what it hears after `delay_s`, stays for as long, and is deaf on one side while it sends
on it. Two of its units on the air, one for each frequency, are `ends`.

How it differs from the real thing: no tail of its own; the first who comes is repeated, whoever
comes on the other side meanwhile is not.
"""

from collections import deque

from radiobridge_sim.air import AirUnit, Emission, Reception
from radiobridge_sim.sound import RATE, STEP, Pcm


class _End(AirUnit):
    """One radio of the patch: what it hears goes out by the other one."""

    def __init__(self, name: str, hz: int, delay_s: float, power_db: float) -> None:
        super().__init__(name, tx_hz=hz, power_db=power_db)
        self.delay = round(delay_s * RATE / STEP)
        self.queue: deque[tuple[int, Pcm]] = deque()
        self.other: _End
        self.sending = False
        self.keyed = 0
        """How often it has come on the air."""

    def emit(self, step: int) -> Emission | None:
        """Send what the other end heard a while ago."""
        queue = self.queue
        while queue and queue[0][0] < step:
            queue.popleft()
        due = bool(queue) and queue[0][0] == step
        self.keyed += due and not self.sending
        self.sending = due
        return Emission(queue.popleft()[1]) if due else None

    def hear(self, step: int, reception: Reception) -> None:
        """Hand on what is heard, unless the other way is in use."""
        if reception.carrier and not self.sending and not self.queue:
            self.other.queue.append((step + 1 + self.delay, reception.samples))


def crossband(
    here_hz: int, there_hz: int, *, delay_s: float = 0.1, power_db: float = 10.0
) -> tuple[AirUnit, AirUnit]:
    """Return both ends of a patch between two frequencies."""
    here = _End("crossband here", here_hz, delay_s, power_db)
    there = _End("crossband there", there_hz, delay_s, power_db)
    here.other, there.other = there, here
    return here, there
