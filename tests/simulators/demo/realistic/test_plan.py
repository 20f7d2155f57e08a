"""What a seed draws."""

import itertools

import pytest

from radiobridge_sim.demo.realistic.plan import CALL_S, Fault, make_plan
from radiobridge_sim.demo.realistic.strikes import LIMITS_MS, WORDS


def test_ten_minutes_are_a_hundred_calls_and_every_fault_once() -> None:
    plan = make_plan(10.0, 5)
    assert len(plan.calls) == 100
    assert sorted(strike.fault.value for strike in plan.strikes) == sorted(f.value for f in Fault)
    assert {call.side for call in plan.calls} == {0, 1}
    assert {strike.side for strike in plan.strikes} == {0, 1}


def test_the_same_seed_has_the_same_plan_and_another_has_not() -> None:
    assert make_plan(2.0, 5) == make_plan(2.0, 5)
    assert make_plan(2.0, 5) != make_plan(2.0, 6)


@pytest.mark.parametrize("minutes", [0.2, 0.5, 3.0, 60.0])
def test_calls_take_turns_and_some_come_within_the_hang(minutes: float) -> None:
    plan = make_plan(minutes, 1)
    times = [call.at_s for call in plan.calls]
    assert times == sorted(times)
    assert len(plan.calls) >= 2
    assert plan.strikes
    assert times[-1] <= len(times) * CALL_S
    gaps = [late - early for early, late in itertools.pairwise(times)]
    if minutes >= 3.0:
        assert min(gaps) < 3.0 < 6.0 < max(gaps)


def test_every_fault_has_words_and_those_that_unkey_a_limit() -> None:
    assert set(WORDS) == set(Fault)
    assert set(Fault) - set(LIMITS_MS) == {Fault.LINK_DEAD, Fault.BROKER_KILLED}
