"""Sealed bodies: only the named gateways can open them, and only where they were meant.

The body is encrypted once with a fresh content key (AES-256-GCM); that key is sealed to each
recipient by HPKE (RFC 9180, base mode, single shot) with the hybrid KEM MLKEM768-X25519,
HKDF-SHA256 and AES-256-GCM. Topic, version and sender are bound into both, so that a sealed body
can be moved to no other topic, version or sender; the document around it is signed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import GatewayId
from radiobridge.wire.canonical import Body, Json, dump, encode_bytes, parse
from radiobridge.wire.fields import Fields

HpkePrivateKey: TypeAlias = hpke.MLKEM768X25519PrivateKey
HpkePublicKey: TypeAlias = hpke.MLKEM768X25519PublicKey

MLKEM_PUBLIC = 1184
HPKE_PUBLIC = MLKEM_PUBLIC + 32
"""Bytes of a public key: ML-KEM-768 encapsulation key, then X25519."""

MLKEM_SEED = 64
HPKE_PRIVATE = MLKEM_SEED + 32
"""Bytes of a private key: ML-KEM-768 seed, then X25519."""

MAX_RECIPIENTS = 28
"""Gateways that one document is sealed to: what fits into it beside a body of some size."""

_NONCE = 12
_PROBE = X25519PrivateKey.from_private_bytes(bytes(32))
"""Any scalar: a point of low order gives nothing with each of them."""
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealContext:
    """Where a sealed body belongs."""

    topic: str
    version: int
    sender: GatewayId

    def info(self, recipient: GatewayId | None = None) -> bytes:
        """Return what is bound into the encryption: canonical JSON of the context."""
        members: Body = {
            "seal": 1,
            "topic": self.topic,
            "version": self.version,
            "sender": str(self.sender),
        }
        if recipient is not None:
            members["recipient"] = str(recipient)
        return dump(members)


def hpke_private(raw: bytes) -> HpkePrivateKey:
    """Return the private key in `raw`. Raises ValueError unless it is HPKE_PRIVATE bytes."""
    return HpkePrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(raw[:MLKEM_SEED]),
        X25519PrivateKey.from_private_bytes(raw[MLKEM_SEED:]),
    )


def hpke_public(raw: bytes) -> HpkePublicKey:
    """Return the public key in `raw` (HPKE_PUBLIC bytes), as the roster has it.

    Raises RemoteProtocolError when it is none, or when nothing can be sealed to it: its X25519
    point is of low order (RFC 7748, section 6.1).
    """
    try:
        x25519 = X25519PublicKey.from_public_bytes(raw[MLKEM_PUBLIC:])
        _PROBE.exchange(x25519)
        return HpkePublicKey(MLKEM768PublicKey.from_public_bytes(raw[:MLKEM_PUBLIC]), x25519)
    except ValueError:
        raise RemoteProtocolError("bad-key") from None


def hpke_public_bytes(private_raw: bytes) -> bytes:
    """Return the public key, HPKE_PUBLIC bytes, of the private key in `private_raw`."""
    mlkem = MLKEM768PrivateKey.from_seed_bytes(private_raw[:MLKEM_SEED])
    x25519 = X25519PrivateKey.from_private_bytes(private_raw[MLKEM_SEED:])
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def seal(body: Body, recipients: Mapping[GatewayId, bytes], context: SealContext) -> Body:
    """Return `body` sealed to `recipients` (public keys of HPKE_PUBLIC bytes each).

    A recipient whose key is unusable raises RemoteProtocolError: its agency's roster is wrong, and
    to leave it out silently would hide that.
    """
    if not 0 < len(recipients) <= MAX_RECIPIENTS:
        raise LocalProtocolError(f"cannot seal to {len(recipients)} gateways")
    content_key, nonce = os.urandom(32), os.urandom(_NONCE)
    content = nonce + AESGCM(content_key).encrypt(nonce, dump(body), context.info())
    keys: dict[str, Json] = {
        str(gateway): encode_bytes(_wrap(content_key, raw, context.info(gateway)))
        for gateway, raw in recipients.items()
    }
    return {"sealed": encode_bytes(content), "keys": keys}


def unseal(sealed: Body, me: GatewayId, private: HpkePrivateKey, context: SealContext) -> Body:
    """Return the body that was sealed to `me` for `context`. Raises RemoteProtocolError."""
    fields = Fields(sealed)
    content = fields.blob("sealed")
    keys = Fields(fields.mapping("keys", most=MAX_RECIPIENTS))
    fields.done()
    if not keys.has(str(me)):
        raise RemoteProtocolError("not-for-us")
    wrapped = keys.blob(str(me))
    try:
        content_key = _SUITE.decrypt(wrapped, private, context.info(me))
        plain = AESGCM(content_key).decrypt(content[:_NONCE], content[_NONCE:], context.info())
    except (InvalidTag, ValueError):
        raise RemoteProtocolError("bad-seal") from None
    return parse(plain)


def _wrap(content_key: bytes, public_raw: bytes, info: bytes) -> bytes:
    try:
        return _SUITE.encrypt(content_key, hpke_public(public_raw), info)
    except ValueError:
        raise RemoteProtocolError("bad-key") from None
