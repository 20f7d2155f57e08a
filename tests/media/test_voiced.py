"""What sounds like a voice, and what does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobridge.media.voiced import voiced
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.tones import tone

Floats = NDArray[np.float32]


def frames(samples: NDArray[np.generic]) -> list[Floats]:
    floats = samples.astype(np.float32) / 32768.0
    return [floats[at : at + 160] for at in range(0, len(floats) - 159, 160)]


def noise(seconds: float, dbfs: float, low_hz: float = 0.0, high_hz: float = 4000.0) -> Floats:
    """Return noise between two frequencies, int16 range."""
    count = round(seconds * 8000)
    spectrum = np.fft.rfft(np.random.default_rng(4).standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / 8000)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0.0
    samples = np.fft.irfft(spectrum, count)
    samples *= 32768.0 * 10 ** (dbfs / 20.0) / np.sqrt(np.mean(samples**2))
    return samples.astype(np.float32)


@pytest.mark.parametrize("name", sorted(load_phrases()))
def test_a_voice_is_believed_within_60_ms_of_its_beginning(name: str) -> None:
    samples = load_phrases()[name].samples()
    loud = [part for part in frames(samples) if float(np.mean(part**2)) > 0.5e-4]
    told = [voiced(part) for part in loud]
    assert np.mean(told) > 0.7
    assert any(all(told[at : at + 2]) for at in range(3)), told[:6]


@pytest.mark.parametrize(("low", "high"), [(0, 4000), (300, 3000), (1000, 4000)])
def test_the_hiss_of_a_squelch_tail_is_no_voice(low: float, high: float) -> None:
    assert not any(voiced(part) for part in frames(noise(20.0, -14.0, low, high)))


@pytest.mark.parametrize("hz", [310, 440, 660, 800, 910, 1000, 1200, 1633])
@pytest.mark.parametrize("below_db", [32.0, 50.0])
def test_a_beep_is_no_voice(hz: float, below_db: float) -> None:
    beep = tone(hz, 0, 8000).astype(np.float32) + noise(1.0, -18.0 - below_db)
    assert not any(voiced(part) for part in frames(beep))


def test_two_tones_at_once_are_no_voice() -> None:
    both = tone(700, 0, 8000).astype(np.float32) + tone(900, 0, 8000) + noise(1.0, -60.0)
    assert not any(voiced(part) for part in frames(both))


def test_silence_is_no_voice() -> None:
    assert not voiced(np.zeros(160, dtype=np.float32))


def test_the_level_means_nothing() -> None:
    samples = load_phrases()["position-en"].samples()
    told = [voiced(part) for part in frames(samples)]
    assert [voiced(part * np.float32(0.01)) for part in frames(samples)] == told
