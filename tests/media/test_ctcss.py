"""CTCSS: all 38 tones, soon, and nothing that is none of them.

Levels: 1 kHz at 60 % of maximum deviation is −20 dBFS, so a tone of 500 Hz of deviation on a wide
channel is −35.6. Signal to noise is that of the tone against the noise from 300 to 3400 Hz.
"""

import numpy as np
import pytest

from radiobridge.media.ctcss import HEARD_WITHIN_S, TONES_HZ, CtcssDetector
from radiobridge.media.tone import tones
from radiobridge.model.voice import RADIO_RATES, PcmFrame
from tests.media.hearing import framed, heard, received, spoken, through_opus

QUIET_S = 0.3


def _delay_s(detector: CtcssDetector, frames: list[PcmFrame], hz: float) -> float:
    """Return how long after its start the tone is heard; fail on any other."""
    for n, frame in enumerate(frames):
        found = detector.feed(frame)
        if found:
            assert found == [hz]
            assert detector.heard_hz == hz
            return (n + 1) * 0.02 - QUIET_S
    pytest.fail(f"{hz} Hz is not heard")


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize("hz", TONES_HZ)
def test_any_tone_is_heard_in_time(rate: int, hz: float) -> None:
    frames = received(tones(rate, [(hz, -35.0)], 1.0), rate, snr_db=0.0, seed=1)
    assert 0.1 < _delay_s(CtcssDetector(rate), frames, hz) <= HEARD_WITHIN_S


@pytest.mark.parametrize("hz", TONES_HZ[::5])
@pytest.mark.parametrize("expected", [True, False])
def test_6_db_below_the_noise(hz: float, expected: bool) -> None:
    frames = received(tones(8000, [(hz, -35.0)], 1.0), 8000, snr_db=-6.0, seed=3)
    assert _delay_s(CtcssDetector(8000, hz if expected else None), frames, hz) < 0.7


@pytest.mark.parametrize("hz", TONES_HZ)
def test_beneath_speech(hz: float) -> None:
    """12 dB below the voice, which begins at the same moment and is not even filtered well: the
    recordings still hold voice below 300 Hz, 15 dB quieter. Once heard, the tone stays."""
    wave = spoken()[: 8000 * 6] + tones(8000, [(hz, -32.0)], 6.0)
    detector = CtcssDetector(8000, hz)
    frames = received(wave, 8000, snr_db=25.0, seed=4)
    assert _delay_s(detector, frames, hz) < 1.0
    for frame in frames[70:-30]:
        detector.feed(frame)
        assert detector.heard_hz == hz


@pytest.mark.parametrize("hz", TONES_HZ)
def test_the_neighbours_do_not_open(hz: float) -> None:
    at = TONES_HZ.index(hz)
    for other in TONES_HZ[max(0, at - 2) : at] + TONES_HZ[at + 1 : at + 3]:
        frames = received(tones(8000, [(other, -30.0)], 1.0), 8000, snr_db=10.0, seed=5)
        assert not heard(CtcssDetector(8000, hz), frames), other


@pytest.mark.parametrize("off", [-0.005, 0.005])
@pytest.mark.parametrize("hz", TONES_HZ[::4])
def test_half_a_percent_off_is_the_tone(off: float, hz: float) -> None:
    frames = received(tones(8000, [(hz * (1 + off), -35.0)], 1.0), 8000, snr_db=10.0, seed=6)
    assert heard(CtcssDetector(8000, hz), frames) == [hz]


@pytest.mark.parametrize("hz", [69.3, 120.9, 159.8, 196.6, 225.7 + 3.9])
def test_between_two_tones_is_none(hz: float) -> None:
    frames = received(tones(8000, [(hz, -30.0)], 1.0), 8000, snr_db=10.0, seed=7)
    assert not heard(CtcssDetector(8000), frames)


def test_a_tone_that_is_gone_is_told_soon() -> None:
    detector = CtcssDetector(8000, 100.0)
    assert heard(detector, framed(tones(8000, [(100.0, -35.0)], 1.0), 8000)) == [100.0]
    noise = np.random.default_rng(8).normal(size=8000) * 300
    gone = 0
    for frame in framed(noise.astype(np.int16), 8000):
        detector.feed(frame)
        gone += detector.heard_hz is None
    assert gone >= 50 - 28


def test_a_tone_below_the_threshold_is_none() -> None:
    assert not heard(CtcssDetector(8000), framed(tones(8000, [(100.0, -46.0)], 2.0), 8000))


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_speech_is_none(rate: int) -> None:
    frames = framed(spoken(rate), rate)
    assert not heard(CtcssDetector(rate), frames)


@pytest.mark.parametrize("hz", TONES_HZ)
def test_speech_does_not_open(hz: float) -> None:
    assert not heard(CtcssDetector(8000, hz), framed(spoken(), 8000))


def test_noise_and_silence_are_none() -> None:
    noise = np.random.default_rng(9).normal(size=8000 * 60) * 3000
    assert not heard(CtcssDetector(8000), framed(noise.astype(np.int16), 8000))
    assert not heard(CtcssDetector(8000), framed(np.zeros(8000, np.int16), 8000))


def test_reset_forgets() -> None:
    detector = CtcssDetector(8000, 100.0)
    assert heard(detector, framed(tones(8000, [(100.0, -35.0)], 1.0), 8000))
    detector.reset()
    assert detector.heard_hz is None
    assert not heard(detector, framed(np.zeros(1600, np.int16), 8000))


@pytest.mark.parametrize("hz", TONES_HZ)
def test_crosses_opus_at_16_kbit_s(hz: float) -> None:
    wave = spoken()[: 8000 * 4] + tones(8000, [(hz, -32.0)], 4.0)
    frames = received(wave, 8000, snr_db=25.0, seed=10)
    assert heard(CtcssDetector(8000, hz), through_opus(frames, 8000, 8000)) == [hz]
