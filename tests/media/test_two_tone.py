"""Paging tones: which frequencies, how long, and what is no page."""

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobridge.media.tone import tones
from radiobridge.media.two_tone import TwoToneDecoder, TwoTonePage
from radiobridge.model.voice import RADIO_RATES
from tests.media.hearing import framed, heard, received, spoken, through_opus

CODES = [(288.5, 304.7), (321.7, 339.6), (600.9, 788.5), (788.5, 600.9), (378.6, 422.1),
         (1006.9, 979.9), (1433.4, 288.5), (2468.2, 1930.2)]  # fmt: skip


def _page(
    rate: int, a_hz: float, b_hz: float, a_s: float = 1.0, b_s: float = 3.0, gap_s: float = 0.0
) -> NDArray[np.int16]:
    gap = np.zeros(round(rate * gap_s), dtype=np.int16)
    return np.concatenate(
        [tones(rate, [(a_hz, -20.0)], a_s), gap, tones(rate, [(b_hz, -20.0)], b_s)]
    )


def _check(
    found: list[TwoTonePage], a_hz: float, b_hz: float, a_s: float = 1.0, b_s: float = 3.0
) -> None:
    (page,) = found
    assert page.b is not None
    # CTCSS or the edge of the band pulls the lowest by half a Hz; all others are within 0.2 Hz.
    assert page.a.frequency_hz == pytest.approx(a_hz, rel=0.001, abs=0.5)
    assert page.b.frequency_hz == pytest.approx(b_hz, rel=0.001, abs=0.5)
    assert page.a.duration_s == pytest.approx(a_s, abs=0.041)
    assert page.b.duration_s == pytest.approx(b_s, abs=0.041)


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize(("a_hz", "b_hz"), CODES)
def test_pages_at_6_db(rate: int, a_hz: float, b_hz: float) -> None:
    frames = received(_page(rate, a_hz, b_hz), rate, snr_db=6.0, seed=1)
    _check(heard(TwoToneDecoder(rate), frames), a_hz, b_hz)


@pytest.mark.parametrize(("a_s", "b_s"), [(0.45, 0.45), (0.4, 0.8), (1.0, 1.0), (3.0, 3.0)])
def test_durations(a_s: float, b_s: float) -> None:
    frames = received(_page(8000, 600.9, 1006.9, a_s, b_s), 8000, snr_db=20.0, seed=2)
    _check(heard(TwoToneDecoder(8000), frames), 600.9, 1006.9, a_s, b_s)


@pytest.mark.parametrize(("gap_s", "pages"), [(0.3, 1), (0.4, 1), (0.8, 0)])
def test_a_gap_between_the_tones(gap_s: float, pages: int) -> None:
    frames = received(_page(8000, 600.9, 1006.9, gap_s=gap_s), 8000, snr_db=20.0, seed=3)
    found = heard(TwoToneDecoder(8000), frames)
    assert len(found) == pages


def test_neighbours_of_the_code_plan_are_told_apart() -> None:
    """1.5 % apart at the least."""
    frames = received(_page(8000, 979.9, 953.7), 8000, snr_db=10.0, seed=4)
    _check(heard(TwoToneDecoder(8000), frames), 979.9, 953.7)


def test_a_long_tone_calls_a_group() -> None:
    frames = received(tones(8000, [(600.9, -20.0)], 8.0), 8000, snr_db=20.0, seed=5)
    (page,) = heard(TwoToneDecoder(8000), frames)
    assert page.b is None
    assert page.a.frequency_hz == pytest.approx(600.9, abs=0.2)
    assert page.a.duration_s == pytest.approx(8.0, abs=0.041)


def test_two_pages_are_two() -> None:
    wave = np.concatenate([_page(8000, 600.9, 788.5), np.zeros(8000, np.int16),
                           _page(8000, 788.5, 600.9)])  # fmt: skip
    found = heard(TwoToneDecoder(8000), received(wave, 8000, snr_db=20.0, seed=6))
    assert len(found) == 2


def test_ctcss_below_does_not_disturb() -> None:
    wave = np.concatenate(
        [tones(8000, [(288.5, -20.0), (250.3, -32.0)], 1.0),
         tones(8000, [(304.7, -20.0), (250.3, -32.0)], 3.0)]
    )  # fmt: skip
    _check(heard(TwoToneDecoder(8000), received(wave, 8000, snr_db=20.0, seed=7)), 288.5, 304.7)


@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_short_tones_are_none(seconds: float) -> None:
    wave = _page(8000, 600.9, 1006.9, seconds, seconds)
    assert not heard(TwoToneDecoder(8000), received(wave, 8000, snr_db=20.0, seed=8))


def test_a_warble_is_none() -> None:
    at = np.arange(32_000) / 8000
    wave = np.sin(2 * np.pi * (900 * at + 20 * np.sin(2 * np.pi * 3 * at))) * 3000
    assert not heard(TwoToneDecoder(8000), framed(wave.astype(np.int16), 8000))


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_speech_is_none(rate: int) -> None:
    assert not heard(TwoToneDecoder(rate), framed(spoken(rate), rate))


def test_noise_and_silence_are_none() -> None:
    noise = np.random.default_rng(9).normal(size=8000 * 60) * 3000
    assert not heard(TwoToneDecoder(8000), framed(noise.astype(np.int16), 8000))
    assert not heard(TwoToneDecoder(8000), framed(np.zeros(80_000, np.int16), 8000))


def test_reset_forgets_the_first_tone() -> None:
    decoder = TwoToneDecoder(8000)
    assert not heard(decoder, framed(_page(8000, 600.9, 1006.9), 8000))
    decoder.reset()
    assert not heard(decoder, framed(np.zeros(8000, np.int16), 8000))


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (16_000, 48_000), (48_000, 8000)])
@pytest.mark.parametrize(("a_hz", "b_hz"), CODES[::2])
def test_crosses_opus_at_16_kbit_s(rate: int, to: int, a_hz: float, b_hz: float) -> None:
    frames = received(_page(rate, a_hz, b_hz), rate, snr_db=15.0, seed=10)
    _check(heard(TwoToneDecoder(to), through_opus(frames, rate, to)), a_hz, b_hz)
