"""Sealed bodies: only who is named opens them, only where they were meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import GatewayId
from radiobridge.wire.canonical import Body, Json, decode_bytes, encode_bytes
from radiobridge.wire.seal import (
    HPKE_PUBLIC,
    MAX_RECIPIENTS,
    SealContext,
    hpke_private,
    hpke_public,
    seal,
    unseal,
)
from tests.wire.people import person

BODY: Body = {"patch": "river", "verb": "withdraw"}
WINDSOR, DETROIT, BUFFALO = (
    person(name) for name in ("ca.opp/windsor", "us.cbp/detroit", "us.cbp/buffalo")
)
CONTEXT = SealContext(topic="rb/1/ca.opp/windsor/patch/river", version=3, sender=WINDSOR.gateway)
RECIPIENTS = {who.gateway: who.hpke_public for who in (DETROIT, BUFFALO)}


def sealed() -> Body:
    return seal(BODY, RECIPIENTS, CONTEXT)


def reason(body: Body, context: SealContext = CONTEXT, me: GatewayId = DETROIT.gateway) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        unseal(body, me, DETROIT.hpke, context)
    return caught.value.reason


def keys_of(body: Body) -> dict[str, Json]:
    keys = body["keys"]
    assert isinstance(keys, dict)
    return keys


def text_of(value: Json) -> str:
    assert isinstance(value, str)
    return value


def flipped(value: Json, at: int) -> str:
    raw = bytearray(decode_bytes(text_of(value)))
    raw[at] ^= 1
    return encode_bytes(bytes(raw))


def test_each_recipient_opens_it() -> None:
    body = sealed()
    for who in (DETROIT, BUFFALO):
        assert unseal(body, who.gateway, who.hpke, CONTEXT) == BODY


def test_nobody_else_opens_it() -> None:
    assert reason(sealed(), me=WINDSOR.gateway) == "not-for-us"
    with pytest.raises(RemoteProtocolError, match="bad-seal"):
        unseal(sealed(), BUFFALO.gateway, DETROIT.hpke, CONTEXT)


def test_nothing_of_it_is_readable() -> None:
    assert "river" not in str(sealed())
    assert "withdraw" not in str(sealed())


def test_each_seal_is_new() -> None:
    assert sealed()["sealed"] != sealed()["sealed"]


@pytest.mark.parametrize(
    "context",
    [
        SealContext(topic=CONTEXT.topic + "x", version=3, sender=CONTEXT.sender),
        SealContext(topic=CONTEXT.topic, version=4, sender=CONTEXT.sender),
        SealContext(topic=CONTEXT.topic, version=3, sender=BUFFALO.gateway),
    ],
)
def test_moved_elsewhere(context: SealContext) -> None:
    assert reason(sealed(), context) == "bad-seal"


def test_another_recipients_key_under_our_name() -> None:
    body = sealed()
    keys = keys_of(body)
    assert (
        reason({**body, "keys": {str(DETROIT.gateway): keys[str(BUFFALO.gateway)]}}) == "bad-seal"
    )


@pytest.mark.parametrize("at", [0, 700, -1])
def test_changed_key(at: int) -> None:
    body = sealed()
    name = str(DETROIT.gateway)
    assert reason({**body, "keys": {name: flipped(keys_of(body)[name], at)}}) == "bad-seal"


@pytest.mark.parametrize("at", [0, 12, -1])
def test_changed_content(at: int) -> None:
    body = sealed()
    assert reason({**body, "sealed": flipped(body["sealed"], at)}) == "bad-seal"


@pytest.mark.parametrize(
    "change",
    [
        {"sealed": ""},
        {"sealed": "AAAA"},
        {"sealed": 1},
        {"sealed": ["AAAA"]},
        {"keys": []},
        {"keys": {}},
        {"keys": {"us.cbp/detroit": ""}},
        {"keys": {"us.cbp/detroit": "AAAA"}},
        {"keys": {"us.cbp/detroit": 7}},
        {"keys": {f"us.cbp/g{n}": "AAAA" for n in range(MAX_RECIPIENTS + 1)}},
        {"more": 1},
    ],
)
def test_shapes(change: Body) -> None:
    reason({**sealed(), **change})


@given(
    st.dictionaries(
        st.sampled_from(["sealed", "keys"]),
        st.text(max_size=20) | st.dictionaries(st.just("us.cbp/detroit"), st.text(max_size=9)),
    )
)
def test_any_body_is_refused(body: Body) -> None:
    reason(body)


def test_recipients_are_bounded() -> None:
    many = {
        GatewayId(DETROIT.gateway.agency, f"g{n}"): DETROIT.hpke_public
        for n in range(MAX_RECIPIENTS + 1)
    }
    for recipients in ({}, many):
        with pytest.raises(LocalProtocolError):
            seal(BODY, recipients, CONTEXT)


@pytest.mark.parametrize(
    "raw", [b"", b"x", bytes(HPKE_PUBLIC - 1), bytes(HPKE_PUBLIC + 1), b"\xff" * HPKE_PUBLIC]
)
def test_keys_that_are_none(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="bad-key"):
        hpke_public(raw)


def test_a_key_of_small_order_cannot_be_sealed_to() -> None:
    weak = DETROIT.hpke_public[:-32] + bytes(32)
    with pytest.raises(RemoteProtocolError, match="bad-key"):
        seal(BODY, {DETROIT.gateway: weak}, CONTEXT)


def test_private_keys_have_one_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        hpke_private(DETROIT.hpke_raw[:-1])


def test_repr_shows_no_key() -> None:
    assert encode_bytes(DETROIT.hpke_raw)[:8] not in repr(DETROIT.hpke)
