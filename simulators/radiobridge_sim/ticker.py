"""The clock of the air: one thread that carries each step once its last instant has passed.

Positions derive from CLOCK_MONOTONIC, never from sleeps: sample n is the instant zero + n / RATE,
whatever the thread was doing then. A thread that is late catches up; how late it was is kept in
`lateness_ms`, since it is delay that a real radio would not have.
"""

import contextlib
import os
import select
import threading
import time
from collections.abc import Sequence

from radiobridge_sim.air import Air
from radiobridge_sim.radio import DonorRadio
from radiobridge_sim.sound import RATE, STEP, STEP_S

PRIORITY = -15
"""Nice value of the thread of the air."""

_BUCKETS = 200
"""Lateness is kept in tenths of a ms, up to 20 ms."""


class Ticker:
    """Runs an air and its donor radios on the real clock, in a thread of its own."""

    def __init__(self, air: Air, radios: Sequence[DonorRadio], zero: float) -> None:
        self.zero = zero
        """The common time zero, CLOCK_MONOTONIC s."""
        self._air = air
        self._radios = {radio.socket.fileno(): radio for radio in radios}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="air", daemon=True)
        self._late = [0] * (_BUCKETS + 1)
        self.failure: BaseException | None = None
        """What ended the thread before its time."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it; may be called twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    @property
    def step(self) -> int:
        """Return the step that comes next."""
        return self._air.step

    def now(self) -> float:
        """Return the time in s since the common zero."""
        return time.monotonic() - self.zero

    def position(self) -> int:
        """Return the sample that the present instant belongs to."""
        return int(self.now() * RATE)

    def soon(self, delay_s: float = 0.1) -> int:
        """Return a step that begins `delay_s` from now."""
        return int((self.now() + delay_s) / STEP_S) + 1

    def lateness_ms(self, share: float) -> float:
        """Return the lateness in ms that `share` (0 to 1) of all steps kept within."""
        wanted = share * sum(self._late)
        seen = 0
        for bucket, count in enumerate(self._late):
            seen += count
            if seen >= wanted:
                return bucket / 10
        return _BUCKETS / 10

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            # Radios do not compete for the processor; needs a privilege, so it is only asked for.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
        try:
            while not self._stop.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - shown by the owner, in its own thread
            self.failure = error

    def _turn(self) -> None:
        due = self.zero + (self._air.step + 1) * STEP_S
        ready, _, _ = select.select(self._radios, (), (), max(0.0, due - time.monotonic()))
        for descriptor in ready:
            self._radios[descriptor].read()
        late = time.monotonic() - due
        if late >= 0.0:
            self._late[min(_BUCKETS, int(late * 10_000))] += 1
            self._air.advance()


def samples(seconds: float) -> int:
    """Return how many samples `seconds` are, on whole steps."""
    return round(seconds / STEP_S) * STEP
