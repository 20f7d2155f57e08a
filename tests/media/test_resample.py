"""All rates come down to 8 kHz alike."""

import numpy as np
import pytest

from radiobridge.errors import LocalProtocolError
from radiobridge.media.resample import To8k
from radiobridge.media.tone import Tone
from radiobridge.model.voice import RADIO_RATES


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize(("hz", "least_db", "most_db"), [(100, -0.2, 0.2), (2400, -0.3, 0.2),
                                                         (3000, -1.5, 0.2)])  # fmt: skip
def test_the_voice_band_stays(rate: int, hz: float, least_db: float, most_db: float) -> None:
    tone, to_8k = Tone(rate, frequency_hz=hz, level_dbfs=0.0), To8k(rate)
    wave = np.concatenate([to_8k.feed(tone.frame()) for _ in range(20)])[800:]
    assert len(wave) == 19 * 160 - 640
    assert least_db <= 20 * np.log10(np.std(wave) * np.sqrt(2.0)) <= most_db
    assert np.argmax(np.abs(np.fft.rfft(wave))) * 8000 / len(wave) == pytest.approx(hz, abs=4.0)


@pytest.mark.parametrize("hz", [5500.0, 7000.0])
def test_nothing_folds_back(hz: float) -> None:
    tone, to_8k = Tone(48_000, frequency_hz=hz, level_dbfs=0.0), To8k(48_000)
    wave = np.concatenate([to_8k.feed(tone.frame()) for _ in range(20)])[800:]
    assert np.std(wave) < 10 ** (-50 / 20)


def test_another_rate_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        To8k(44_100)


def test_reset_forgets() -> None:
    to_8k = To8k(48_000)
    frame = Tone(48_000).frame()
    first = to_8k.feed(frame)
    to_8k.reset()
    assert np.array_equal(to_8k.feed(frame), first)
