"""The roster: read as signed; nobody slips in, nobody stays too long."""

from dataclasses import replace

import pytest

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import AgencyId, parse_gateway
from radiobridge.wire.canonical import Body, Json, encode_bytes
from radiobridge.wire.documents import roster_subject
from radiobridge.wire.roster import (
    MAX_GATEWAYS,
    Right,
    Roster,
    read_old_roster,
    read_roster,
    sign_roster,
)
from tests.wire.people import HOUR_MS, NOW_MS, entry, person, roster

OPP = AgencyId("ca.opp")
CENTRE = person("agency ca.opp")
ROSTER = roster(
    "ca.opp",
    entry("ca.opp/windsor"),
    entry("ca.opp/sarnia", frozenset({Right.VOICE}), NOW_MS + HOUR_MS),
    version=4,
)


def read(raw: bytes, now_ms: int = NOW_MS) -> Roster:
    return read_roster(raw, OPP, CENTRE.public, now_ms)


def body_entry(name: str, **changes: Json) -> Body:
    who = person(name)
    return {
        "gateway": name,
        "signing_key": encode_bytes(who.public.public_bytes_raw()),
        "hpke_key": encode_bytes(who.hpke_public),
        "rights": ["voice"],
        "end": NOW_MS + HOUR_MS,
        **changes,
    }


def signed(*entries: Json, **more: Json) -> bytes:
    return CENTRE.sign(roster_subject(OPP), {"gateways": list(entries), **more})


def test_both_ways() -> None:
    assert read(sign_roster(ROSTER, NOW_MS, CENTRE.signing)) == ROSTER


def test_the_largest_fits() -> None:
    names = [f"{'a' * 32}/{n:032d}" for n in range(MAX_GATEWAYS)]
    large = roster("a" * 32, *(entry(name) for name in names))
    raw = sign_roster(large, NOW_MS, CENTRE.signing)
    assert read_roster(raw, AgencyId("a" * 32), CENTRE.public, NOW_MS) == large


def test_one_gateway_more_is_our_mistake() -> None:
    large = roster("ca.opp", *(entry(f"ca.opp/g{n}") for n in range(MAX_GATEWAYS + 1)))
    with pytest.raises(LocalProtocolError):
        sign_roster(large, NOW_MS, CENTRE.signing)


def test_a_gateways_key_signs_no_roster() -> None:
    raw = sign_roster(ROSTER, NOW_MS, person("ca.opp/windsor").signing)
    with pytest.raises(RemoteProtocolError, match="bad-signature"):
        read(raw)


def test_anothers_roster() -> None:
    other = roster("us.cbp", entry("us.cbp/detroit"))
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        read(sign_roster(other, NOW_MS, CENTRE.signing))


def test_expired() -> None:
    raw = sign_roster(ROSTER, NOW_MS, CENTRE.signing)
    with pytest.raises(RemoteProtocolError, match="expired"):
        read(raw, ROSTER.expires_ms)
    assert read_old_roster(raw, OPP, CENTRE.public) == ROSTER


@pytest.mark.parametrize(
    "entries",
    [
        [body_entry("us.cbp/detroit")],
        [body_entry("ca.opp/windsor"), body_entry("ca.opp/windsor")],
        [body_entry("ca.opp/windsor"), body_entry("ca.opp/Windsor")],
        [
            body_entry("ca.opp/windsor"),
            body_entry("ca.opp/sarnia", signing_key=body_entry("ca.opp/windsor")["signing_key"]),
        ],
        [body_entry("ca.opp/windsor", gateway="ca.opp")],
        [body_entry("ca.opp/windsor", gateway="ca.opp/../x")],
        [body_entry("ca.opp/windsor", gateway=["ca.opp/windsor"])],
        [body_entry("ca.opp/windsor", signing_key="AAAA")],
        [body_entry("ca.opp/windsor", signing_key=1)],
        [body_entry("ca.opp/windsor", hpke_key="AAAA")],
        [body_entry("ca.opp/windsor", hpke_key="_" * 1621 + "w")],
        [body_entry("ca.opp/windsor", rights=["voice", "root"])],
        [body_entry("ca.opp/windsor", rights=[["voice"]])],
        [body_entry("ca.opp/windsor", rights="voice")],
        [body_entry("ca.opp/windsor", rights=["voice"] * 4)],
        [body_entry("ca.opp/windsor", end=-1)],
        [body_entry("ca.opp/windsor", end="never")],
        [body_entry("ca.opp/windsor", more=1)],
        ["ca.opp/windsor"],
        [[]],
    ],
)
def test_refused(entries: list[Json]) -> None:
    with pytest.raises(RemoteProtocolError):
        read(signed(*entries))


def test_the_entries_above_are_right_but_for_one_thing() -> None:
    assert len(read(signed(body_entry("ca.opp/windsor"))).gateways) == 1
    with pytest.raises(RemoteProtocolError):
        read(signed(body_entry("ca.opp/windsor"), note="hello"))


def test_entries_end_by_themselves() -> None:
    windsor, sarnia = parse_gateway("ca.opp/windsor"), parse_gateway("ca.opp/sarnia")
    assert ROSTER.entry(sarnia, NOW_MS + HOUR_MS - 1) is not None
    assert ROSTER.entry(sarnia, NOW_MS + HOUR_MS) is None
    assert [e.gateway for e in ROSTER.holders(Right.VOICE, NOW_MS + HOUR_MS)] == [windsor]
    assert [e.gateway for e in ROSTER.holders(Right.CONSENT, NOW_MS)] == [windsor]
    assert ROSTER.next_change_ms(NOW_MS) == NOW_MS + HOUR_MS


def test_an_expired_roster_counts_for_nothing() -> None:
    short = replace(ROSTER, expires_ms=NOW_MS + 5)
    assert short.entry(parse_gateway("ca.opp/windsor"), NOW_MS + 5) is None
    assert short.holders(Right.VOICE, NOW_MS + 5) == ()
    assert short.entry(parse_gateway("ca.opp/nobody"), NOW_MS) is None
    far = ROSTER.expires_ms
    assert ROSTER.next_change_ms(far) is None


def test_signer_verifies_what_the_gateway_signs() -> None:
    windsor = person("ca.opp/windsor")
    found = ROSTER.entry(windsor.gateway, NOW_MS)
    assert found is not None
    found.signer.verify(windsor.signing.sign(b"x"), b"x")
