"""Signed documents: who says what, on which topic, in which version, from when and until when.

A document is a JWS in compact form (RFC 7515) with algorithm `Ed25519` (RFC 9864):

    base64url(header) "." base64url(payload) "." base64url(signature)

The header is exactly `{"alg":"Ed25519"}`; any other header is refused before a key is touched, so
there is no algorithm to confuse. The payload is canonical JSON with the members `type`, `topic`,
`version`, `issued`, `expires` (ms of bridge time) and `body`. The signed topic makes the document
invalid anywhere else; the signature is checked before a byte of the payload is parsed.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import AgencyId, check_id
from radiobridge.wire.canonical import MAX_INTEGER, Body, decode_bytes, dump, encode_bytes, parse
from radiobridge.wire.fields import Fields
from radiobridge.wire.topics import PREFIX, TopicKind, parse_topic

MAX_DOCUMENT = 64 * 1024
"""Bytes of a whole document, as published."""

ALGORITHM = "Ed25519"

_HEADER = encode_bytes(b'{"alg":"Ed25519"}').encode("ascii")


MAX_AHEAD_MS = 60_000
"""How far in the reader's future a document may have been issued."""

HEAD_AHEAD_MS = 5_000
"""The same for a head, whose age decides: a later one could be kept and served when it suits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentHeader:
    """What every document says about itself. Times in ms of bridge time since 1970."""

    type: TopicKind
    topic: str
    version: int
    """From 1, growing with each document on the topic; a gateway uses its bridge time in ms."""
    issued_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document whose signature, topic, type and dates were checked."""

    header: DocumentHeader
    body: Body
    digest: str
    """SHA-256 of the payload, hex: the same content has the same digest."""


def roster_subject(agency: AgencyId) -> str:
    """Return the topic that is signed in the agency's roster.

    A roster belongs to the agency: each of its gateways publishes the same bytes on its own topic.
    """
    return f"{PREFIX}/{check_id(agency)}/{TopicKind.ROSTER}"


def type_of(topic: str) -> TopicKind:
    """Return which type of document belongs on `topic`; raise RemoteProtocolError if none does."""
    head, _, last = topic.rpartition("/")
    if last == TopicKind.ROSTER and head.count("/") == PREFIX.count("/") + 1:
        return TopicKind.ROSTER
    kind = parse_topic(topic).kind
    if kind is TopicKind.VOICE:
        raise RemoteProtocolError("bad-topic", "voice is no document")
    return kind


def sign_document(header: DocumentHeader, body: Body, key: Ed25519PrivateKey) -> bytes:
    """Return the document, ready to publish. Raises LocalProtocolError when it breaks a rule."""
    payload = dump(_payload(header, body))
    text = jws.serialize_compact(
        {"alg": ALGORITHM}, payload, OKPKey.import_key(key), algorithms=[ALGORITHM]
    )
    if len(text) > MAX_DOCUMENT:
        raise LocalProtocolError(f"document of {len(text)} bytes; at most {MAX_DOCUMENT}")
    return text.encode("ascii")


def read_document(raw: bytes, topic: str, key: Ed25519PublicKey, now_ms: int) -> Document:
    """Return the document in `raw`, received on `topic`, if `key` signed it and it counts now.

    `topic` is the one the reader expects to be signed: the MQTT topic, except for a roster, whose
    signed topic is `roster_subject`. Raises RemoteProtocolError and nothing else.
    """
    document = read_undated(raw, topic, key)
    _check_dates(document.header, now_ms)
    return document


def read_undated(raw: bytes, topic: str, key: Ed25519PublicKey) -> Document:
    """Return the document as `read_document` does, but whatever its dates (to renew a roster)."""
    payload = _verified_payload(raw, key)
    fields = Fields(parse(payload))
    header = DocumentHeader(
        type=fields.choice("type", TopicKind),
        topic=fields.text("topic"),
        version=fields.integer("version", low=1),
        issued_ms=fields.integer("issued"),
        expires_ms=fields.integer("expires"),
    )
    body = fields.mapping("body", most=MAX_DOCUMENT)
    fields.done()
    if header.topic != topic or header.type is not type_of(topic):
        raise RemoteProtocolError("wrong-topic")
    if header.issued_ms >= header.expires_ms:
        raise RemoteProtocolError("bad-dates")
    return Document(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())


def _payload(header: DocumentHeader, body: Body) -> Body:
    if type_of(header.topic) is not header.type:
        raise LocalProtocolError(f"a {header.type} does not belong on {header.topic}")
    if not (0 < header.version <= MAX_INTEGER and 0 <= header.issued_ms < header.expires_ms):
        raise LocalProtocolError("version or dates of a document are wrong")
    return {
        "type": header.type.value,
        "topic": header.topic,
        "version": header.version,
        "issued": header.issued_ms,
        "expires": header.expires_ms,
        "body": body,
    }


def _verified_payload(raw: bytes, key: Ed25519PublicKey) -> bytes:
    if len(raw) > MAX_DOCUMENT:
        raise RemoteProtocolError("too-large")
    parts = raw.split(b".")
    if len(parts) != 3 or parts[0] != _HEADER:
        raise RemoteProtocolError("not-a-document")
    try:
        payload = decode_bytes(parts[1].decode("ascii"))
        jws.deserialize_compact(raw, OKPKey.import_key(key), algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        raise RemoteProtocolError("bad-signature") from None
    return payload


def _check_dates(header: DocumentHeader, now_ms: int) -> None:
    """Refuse what is over and what comes from the future.

    A patch word from the future is taken: it may be a withdrawal by a gateway whose clock is
    wrong, and an acceptance is bound by the window of its terms anyway.
    """
    if now_ms >= header.expires_ms:
        raise RemoteProtocolError("expired")
    ahead = HEAD_AHEAD_MS if header.type is TopicKind.HEAD else MAX_AHEAD_MS
    if header.type is not TopicKind.PATCH and header.issued_ms > now_ms + ahead:
        raise RemoteProtocolError("future")
