"""The air between radios: who hears whom, in steps of 5 ms.

A step n covers the samples [n * STEP, (n + 1) * STEP). `advance` first asks every unit what it
sends in the step, then tells every unit what it hears in it. The air knows no clock: `ticker` calls
`advance` once the last instant of a step has passed, tests call it as they please.

- Units hear each other when the sender's transmit frequency is the listener's receive frequency.
- A unit that transmits is deaf, unless it is full duplex; nobody hears itself.
- Of several carriers an FM receiver hears the strongest alone when it is 6 dB above the next
  (capture); else all of them garbled, with noise.
- A CTCSS tone travels beside the samples: what a speaker plays does not hold it (receivers take out
  what lies below 300 Hz), a flat output does (`DonorRadio`). A garbled carrier has none.
- A carrier brings a little noise with it; where there is no carrier, the squelch is closed and
  there is digital silence.

How it differs from the real thing: no fading, no distance, no propagation delay (3.3 us per km).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radiobridge_sim.sound import FULL_SCALE, RATE, SILENCE, STEP, Pcm

CAPTURE_DB = 6.0
"""A carrier this much above the next is heard alone."""

NOISE_DBFS = -70.0
"""Noise of a good signal."""

COLLISION_NOISE_DBFS = -20.0
"""Noise of two carriers of like strength."""


class Emission(NamedTuple):
    """What one unit sends in one step."""

    samples: Pcm
    ctcss_hz: float | None = None
    """The CTCSS tone that it sends below its voice; not in `samples`."""


class Reception(NamedTuple):
    """What one unit hears in one step."""

    samples: Pcm
    carrier: bool
    ctcss_hz: float | None = None
    """The tone that a receiver could decode, or that a flat output would hand on."""


QUIET = Reception(SILENCE, carrier=False)


class AirUnit:
    """Anything with an antenna. Subclasses override `emit` and `hear`."""

    def __init__(
        self,
        name: str,
        *,
        tx_hz: int,
        rx_hz: int | None = None,
        power_db: float = 0.0,
        full_duplex: bool = False,
    ) -> None:
        self.name = name
        self.tx_hz = tx_hz
        self.rx_hz = tx_hz if rx_hz is None else rx_hz
        self.power_db = power_db
        self.full_duplex = full_duplex

    def emit(self, step: int) -> Emission | None:
        """Return what the unit sends in `step`, None without a carrier."""
        raise NotImplementedError

    def hear(self, step: int, reception: Reception) -> None:
        """Take what the unit hears in `step`."""
        raise NotImplementedError


class Air:
    """All units, and the step that comes next."""

    def __init__(self, units: Sequence[AirUnit] = (), *, seed: int = 1) -> None:
        self.units = list(units)
        self.step = 0
        noise = np.random.default_rng(seed).standard_normal(RATE)
        self._noise = np.round(noise * _amplitude(NOISE_DBFS)).astype(np.int16)
        loud = np.clip(noise * _amplitude(COLLISION_NOISE_DBFS), -FULL_SCALE, FULL_SCALE - 1)
        self._collision = np.round(loud).astype(np.int16)

    def advance(self) -> None:
        """Carry one step."""
        step = self.step
        sent = [(unit, e) for unit in self.units if (e := unit.emit(step)) is not None]
        for unit in self.units:
            unit.hear(step, self._reception(unit, sent) if sent else QUIET)
        self.step += 1

    def _reception(self, unit: AirUnit, sent: Sequence[tuple[AirUnit, Emission]]) -> Reception:
        if not unit.full_duplex and any(sender is unit for sender, _ in sent):
            return QUIET
        heard = [(s.power_db, e) for s, e in sent if s is not unit and s.tx_hz == unit.rx_hz]
        if not heard:
            return QUIET
        heard.sort(key=lambda entry: -entry[0])
        if len(heard) == 1 or heard[0][0] - heard[1][0] >= CAPTURE_DB:
            clear, tone = heard[0][1].samples.astype(np.int32), heard[0][1].ctcss_hz
            return Reception(_mix(clear, self._slice(self._noise)), carrier=True, ctcss_hz=tone)
        together = np.zeros(STEP, np.int32)
        for _, emission in heard:
            together += emission.samples
        garbled = _mix(together // len(heard), self._slice(self._collision))
        return Reception(garbled, carrier=True)

    def _slice(self, noise: Pcm) -> Pcm:
        first = self.step * STEP % RATE
        return noise[first : first + STEP]


def _amplitude(dbfs: float) -> float:
    return FULL_SCALE * float(10 ** (dbfs / 20))


def _mix(samples: NDArray[np.int32], noise: Pcm) -> Pcm:
    mixed: Pcm = np.clip(samples + noise, -32_768, 32_767).astype(np.int16)
    return mixed
