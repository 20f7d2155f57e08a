"""The roster: which gateways an agency has, with their keys, rights and end.

The agency's key, offline in its centre, signs it; each gateway of the agency publishes those bytes
on its own `roster` topic, and the highest version counts. A gateway that is not in the newest
roster, or whose entry has ended, says nothing that counts. Nor does one whose keys are no keys:
anybody could sign for it, or nothing could be sealed to it. The rest of its roster counts, for it
may be what removes a stolen gateway.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, parse_gateway
from radiobridge.wire.canonical import Body, Json, encode_bytes
from radiobridge.wire.documents import (
    Document,
    DocumentHeader,
    read_document,
    read_undated,
    roster_subject,
    sign_document,
)
from radiobridge.wire.fields import Fields
from radiobridge.wire.seal import HPKE_PUBLIC, hpke_public
from radiobridge.wire.topics import TopicKind

MAX_GATEWAYS = 26
"""Gateways of one agency: what fits into a document beside their post-quantum keys."""

SIGNING_PUBLIC = 32
"""Bytes of an Ed25519 public key."""

_P = 2**255 - 19
_Y_MASK = 2**255 - 1
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER_Y = frozenset({0, 1, _P - 1, _P, _P + 1, _Y8, _P - _Y8})
"""The y of all points of order 1, 2, 4 and 8 of edwards25519, also as written above p."""


class Right(StrEnum):
    """What a gateway may do in its agency's name."""

    VOICE = "voice"
    """Send voice, and get keys to hear it."""
    CONSENT = "consent"
    """Accept, narrow and withdraw."""
    AUDIT = "audit"
    """Hold the heads of other gateways' audit chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """One gateway. Its keys are public, raw bytes."""

    gateway: GatewayId
    signing_key: bytes
    """Ed25519, 32 bytes."""
    hpke_key: bytes
    """ML-KEM-768 and X25519, 1216 bytes (`seal.hpke_public`)."""
    rights: frozenset[Right]
    end_ms: int
    """From here on the entry counts no more; ms of bridge time."""

    @property
    def signer(self) -> Ed25519PublicKey:
        """Return the key that verifies what this gateway signs."""
        return _public_key(self.signing_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All gateways of one agency, as its key signed them."""

    agency: AgencyId
    version: int
    gateways: tuple[RosterEntry, ...]
    """Sorted by gateway."""
    expires_ms: int
    refused: tuple[GatewayId, ...] = ()
    """Gateways that the agency named with keys that are none."""

    def entry(self, gateway: GatewayId, now_ms: int) -> RosterEntry | None:
        """Return the entry of `gateway` while it counts."""
        if now_ms >= self.expires_ms:
            return None
        found = next((e for e in self.gateways if e.gateway == gateway), None)
        return found if found is not None and now_ms < found.end_ms else None

    def holders(self, right: Right, now_ms: int) -> tuple[RosterEntry, ...]:
        """Return the entries that count now and have `right`."""
        if now_ms >= self.expires_ms:
            return ()
        return tuple(e for e in self.gateways if right in e.rights and now_ms < e.end_ms)

    def next_change_ms(self, now_ms: int) -> int | None:
        """Return when the next entry or the roster itself ends, if it still counts."""
        ends = (self.expires_ms, *(e.end_ms for e in self.gateways))
        return min((end for end in ends if end > now_ms), default=None)


def sign_roster(roster: Roster, issued_ms: int, agency_key: Ed25519PrivateKey) -> bytes:
    """Return the signed roster, as every gateway of the agency publishes it.

    Raises LocalProtocolError when the roster breaks a rule.
    """
    try:
        _check(roster)
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"bad roster: {error}") from error
    for entry in roster.gateways:
        if not _usable(entry):
            raise LocalProtocolError(f"bad roster: the keys of {entry.gateway} are unusable")
    header = DocumentHeader(
        type=TopicKind.ROSTER,
        topic=roster_subject(roster.agency),
        version=roster.version,
        issued_ms=issued_ms,
        expires_ms=roster.expires_ms,
    )
    gateways: list[Json] = [_to_body(entry) for entry in sorted_entries(roster.gateways)]
    return sign_document(header, {"gateways": gateways}, agency_key)


