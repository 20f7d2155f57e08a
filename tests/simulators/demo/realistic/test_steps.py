"""What makes a step hold, and that nothing less does."""

from dataclasses import replace

import pytest

from radiobridge.text import Language
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.demo.exchange import Silence
from radiobridge_sim.demo.realistic import steps
from radiobridge_sim.demo.realistic.calls import PHRASES, Called
from radiobridge_sim.demo.realistic.judge import Keys, judge
from radiobridge_sim.demo.realistic.plan import Fault, Strike
from radiobridge_sim.demo.realistic.sides import realistic_sides
from radiobridge_sim.demo.realistic.strikes import Struck
from radiobridge_sim.handheld import Said
from tests.simulators.test_measure import START, Speech, make

SAID = Said(unit=CBP.unit, phrase=PHRASES[CBP.unit], start=START, end=2 * START)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return make(PHRASES[CBP.unit])


@pytest.fixture(scope="module")
def whole(speech: Speech) -> Called:
    verdict = judge(speech.said, speech.heard(speech.coded, 60.0), START, speech.end)
    return Called(
        said=SAID, source=CBP, target=OPP, verdict=verdict, cor_to_ptt_ms=9.0, queued=False
    )


@pytest.fixture(scope="module")
def clipped(speech: Speech, whole: Called) -> Called:
    coded = speech.coded.copy()
    coded[:1000] = 0
    heard = speech.heard(coded, 60.0)
    return replace(whole, verdict=judge(speech.said, heard, START, speech.end))


def struck(fault: Fault = Fault.GATEWAY_KILLED) -> Struck:
    return Struck(
        strike=Strike(fault=fault, side=0, after_s=0.5, link=0),
        side=OPP,
        said=SAID,
        at_s=3.0,
        down_ms=120.0,
        again=False,
        verdict=None,
        recovered_s=2.0,
    )


def test_all_calls_have_to_be_whole(whole: Called, clipped: Called) -> None:
    assert steps.calls_whole([whole, whole]).ok
    assert not steps.calls_whole([whole, clipped]).ok
    assert not steps.calls_whole([]).ok
    assert "1 sur 2 entiers" in steps.calls_whole([whole, clipped]).measured.to(Language.FR)


def test_a_carrier_that_is_down_in_time_and_a_bridge_that_comes_back_hold(whole: Called) -> None:
    result = steps.fault(struck(), [whole, whole])
    assert result.ok
    assert result.id == "fault-gateway-killed"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(struck(), down_ms=None),
        replace(struck(), down_ms=501.0),
        replace(struck(), again=True),
        replace(struck(), recovered_s=None),
    ],
)
def test_a_fault_that_is_not_survived_does_not_hold(whole: Called, wrong: Struck) -> None:
    assert not steps.fault(wrong, [whole, whole]).ok


def test_what_waited_for_a_grant_may_be_said_first() -> None:
    trunked = realistic_sides(1)[1]
    late = replace(struck(Fault.LINKS_DEAD), down_ms=2900.0)
    assert not late.held
    assert replace(late, side=trunked).held
    assert not replace(late, side=trunked, down_ms=3001.0).held
    assert not replace(struck(), side=trunked, down_ms=501.0).held


def test_a_call_that_is_damaged_afterwards_does_not_hold(whole: Called, clipped: Called) -> None:
    assert not steps.fault(struck(), [whole, clipped]).ok


def test_with_one_broker_of_two_nothing_may_be_missing(whole: Called, clipped: Called) -> None:
    """The carrier stays to the end of the sentence: no limit, but no damage either."""
    survived = replace(struck(Fault.BROKER_KILLED), down_ms=5000.0, verdict=whole.verdict)
    assert steps.fault(survived, [whole]).ok
    assert not steps.fault(replace(survived, verdict=clipped.verdict), [whole]).ok
    assert not steps.fault(replace(survived, again=True), [whole]).ok


def test_one_false_key_or_a_radio_never_keyed_does_not_hold() -> None:
    assert steps.no_false_key({"a": Keys(3, ()), "b": Keys(1, ())}).ok
    assert not steps.no_false_key({"a": Keys(3, ((1.0, 2.0),)), "b": Keys(1, ())}).ok
    assert not steps.no_false_key({"a": Keys(3, ()), "b": Keys(0, ())}).ok


def test_withdrawing_has_to_be_quick_and_final() -> None:
    silent = Silence(said=SAID, target=OPP, carrier_s=0.0, keyed=0, silent=True)
    heard = replace(silent, carrier_s=0.3)
    assert steps.withdrawn(12.0, [silent], again=False, parted=True).ok
    assert not steps.withdrawn(None, [silent], again=False, parted=True).ok
    assert not steps.withdrawn(101.0, [silent], again=False, parted=True).ok
    assert not steps.withdrawn(12.0, [silent], again=True, parted=True).ok
    assert not steps.withdrawn(12.0, [silent], again=False, parted=False).ok
    assert not steps.withdrawn(12.0, [heard], again=False, parted=True).ok
