"""The next roster: one version higher, nobody too many, and no way back to the one before."""

from radiobridge.core.enrolment import next_roster
from radiobridge.model.ids import AgencyId, parse_gateway
from tests.wire.people import HOUR_MS, NOW_MS, entry, roster

OPP = AgencyId("ca.opp")
WINDSOR, SARNIA = parse_gateway("ca.opp/windsor"), parse_gateway("ca.opp/sarnia")


def test_the_first() -> None:
    made = next_roster(None, OPP, add=[entry("ca.opp/windsor")], now_ms=NOW_MS)
    assert made == roster("ca.opp", entry("ca.opp/windsor"))


def test_one_more() -> None:
    known = roster("ca.opp", entry("ca.opp/windsor"), version=7)
    made = next_roster(known, OPP, add=[entry("ca.opp/sarnia")], now_ms=NOW_MS)
    assert made.version == 8
    assert [e.gateway for e in made.gateways] == [SARNIA, WINDSOR]


def test_renewed_and_ended() -> None:
    known = roster(
        "ca.opp", entry("ca.opp/windsor", end_ms=NOW_MS), entry("ca.opp/sarnia"), version=1
    )
    later = entry("ca.opp/sarnia", end_ms=NOW_MS + 2000 * HOUR_MS)
    made = next_roster(known, OPP, add=[later], now_ms=NOW_MS)
    assert made.gateways == (later,)
    assert made.expires_ms == later.end_ms


def test_removed_and_the_old_roster_cannot_outlive_the_new_one() -> None:
    long, short = NOW_MS + 900 * HOUR_MS, NOW_MS + HOUR_MS
    known = roster(
        "ca.opp",
        entry("ca.opp/windsor", end_ms=long),
        entry("ca.opp/sarnia", end_ms=short),
        expires_ms=long,
    )
    made = next_roster(known, OPP, remove=[WINDSOR], now_ms=NOW_MS)
    assert [e.gateway for e in made.gateways] == [SARNIA]
    assert made.expires_ms == long
    empty = next_roster(made, OPP, remove=[SARNIA], now_ms=NOW_MS)
    assert empty.gateways == ()
    assert empty.expires_ms == long


def test_a_higher_version_after_a_loss() -> None:
    known = roster("ca.opp", version=7)
    assert next_roster(known, OPP, now_ms=NOW_MS, version=3).version == 8
    assert next_roster(None, OPP, now_ms=NOW_MS, version=30).version == 30
