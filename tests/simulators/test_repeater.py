"""Repeaters, tone squelch and squelch tails of the simulated air, in virtual time."""

from dataclasses import replace

import numpy as np
import pytest

from radiobridge_sim.air import Air
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.repeater import Repeater, RepeaterSettings
from radiobridge_sim.sound import RATE, STEP_S, Pcm, level_dbfs
from radiobridge_sim.tones import tone
from tests.simulators.test_radio import ZERO, FakeSocket

INPUT, OUTPUT = 155_000_000, 150_000_000
TONE = 100.0
PLAIN = RepeaterSettings(hang_s=3.0, tail_s=0.1, ctcss_hz=TONE)


class Town:
    """A repeater, two handhelds and a donor radio that all work through it."""

    def __init__(self, settings: RepeaterSettings, donor: DonorSettings | None = None) -> None:
        self.repeater = Repeater("rep", input_hz=INPUT, output_hz=OUTPUT, settings=settings)
        one = Handheld("a", hz=OUTPUT, tx_hz=INPUT, ctcss_hz=settings.input_ctcss_hz)
        self.a, self.b = one, Handheld("b", hz=OUTPUT, tx_hz=INPUT)
        self.log, self.socket = LineLog(), FakeSocket()
        self.donor = DonorRadio(
            "donor",
            hz=OUTPUT,
            tx_hz=INPUT,
            settings=donor or DonorSettings(keying=Keying.SERIAL),
            socket=self.socket,
            log=self.log,
            zero=ZERO,
        )
        self.air = Air([self.repeater, one, self.b, self.donor])

    def run(self, until_s: float) -> None:
        while self.air.step * STEP_S < until_s - 1e-9:
            self.air.advance()

    def say(self, unit: Handheld, at_s: float, length_s: float = 1.0) -> None:
        samples = tone(1000.0, 0, round(length_s * RATE), -15.0)
        unit.say("x", samples, step=round(at_s / STEP_S))

    def carriers(self, unit: Handheld) -> list[list[float]]:
        return [[h.start / RATE, h.end / RATE] for h in unit.heard_carrier]

    def cor(self) -> list[float]:
        """Return when COR opened and closed, in turn."""
        events = self.log.events("donor", "COR")
        assert [e.value for e in events] == [1, 0] * (len(events) // 2)
        return [round(e.t, 3) for e in events]


def loud(samples: Pcm) -> tuple[float, float]:
    """Return when the loud part begins and ends, s."""
    at = np.flatnonzero(np.abs(samples.astype(int)) > 2500)
    return float(at[0] / RATE), float(at[-1] / RATE)


def test_it_repeats_and_stays_for_its_tail_and_its_hang() -> None:
    town = Town(PLAIN)
    town.say(town.a, 1.0)
    town.run(6.0)
    assert town.carriers(town.a) == [pytest.approx([2.0, 5.11], abs=0.006)]
    assert town.carriers(town.b) == [pytest.approx([1.005, 5.11], abs=0.006)]
    assert level_dbfs(town.b.heard.samples()[round(1.1 * RATE) : round(1.9 * RATE)]) > -20.0
    tail = town.b.heard.samples()[round(2.02 * RATE) : round(2.1 * RATE)]
    assert level_dbfs(tail) == pytest.approx(-14.0, abs=1.0)
    assert level_dbfs(town.b.heard.samples()[round(2.2 * RATE) : round(5.0 * RATE)]) < -60.0
    assert town.repeater.carriers == 1


def test_who_comes_in_while_it_hangs_is_heard_from_the_first_sample() -> None:
    town = Town(PLAIN)
    town.say(town.a, 1.0)
    town.say(town.b, 3.0)
    town.run(8.0)
    heard = town.a.heard.samples()[round(2.5 * RATE) :]
    begin, _ = loud(heard)
    assert begin == pytest.approx(0.513, abs=0.001)
    assert town.repeater.carriers == 1


def test_a_courtesy_tone_comes_once_and_gives_way() -> None:
    town = Town(replace(PLAIN, courtesy_hz=800.0))
    town.say(town.a, 1.0)
    town.say(town.a, 4.0, 0.2)
    town.say(town.b, 4.35, 0.5)
    town.run(9.0)
    beep = town.b.heard.samples()[round(2.3 * RATE) : round(2.6 * RATE)]
    begin, end = loud(beep)
    assert end - begin == pytest.approx(0.12, abs=0.005)
    after = town.a.heard.samples()[round(4.86 * RATE) : round(9.0 * RATE)]
    begin, end = loud(after[round(0.2 * RATE) :])
    assert end - begin == pytest.approx(0.12, abs=0.005)


def test_the_tone_ends_with_the_input_or_with_the_carrier() -> None:
    for stays in (True, False):
        donor = DonorSettings(keying=Keying.SERIAL, mute_hz=TONE)
        town = Town(replace(PLAIN, tone_in_hang=stays), donor)
        town.say(town.a, 1.0)
        town.run(6.0)
        closed = 5.115 if stays else 2.115
        assert town.cor() == pytest.approx([1.21, closed], abs=0.006)


def test_an_input_tone_keeps_strangers_out() -> None:
    town = Town(replace(PLAIN, input_ctcss_hz=TONE))
    town.say(town.b, 1.0)
    town.run(3.0)
    assert town.repeater.carriers == 0
    town.say(town.a, 4.0)
    town.run(6.0)
    assert town.repeater.carriers == 1


def test_the_time_out_timer_drops_the_output_until_the_input_has_closed() -> None:
    town = Town(replace(PLAIN, time_out_s=2.0))
    town.say(town.a, 1.0, 4.0)
    town.say(town.a, 6.0, 0.5)
    town.run(12.0)
    first, second = town.carriers(town.b)
    assert first == pytest.approx([1.005, 3.01], abs=0.011)
    assert second[0] == pytest.approx(6.005, abs=0.006)
    assert town.repeater.timed_out == 1


def test_a_mute_line_and_its_sound_open_with_the_tone_only() -> None:
    donor = DonorSettings(keying=Keying.SERIAL, mute_hz=TONE)
    for sent, opens in ((TONE, True), (141.3, False), (None, False)):
        town = Town(replace(PLAIN, ctcss_hz=sent), donor)
        town.say(town.a, 1.0)
        town.run(3.0)
        assert bool(town.log.events("donor", "COR")) is opens
        sound = np.concatenate([s for s, _, _ in town.socket.sent if s is not None])
        assert bool(sound.any()) is opens


def test_a_flat_output_hands_the_tone_on_and_a_loudspeaker_does_not() -> None:
    for flat in (True, False):
        town = Town(PLAIN, DonorSettings(keying=Keying.SERIAL, flat=flat))
        town.say(town.a, 1.0)
        town.run(4.0)
        sound = np.concatenate([s for s, _, _ in town.socket.sent if s is not None])
        hang = sound[round(2.5 * RATE) : round(3.5 * RATE)].astype(float)
        share = abs(hang @ np.exp(-2j * np.pi * TONE / RATE * np.arange(RATE))) / RATE
        assert bool(share > 200.0) is flat


def test_a_receivers_own_tail_is_noise_under_an_open_cor() -> None:
    donor = DonorSettings(keying=Keying.SERIAL, tail_s=0.15)
    town = Town(PLAIN, donor)
    town.say(town.a, 1.0)
    town.run(6.0)
    opened, closed = town.cor()
    assert closed - opened == pytest.approx(4.105 + 0.15, abs=0.011)
    sound = np.concatenate([s for s, _, _ in town.socket.sent if s is not None])
    tail = sound[round(5.13 * RATE) : round(5.24 * RATE)]
    assert level_dbfs(tail) == pytest.approx(-14.0, abs=1.0)


def test_a_tone_is_the_same_wherever_it_is_cut() -> None:
    whole = tone(TONE, 0, 400)
    assert np.array_equal(whole, np.concatenate([tone(TONE, 0, 130), tone(TONE, 130, 270)]))
