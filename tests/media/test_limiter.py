"""Gain without clipping."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError
from radiobridge.media.level import level_dbfs, peak
from radiobridge.media.limiter import Limiter
from radiobridge.media.tone import Tone
from radiobridge.model.voice import RADIO_RATES, PcmFrame

CEILING = 32768 * 10 ** (-1 / 20)


def noise(seed: int, amplitude: float, size: int = 160) -> PcmFrame:
    wave = np.random.default_rng(seed).uniform(-amplitude, amplitude, size)
    frame: PcmFrame = wave.astype(np.int16)
    return frame


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 0.0, 6.0, 12.0])
def test_the_gain_is_exact_below_the_ceiling(rate: int, gain_db: float) -> None:
    limiter, tone = Limiter(rate, gain_db=gain_db), Tone(rate, level_dbfs=-20.0)
    limiter.process(tone.frame())
    assert level_dbfs(limiter.process(tone.frame())) == pytest.approx(-20.0 + gain_db, abs=0.05)


def test_samples_are_rounded_not_cut() -> None:
    """Cut towards zero, a soft signal would lose level with each gateway that it passes."""
    assert set(Limiter(8000, gain_db=6.0).process(np.full(160, 3, dtype=np.int16))) == {6}


def test_works_in_place_and_leaves_alone_what_is_right() -> None:
    frame = noise(1, 3000)
    before = frame.copy()
    assert Limiter(8000).process(frame) is frame
    assert np.array_equal(frame, before)
    assert Limiter(8000, gain_db=6.0).process(frame) is frame
    assert not np.array_equal(frame, before)


def test_a_read_only_frame_is_copied() -> None:
    frame = noise(1, 3000)
    frame.flags.writeable = False
    before = frame.copy()
    out = Limiter(8000, gain_db=6.0).process(frame)
    assert np.array_equal(frame, before)
    assert out[0] == pytest.approx(2 * before[0], rel=0.01)


def test_a_loud_frame_keeps_its_shape() -> None:
    """Limiting scales: a clipped sine would have flat tops and overtones."""
    limiter, tone = Limiter(48_000, gain_db=12.0), Tone(48_000, level_dbfs=-3.0)
    for _ in range(3):
        frame = limiter.process(tone.frame())
    spectrum = np.abs(np.fft.rfft(frame.astype(float)))
    assert np.sum(spectrum[40:]) < 0.01 * spectrum[20]
    assert peak(frame) == pytest.approx(CEILING, rel=0.01)


def test_the_gain_comes_back_slowly_and_fully() -> None:
    limiter = Limiter(8000, gain_db=12.0)
    limiter.process(noise(1, 32000))
    low = limiter.gain_db_now
    assert low < 0.0
    limiter.process(noise(2, 500))
    assert limiter.gain_db_now == pytest.approx(low + 0.6, abs=0.01)
    for seed in range(30):
        limiter.process(noise(seed, 500))
    assert limiter.gain_db_now == pytest.approx(12.0)


def test_the_gain_moves_without_a_step_inside_or_between_frames() -> None:
    limiter = Limiter(48_000, gain_db=12.0)
    constant = np.full(960, 1000, dtype=np.int16)
    loud_end = constant.copy()
    loud_end[800:] = 20_000
    wave = np.concatenate(
        [limiter.process(f.copy()) for f in (constant, loud_end, *[constant] * 9)]
    )
    steps = np.abs(np.diff(wave.astype(int)))
    steps[960 + 799] = 0
    steps[2 * 960 - 1] = 0
    assert steps.max() < 100


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 32767)), min_size=1, max_size=8),
    st.floats(-20, 40),
    st.sampled_from(RADIO_RATES),
)
def test_nothing_ever_passes_the_ceiling(
    frames: list[tuple[int, float]], gain_db: float, rate: int
) -> None:
    limiter = Limiter(rate, gain_db=gain_db)
    for seed, amplitude in frames:
        assert peak(limiter.process(noise(seed, amplitude, rate // 50))) <= CEILING + 1


@pytest.mark.parametrize("gain_db", [0.0, 12.0])
def test_full_scale_does_not_wrap(gain_db: float) -> None:
    square = np.tile(np.array([32767, -32768], dtype=np.int16), 80)
    out = Limiter(8000, gain_db=gain_db, ceiling_dbfs=0.0).process(square.copy())
    assert np.all(np.sign(out) == np.sign(square))
    assert peak(out) <= 32767


def test_it_allocates_no_buffers() -> None:
    limiter = Limiter(48_000, gain_db=6.0)
    frame = noise(1, 3000, 960)
    limiter.process(frame)
    tracemalloc.start()
    try:
        for _ in range(10):
            limiter.process(frame)
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert highest < frame.nbytes * 2


def test_a_ceiling_above_full_scale_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Limiter(8000, ceiling_dbfs=0.1)
