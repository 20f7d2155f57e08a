"""A radio that hears somebody is not keyed over: the voice waits for it, 2 s at most.

`north` and `south` transmit TAC1 and do not receive it, by the talkgroup map; what they hear on
their channels opens COR and goes nowhere. So they can be busy while everybody else is free.
"""

import json

import pytest

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.sound import RATE
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, NORTH, SOUTH, TAC1, River

pytestmark = pytest.mark.real

WAITS_S = 2.0
"""How long voice waits for a busy channel."""


def busy_counter(river: River) -> int:
    counters = (river.gateway(OPP).status() or {})["counters"]
    return int(counters.get("not-delivered-busy", 0))


def test_what_a_radio_hears_that_the_map_lets_not_receive_goes_nowhere(river: River) -> None:
    at = river.clock.now()
    for side in (NORTH, SOUTH):
        river.begin(side, "radio-check-fr")
    river.pause(0.5)
    river.settle()
    for side in (NORTH, SOUTH):
        assert [e for e in river.lines.events(side.donor, "COR") if e.t >= at], "nobody talked"
    for side in (*TAC1, CBP):
        assert river.ptt(side, at) == []


def test_one_channel_clears_in_time_another_does_not(river: River, figures: Figures) -> None:
    busy, logged = busy_counter(river), len(river.events(OPP, "not-delivered"))
    for side in (NORTH, SOUTH):
        river.begin(side, "long-en")
    cor = Text("COR", "COR")
    river.wait_until(
        lambda: all(river.radio_status(side)["cor"] for side in (NORTH, SOUTH)), LIMIT_S, cor
    )
    at = river.clock.now()
    said = river.talk(CBP, "radio-check-en", after_s=WAITS_S)
    river.wait_keyed(OPP)
    river.pause(0.6)
    assert river.ptt(NORTH, at) == river.ptt(SOUTH, at) == []
    river.unit(NORTH).hush()
    river.wait_keyed(NORTH)
    given_up = said.start / RATE + WAITS_S + 0.3
    over = Text("all over", "tout fini")
    river.wait_until(lambda: river.clock.now() > given_up and not river.keyed(NORTH), LIMIT_S, over)
    cleared = river.lines.intervals(NORTH.donor, "COR", river.clock.now())[-1][1]
    keyed = river.ptt(NORTH, at)
    assert [event.value for event in keyed] == [1, 0]
    assert keyed[0].t >= cleared
    figures.add("clear to PTT, ms", {"lines": 1000.0 * (keyed[0].t - cleared)})
    river.heard(said, CBP, OPP)
    river.heard(said, CBP, NORTH)

    assert river.lines.intervals(SOUTH.donor, "COR", river.clock.now())[-1][0] < at
    assert river.ptt(SOUTH, at) == []
    line = json.loads(river.wait_event(OPP, "not-delivered", beyond=logged))
    assert (line["radio"], line["reason"]) == ("south", "busy")
    assert busy_counter(river) == busy + 1
    assert river.radio_status(SOUTH)["counters"]["not_delivered"] >= 1
    river.unit(SOUTH).hush()
