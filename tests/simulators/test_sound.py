from pathlib import Path

import numpy as np
import pytest

from radiobridge_sim.sound import RATE, Recording, level_dbfs, read_wav, write_wav


def test_recording_is_silent_where_nothing_was_written() -> None:
    recording = Recording()
    recording.write(100, np.full(40, 7, np.int16))
    recording.extend(200)
    samples = recording.samples()
    assert len(samples) == 200
    assert not samples[:100].any()
    assert (samples[100:140] == 7).all()
    assert not samples[140:].any()


def test_recording_keeps_everything_as_it_grows() -> None:
    recording = Recording()
    recording.write(0, np.full(40, 3, np.int16))
    far = 200 * RATE
    recording.write(far, np.full(40, 4, np.int16))
    samples = recording.samples()
    assert len(samples) == far + 40
    assert samples[0] == 3
    assert samples[-1] == 4
    assert np.count_nonzero(samples) == 80
    assert (recording.since(far + 30) == [4] * 10).all()


def test_wav_reads_back_what_was_written(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    write_wav(tmp_path / "a.wav", samples)
    assert (read_wav(tmp_path / "a.wav") == samples).all()


@pytest.mark.parametrize(("value", "expected"), [(32767, 0.0), (3277, -20.0), (0, -120.0)])
def test_level(value: int, expected: float) -> None:
    assert level_dbfs(np.full(400, value, np.int16)) == pytest.approx(expected, abs=0.01)
