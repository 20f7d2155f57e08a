"""Key files: an agency's key, a gateway's keys, and the public parts that people hand over.

All are one JSON object. `"radiobridge"` says which kind it is; keys are base64url without padding.

    agency-key      signing: Ed25519 seed, 32 bytes; agency: its id, if it was given
    gateway-key     gateway; signing: Ed25519 seed; hpke: ML-KEM-768 seed and X25519, 96 bytes
    agency-public   key: Ed25519 public key; agency, if it was given
    gateway-public  gateway; signing_key: 32 bytes; hpke_key: 1216 bytes

No error, repr or log ever holds key material.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from radiobridge.drivers.store.secret_file import (
    create_secret,
    read_public,
    read_secret,
    replace_public,
)
from radiobridge.errors import KeyFileError, RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, parse_agency, parse_gateway
from radiobridge.wire.canonical import Body, encode_bytes
from radiobridge.wire.fields import Fields
from radiobridge.wire.roster import SIGNING_PUBLIC, weak_signing_key
from radiobridge.wire.seal import (
    HPKE_PRIVATE,
    HPKE_PUBLIC,
    HpkePrivateKey,
    hpke_private,
    hpke_public,
    hpke_public_bytes,
)

_SEED = 32
_AGENCY_KEY, _GATEWAY_KEY = "agency-key", "gateway-key"
_AGENCY_PUBLIC, _GATEWAY_PUBLIC = "agency-public", "gateway-public"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyPublic:
    """What partners trust: an agency's public key (Ed25519, 32 bytes)."""

    key: bytes
    agency: AgencyId | None = None

    @property
    def material(self) -> bytes:
        """Return the bytes that the fingerprint covers."""
        return self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPublic:
    """What the agency enrols: a gateway's public keys, raw bytes."""

    gateway: GatewayId
    signing_key: bytes
    hpke_key: bytes

    @property
    def material(self) -> bytes:
        """Return the bytes that the fingerprint covers."""
        return self.signing_key + self.hpke_key


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyKey:
    """An agency's key; it stays offline and signs the roster."""

    signing: Ed25519PrivateKey = field(repr=False)
    agency: AgencyId | None = None

    @property
    def public(self) -> AgencyPublic:
        """Return the part that is no secret."""
        return AgencyPublic(key=self.signing.public_key().public_bytes_raw(), agency=self.agency)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKeys:
    """The keys of one gateway: to sign, and to open what is sealed to it."""

    gateway: GatewayId
    signing: Ed25519PrivateKey = field(repr=False)
    hpke: HpkePrivateKey = field(repr=False)
    public: GatewayPublic = field(repr=False)


def fingerprint(public: bytes) -> str:
    """Return eight groups of five digits to compare by telephone, in any language.

    SHA-512 over a tag and the public key; each group is five of its bytes modulo 100,000, which
    makes 132 bits together.
    """
    digest = hashlib.sha512(b"radiobridge fingerprint 1\0" + public).digest()
    groups = (digest[at : at + 5] for at in range(0, 40, 5))
    return " ".join(f"{int.from_bytes(group) % 100_000:05d}" for group in groups)


def create_agency_key(path: Path, agency: AgencyId | None = None) -> AgencyKey:
    """Draw an agency's key and write it to the new file `path`. Raises KeyFileError."""
    key = AgencyKey(signing=Ed25519PrivateKey.generate(), agency=agency)
    body: Body = {"radiobridge": _AGENCY_KEY, "signing": encode_bytes(_seed(key.signing))}
    if agency is not None:
        body["agency"] = str(agency)
    create_secret(path, _spell(body))
    return key


def create_gateway_keys(path: Path, gateway: GatewayId) -> GatewayKeys:
    """Draw a gateway's keys and write them to the new file `path`. Raises KeyFileError."""
    seed, hpke = os.urandom(_SEED), os.urandom(HPKE_PRIVATE)
    body: Body = {
        "radiobridge": _GATEWAY_KEY,
        "gateway": str(gateway),
        "signing": encode_bytes(seed),
        "hpke": encode_bytes(hpke),
    }
    create_secret(path, _spell(body))
    return _gateway_keys(gateway, seed, hpke)


def read_agency_key(path: Path) -> AgencyKey:
    """Return the key in an agency's key file. Raises KeyFileError."""
    fields = _fields(path, read_secret(path), _AGENCY_KEY)
    try:
        seed = fields.blob("signing", length=_SEED)
        agency = fields.parsed("agency", parse_agency) if fields.has("agency") else None
        fields.done()
    except RemoteProtocolError as error:
        raise _damaged(path, error) from None
    return AgencyKey(signing=Ed25519PrivateKey.from_private_bytes(seed), agency=agency)


