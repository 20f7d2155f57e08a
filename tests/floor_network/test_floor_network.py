"""The floor over networks: whatever a history holds, the right one is heard, and nobody else.

For each history, at each moment (see `judge`): each gateway names the holder that the rules favour
by what has reached it; no radio is keyed for another; no two are keyed for different talkers once
both gateways know both; who is favoured is played, frame by frame; who speaks while the floor is
free comes in; a talker's two receivers make no second spurt of his squelch tail; who has talked as
long as he may stays out; half a second after a partition has healed there is one holder. In the end
nobody is keyed, and one last talk is heard whole by all whose clocks allow it.
"""

import os

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.floor_network.found import FOUND
from tests.floor_network.history import History, histories
from tests.floor_network.judge import Judged

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
HISTORIES = 10_000 if NIGHTLY else 500
PARTS = 5
"""So that two workers share them, and none is stopped for taking long."""


@pytest.mark.timeout(3600 if NIGHTLY else 600)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_floor_is_where_the_rules_have_it(part: int) -> None:
    @settings(
        max_examples=HISTORIES // PARTS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(history=histories())
    def lives(history: History) -> None:
        Judged(history).judge()

    (lives if NIGHTLY else seed(part)(lives))()


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_once_stays_right(what: str) -> None:
    Judged(FOUND[what]).judge()
