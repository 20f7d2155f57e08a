import pytest

from radiobridge_sim.agencies import CBP, OPP
from tests.app.river import TAC1, River

pytestmark = pytest.mark.real


def test_a_phrase_keys_every_transmitter_of_the_talkgroup_once(river: River) -> None:
    at = river.clock.now()
    said = river.talk(CBP, "dont-shoot-en")
    river.wait_said(said)
    for side in TAC1:
        assert [event.value for event in river.ptt(side, at)] == [1, 0]
    river.heard(said, CBP, OPP)
