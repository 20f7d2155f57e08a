"""Real gateways over a bad network, and over brokers that are bridged to each other."""

import os

import pytest

from radiobridge.text import Language
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.bench.impairments import CASES, PHRASES, impairment_sections, try_case
from radiobridge_sim.bench.report import all_ok, to_json
from tests.networks.strait import FIRST, SECOND, Strait

pytestmark = [pytest.mark.real, pytest.mark.calm]

NIGHTLY = os.environ.get("RADIOBRIDGE_NIGHTLY") == "1"
STALLS = next(case for case in CASES if case.id == "stalls")


def test_stalls_of_350_ms_key_once_and_the_floor_does_not_flap(strait: Strait) -> None:
    began = strait.clock.now()
    fared = try_case(strait, STALLS, lambda _doing: None, ["call-en"])
    assert fared.keyed == 1
    for side in strait.sides:
        assert len(strait.logged(side, "spurt-started", began)) == 1
        assert len(strait.logged(side, "spurt-over", began)) == 1
    assert fared.delivered is not None
    assert fared.delivered > 95.0
    assert max(fared.lags_ms) - min(fared.lags_ms) > 100.0, "no stall was felt"
    assert max(fared.lags_ms) < 800.0


@pytest.mark.skipif(not NIGHTLY, reason="takes four minutes: RADIOBRIDGE_NIGHTLY=1")
@pytest.mark.timeout(900)
def test_every_bad_network_meets_its_targets(strait: Strait) -> None:
    tail = try_case(strait, CASES[0], lambda _doing: None).concealed // len(PHRASES)
    results = [try_case(strait, case, lambda _doing: None, tail=tail) for case in CASES]
    sections = impairment_sections(results)
    assert all_ok(sections), to_json(sections, Language.EN)


def test_brokers_bridged_to_each_other_give_no_doubles_and_no_false_death(strait: Strait) -> None:
    first, second = strait.brokers
    first.stop()
    second.stop()
    second.bridge_to(first)
    first.start()
    second.start()
    strait.all_linked()
    for _ in range(5):  # the bridge connects when it likes, and only copies show that it has
        before = strait.counters(OPP)
        strait.over(strait.begin(CBP, "dont-shoot-en"))
        after = strait.counters(OPP)
        accepted = after["voice-accepted"] - before.get("voice-accepted", 0)
        if after["voice-replay"] - before.get("voice-replay", 0) > 2.5 * accepted:
            break
    before = after
    said = strait.begin(CBP, "position-en")
    strait.over(said)
    measured = strait.heard(said)
    assert measured.found >= 0.9, measured
    after = strait.counters(OPP)
    accepted = after["voice-accepted"] - before.get("voice-accepted", 0)
    # Each broker brings its own copy and that of the other.
    assert after["voice-replay"] - before.get("voice-replay", 0) > 2.5 * accepted
    assert after["duplicate"] == before["duplicate"]
    assert strait.ptt(OPP, said) == [1, 0]

    # The will of one link says nothing of the other, and the bridge carries it there too.
    lost = strait.told(CBP, "partner-lost")
    strait.routes[OPP.unit][FIRST].cut()
    name = str(strait.sides[SECOND].agency)
    strait.until("one link gone", lambda: strait.partner(CBP)["links"] == [name])
    again = strait.begin(CBP, "dont-shoot-en")
    strait.over(again)
    assert strait.heard(again).found >= 0.9
    assert strait.partner(CBP)["online"] is True
    assert strait.told(CBP, "partner-lost", lost) == 0
