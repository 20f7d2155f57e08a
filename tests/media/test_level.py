"""0 dBFS is a full-scale sine; the reference tone reads −20."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.media.level import FLOOR_DBFS, REFERENCE_DBFS, level_dbfs, peak
from radiobridge.media.tone import Tone, silence
from radiobridge.model.voice import RADIO_RATES


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize("dbfs", [0.0, -10.0, REFERENCE_DBFS, -40.0, -60.0])
def test_a_sine_reads_its_level_and_its_peak(rate: int, dbfs: float) -> None:
    frame = Tone(rate, level_dbfs=dbfs).frame()
    assert level_dbfs(frame) == pytest.approx(dbfs, abs=0.1)
    if rate == 48_000:
        assert 20 * math.log10(peak(frame) / 32768) == pytest.approx(dbfs, abs=0.15)


def test_a_full_scale_square_wave_reads_3_db_above_a_sine() -> None:
    square = np.tile(np.array([32767, -32768], dtype=np.int16), 80)
    assert level_dbfs(square) == pytest.approx(3.01, abs=0.01)
    assert peak(square) == 32768


def test_silence_reads_the_floor() -> None:
    assert level_dbfs(silence(8000)) == FLOOR_DBFS
    assert peak(silence(8000)) == 0


@pytest.mark.parametrize("offset", [1, 300, -20_000])
def test_a_constant_from_a_cheap_adapter_does_not_count(offset: int) -> None:
    tone = Tone(8000, level_dbfs=-60.0).frame()
    assert level_dbfs((tone + offset).astype(np.int16)) == pytest.approx(-60.0, abs=0.2)
    assert level_dbfs(np.full(160, offset, dtype=np.int16)) == FLOOR_DBFS


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=960))
def test_any_frame_has_a_level(samples: list[int]) -> None:
    frame = np.array(samples, dtype=np.int16)
    assert FLOOR_DBFS <= level_dbfs(frame) < 3.02
    assert peak(frame) == max(abs(sample) for sample in samples)
