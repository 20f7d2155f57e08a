"""SFrame: end-to-end encryption of one media frame. Source: RFC 9605, cipher suites 4 and 5.

A frame is a header (KID and CTR, 1 to 17 bytes) and an AES-GCM ciphertext with its tag. Header
and metadata are authenticated. One base key belongs to one sender, and a (KID, CTR) pair is used
once, ever: the nonce is made of it.
"""

import hmac
from enum import IntEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radiobridge.errors import LocalProtocolError, RemoteProtocolError

TAG = 16
"""Bytes of the tag at the end of a frame (Nt of both suites)."""

MAX_HEADER = 17

_NONCE = 12
_U64 = 1 << 64
_IN_CONFIG = 7
"""KIDs and CTRs up to this stand in the config byte itself."""


class Suite(IntEnum):
    """A cipher suite of RFC 9605, section 4.5, table 1."""

    AES_128_GCM_SHA256_128 = 4
    AES_256_GCM_SHA512_128 = 5


_HASH = {Suite.AES_128_GCM_SHA256_128: "sha256", Suite.AES_256_GCM_SHA512_128: "sha512"}
_KEY_SIZE = {Suite.AES_128_GCM_SHA256_128: 16, Suite.AES_256_GCM_SHA512_128: 32}
_HASH_SIZE = {"sha256": 32, "sha512": 64}


class SFrameHeader(NamedTuple):
    """A parsed header; `size` is its length in bytes."""

    kid: int
    ctr: int
    size: int


def pack_header(kid: int, ctr: int) -> bytes:
    """Return the shortest header, the only valid one (RFC 9605, section 4.3)."""
    if not (0 <= kid < _U64 and 0 <= ctr < _U64):
        raise LocalProtocolError("KID and CTR are unsigned 64 bit numbers")
    kid_bits, kid_bytes = _pack_field(kid)
    ctr_bits, ctr_bytes = _pack_field(ctr)
    return bytes((kid_bits << 4 | ctr_bits,)) + kid_bytes + ctr_bytes


def parse_header(frame: bytes) -> SFrameHeader:
    """Read the header at the start of `frame`; raise RemoteProtocolError.

    A header longer than it need be is refused, so one frame has one form.
    """
    if not frame:
        raise RemoteProtocolError("bad-header", "empty")
    config = frame[0]
    kid = config >> 4 & 7
    ctr = config & 7
    end = 1
    if config & 0x80:
        start, end = end, end + kid + 1
        kid = int.from_bytes(frame[start:end], "big")
        _check_shortest(kid, end - start)
    if config & 0x08:
        start, end = end, end + ctr + 1
        ctr = int.from_bytes(frame[start:end], "big")
        _check_shortest(ctr, end - start)
    if end > len(frame):
        raise RemoteProtocolError("bad-header", "cut short")
    return SFrameHeader(kid, ctr, end)


def derive(base_key: bytes, info: bytes, size: int, hash_name: str) -> bytes:
    """Return HKDF (RFC 5869) without salt, for `size` up to one hash."""
    return _expand(_extract(base_key, hash_name), info, size, hash_name)


class SFrameKey:
    """The AEAD of one KID. Shows no key material in its repr."""

    __slots__ = ("_aead", "_salt", "kid", "suite")

    def __init__(
        self, base_key: bytes, kid: int, suite: Suite = Suite.AES_256_GCM_SHA512_128
    ) -> None:
        if not base_key:
            raise LocalProtocolError("an SFrame base key is never empty")
        self.kid = kid
        self.suite = suite
        hash_name = _HASH[suite]
        secret = _extract(base_key, hash_name)
        scope = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
        key = _expand(secret, b"SFrame 1.0 Secret key " + scope, _KEY_SIZE[suite], hash_name)
        salt = _expand(secret, b"SFrame 1.0 Secret salt " + scope, _NONCE, hash_name)
        self._aead = AESGCM(key)
        self._salt = int.from_bytes(salt, "big")

    def __repr__(self) -> str:
        return f"SFrameKey(kid={self.kid:#x}, suite={int(self.suite)})"

    def encrypt(self, ctr: int, plaintext: bytes, metadata: bytes) -> bytes:
        """Return header and ciphertext. The caller never uses a CTR twice."""
        header = pack_header(self.kid, ctr)
        return header + self._aead.encrypt(self._nonce(ctr), plaintext, header + metadata)

    def decrypt(self, header: SFrameHeader, frame: bytes, metadata: bytes) -> bytes:
        """Return the plaintext of `frame`, whose parsed header is `header`.

        Raises RemoteProtocolError when the frame is not what the key's holder encrypted.
        """
        size = header.size
        if header.kid != self.kid or len(frame) < size + TAG:
            raise RemoteProtocolError("bad-tag", "other KID or cut short")
        try:
            return self._aead.decrypt(
                self._nonce(header.ctr), frame[size:], frame[:size] + metadata
            )
        except InvalidTag:
            raise RemoteProtocolError("bad-tag") from None

    def _nonce(self, ctr: int) -> bytes:
        return (self._salt ^ ctr).to_bytes(_NONCE, "big")


def _extract(key: bytes, hash_name: str) -> bytes:
    """HKDF-Extract without salt, which RFC 5869 takes as one hash of zeros."""
    return hmac.digest(bytes(_HASH_SIZE[hash_name]), key, hash_name)


def _expand(secret: bytes, info: bytes, size: int, hash_name: str) -> bytes:
    """HKDF-Expand for one block: `size` is at most the hash's."""
    return hmac.digest(secret, info + b"\x01", hash_name)[:size]


def _pack_field(value: int) -> tuple[int, bytes]:
    """Return four bits of the config byte and the bytes that follow: none below 8."""
    if value <= _IN_CONFIG:
        return value, b""
    size = (value.bit_length() + 7) >> 3
    return 0x08 | size - 1, value.to_bytes(size, "big")


def _check_shortest(value: int, size: int) -> None:
    if value.bit_length() <= 8 * (size - 1) or value <= _IN_CONFIG:
        raise RemoteProtocolError("bad-header", "longer than needed")
