"""A repeater: sends on its output what it hears on its input, and stays up for a while after.

When the input ends, its receiver lets a burst of noise through until its squelch closes (the tail),
a courtesy tone may follow, and the carrier stays for the hang time; who comes in meanwhile is
repeated at once. Its CTCSS tone is on the output while the input is open, or until the carrier
drops, as set. The time-out timer ends a transmission that is too long: the output drops, and
nothing is repeated until the input has closed.

Where it sends a tone, it takes out of the voice what lies below 300 Hz.

How it differs from the real thing: repeats after one step of 5 ms (13 with a tone); no
identification in Morse.
"""

from dataclasses import dataclass

import numpy as np

from radiobridge_sim.air import AirUnit, Emission, Reception
from radiobridge_sim.sound import FULL_SCALE, RATE, SILENCE, STEP, Pcm
from radiobridge_sim.tones import Beep, HighPass, Jingle, ms

NOISE_DBFS = -14.0
"""Noise of a receiver without a carrier, before its squelch closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeaterSettings:
    """How a repeater behaves; times in s."""

    hang_s: float = 3.0
    """How long its carrier stays after the input has closed."""
    tail_s: float = 0.12
    """How long noise is heard when the input's carrier ends."""
    courtesy_hz: float | None = None
    """A beep 300 ms after the input has closed."""
    ctcss_hz: float | None = None
    """The tone on its output."""
    tone_in_hang: bool = True
    """Whether that tone stays while the carrier hangs."""
    input_ctcss_hz: float | None = None
    """The tone without which it repeats nothing."""
    time_out_s: float = 180.0
    """Longest transmission of one talker."""


class Repeater(AirUnit):
    """One repeater. `emit` and `hear` belong to the thread of the air."""

    def __init__(
        self,
        name: str,
        *,
        input_hz: int,
        output_hz: int,
        settings: RepeaterSettings | None = None,
        power_db: float = 20.0,
        seed: int = 1,
    ) -> None:
        super().__init__(name, tx_hz=output_hz, rx_hz=input_hz, power_db=power_db, full_duplex=True)
        self.settings = settings or RepeaterSettings()
        self.carriers = 0
        """How often it has come up."""
        self.timed_out = 0
        noise = np.random.default_rng(seed).standard_normal(RATE)
        loud = noise * FULL_SCALE * float(10 ** (NOISE_DBFS / 20.0))
        self._noise = np.clip(loud, -32_768, 32_767).astype(np.int16)
        self._courtesy = Jingle(Beep(0.0, ms(300)), Beep(self.settings.courtesy_hz or 0.0, ms(120)))
        self._filter = HighPass()
        self._heard: Pcm = SILENCE
        self._open = False
        """The input's squelch is open, the tail included."""
        self._carrier = False
        self._since = 0
        """When the talker came in."""
        self._tail_until = 0
        self._up_until = -1
        """When the output drops, unless the input opens again."""
        self._locked = False
        """Timed out: nothing more until the input has closed."""

    @property
    def up(self) -> bool:
        """Tell whether its carrier is on the air, as of the last step."""
        return self._carrier

    def emit(self, step: int) -> Emission | None:
        """Repeat what came in by the step before."""
        first = step * STEP
        carrier = not self._locked and (self._open or first < self._up_until)
        self.carriers += carrier and not self._carrier
        self._carrier = carrier
        if not carrier:
            return None
        toned = self._open or self.settings.tone_in_hang
        samples = self._heard if self._open else self._courtesy.add(SILENCE, first)
        if self.settings.ctcss_hz is not None:
            samples = self._filter.feed(samples)
        return Emission(samples, self.settings.ctcss_hz if toned else None)

    def hear(self, step: int, reception: Reception) -> None:
        """Take what is on the input."""
        end = (step + 1) * STEP
        wanted = self.settings.input_ctcss_hz
        if reception.carrier and wanted in (None, reception.ctcss_hz):
            self._talk(end, reception.samples)
        elif self._open:
            self._fall_silent(end)

    def _talk(self, end: int, samples: Pcm) -> None:
        if not self._open:
            self._since, self._open = end, True
            self._courtesy.stop()
        self._heard = samples
        self._tail_until = end + round(self.settings.tail_s * RATE)
        if end - self._since > self.settings.time_out_s * RATE and not self._locked:
            self._locked = True
            self.timed_out += 1

    def _fall_silent(self, end: int) -> None:
        if end <= self._tail_until:
            at = (end - STEP) % RATE
            self._heard = self._noise[at : at + STEP]
            return
        self._open = False
        if self._locked:
            self._locked, self._up_until = False, -1
            return
        self._up_until = end + round(self.settings.hang_s * RATE)
        if self.settings.courtesy_hz is not None:
            self._courtesy.start(end)
