"""The examples and limits of docs/protocol.md, recomputed with other code than the daemon's."""

import hashlib
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from radiobridge.core.coverage import CREDIT
from radiobridge.core.floor import FloorSettings
from radiobridge.core.reception import ReceptionSettings, Refusal
from radiobridge.core.replay import WINDOW
from radiobridge.wire.topics import TopicKind
from radiobridge.wire.voice import MAX_HASHES, MAX_OPUS, MAX_PACKET, PROOF_INTERVAL
from tests.wire.vectors import load

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
VECTOR = load("voice.json")["spurt"]

NAMES = b"".join(bytes((len(n),)) + n for n in (b"ca.opp", b"windsor", b"ca.opp", b"TAC1"))
START = (1_760_000_000_000).to_bytes(8, "big")
SENDER_KEY = bytes(range(32))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
KID = bytes.fromhex("00070123456789ab")
OPUS = [bytes.fromhex(opus) for opus in ("f8fffe", "f8010203", "f8fffe")]
FLAGS = [0b10, 0b00, 0b11]


def blocks() -> list[bytes]:
    """The hex blocks of the page, without their comments."""
    found = re.findall(r"^```hex\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return [bytes.fromhex(re.sub(r"#.*", "", block)) for block in found]


def hkdf(key: bytes, info: bytes, size: int) -> bytes:
    return HKDF(SHA512(), size, salt=None, info=info).derive(key)


def base_key_info() -> bytes:
    return b"radiobridge 1 voice base key\x00" + NAMES + START + KID


def sframe_key_and_salt() -> tuple[bytes, bytes]:
    base_key = hkdf(SENDER_KEY, base_key_info(), 32)
    scope = KID + b"\x00\x05"
    return (
        hkdf(base_key, b"SFrame 1.0 Secret key " + scope, 32),
        hkdf(base_key, b"SFrame 1.0 Secret salt " + scope, 12),
    )


def header(ctr: int) -> bytes:
    return bytes((0x10 | FLAGS[ctr], 0x03)) + START[2:] + (960 * ctr).to_bytes(4, "big")


def sframe_header(ctr: int) -> bytes:
    return bytes((0xE0 | ctr,)) + KID[1:]


def sframe(ctr: int) -> bytes:
    key, salt = sframe_key_and_salt()
    nonce = bytes(a ^ b for a, b in zip(salt, ctr.to_bytes(12, "big"), strict=True))
    aad = sframe_header(ctr) + header(ctr)
    return sframe_header(ctr) + AESGCM(key).encrypt(nonce, OPUS[ctr], aad)


def short_hash(ctr: int) -> bytes:
    return hashlib.sha256(header(ctr) + sframe(ctr)).digest()[:8]


def signed(ctr: int) -> bytes:
    hashes = b"".join(short_hash(i) for i in range(ctr + 1))
    return b"radiobridge 1 voice proof\x00" + NAMES + KID + ctr.to_bytes(8, "big") + hashes


def packet(ctr: int) -> bytes:
    body = header(ctr) + sframe(ctr)
    if not FLAGS[ctr] & 0b10:
        return body
    hashes = b"".join(short_hash(i) for i in range(ctr + 1))
    return body + hashes + SIGNER.sign(signed(ctr)) + bytes((ctr + 1,))


def test_the_examples_follow_from_the_text() -> None:
    verify_key = SIGNER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert blocks() == [
        SENDER_KEY + SIGNER.private_bytes_raw() + verify_key,
        header(0),
        KID,
        base_key_info() + hkdf(SENDER_KEY, base_key_info(), 32),
        b"".join(sframe_key_and_salt()),
        sframe_header(0) + header(0),
        sframe(0),
        short_hash(0),
        signed(0),
        packet(0),
        packet(1),
        packet(2),
    ]


def test_the_vectors_follow_from_the_text() -> None:
    assert [bytes.fromhex(row["encoded"]) for row in VECTOR["packets"]] == [
        packet(ctr) for ctr in range(3)
    ]
    assert bytes.fromhex(VECTOR["base_key_info"]) == base_key_info()
    assert bytes.fromhex(VECTOR["packets"][2]["proof_message"]) == signed(2)


def test_the_table_of_limits_is_what_the_code_does() -> None:
    section = TEXT.split("## 7. Limits")[1].split("## 8.")[0]
    limits = dict(re.findall(r"^\| (.+?) \| (\d+) \|$", section, re.MULTILINE))
    settings = ReceptionSettings()
    assert {name: int(value) for name, value in limits.items()} == {
        "bytes of a packet": MAX_PACKET,
        "bytes of an Opus packet": MAX_OPUS,
        "hashes in a proof": MAX_HASHES,
        "packets between two proofs": PROOF_INTERVAL,
        "packets on credit": CREDIT,
        "oldest voice, ms": settings.past_ms,
        "newest voice, ms": settings.future_ms,
        "live spurts for each topic": settings.live_kids,
        "new KIDs a second for each topic and link": settings.new_kids_per_s,
        "wrong signatures a second for each topic and link": settings.bad_proofs_per_s,
        "silence until a KID is lost, s": settings.lost_s,
        "memory of a KID, s": settings.remember_s,
        "silence until a holder has lost the floor, ms": FloorSettings().silence_s * 1000,
        "longest spurt, s of media time": FloorSettings().talk_limit_s,
        "replay window, packets": WINDOW,
    }


def test_every_reason_and_every_topic_is_explained() -> None:
    explained = set(re.findall(r"`([a-z-]+)`", TEXT))
    assert {reason.value for reason in Refusal} <= explained
    topics = set(re.findall(r"^\| `([a-z]+)", TEXT, re.MULTILINE))
    assert topics == {kind.value for kind in TopicKind}
