"""Agencies and gateways with fixed keys, so that what they sign is the same in each run."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from radiobridge.model.ids import AgencyId, GatewayId, parse_gateway
from radiobridge.wire.canonical import Body, Json, encode_bytes
from radiobridge.wire.documents import DocumentHeader, roster_subject, sign_document, type_of
from radiobridge.wire.roster import Right, Roster, RosterEntry, sorted_entries
from radiobridge.wire.seal import HPKE_PRIVATE, HpkePrivateKey, hpke_private, hpke_public_bytes

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def seed(name: str, length: int) -> bytes:
    """Return fixed bytes for a name."""
    return hashlib.shake_256(name.encode()).digest(length)


@dataclass(frozen=True)
class Person:
    """Somebody who signs, and opens what is sealed to it."""

    name: str

    @cached_property
    def signing(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(seed(f"signing {self.name}", 32))

    @property
    def public(self) -> Ed25519PublicKey:
        return self.signing.public_key()

    @cached_property
    def hpke(self) -> HpkePrivateKey:
        return hpke_private(self.hpke_raw)

    @property
    def hpke_raw(self) -> bytes:
        return seed(f"hpke {self.name}", HPKE_PRIVATE)

    @cached_property
    def hpke_public(self) -> bytes:
        return hpke_public_bytes(self.hpke_raw)

    @property
    def gateway(self) -> GatewayId:
        return parse_gateway(self.name)

    def sign(
        self,
        topic: str,
        body: Body,
        *,
        version: int = 1,
        issued_ms: int = NOW_MS,
        expires_ms: int = NOW_MS + HOUR_MS,
    ) -> bytes:
        header = DocumentHeader(
            type=type_of(topic),
            topic=topic,
            version=version,
            issued_ms=issued_ms,
            expires_ms=expires_ms,
        )
        return sign_document(header, body, self.signing)


@lru_cache(maxsize=64)
def person(name: str) -> Person:
    """Return the person of that name; its keys are made once."""
    return Person(name)


def entry(
    name: str,
    rights: frozenset[Right] = frozenset(Right),
    end_ms: int = NOW_MS + 1000 * HOUR_MS,
) -> RosterEntry:
    """Return the roster entry of a gateway."""
    who = person(name)
    return RosterEntry(
        gateway=who.gateway,
        signing_key=who.public.public_bytes_raw(),
        hpke_key=who.hpke_public,
        rights=rights,
        end_ms=end_ms,
    )


def roster(
    agency: str,
    *entries: RosterEntry,
    version: int = 1,
    expires_ms: int = NOW_MS + 1000 * HOUR_MS,
) -> Roster:
    """Return an agency's roster."""
    return Roster(
        agency=AgencyId(agency),
        version=version,
        gateways=sorted_entries(entries),
        expires_ms=expires_ms,
    )


def unchecked_roster(agency: str, *entries: RosterEntry, version: int = 1) -> bytes:
    """Return a signed roster with whatever keys in it."""
    gateways: list[Json] = [
        {
            "gateway": str(one.gateway),
            "signing_key": encode_bytes(one.signing_key),
            "hpke_key": encode_bytes(one.hpke_key),
            "rights": [right.value for right in sorted(one.rights)],
            "end": one.end_ms,
        }
        for one in entries
    ]
    topic = roster_subject(AgencyId(agency))
    return person(agency).sign(topic, {"gateways": gateways}, version=version)
