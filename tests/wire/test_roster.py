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
from radiobridge.wire.seal import HPKE_PUBLIC
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


def points_of_low_order() -> list[bytes]:
    """Return all encodings of points of order 1, 2, 4 and 8 of edwards25519."""
    p = 2**255 - 19
    d = -121665 * pow(121666, p - 2, p) % p
    # x² = ±y² for order 8, on the curve -x² + y² = 1 + dx²y²: so dy⁴ ± 2y² - 1 = 0.
    ys = {0, 1, p - 1, p, p + 1}
    root = pow(1 + d, (p + 3) // 8, p)
    if root * root % p != (1 + d) % p:
        root = root * pow(2, (p - 1) // 4, p) % p
    assert root * root % p == (1 + d) % p
    for square in ((root - 1) * pow(d, p - 2, p) % p, (-root - 1) * pow(d, p - 2, p) % p):
        y = pow(square, (p + 3) // 8, p)
        if y * y % p != square:
            y = y * pow(2, (p - 1) // 4, p) % p
        if y * y % p == square:
            ys |= {y, p - y}
    return [(y | sign << 255).to_bytes(32, "little") for y in sorted(ys) for sign in (0, 1)]


@pytest.mark.parametrize("raw", points_of_low_order(), ids=bytes.hex)
def test_who_has_a_signing_key_of_low_order_is_nobody_and_the_others_count(raw: bytes) -> None:
    found = read(
        signed(
            body_entry("ca.opp/windsor"),
            body_entry("ca.opp/sarnia", signing_key=encode_bytes(raw)),
        )
    )
    assert [str(one.gateway) for one in found.gateways] == ["ca.opp/windsor"]
    assert found.refused == (parse_gateway("ca.opp/sarnia"),)


def hpke_with(x25519: bytes) -> bytes:
    return person("ca.opp/sarnia").hpke_public[:-32] + x25519


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff" * HPKE_PUBLIC,
        hpke_with(bytes(32)),
        hpke_with((1).to_bytes(32, "little")),
        hpke_with((2**255 - 20).to_bytes(32, "little")),
        hpke_with((2**255 - 19).to_bytes(32, "little")),
        hpke_with((2**255 - 18).to_bytes(32, "little")),
        hpke_with(
            bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
        ),
        hpke_with(
            bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")
        ),
    ],
    ids=lambda raw: raw[-32:].hex(),
)
def test_who_nothing_can_be_sealed_to_is_nobody_and_the_others_count(raw: bytes) -> None:
    found = read(
        signed(
            body_entry("ca.opp/windsor"),
            body_entry("ca.opp/sarnia", hpke_key=encode_bytes(raw)),
        )
    )
    assert [str(one.gateway) for one in found.gateways] == ["ca.opp/windsor"]
    assert found.refused == (parse_gateway("ca.opp/sarnia"),)


def test_no_centre_signs_keys_that_are_none() -> None:
    sarnia = entry("ca.opp/sarnia")
    for bad in (
        replace(sarnia, hpke_key=hpke_with(bytes(32))),
        replace(sarnia, signing_key=bytes(32)),
    ):
        with pytest.raises(LocalProtocolError, match=r"ca\.opp/sarnia"):
            sign_roster(roster("ca.opp", bad), NOW_MS, CENTRE.signing)


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
