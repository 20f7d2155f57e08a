"""A handheld: says phrases, hears its channel, and records both on the common time zero."""

import threading
from collections import deque
from dataclasses import dataclass

from radiobridge_sim.air import AirUnit, Emission, Reception
from radiobridge_sim.sound import RATE, SILENCE, STEP, Pcm, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One transmission of a handheld; positions in samples since the common time zero."""

    unit: str
    phrase: str
    start: int
    """First sample of speech; the carrier comes up with it (people speak as they press)."""
    end: int
    """One past the last sample of speech; the carrier goes down with the step that holds it."""


@dataclass(slots=True)
class Heard:
    """One stretch of carrier that a handheld received."""

    start: int
    end: int


class Handheld(AirUnit):
    """A half-duplex portable radio and the person who holds it.

    Through a repeater it talks on the input (`tx_hz`) and hears the output (`hz`). With `ctcss_hz`
    it sends that tone; it hears every carrier, as a portable in monitor mode does.
    """

    def __init__(
        self,
        name: str,
        *,
        hz: int,
        tx_hz: int | None = None,
        ctcss_hz: float | None = None,
        power_db: float = 0.0,
    ) -> None:
        super().__init__(name, tx_hz=hz if tx_hz is None else tx_hz, rx_hz=hz, power_db=power_db)
        self.ctcss_hz = ctcss_hz
        self.said = Recording()
        self.heard = Recording()
        self.heard_carrier: list[Heard] = []
        """Every stretch of carrier received, oldest first."""
        self._queue: deque[tuple[Said, Pcm]] = deque()
        self._speaking: tuple[Said, Pcm] | None = None
        self._lock = threading.Lock()

    def say(self, phrase: str, samples: Pcm, *, step: int) -> Said:
        """Speak `samples` from the first instant of `step` on, which must not have passed.

        Phrases wait for each other: the next begins one step after the one before, at least.
        Thread-safe. The returned positions are where the samples will be.
        """
        with self._lock:
            last = self._queue[-1][0] if self._queue else None
            if last is None and self._speaking is not None:
                last = self._speaking[0]
            earliest = 0 if last is None else -(-last.end // STEP) + 1
            start = max(step, earliest) * STEP
            said = Said(unit=self.name, phrase=phrase, start=start, end=start + len(samples))
            self._queue.append((said, samples))
        return said

    def hush(self) -> None:
        """Say nothing more: drop what waits, end what is being said."""
        with self._lock:
            self._queue.clear()
            self._speaking = None

    def emit(self, step: int) -> Emission | None:
        """Send what is being said."""
        first = step * STEP
        self.said.extend(first + STEP)
        speaking = self._speaking_at(first)
        if speaking is None:
            return None
        said, samples = speaking
        part = samples[first - said.start : first - said.start + STEP]
        if len(part) < STEP:
            whole = SILENCE.copy()
            whole[: len(part)] = part
            part = whole
        self.said.write(first, part)
        return Emission(part, self.ctcss_hz)

    def _speaking_at(self, first: int) -> tuple[Said, Pcm] | None:
        with self._lock:
            if self._speaking is not None and self._speaking[0].end <= first:
                self._speaking = None
            if self._speaking is None and self._queue and self._queue[0][0].start <= first:
                self._speaking = self._queue.popleft()
            return self._speaking

    def hear(self, step: int, reception: Reception) -> None:
        """Record what comes in, as the ear has it: nothing while the squelch is closed."""
        first = step * STEP
        if not reception.carrier:
            self.heard.extend(first + STEP)
            return
        self.heard.write(first, reception.samples)
        if self.heard_carrier and self.heard_carrier[-1].end == first:
            self.heard_carrier[-1].end = first + STEP
        else:
            self.heard_carrier.append(Heard(first, first + STEP))

    def carrier_between(self, start: int, end: int) -> float:
        """Return for how many seconds a carrier was received in [start, end) samples."""
        total = sum(max(0, min(h.end, end) - max(h.start, start)) for h in self.heard_carrier)
        return total / RATE
