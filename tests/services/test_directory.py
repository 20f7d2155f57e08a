"""Whose rosters count: signed by a trusted agency, the newest, not contradicted."""

import pytest

from radiobridge.core.documents import Offer
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, parse_gateway
from radiobridge.services.directory import Directory
from radiobridge.wire.roster import Right, sign_roster
from tests.wire.people import HOUR_MS, NOW_MS, entry, person, roster

OPP, CBP = AgencyId("ca.opp"), AgencyId("us.cbp")
WINDSOR, DETROIT = parse_gateway("ca.opp/windsor"), parse_gateway("us.cbp/detroit")
VOICE = frozenset({Right.VOICE})


def signed(*names: str, version: int = 1, by: str = "us.cbp", expires: int = HOUR_MS) -> bytes:
    entries = (entry(name) for name in names)
    made = roster("us.cbp", *entries, version=version, expires_ms=NOW_MS + expires)
    return sign_roster(made, NOW_MS, person(by).signing)


def directory() -> Directory:
    return Directory({OPP: person("ca.opp").public, CBP: person("us.cbp").public})


def test_a_roster_of_a_trusted_agency_says_who_is_who() -> None:
    known = directory()
    assert known.entry(DETROIT, NOW_MS) is None
    assert known.offer(CBP, signed("us.cbp/detroit"), NOW_MS) is Offer.NEW
    found = known.entry(DETROIT, NOW_MS)
    assert found is not None
    assert found.signing_key == person("us.cbp/detroit").public.public_bytes_raw()
    assert known.speaker(DETROIT, NOW_MS) is not None
    assert known.entry(WINDSOR, NOW_MS) is None


def test_a_roster_that_its_agency_did_not_sign_is_refused() -> None:
    known = directory()
    with pytest.raises(RemoteProtocolError, match="bad-signature"):
        known.offer(CBP, signed("us.cbp/detroit", by="ca.opp"), NOW_MS)
    assert known.rosters == {}


def test_the_highest_version_counts_in_any_order() -> None:
    known = directory()
    assert known.offer(CBP, signed("us.cbp/detroit", version=5), NOW_MS) is Offer.NEW
    assert known.offer(CBP, signed("us.cbp/buffalo", version=4), NOW_MS) is Offer.OLD
    assert known.offer(CBP, signed("us.cbp/detroit", version=5), NOW_MS) is Offer.KNOWN
    assert known.entry(DETROIT, NOW_MS) is not None
    assert known.offer(CBP, signed("us.cbp/buffalo", version=6), NOW_MS) is Offer.NEW
    assert known.entry(DETROIT, NOW_MS) is None


def test_two_contents_under_one_version_count_neither_until_a_higher_one() -> None:
    known = directory()
    known.offer(CBP, signed("us.cbp/detroit", version=5), NOW_MS)
    assert known.offer(CBP, signed("us.cbp/buffalo", version=5), NOW_MS) is Offer.CONFLICT
    assert known.entry(DETROIT, NOW_MS) is None
    assert known.entry(parse_gateway("us.cbp/buffalo"), NOW_MS) is None
    assert known.offer(CBP, signed("us.cbp/detroit", version=5), NOW_MS) is Offer.KNOWN
    assert known.entry(DETROIT, NOW_MS) is None
    known.offer(CBP, signed("us.cbp/detroit", version=6), NOW_MS)
    assert known.entry(DETROIT, NOW_MS) is not None


def test_a_roster_counts_until_it_expires() -> None:
    known = directory()
    known.offer(CBP, signed("us.cbp/detroit"), NOW_MS)
    assert known.entry(DETROIT, NOW_MS + HOUR_MS - 1) is not None
    assert known.entry(DETROIT, NOW_MS + HOUR_MS) is None
    assert known.speaker(DETROIT, NOW_MS + HOUR_MS) is None
    assert known.holders({CBP}, Right.VOICE, NOW_MS + HOUR_MS) == ()


def test_who_may_not_speak_has_no_voice() -> None:
    known = directory()
    audit = entry("us.cbp/detroit", frozenset({Right.AUDIT}))
    made = roster("us.cbp", audit, entry("us.cbp/buffalo", VOICE))
    known.offer(CBP, sign_roster(made, NOW_MS, person("us.cbp").signing), NOW_MS)
    assert known.entry(DETROIT, NOW_MS) is not None
    assert known.speaker(DETROIT, NOW_MS) is None
    holders = known.holders({CBP, OPP}, Right.VOICE, NOW_MS)
    assert [str(one.gateway) for one in holders] == ["us.cbp/buffalo"]


def test_a_changed_agency_key_makes_its_roster_void() -> None:
    known = directory()
    known.offer(CBP, signed("us.cbp/detroit", version=7), NOW_MS)
    known.trust({OPP: person("ca.opp").public, CBP: person("new us.cbp").public})
    assert known.entry(DETROIT, NOW_MS) is None
    # Versions of the old key say nothing about those of the new one.
    renewed = signed("us.cbp/detroit", version=1, by="new us.cbp")
    assert known.offer(CBP, renewed, NOW_MS) is Offer.NEW
    assert known.entry(DETROIT, NOW_MS) is not None


def test_who_is_a_partner_no_more_is_nobody() -> None:
    known = directory()
    known.offer(CBP, signed("us.cbp/detroit"), NOW_MS)
    known.trust({OPP: person("ca.opp").public})
    assert known.agencies == {OPP}
    assert known.entry(DETROIT, NOW_MS) is None
    assert known.holders({CBP}, Right.VOICE, NOW_MS) == ()
