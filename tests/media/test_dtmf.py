"""DTMF: which symbol, how long, and what is none."""

from itertools import product

import numpy as np
import pytest

from radiobridge.media.dtmf import HIGH_HZ, LOW_HZ, SYMBOLS, DtmfDecoder, DtmfSymbol
from radiobridge.media.tone import tones
from radiobridge.model.voice import RADIO_RATES
from tests.media.hearing import framed, heard, received, spoken, through_opus

KEYS = [(SYMBOLS[n][m], LOW_HZ[n], HIGH_HZ[m]) for n, m in product(range(4), range(4))]


def _sent(
    low: float, high: float, seconds: float, *, snr_db: float, seed: int = 0, twist_db: float = 0.0
) -> list[DtmfSymbol]:
    wave = tones(8000, [(low, -23.0 - twist_db / 2), (high, -23.0 + twist_db / 2)], seconds)
    return heard(DtmfDecoder(8000), received(wave, 8000, snr_db=snr_db, seed=seed))


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_each_symbol(rate: int, symbol: str, low: float, high: float) -> None:
    wave = tones(rate, [(low, -23.0), (high, -23.0)], 0.1)
    (found,) = heard(DtmfDecoder(rate), received(wave, rate, snr_db=20.0, seed=1))
    assert found.symbol == symbol
    assert found.duration_s == pytest.approx(0.1, abs=0.0101)


@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_40_ms_are_heard_at_8_db(symbol: str, low: float, high: float) -> None:
    for seed in range(4):
        assert [s.symbol for s in _sent(low, high, 0.04, snr_db=8.0, seed=seed)] == [symbol]


@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_23_ms_are_not(symbol: str, low: float, high: float) -> None:
    for seed in range(4):
        assert not _sent(low, high, 0.023, snr_db=30.0, seed=seed), symbol


@pytest.mark.parametrize("twist_db", [-8.0, 8.0])
@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_twist_of_8_db_is_heard(twist_db: float, symbol: str, low: float, high: float) -> None:
    found = _sent(low, high, 0.06, snr_db=20.0, twist_db=twist_db)
    assert [s.symbol for s in found] == [symbol]


@pytest.mark.parametrize("twist_db", [-14.0, 14.0])
@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_twist_of_14_db_is_not(twist_db: float, symbol: str, low: float, high: float) -> None:
    assert not _sent(low, high, 0.06, snr_db=30.0, twist_db=twist_db), symbol


@pytest.mark.parametrize("off", [-0.035, -0.015, 0.015, 0.035])
@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_frequency(off: float, symbol: str, low: float, high: float) -> None:
    """1.5 % off counts, 3.5 % does not (ITU-T Q.24)."""
    found = _sent(low * (1 + off), high * (1 + off), 0.1, snr_db=30.0)
    assert [s.symbol for s in found] == ([symbol] if abs(off) < 0.02 else [])


def test_digits_40_ms_apart_are_two() -> None:
    one = tones(8000, [(697.0, -20.0), (1209.0, -20.0)], 0.05)
    wave = np.concatenate([one, np.zeros(320, np.int16), one, np.zeros(320, np.int16), one])
    found = heard(DtmfDecoder(8000), received(wave, 8000, snr_db=20.0, seed=2))
    assert [s.symbol for s in found] == ["1", "1", "1"]


def test_a_dropout_of_8_ms_does_not_make_two_of_one() -> None:
    wave = tones(8000, [(697.0, -20.0), (1209.0, -20.0)], 0.2)
    wave[800:864] = 0
    found = heard(DtmfDecoder(8000), received(wave, 8000, snr_db=20.0, seed=3))
    assert [s.symbol for s in found] == ["1"]


OTHERS = [[697.0], [1209.0], [697.0, 770.0], [1000.0], [697.0, 1209.0, 1477.0]]


@pytest.mark.parametrize("parts", OTHERS)
def test_other_tones_are_none(parts: list[float]) -> None:
    wave = tones(8000, [(hz, -20.0) for hz in parts], 0.5)
    assert not heard(DtmfDecoder(8000), framed(wave, 8000))


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_speech_is_none(rate: int) -> None:
    assert not heard(DtmfDecoder(rate), framed(spoken(rate), rate))


def test_noise_and_silence_are_none() -> None:
    noise = np.random.default_rng(4).normal(size=8000 * 60) * 3000
    assert not heard(DtmfDecoder(8000), framed(noise.astype(np.int16), 8000))
    assert not heard(DtmfDecoder(8000), framed(np.zeros(8000, np.int16), 8000))


def test_reset_forgets_a_symbol_under_way() -> None:
    decoder = DtmfDecoder(8000)
    frames = framed(tones(8000, [(697.0, -20.0), (1209.0, -20.0)], 0.2), 8000)
    assert not heard(decoder, frames)
    decoder.reset()
    assert not heard(decoder, framed(np.zeros(1600, np.int16), 8000))


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (16_000, 48_000), (48_000, 8000)])
@pytest.mark.parametrize(("symbol", "low", "high"), KEYS)
def test_crosses_opus_at_16_kbit_s(
    rate: int, to: int, symbol: str, low: float, high: float
) -> None:
    wave = tones(rate, [(low, -23.0), (high, -23.0)], 0.05)
    frames = received(wave, rate, snr_db=15.0, seed=5)
    found = heard(DtmfDecoder(to), through_opus(frames, rate, to))
    assert [s.symbol for s in found] == [symbol]
