"""Block filters give what filtering sample by sample gives."""

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobridge.media.filters import Fir, Iir, low_pass

ONE = np.exp(0.3j) * 0.9
TWO = np.exp(0.1j) * 0.99
POLES = {
    "one section": (np.array([ONE, ONE.conj()]), np.exp([0.2j, -0.2j])),
    "two sections": (
        np.array([ONE, TWO, ONE.conj(), TWO.conj()]),
        np.exp([0.2j, 0.09j, -0.2j, -0.09j]),
    ),
    "at the circle": (np.exp([0.05j, -0.05j]) * 0.998, np.exp([0.05j, -0.05j])),
}
"""Poles and zeros; of each conjugate pair the upper ones come first."""


@pytest.fixture
def noise() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=960).astype(np.float32)


@pytest.mark.parametrize("step", [1, 2, 6])
def test_a_fir_over_blocks_is_a_convolution(step: int, noise: NDArray[np.float32]) -> None:
    taps = np.random.default_rng(2).normal(size=31)
    fir = Fir(taps, step=step, size=240)
    blocks = np.concatenate([fir.feed(noise[n : n + 240]) for n in range(0, 960, 240)])
    whole = np.convolve(np.concatenate([np.zeros(30), noise]), taps[::-1], "valid")
    assert blocks == pytest.approx(whole[step - 1 :: step], abs=1e-4)


def test_a_bank_is_its_filters_side_by_side(noise: NDArray[np.float32]) -> None:
    taps = np.random.default_rng(3).normal(size=(15, 4))
    bank = Fir(taps, step=1, size=160)
    alone = [Fir(taps[:, n], step=1, size=160) for n in range(4)]
    for n in range(0, 960, 160):
        block = noise[n : n + 160]
        out = bank.feed(block)
        assert out.shape == (160, 4)
        assert out == pytest.approx(np.stack([one.feed(block) for one in alone], axis=1), abs=1e-4)


def test_int16_is_scaled() -> None:
    fir = Fir(np.ones(1), step=1, size=4)
    assert fir.feed(np.array([0, 16384, -32768, 1], dtype=np.int16), 1 / 32768) == pytest.approx(
        [0.0, 0.5, -1.0, 1 / 32768]
    )


def test_a_low_pass_passes_low_and_nothing_high() -> None:
    taps = low_pass(96, 300.0 / 8000.0)
    assert taps.sum() == pytest.approx(1.0)
    for hz, least, most in ((100, -0.1, 0.1), (300, -6.5, -5.5), (600, -200, -55)):
        wave = np.exp(-2j * np.pi * hz / 8000.0 * np.arange(96))
        assert least <= 20 * np.log10(abs(np.sum(taps * wave))) <= most


@pytest.mark.parametrize("name", POLES)
@pytest.mark.parametrize("rows", [1, 4, 10])
def test_an_iir_over_blocks_is_its_difference_equation(
    name: str, rows: int, noise: NDArray[np.float32]
) -> None:
    (poles, zeros), gain = POLES[name], 0.7
    iir = Iir(poles, zeros, gain, size=160, rows=rows)
    blocks = np.concatenate(
        [iir.feed(noise[n : n + 160].astype(np.float64)) for n in range(0, 960, 160)]
    )
    a, b = np.poly(poles).real, gain * np.poly(zeros).real
    x = np.concatenate([np.zeros(len(b) - 1), noise])
    y = np.zeros(len(x))
    for n in range(len(b) - 1, len(x)):
        y[n] = b @ x[n - len(b) + 1 : n + 1][::-1] - a[1:] @ y[n - len(a) + 1 : n][::-1]
    assert blocks == pytest.approx(y[len(b) - 1 :], abs=1e-6)


def test_reset_forgets() -> None:
    iir = Iir(*POLES["two sections"], 0.7, size=160, rows=10)
    fir = Fir(np.ones(9), step=1, size=160)
    first = iir.feed(np.ones(160)), fir.feed(np.ones(160, dtype=np.float32))
    iir.reset()
    fir.reset()
    again = iir.feed(np.ones(160)), fir.feed(np.ones(160, dtype=np.float32))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_in_silence_it_rings_out_for_good() -> None:
    iir = Iir(*POLES["at the circle"], 0.7, size=160, rows=10)
    iir.feed(np.ones(160))
    for _ in range(200):
        out = iir.feed(np.zeros(160))
    assert not out.any()
