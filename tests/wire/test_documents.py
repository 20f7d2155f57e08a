"""Signed documents: read as written; anything else is refused for the right reason."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import AgencyId
from radiobridge.wire.documents import (
    HEAD_AHEAD_MS,
    MAX_AHEAD_MS,
    MAX_DOCUMENT,
    DocumentHeader,
    read_document,
    roster_subject,
    sign_document,
    type_of,
)
from radiobridge.wire.topics import TopicKind
from tests.wire.people import HOUR_MS, NOW_MS, person

TOPIC = "rb/1/ca.opp/windsor/patch/river"
HEAD = "rb/1/ca.opp/windsor/head"
SPURT = "rb/1/ca.opp/windsor/spurt/TAC1"
BODY = {"a": ["b", 1]}
WINDSOR = person("ca.opp/windsor")
HEADER_B64 = "eyJhbGciOiJFZDI1NTE5In0"


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def payload(**changes: object) -> bytes:
    members = {
        "type": "patch",
        "topic": TOPIC,
        "version": 7,
        "issued": NOW_MS,
        "expires": NOW_MS + HOUR_MS,
        "body": BODY,
    }
    kept = {name: value for name, value in {**members, **changes}.items() if value is not None}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def signed(content: bytes, header: str = HEADER_B64) -> bytes:
    signing_input = f"{header}.{encode(content)}".encode()
    return signing_input + b"." + encode(WINDSOR.signing.sign(signing_input)).encode()


def reason(raw: bytes, topic: str = TOPIC, now_ms: int = NOW_MS) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        read_document(raw, topic, WINDSOR.public, now_ms)
    return caught.value.reason


def test_reads_what_was_signed() -> None:
    raw = WINDSOR.sign(TOPIC, {"a": ["b", 1]}, version=7)
    document = read_document(raw, TOPIC, WINDSOR.public, NOW_MS)
    assert document.header == DocumentHeader(
        type=TopicKind.PATCH,
        topic=TOPIC,
        version=7,
        issued_ms=NOW_MS,
        expires_ms=NOW_MS + HOUR_MS,
    )
    assert document.body == BODY
    assert document.digest == hashlib.sha256(payload()).hexdigest()


def test_is_a_plain_jws() -> None:
    assert WINDSOR.sign(TOPIC, {"a": ["b", 1]}, version=7) == signed(payload())


def test_signed_by_somebody_else() -> None:
    assert reason(person("us.cbp/detroit").sign(TOPIC, {})) == "bad-signature"


def test_moved_to_another_topic() -> None:
    raw = WINDSOR.sign(TOPIC, {})
    assert reason(raw, "rb/1/ca.opp/windsor/patch/lake") == "wrong-topic"
    assert reason(raw, "rb/1/ca.opp/windsor/alarm/river") == "wrong-topic"


@pytest.mark.parametrize("kind", ["head", "key", "voice", "nonsense", "PATCH"])
def test_type_that_does_not_fit_the_topic(kind: str) -> None:
    assert reason(signed(payload(type=kind))) in ("wrong-topic", "bad-body")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "EdDSA"},
        {"alg": "Ed448"},
        {"alg": "Ed25519", "typ": "JWT"},
        {"alg": "Ed25519", "b64": False, "crit": ["b64"]},
        {"alg": "Ed25519", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"alg": ["Ed25519"]},
        {},
        "Ed25519",
    ],
)
def test_any_other_header(header: object) -> None:
    text = encode(json.dumps(header, separators=(",", ":")).encode())
    assert reason(signed(payload(), text)) == "not-a-document"


def test_alg_none_without_signature() -> None:
    text = encode(b'{"alg":"none"}')
    assert reason(f"{text}.{encode(payload())}.".encode()) == "not-a-document"
    assert reason(f"{HEADER_B64}.{encode(payload())}.".encode()) == "bad-signature"


@pytest.mark.parametrize("form", ["raw", "pem", "jwk"])
def test_hmac_with_the_public_key_as_secret(form: str) -> None:
    raw_key = WINDSOR.public.public_bytes_raw()
    pem = WINDSOR.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    secret = {"raw": raw_key, "pem": pem, "jwk": encode(raw_key).encode()}[form]
    text = encode(b'{"alg":"HS256"}')
    signing_input = f"{text}.{encode(payload())}".encode()
    mac = hmac.new(secret, signing_input, "sha256").digest()
    assert reason(signing_input + b"." + encode(mac).encode()) == "not-a-document"
    under_our_header = f"{HEADER_B64}.{encode(payload())}".encode()
    mac = hmac.new(secret, under_our_header, "sha256").digest()
    assert reason(under_our_header + b"." + encode(mac).encode()) == "bad-signature"


def test_dates() -> None:
    raw = WINDSOR.sign(SPURT, {}, issued_ms=NOW_MS, expires_ms=NOW_MS + 10)
    assert read_document(raw, SPURT, WINDSOR.public, NOW_MS + 9)
    assert reason(raw, SPURT, NOW_MS + 10) == "expired"
    assert read_document(raw, SPURT, WINDSOR.public, NOW_MS - MAX_AHEAD_MS)
    assert reason(raw, SPURT, NOW_MS - MAX_AHEAD_MS - 1) == "future"


def test_a_head_from_the_future_could_be_kept_for_later() -> None:
    raw = WINDSOR.sign(HEAD, {})
    assert read_document(raw, HEAD, WINDSOR.public, NOW_MS - HEAD_AHEAD_MS)
    assert reason(raw, HEAD, NOW_MS - HEAD_AHEAD_MS - 1) == "future"


def test_a_patch_word_counts_though_its_gateways_clock_is_ahead() -> None:
    raw = WINDSOR.sign(TOPIC, {})
    assert read_document(raw, TOPIC, WINDSOR.public, NOW_MS - 365 * 24 * HOUR_MS)


BAD_PAYLOADS: dict[str, tuple[bytes, str]] = {
    "no object": (b"[]", "bad-json"),
    "empty": (b"", "bad-json"),
    "spaces": (payload().replace(b":", b": "), "not-canonical"),
    "a member twice": (payload()[:-1] + b',"version":8}', "bad-json"),
    "a bomb": (b'{"body":' + b"[" * 20_000, "bad-json"),
    "no version": (payload(version=None), "bad-body"),
    "no body": (payload(body=None), "bad-body"),
    "a member too many": (payload(zeal=1), "bad-body"),
    "version zero": (payload(version=0), "bad-body"),
    "version below zero": (payload(version=-1), "bad-body"),
    "version as text": (payload(version="7"), "bad-body"),
    "version true": (payload(version=True), "bad-json"),
    "version 2**53": (payload(version=2**53), "bad-json"),
    "a fraction of a version": (payload(version=7.5), "bad-json"),
    "body is text": (payload(body="x"), "bad-body"),
    "body is a list": (payload(body=[]), "bad-body"),
    "topic is a list": (payload(topic=[TOPIC]), "bad-body"),
    "type is an object": (payload(type={}), "bad-body"),
    "issued after it expires": (payload(issued=NOW_MS + 2 * HOUR_MS), "bad-dates"),
    "issued before time": (payload(issued=-1), "bad-body"),
}


@pytest.mark.parametrize(
    ("content", "expected"), BAD_PAYLOADS.values(), ids=list(BAD_PAYLOADS.keys())
)
def test_bad_payload_though_well_signed(content: bytes, expected: str) -> None:
    assert reason(signed(content)) == expected


def test_oversized() -> None:
    assert reason(signed(payload(body={"a": "x" * MAX_DOCUMENT}))) == "too-large"
    with pytest.raises(LocalProtocolError):
        WINDSOR.sign(TOPIC, {"a": "x" * (MAX_DOCUMENT * 3 // 4)})


def test_largest() -> None:
    raw = WINDSOR.sign(TOPIC, {"a": "x" * (MAX_DOCUMENT * 3 // 4 - 400)})
    assert MAX_DOCUMENT - 500 < len(raw) <= MAX_DOCUMENT
    assert read_document(raw, TOPIC, WINDSOR.public, NOW_MS).body["a"][0] == "x"  # type: ignore[index]  # it is text


MANGLERS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "two parts": lambda raw: raw.rpartition(b".")[0],
    "four parts": lambda raw: raw + b".",
    "padding": lambda raw: raw + b"=",
    "a line more": lambda raw: raw + b"\n",
    "no payload": lambda raw: raw.replace(raw.split(b".")[1], b""),
    "an odd end of the payload": lambda raw: raw.replace(
        raw.split(b".")[1], raw.split(b".")[1] + b"A"
    ),
    "not ASCII": lambda raw: raw.replace(raw.split(b".")[1], "é".encode()),
    "standard base64": lambda raw: raw.replace(raw.split(b".")[1], b"ab+/"),
    "a JSON serialisation": lambda raw: json.dumps({"payload": raw.decode()}).encode(),
}


@pytest.mark.parametrize("mangle", MANGLERS.values(), ids=list(MANGLERS.keys()))
def test_mangled(mangle: Callable[[bytes], bytes]) -> None:
    reason(mangle(signed(payload())))


def test_nothing_is_parsed_before_the_signature_is_checked() -> None:
    bomb = f"{HEADER_B64}.{encode(b'[' * 40_000)}.{encode(bytes(64))}".encode()
    assert reason(bomb) == "bad-signature"


@given(st.data())
def test_each_changed_byte_is_noticed(data: st.DataObject) -> None:
    raw = signed(payload())
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != raw[at]))
    reason(raw[:at] + bytes([byte]) + raw[at + 1 :])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(raw: bytes) -> None:
    reason(raw)


@given(st.binary(max_size=300))
def test_any_signed_bytes_are_refused(content: bytes) -> None:
    reason(signed(content))


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("rb/1/ca.opp/roster", TopicKind.ROSTER),
        ("rb/1/ca.opp/windsor/roster", TopicKind.ROSTER),
        ("rb/1/ca.opp/roster/head", TopicKind.HEAD),
        ("rb/1/ca.opp/windsor/key/TAC1/us.cbp", TopicKind.KEY),
    ],
)
def test_type_of_a_topic(topic: str, kind: TopicKind) -> None:
    assert type_of(topic) is kind


@pytest.mark.parametrize(
    "topic", ["", "rb/1", "rb/1/ca.opp/windsor/voice/TAC1", "rb/1/ca.opp/windsor", "a/b/c/roster/d"]
)
def test_topics_without_documents(topic: str) -> None:
    with pytest.raises(RemoteProtocolError):
        type_of(topic)


def test_roster_subject() -> None:
    assert roster_subject(AgencyId("ca.opp")) == "rb/1/ca.opp/roster"


@pytest.mark.parametrize(
    "change", [{"version": 0}, {"issued_ms": NOW_MS + HOUR_MS}, {"topic": HEAD}, {"version": 2**53}]
)
def test_our_own_mistakes_are_local(change: dict[str, object]) -> None:
    members = {
        "type": TopicKind.PATCH,
        "topic": TOPIC,
        "version": 1,
        "issued_ms": NOW_MS,
        "expires_ms": NOW_MS + HOUR_MS,
    }
    header = DocumentHeader(**{**members, **change})  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(LocalProtocolError):
        sign_document(header, {}, WINDSOR.signing)
