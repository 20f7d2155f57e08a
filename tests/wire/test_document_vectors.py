"""tests/vectors/documents.json and docs/protocol-documents.md, by the daemon's code and by other.

The other code is plain `json`, `hashlib` and `hmac`, and the two primitives of X-Wing.
"""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radiobridge.core import bridge_clock, emergency, measures, patches, voice_keys
from radiobridge.core import documents as core_documents
from radiobridge.drivers.store.key_files import fingerprint
from radiobridge.model.ids import AgencyId, parse_gateway, parse_talkgroup
from radiobridge.services import alarms as alarm_services
from radiobridge.services import talkers
from radiobridge.wire import alarms, canonical, documents, fields, roster, seal, terms, words
from radiobridge.wire.documents import DocumentHeader, read_document, sign_document, type_of
from tests.wire.vectors import load

VECTORS = load("documents.json")
TEXT = (Path(__file__).parents[2] / "docs" / "protocol-documents.md").read_text(encoding="utf-8")
DOCUMENTS = {one["name"]: one for one in VECTORS["documents"]}
SEALS = {one["word"]: one for one in VECTORS["seals"]}


def plain_json(value: object) -> str:
    """Canonical JSON, for names and values that need nothing of RFC 8785 but sorting."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def signer(one: dict[str, Any]) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(VECTORS[f"{one['signed_by']}_public"]))


@pytest.mark.parametrize("one", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_documents_by_other_code(one: dict[str, Any]) -> None:
    header, payload, signature = one["document"].split(".")
    assert plain_bytes(header) == b'{"alg":"Ed25519"}'
    signer(one).verify(plain_bytes(signature), f"{header}.{payload}".encode())
    content = {
        "type": one["topic"].split("/")[3 if one["name"] == "roster" else 4],
        **{name: one[name] for name in ("topic", "version", "issued", "expires", "body")},
    }
    assert plain_bytes(payload).decode() == one["payload"] == plain_json(content)


@pytest.mark.parametrize("one", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_documents_by_ours(one: dict[str, Any]) -> None:
    seed = bytes.fromhex(VECTORS[f"{one['signed_by']}_signing_seed"])
    header = DocumentHeader(
        type=type_of(one["topic"]),
        topic=one["topic"],
        version=one["version"],
        issued_ms=one["issued"],
        expires_ms=one["expires"],
    )
    raw = one["document"].encode()
    assert sign_document(header, one["body"], Ed25519PrivateKey.from_private_bytes(seed)) == raw
    read = read_document(raw, one["topic"], signer(one), one["issued"])
    assert (read.header, read.body) == (header, one["body"])


def test_the_bodies_are_what_they_say() -> None:
    body = {name: one["body"] for name, one in DOCUMENTS.items()}
    agency = AgencyId("ca.opp")
    read = roster.read_roster(
        DOCUMENTS["roster"]["document"].encode(),
        agency,
        signer(DOCUMENTS["roster"]),
        DOCUMENTS["roster"]["issued"],
    )
    assert read.gateways[0].signing_key.hex() == VECTORS["gateway_public"]
    assert words.Presence.from_body(body["presence"]).to_body() == body["presence"]
    assert words.Head.from_body(body["head"]).to_body() == body["head"]
    for name in ("spurt", "talker"):
        assert words.SpurtNotice.from_body(body[name]).to_body() == body[name]
    will = words.Presence.from_body(body["will"])
    version = words.presence_version(will.connection, words.WILL_SEQUENCE)
    assert (will.online, DOCUMENTS["will"]["version"]) == (False, version)
    for name in ("accept", "narrow", "withdraw"):
        plain = VECTORS["words"][name]
        assert words.PatchWord.from_body(plain, "river").to_body() == plain
    grant = words.KeyGrant.from_body(VECTORS["words"]["key"], parse_talkgroup("ca.opp/TAC1"))
    assert grant.to_body() == VECTORS["words"]["key"]


def test_words_about_emergencies() -> None:
    raiser = parse_gateway("ca.opp/windsor")
    for name in ("alarm", "cleared"):
        plain = VECTORS["words"][name]
        assert alarms.Alarm.from_body(plain, "5f3a9c01", raiser).to_body() == plain
    by_hand = hashlib.sha256(b"ca.opp/windsor/5f3a9c01").hexdigest()[:32]
    for name, topic in (("acknowledge", by_hand), ("demote", "c0ffee0123456789")):
        plain = VECTORS["words"][name]
        assert alarms.ack_from_body(plain, topic).to_body() == plain
    assert DOCUMENTS["ack"]["topic"].endswith(f"/ack/{by_hand}")


def test_terms() -> None:
    vector = VECTORS["terms"]
    assert vector["canonical"] == plain_json(vector["body"])
    assert vector["hash"] == hashlib.sha256(vector["canonical"].encode()).hexdigest()
    ours = terms.terms_from_body(vector["body"])
    assert canonical.dump(terms.terms_to_body(ours)).decode() == vector["canonical"]
    assert terms.terms_hash(ours) == vector["hash"]


@pytest.mark.parametrize("one", SEALS.values(), ids=SEALS.keys())
def test_seals_by_ours(one: dict[str, Any]) -> None:
    me = parse_gateway(one["recipient"])
    raw = bytes.fromhex(VECTORS["detroit_mlkem_seed"] + VECTORS["detroit_x25519"])
    context = seal.SealContext(
        topic=one["topic"], version=one["version"], sender=parse_gateway(one["sender"])
    )
    assert context.info().decode() == one["content_info"]
    assert context.info(me).decode() == one["key_info"]
    opened = seal.unseal(one["sealed"], me, seal.hpke_private(raw), context)
    assert opened == VECTORS["words"][one["word"]]


@pytest.mark.parametrize("one", SEALS.values(), ids=SEALS.keys())
def test_seals_by_other_code(one: dict[str, Any]) -> None:
    wrapped = plain_bytes(one["sealed"]["keys"][one["recipient"]])
    content_key = hpke_open(wrapped, one["key_info"].encode())
    content = plain_bytes(one["sealed"]["sealed"])
    plain = AESGCM(content_key).decrypt(content[:12], content[12:], one["content_info"].encode())
    assert plain.decode() == plain_json(VECTORS["words"][one["word"]])


def hpke_open(message: bytes, info: bytes) -> bytes:
    """RFC 9180, base mode, with X-Wing as the KEM, written out."""
    mlkem = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(VECTORS["detroit_mlkem_seed"]))
    x25519 = X25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["detroit_x25519"]))
    ct_m, ct_x, ciphertext = message[:1088], message[1088:1120], message[1120:]
    shared = hashlib.sha3_256(
        mlkem.decapsulate(ct_m)
        + x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
        + ct_x
        + x25519.public_key().public_bytes_raw()
        + b"\\.//^\\"
    ).digest()
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key = expand(secret, b"key", context, 32)
    return AESGCM(key).decrypt(expand(secret, b"base_nonce", context, 12), ciphertext, b"")


SUITE = b"HPKE-v1HPKE" + bytes.fromhex("647a00010002")


def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), SUITE + label + ikm, "sha256")


def expand(secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2) + SUITE + label + info
    return hmac.digest(secret, labelled + b"\1", "sha256")[:length]


# The page

EXAMPLES = re.findall(r"<!-- vector: (\S+) -->\n```\n(.*?)\n```", TEXT, re.DOTALL)


def plain_fingerprint(key: bytes) -> str:
    digest = hashlib.sha512(b"radiobridge fingerprint 1\x00" + key).digest()
    return " ".join(
        f"{int.from_bytes(digest[i : i + 5], 'big') % 100000:05}" for i in range(0, 40, 5)
    )


EXPECTED = {
    "fingerprint.agency": plain_fingerprint(bytes.fromhex(VECTORS["agency_public"])),
    "head.payload": DOCUMENTS["head"]["payload"],
    "head.document": DOCUMENTS["head"]["document"],
    "seal.key.content_info": SEALS["key"]["content_info"],
    "seal.key.key_info": SEALS["key"]["key_info"],
    "terms.canonical": VECTORS["terms"]["canonical"],
    "terms.hash": VECTORS["terms"]["hash"],
    "words.key": plain_json(VECTORS["words"]["key"]),
    "words.alarm": plain_json(VECTORS["words"]["alarm"]),
    "words.acknowledge": plain_json(VECTORS["words"]["acknowledge"]),
    "talker.payload": DOCUMENTS["talker"]["payload"],
    "ack.topic": DOCUMENTS["ack"]["topic"],
}


def test_the_fingerprint_by_ours_and_by_other_code() -> None:
    key = bytes.fromhex(VECTORS["agency_public"])
    assert fingerprint(key) == plain_fingerprint(key) == VECTORS["agency_fingerprint"]


def test_the_page_shows_the_vectors() -> None:
    assert dict(EXAMPLES) == EXPECTED
    assert TEXT.count("```") == 2 * len(EXAMPLES)


def test_the_page_has_the_limits() -> None:
    section = TEXT.split("## 10. Limits")[1].split("## 11.")[0]
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|$", section, re.MULTILINE)
    assert {name: int(value) for name, value in rows} == {
        "bytes of a document": documents.MAX_DOCUMENT,
        "nesting of a payload": canonical.MAX_DEPTH,
        "characters of a text": fields.MAX_TEXT,
        "gateways in a roster": roster.MAX_GATEWAYS,
        "recipients of a seal": seal.MAX_RECIPIENTS,
        "members of terms": terms.MAX_MEMBERS,
        "radios in a presence": words.MAX_RADIOS,
        "topics in a head": words.MAX_VERSIONS,
        "topics remembered for each sender": core_documents.MAX_TOPICS,
        "patches remembered for each gateway": patches.MAX_PATCHES,
        "alarms remembered for each gateway": emergency.MAX_ALARMS,
        "acknowledgements remembered for each gateway": emergency.MAX_ACKS,
        "measures remembered for each gateway": measures.MAX_MEASURES,
        "rank of an open microphone, s": emergency.OPEN_MICROPHONE_S,
        "escalation of an alarm, ms": emergency.ESCALATE_MS,
        "life of a document about an alarm, ms": alarm_services.LIFE_MS,
        "life of a measure, ms": talkers.LIFE_MS,
        "ahead of our time, ms": documents.MAX_AHEAD_MS,
        "a head ahead of our time, ms": documents.HEAD_AHEAD_MS,
        "life of a voice key, ms": voice_keys.KEY_LIFE_MS,
        "old voice key still in use, ms": voice_keys.SWITCH_MS,
        "old voice key still opening, ms": voice_keys.OLD_KEY_MS,
        "slew, ppm": bridge_clock.SLEW_PPM,
    }