def read_gateway_keys(path: Path) -> GatewayKeys:
    """Return the keys in a gateway's key file. Raises KeyFileError."""
    fields = _fields(path, read_secret(path), _GATEWAY_KEY)
    try:
        gateway = fields.parsed("gateway", parse_gateway)
        seed = fields.blob("signing", length=_SEED)
        hpke = fields.blob("hpke", length=HPKE_PRIVATE)
        fields.done()
    except RemoteProtocolError as error:
        raise _damaged(path, error) from None
    return _gateway_keys(gateway, seed, hpke)


def write_public(path: Path, public: AgencyPublic | GatewayPublic) -> None:
    """Write the public part to `path`, replacing what is there. Raises KeyFileError."""
    if isinstance(public, GatewayPublic):
        body: Body = {
            "radiobridge": _GATEWAY_PUBLIC,
            "gateway": str(public.gateway),
            "signing_key": encode_bytes(public.signing_key),
            "hpke_key": encode_bytes(public.hpke_key),
        }
    else:
        body = {"radiobridge": _AGENCY_PUBLIC, "key": encode_bytes(public.key)}
        if public.agency is not None:
            body["agency"] = str(public.agency)
    replace_public(path, _spell(body))


def read_gateway_public(path: Path) -> GatewayPublic:
    """Return the public part of a gateway in `path`. Raises KeyFileError."""
    fields = _fields(path, read_public(path), _GATEWAY_PUBLIC)
    try:
        public = GatewayPublic(
            gateway=fields.parsed("gateway", parse_gateway),
            signing_key=fields.blob("signing_key", length=SIGNING_PUBLIC),
            hpke_key=fields.blob("hpke_key", length=HPKE_PUBLIC),
        )
        fields.done()
        hpke_public(public.hpke_key)
        _check_signing(public.signing_key)
    except RemoteProtocolError as error:
        raise _damaged(path, error) from None
    return public


def read_agency_public(path: Path) -> AgencyPublic:
    """Return the public part of an agency in `path`. Raises KeyFileError."""
    fields = _fields(path, read_public(path), _AGENCY_PUBLIC)
    try:
        public = AgencyPublic(
            key=fields.blob("key", length=SIGNING_PUBLIC),
            agency=fields.parsed("agency", parse_agency) if fields.has("agency") else None,
        )
        fields.done()
        _check_signing(public.key)
    except RemoteProtocolError as error:
        raise _damaged(path, error) from None
    return public


def read_any_public(path: Path) -> AgencyPublic | GatewayPublic:
    """Return the public part of whatever key file or public part `path` is.

    Raises KeyFileError, also for a secret file that others can read.
    """
    kind = _kind(_object(path, read_public(path)))
    if kind == _AGENCY_KEY:
        return read_agency_key(path).public
    if kind == _GATEWAY_KEY:
        return read_gateway_keys(path).public
    return read_gateway_public(path) if kind == _GATEWAY_PUBLIC else read_agency_public(path)


def _gateway_keys(gateway: GatewayId, seed: bytes, hpke: bytes) -> GatewayKeys:
    signing = Ed25519PrivateKey.from_private_bytes(seed)
    public = GatewayPublic(
        gateway=gateway,
        signing_key=signing.public_key().public_bytes_raw(),
        hpke_key=hpke_public_bytes(hpke),
    )
    return GatewayKeys(gateway=gateway, signing=signing, hpke=hpke_private(hpke), public=public)


def _seed(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes_raw()


def _spell(body: Body) -> bytes:
    return json.dumps(body, indent=1).encode("ascii") + b"\n"


def _fields(path: Path, content: bytes, kind: str) -> Fields:
    """Return the members of the JSON object in `content`, which must be of this `kind`."""
    body = _object(path, content)
    if _kind(body) != kind:
        raise KeyFileError(
            f"{path} is not a file of kind {kind}", f"{path} n'est pas un fichier de type {kind}"
        )
    return Fields({name: value for name, value in body.items() if name != "radiobridge"})


def _object(path: Path, content: bytes) -> Body:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise KeyFileError(f"{path} is not a key file", f"{path} n'est pas un fichier de clés")
    return body


def _kind(body: Mapping[str, object]) -> object:
    return body.get("radiobridge")


def _check_signing(key: bytes) -> None:
    """Refuse a key for which anybody could sign."""
    if weak_signing_key(key):
        raise RemoteProtocolError("bad-key", "of low order")


def _damaged(path: Path, error: RemoteProtocolError) -> KeyFileError:
    # The reason names members, never what they hold.
    return KeyFileError(f"{path} is damaged ({error})", f"{path} est endommagé ({error})")
