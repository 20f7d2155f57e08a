"""Real gateways over two brokers of which one fails in mid-sentence: nobody hears of it."""

import pytest

from radiobridge.services.outgoing import END_COPIES
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.measure import PhraseMeasure
from radiobridge_sim.weather import Impairment
from tests.networks.strait import FIRST, SECOND, Strait

pytestmark = [pytest.mark.real, pytest.mark.calm]

FAULT_S = 1.0
LONG = "call-en"
"""Seven seconds."""

LEFT_OUT = 3
"""Frames that a simulation short of a core may never have said, or said too late: a broker that
fails would cost ten times as many."""


def check_whole(measured: PhraseMeasure) -> None:
    """Check that all was heard; a frame here or there is what a busy machine costs."""
    assert measured.found >= 0.9, measured
    assert measured.longest_gap_ms <= 20.0 * LEFT_OUT, measured
    assert max(measured.clipped_start_ms, measured.clipped_end_ms) <= 20.0, measured


def missing(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(after[name] - before[name] for name in ("lost", "late", "overflow"))


def test_a_slow_broker_and_then_a_killed_one(strait: Strait) -> None:
    before, sent = strait.counters(OPP), strait.sent(CBP, FIRST)
    said = strait.begin(CBP, LONG)
    strait.at(said, FAULT_S)
    for way in strait.ways_to(FIRST):
        way.impair(Impairment(delay_s=0.3))
    strait.at(said, FAULT_S + 1.5)
    for way in strait.ways_to(FIRST):
        way.heal()
    strait.at(said, FAULT_S + 3.0)
    strait.brokers[SECOND].kill()
    strait.over(said)
    check_whole(strait.heard(said))
    assert strait.ptt(OPP, said) == [1, 0]
    after = strait.counters(OPP)
    assert missing(before, after) <= LEFT_OUT
    # The first broker carried all of it, the end three times: not one packet is missing.
    accepted = after["voice-accepted"] - before.get("voice-accepted", 0)
    assert accepted == strait.sent(CBP, FIRST) - sent - (END_COPIES - 1)
    assert strait.partner(OPP)["online"] is True


def test_a_hanging_broker_and_then_a_black_hole(strait: Strait) -> None:
    before, lost = strait.counters(OPP), strait.told(OPP, "partner-lost")
    said = strait.begin(CBP, LONG)
    strait.at(said, FAULT_S)
    strait.brokers[FIRST].pause()
    strait.at(said, FAULT_S + 1.5)
    strait.brokers[FIRST].resume()
    strait.voice_again(FIRST)
    strait.still(said)
    for way in strait.ways_to(SECOND):
        way.swallow()
    strait.over(said)
    check_whole(strait.heard(said))
    assert strait.ptt(OPP, said) == [1, 0]
    assert missing(before, strait.counters(OPP)) <= LEFT_OUT
    assert strait.told(OPP, "partner-lost", lost) == 0
