"""What a spurt begins with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.media.tone import silence

FRAME_S = 0.02
QUIET, VOICE = -70.0, -20.0


def filled(levels: list[float], *, cor_delay_s: float = 0.0) -> Preroll:
    """A ring whose n-th frame was heard at n × 20 ms."""
    ring = Preroll(PrerollSettings(cor_delay_s=cor_delay_s))
    for n, level in enumerate(levels):
        ring.push(silence(8000), level, n * FRAME_S)
    return ring


def taken(levels: list[float], *, cor_delay_s: float = 0.0) -> list[int]:
    ring = filled(levels, cor_delay_s=cor_delay_s)
    now = (len(levels) - 1) * FRAME_S
    return [round(frame.at / FRAME_S) for frame in ring.take(now)]


def test_a_quiet_receiver_gives_its_newest_frame_only() -> None:
    assert taken([QUIET] * 20) == [19]


def test_voice_comes_with_one_frame_before_it() -> None:
    assert taken([QUIET] * 10 + [VOICE] * 5) == [9, 10, 11, 12, 13, 14]


def test_the_earliest_voice_counts_even_with_silence_after_it() -> None:
    assert taken([QUIET] * 10 + [VOICE, QUIET, QUIET, QUIET, VOICE]) == [9, 10, 11, 12, 13, 14]


def test_voice_that_began_before_the_ring_is_taken_from_its_start() -> None:
    assert taken([VOICE] * 40) == list(range(25, 40))


@pytest.mark.parametrize("cor_delay_ms", [0, 30, 150, 250, 400])
def test_reaches_back_cor_delay_and_250_ms_and_one_frame(cor_delay_ms: int) -> None:
    """The worst case: voice began in the middle of a frame that ended after that long."""
    reach = (cor_delay_ms + 250) / 1000
    frames = taken([VOICE] * 60, cor_delay_s=cor_delay_ms / 1000)
    start_of_first = 59 * FRAME_S - len(frames) * FRAME_S
    assert start_of_first <= 59 * FRAME_S - reach - FRAME_S + 1e-9


def test_what_was_taken_is_not_taken_again() -> None:
    ring = filled([VOICE] * 20)
    assert ring.take(0.38)
    assert ring.take(0.38) == []


def test_what_was_cleared_is_not_taken() -> None:
    ring = filled([VOICE] * 20)
    ring.clear()
    assert ring.take(0.38) == []


def test_what_an_audio_device_left_before_it_fell_silent_is_not_taken() -> None:
    assert filled([VOICE] * 20).take(10.0) == []


def test_frames_come_as_they_were_pushed() -> None:
    ring = Preroll(PrerollSettings())
    samples = np.arange(160, dtype=np.int16)
    ring.push(samples, VOICE, 1.0)
    (frame,) = ring.take(1.01)
    assert frame.samples is samples
    assert (frame.level_dbfs, frame.at) == (VOICE, 1.0)


@given(st.lists(st.sampled_from([QUIET, VOICE]), min_size=1, max_size=40))
def test_no_voice_within_the_reach_is_ever_lost(levels: list[float]) -> None:
    got = taken(levels, cor_delay_s=0.05)
    newest = len(levels) - 1
    within = [n for n, level in enumerate(levels) if level == VOICE and newest - n <= 15]
    assert set(within) <= set(got)
    assert got == list(range(got[0], newest + 1))
    assert levels[got[0]] == VOICE or VOICE in levels[got[0] : got[0] + 2] or len(got) == 1
