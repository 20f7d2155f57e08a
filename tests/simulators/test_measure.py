"""Each impairment is put into Opus-coded speech by hand, and must be found with its size."""

from dataclasses import dataclass

import numpy as np
import opuslib_next
import pytest

from radiobridge_sim.measure import is_silent, measure_phrase, percentile
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.sound import FRAME, RATE, Pcm, level_dbfs

START = RATE
CODEC_MS = 6.5
"""What Opus itself delays."""


@dataclass(frozen=True)
class Speech:
    said: Pcm
    coded: Pcm
    """As it comes out of Opus, one spare frame at the end."""
    end: int

    def heard(self, coded: Pcm, delay_ms: float) -> Pcm:
        first = START + round(delay_ms * RATE / 1000)
        heard = np.zeros(len(self.said) + 2 * RATE, np.int16)
        heard[first : first + len(coded)] = coded
        noise = np.random.default_rng(5).normal(0, 10, len(heard))
        return np.clip(heard + noise, -32768, 32767).astype(np.int16)

    def middle(self) -> int:
        """Return where, near the middle, speech goes on for 100 ms on either side."""
        loud = [level_dbfs(self.coded[i : i + 40]) > -35 for i in range(0, len(self.coded), 40)]
        for block in range(len(loud) // 3, len(loud) - 20):
            if all(loud[block - 12 : block + 16]):
                return block * 40
        raise AssertionError


def make(name: str) -> Speech:
    words = load_phrases()[name].samples()
    padded = np.zeros((len(words) // FRAME + 2) * FRAME, np.int16)
    padded[: len(words)] = words
    encoder = opuslib_next.Encoder(RATE, 1, "voip")
    encoder.bitrate = 16_000
    decoder = opuslib_next.Decoder(RATE, 1)
    frames = [
        np.frombuffer(
            decoder.decode(encoder.encode(padded[i : i + FRAME].tobytes(), FRAME), FRAME), np.int16
        )
        for i in range(0, len(padded), FRAME)
    ]
    said = np.zeros(START + len(words) + RATE, np.int16)
    said[START : START + len(words)] = words
    return Speech(said=said, coded=np.concatenate(frames), end=START + len(words))


@pytest.fixture(scope="module", params=sorted(load_phrases()))
def speech(request: pytest.FixtureRequest) -> Speech:
    return make(request.param)


@pytest.fixture(scope="module")
def call() -> Speech:
    return make("call-en")


@pytest.mark.parametrize("delay_ms", [0.0, 33.0, 60.0, 250.0])
def test_delay_is_right_to_a_fraction_of_a_ms_and_speech_is_whole(
    speech: Speech, delay_ms: float
) -> None:
    found = measure_phrase(speech.said, speech.heard(speech.coded, delay_ms), START, speech.end)
    assert found.whole
    assert percentile(found.lags_ms, 50) == pytest.approx(delay_ms + CODEC_MS, abs=0.3)
    assert percentile(found.lags_ms, 95) == pytest.approx(delay_ms + CODEC_MS, abs=0.3)
    assert found.level_change_db == pytest.approx(0.0, abs=0.7)


def test_a_hole_of_20_ms_is_found(call: Speech) -> None:
    coded = call.coded.copy()
    coded[call.middle() : call.middle() + FRAME] = 0
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert 10.0 <= found.missing_ms <= 20.0
    assert found.missing_frames == 1
    assert not found.whole
    assert found.clipped_start_ms == found.clipped_end_ms == found.inserted_ms == 0.0


def test_three_holes_are_three(call: Speech) -> None:
    coded = call.coded.copy()
    for n in range(3):
        first = call.middle() + n * 2 * FRAME - FRAME
        coded[first : first + FRAME] = 0
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert 35.0 <= found.missing_ms <= 60.0
    assert 10.0 <= found.longest_gap_ms <= 20.0


@pytest.mark.parametrize("clipped_ms", [20, 60, 100, 300])
def test_a_clipped_start_is_found(speech: Speech, clipped_ms: int) -> None:
    coded = speech.coded.copy()
    coded[: clipped_ms * 8] = 0
    found = measure_phrase(speech.said, speech.heard(coded, 40), START, speech.end)
    assert clipped_ms - 20 <= found.clipped_start_ms <= clipped_ms + 5
    assert not found.whole
    assert percentile(found.lags_ms, 50) == pytest.approx(46.5, abs=0.3)


def test_a_clipped_end_is_found(call: Speech) -> None:
    coded = call.coded.copy()
    last = call.end - START + 52
    coded[last - 480 :] = 0
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert 50.0 <= found.clipped_end_ms <= 65.0
    assert found.clipped_start_ms == 0.0


def test_silence_put_into_speech_is_found(call: Speech) -> None:
    at = call.middle()
    coded = np.concatenate([call.coded[:at], np.zeros(FRAME, np.int16), call.coded[at:]])
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert found.inserted_ms == pytest.approx(20.0, abs=1.0)
    assert found.longest_gap_ms == pytest.approx(20.0, abs=1.0)
    assert not found.whole
    assert percentile(found.lags_ms, 95) == pytest.approx(66.5, abs=0.5)


def test_speech_cut_out_is_missing(call: Speech) -> None:
    at = call.middle()
    coded = np.concatenate([call.coded[:at], call.coded[at + FRAME :]])
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert found.missing_ms == pytest.approx(20.0, abs=5.0)
    assert found.longest_gap_ms == pytest.approx(20.0, abs=5.0)
    assert not found.whole


def test_a_pause_made_longer_is_not_a_fault(call: Speech) -> None:
    quiet = [
        i for i in range(RATE, len(call.coded) - RATE, 40)
        if level_dbfs(call.coded[i - 320 : i + 320]) < -60
    ]  # fmt: skip
    at = quiet[len(quiet) // 2]
    coded = np.concatenate([call.coded[:at], np.zeros(FRAME, np.int16), call.coded[at:]])
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert found.whole
    assert {round(lag) for lag in found.lags_ms} == {46, 66}


def test_a_level_change_is_found(call: Speech) -> None:
    coded = (call.coded // 2).astype(np.int16)
    found = measure_phrase(call.said, call.heard(coded, 40), START, call.end)
    assert found.level_change_db == pytest.approx(-6.2, abs=0.5)
    assert found.whole


def test_nothing_heard_is_all_missing(call: Speech) -> None:
    found = measure_phrase(call.said, np.zeros(len(call.said), np.int16), START, call.end)
    assert found.matches == ()
    assert found.missing_ms > 3000.0
    assert not found.whole


def test_what_was_heard_in_part_and_then_not_at_all_is_missing(call: Speech) -> None:
    """Digital silence is no quiet speech, however much of it there is."""
    heard = np.zeros(len(call.said) + RATE, np.int16)
    heard[START : START + RATE] = call.coded[:RATE]
    found = measure_phrase(call.said, heard, START, call.end)
    rest_ms = 1000.0 * (call.end - START - RATE) / RATE
    assert found.clipped_end_ms == pytest.approx(rest_ms, abs=300.0)
    assert not found.whole


def test_other_speech_is_not_mistaken_for_it(call: Speech) -> None:
    other = make("long-en")
    found = measure_phrase(call.said, other.heard(other.coded, 40), START, call.end)
    assert found.found < 0.2
    assert not found.whole


def test_percentile() -> None:
    assert percentile([], 50) is None
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7.0], 95) == 7.0


def test_silence_is_digital_silence() -> None:
    heard = np.zeros(1000, np.int16)
    assert is_silent(heard, 0, 1000)
    heard[500] = 1
    assert not is_silent(heard, 0, 1000)
    assert is_silent(heard, 0, 500)
