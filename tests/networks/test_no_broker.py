"""Real gateways that lose all brokers, and find them again: what holds, what is shown, what comes.

The bounds in time are those of the issue: 2 s from the first link that is up again.
"""

import pytest

from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.sound import RATE
from tests.networks.strait import FIRST, SECOND, Strait

pytestmark = [pytest.mark.real, pytest.mark.calm]

LONG = "call-en"
"""Seven seconds."""

BACK_S = 2.0
MOMENT_S = 0.1
"""The carrier is on the air a little before its line is logged."""

HEADROOM = 2.0
"""Two cores are shared with everything else that is tested."""


def test_no_broker_and_back(strait: Strait) -> None:
    cut_at = strait.clock.now()
    for broker in (FIRST, SECOND):
        for way in strait.ways_to(broker):
            way.cut()
    for side in strait.sides:
        strait.until("the partner lost", lambda side=side: strait.partner(side)["online"] is False)
        assert strait.link(side, FIRST)["up"] is strait.link(side, SECOND)["up"] is False
        assert strait.logged(side, "partner-lost", cut_at)
        assert strait.in_force(side)
    unheard = strait.say(CBP, "radio-check-en")
    assert strait.ptt(OPP, unheard) == []

    said = strait.begin(CBP, LONG)
    strait.at(said, 1.0)
    healed_at = strait.clock.now()
    for broker in (FIRST, SECOND):
        for way in strait.ways_to(broker):
            way.heal()
    strait.until("voice again", lambda: strait.ptt(OPP, said) != [])
    strait.all_linked()
    strait.over(said)
    up_at = max(min(strait.logged(side, "link-up", healed_at)) for side in strait.sides)
    for side in strait.sides:
        online_at = min(strait.logged(side, "partner-online", healed_at))
        assert online_at - up_at <= BACK_S * HEADROOM
        assert strait.in_force(side)
    keyed_at = next(e.t for e in strait.lines.events(OPP.donor, "PTT") if e.t > healed_at)
    assert keyed_at - up_at <= BACK_S * HEADROOM
    assert strait.ptt(OPP, said) == [1, 0]

    # Nothing of before is heard: what is heard is as late as voice always is.
    heard = strait.unit(OPP).heard.samples()
    assert not heard[round(cut_at * RATE) : round((keyed_at - MOMENT_S) * RATE)].any()
    late = strait.heard(said).lags_ms
    assert late
    assert max(late) < 500.0


def test_what_brokers_held_back_is_not_heard_later(strait: Strait) -> None:
    """Nothing passes to the listener for 3 s: both brokers keep the voice for it, and time goes."""
    said = strait.begin(CBP, LONG)
    strait.at(said, 1.5)
    ways = strait.routes[OPP.unit]
    for way in ways:
        way.hold()
    strait.at(said, 4.5)
    healed = strait.clock.now()
    for way in ways:
        way.heal()
    strait.over(said)
    strait.all_linked()
    counters = strait.counters(OPP)
    assert counters.get("voice-stale", 0) + counters.get("dropped-at-receiver", 0) > 30
    measured = strait.heard(said)
    since = round(healed * RATE) - said.start
    after = [match for match in measured.matches if match.at > since]
    assert len(after) >= 8
    assert max(match.lag for match in after) <= 1.4 * RATE
    assert strait.ptt(OPP, said) == [1, 0, 1, 0]
