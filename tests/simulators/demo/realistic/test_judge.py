"""Each fault is put into a call by hand, and the judge must name it; so with keys."""

import numpy as np
import pytest

from radiobridge_sim.air import Air
from radiobridge_sim.demo.realistic.calls import PHRASES
from radiobridge_sim.demo.realistic.judge import Spoken, judge, judge_keys
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.sound import FRAME, RATE, STEP, STEP_S, Pcm
from radiobridge_sim.trunked import TrunkedSettings
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket
from tests.simulators.test_measure import START, Speech, make

MS = RATE // 1000


@pytest.fixture(scope="module", params=sorted(PHRASES.values()))
def speech(request: pytest.FixtureRequest) -> Speech:
    return make(request.param)


def faults(speech: Speech, heard: Pcm) -> set[str]:
    return set(judge(speech.said, heard, START, speech.end).faults)


@pytest.mark.parametrize("delay_ms", [0.0, 60.0, 950.0, 2300.0])
def test_a_call_that_comes_whole_is_whole_however_late(speech: Speech, delay_ms: float) -> None:
    long = np.concatenate([speech.said, np.zeros(3 * RATE, np.int16)])
    late = Speech(said=long, coded=speech.coded, end=speech.end)
    verdict = judge(long, late.heard(speech.coded, delay_ms), START, speech.end)
    assert verdict.whole, verdict.faults
    assert verdict.delay_ms == pytest.approx(delay_ms + 6.5, abs=0.3)
    assert verdict.length_ms == pytest.approx(0.0, abs=0.3)


def test_nothing_heard_is_lost(speech: Speech) -> None:
    assert faults(speech, np.zeros(len(speech.said), np.int16)) == {"lost"}


@pytest.mark.parametrize("cut_ms", [20, 60, 200])
def test_a_clipped_start_is_found(speech: Speech, cut_ms: int) -> None:
    coded = speech.coded.copy()
    coded[: (cut_ms + 7) * MS] = 0
    assert "holes" in faults(speech, speech.heard(coded, 40.0))


@pytest.mark.parametrize("cut_ms", [40, 100, 200])
def test_a_clipped_end_is_found(speech: Speech, cut_ms: int) -> None:
    coded = speech.coded.copy()
    coded[speech.end - START + 7 * MS - cut_ms * MS :] = 0
    assert "holes" in faults(speech, speech.heard(coded, 40.0))


def test_an_end_of_other_words_is_not_recognised(speech: Speech) -> None:
    coded = speech.coded.copy()
    end = speech.end - START
    other = load_phrases()["long-en"].samples()[3 * RATE :]
    coded[end - RATE // 4 : end] = other[: RATE // 4]
    assert "end" in faults(speech, speech.heard(coded, 40.0))


def test_a_lost_frame_is_found(speech: Speech) -> None:
    coded = speech.coded.copy()
    middle = int(np.argmax(np.convolve(np.abs(coded.astype(float)), np.ones(400), "same")))
    coded[middle - FRAME // 2 : middle + FRAME // 2] = 0
    assert faults(speech, speech.heard(coded, 40.0))


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_another_level_is_found(speech: Speech, gain: float) -> None:
    coded = np.clip(speech.coded * gain, -32768, 32767).astype(np.int16)
    assert "level" in faults(speech, speech.heard(coded, 40.0))


def test_a_call_that_was_stretched_is_found(speech: Speech) -> None:
    """60 ms of silence put in where it hurts least, in the quietest place."""
    power = np.convolve(np.square(speech.coded.astype(float)), np.ones(160), "same")
    inside = slice(len(power) // 4, 3 * len(power) // 4)
    at = inside.start + int(np.argmin(power[inside]))
    coded = np.concatenate([speech.coded[:at], np.zeros(60 * MS, np.int16), speech.coded[at:]])
    assert faults(speech, speech.heard(coded, 40.0))


class Wire(UsrpSocket):
    """A cable on which a gateway speaks at once, whatever the radio has been granted."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", 0)

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        """What the radio receives is nobody's business here."""


@pytest.mark.parametrize(("waited_s", "whole"), [(0.65, True), (0.3, False), (0.0, False)])
def test_who_does_not_wait_for_the_grant_is_found_out(waited_s: float, whole: bool) -> None:
    """A trunked radio in virtual time: voice before its grant is not on the air."""
    radio = DonorRadio(
        "cbp-donor",
        hz=1,
        settings=DonorSettings(
            keying=Keying.SERIAL,
            trunked=TrunkedSettings(grant_s=(0.6, 0.6), queued_share=0.0, denied_share=0.0),
        ),
        socket=Wire(),
        log=LineLog(),
        zero=0.0,
    )
    ear = Handheld("cbp-7", hz=1)
    air = Air([radio, ear])
    words = load_phrases()[PHRASES["opp-12"]].samples()
    said = np.zeros(4 * RATE, np.int16)
    said[RATE : RATE + len(words)] = words
    radio.ptt(True, 1.0, "client")
    begin = round((1.0 + waited_s) / STEP_S)
    for step in range(3 * RATE // STEP):
        first = (step - begin) * STEP
        if first % FRAME == 0 and 0 <= first < len(words):
            frame = np.zeros(FRAME, np.int16)
            frame[: len(words[first : first + FRAME])] = words[first : first + FRAME]
            radio.take(UsrpPacket(True, frame, step * STEP_S))
        air.advance()
    verdict = judge(said, ear.heard.samples(), RATE, RATE + len(words))
    assert verdict.whole is whole, verdict.faults


SAID = (Spoken(10.0, 10.7), Spoken(14.0, 14.7))


def test_one_key_for_each_thing_said_is_right() -> None:
    found = judge_keys([(10.3, 12.0), (14.02, 14.9)], SAID)
    assert (found.total, found.false) == (2, ())


@pytest.mark.parametrize(
    "key",
    [
        (8.0, 8.2),  # nobody spoke
        (9.9, 10.8),  # before anybody spoke
        (11.7, 12.0),  # a squelch tail, a courtesy tone
        (10.5, 10.9),  # once more for what was said: a hold too short
        (14.9, 19.0),  # held on
    ],
)
def test_any_other_key_is_false(key: tuple[float, float]) -> None:
    right = [(10.3, 10.4), (14.02, 14.9)]
    assert judge_keys(sorted([*right, key]), SAID).false == (key,)


def test_nothing_asks_for_a_key_when_nobody_speaks() -> None:
    """A side whose receivers are not muted keys the other for the echo of what it plays."""
    assert judge_keys([(1.0, 2.0)], ()).false == ((1.0, 2.0),)