def read_roster(raw: bytes, agency: AgencyId, key: Ed25519PublicKey, now_ms: int) -> Roster:
    """Return the roster of `agency` in `raw` if its `key` signed it and it counts now.

    Raises RemoteProtocolError.
    """
    return roster_of(read_document(raw, roster_subject(agency), key, now_ms), agency)


def read_old_roster(raw: bytes, agency: AgencyId, key: Ed25519PublicKey) -> Roster:
    """Return the roster as `read_roster` does, but also an expired one: to sign the next one."""
    return roster_of(read_undated(raw, roster_subject(agency), key), agency)


def roster_of(document: Document, agency: AgencyId) -> Roster:
    """Return the roster in an already verified document. Raises RemoteProtocolError."""
    fields = Fields(document.body)
    entries = [_from_body(item) for item in fields.items("gateways", most=MAX_GATEWAYS)]
    fields.done()
    roster = Roster(
        agency=agency,
        version=document.header.version,
        gateways=tuple(entries),
        expires_ms=document.header.expires_ms,
    )
    _check(roster)
    usable = tuple(entry for entry in roster.gateways if _usable(entry))
    refused = tuple(entry.gateway for entry in roster.gateways if entry not in usable)
    return replace(roster, gateways=usable, refused=refused)


def sorted_entries(entries: Iterable[RosterEntry]) -> tuple[RosterEntry, ...]:
    """Return the entries in the order in which a roster has them."""
    return tuple(sorted(entries, key=lambda entry: entry.gateway))


def _check(roster: Roster) -> None:
    """Nobody else's gateway, no gateway and no key twice."""
    entries = roster.gateways
    if len(entries) > MAX_GATEWAYS:
        raise RemoteProtocolError("bad-roster", f"more than {MAX_GATEWAYS} gateways")
    if any(entry.gateway.agency != roster.agency for entry in entries):
        raise RemoteProtocolError("bad-roster", "a gateway of another agency")
    if len({entry.gateway.name.lower() for entry in entries}) != len(entries):
        raise RemoteProtocolError("bad-roster", "a gateway twice")
    if len({entry.signing_key for entry in entries}) != len(entries):
        raise RemoteProtocolError("bad-roster", "two gateways with one key")


def _usable(entry: RosterEntry) -> bool:
    """Tell whether the keys of an entry are such."""
    try:
        hpke_public(entry.hpke_key)
    except RemoteProtocolError:
        return False
    return not weak_signing_key(entry.signing_key)


def weak_signing_key(raw: bytes) -> bool:
    """Tell whether an Ed25519 key is of low order: anybody can sign for such a key."""
    return int.from_bytes(raw, "little") & _Y_MASK in _LOW_ORDER_Y


def _to_body(entry: RosterEntry) -> Body:
    return {
        "gateway": str(entry.gateway),
        "signing_key": encode_bytes(entry.signing_key),
        "hpke_key": encode_bytes(entry.hpke_key),
        "rights": [right.value for right in sorted(entry.rights)],
        "end": entry.end_ms,
    }


def _from_body(item: Json) -> RosterEntry:
    fields = Fields(item)
    entry = RosterEntry(
        gateway=fields.parsed("gateway", parse_gateway),
        signing_key=fields.blob("signing_key", length=SIGNING_PUBLIC),
        hpke_key=fields.blob("hpke_key", length=HPKE_PUBLIC),
        rights=frozenset(_right(word) for word in fields.items("rights", most=len(Right))),
        end_ms=fields.integer("end"),
    )
    fields.done()
    return entry


def _right(word: Json) -> Right:
    if not isinstance(word, str) or word not in _RIGHTS:
        raise RemoteProtocolError("bad-roster", "unknown right")
    return _RIGHTS[word]


_RIGHTS = {right.value: right for right in Right}


@lru_cache(maxsize=256)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
