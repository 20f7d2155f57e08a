"""Tones join from frame to frame."""

import numpy as np
import pytest

from radiobridge.media.tone import Tone, silence
from radiobridge.model.voice import RADIO_RATES


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_a_frame_is_20_ms_of_int16(rate: int) -> None:
    for frame in (Tone(rate).frame(), silence(rate)):
        assert frame.shape == (rate // 50,)
        assert frame.dtype == np.int16


@pytest.mark.parametrize("frequency_hz", [67.0, 1000.0, 1234.5])
def test_the_frequency_is_as_asked_and_frames_join(frequency_hz: float) -> None:
    tone = Tone(16_000, frequency_hz=frequency_hz, level_dbfs=-6.0)
    wave = np.concatenate([tone.frame() for _ in range(200)])
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(wave.size)))
    assert np.argmax(spectrum) / 4.0 == pytest.approx(frequency_hz, abs=0.25)
    steepest = 2 * np.pi * frequency_hz / 16_000 * 32768 * 10 ** (-6 / 20)
    assert np.max(np.abs(np.diff(wave.astype(int)))) <= steepest + 1


def test_full_scale_does_not_wrap() -> None:
    frame = Tone(8000, level_dbfs=0.0).frame()
    assert frame.max() == 32767
    assert frame.min() == -32767
