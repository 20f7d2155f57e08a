"""The rosters of the agencies that this gateway trusts, its own among them."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.core.documents import DocumentBook, Offer
from radiobridge.model.ids import AgencyId, GatewayId
from radiobridge.wire.documents import read_document, read_undated, roster_subject
from radiobridge.wire.roster import Right, Roster, RosterEntry, roster_of


class Directory:
    """Who is who: agency keys from the configuration, rosters as they arrive.

    The highest version of a roster counts; two contents under one version count neither.
    """

    def __init__(self, agencies: Mapping[AgencyId, Ed25519PublicKey]) -> None:
        self._agencies = dict(agencies)
        self._rosters: dict[AgencyId, Roster] = {}
        self._book = DocumentBook()

    def trust(self, agencies: Mapping[AgencyId, Ed25519PublicKey]) -> None:
        """Replace the trusted agencies; a changed key makes the old roster void."""
        for agency, key in self._agencies.items():
            if agencies.get(agency) != key:
                self._rosters.pop(agency, None)
                self._book.forget(roster_subject(agency))
        self._agencies = dict(agencies)

    @property
    def agencies(self) -> frozenset[AgencyId]:
        """Return the trusted agencies."""
        return frozenset(self._agencies)

    @property
    def versions(self) -> dict[str, int]:
        """Return the newest version known of each roster, by signed topic."""
        return self._book.versions()

    @property
    def rosters(self) -> Mapping[AgencyId, Roster]:
        """Return the rosters in force, by agency."""
        return self._rosters

    def offer(self, agency: AgencyId, raw: bytes, now_ms: int) -> Offer:
        """Take a roster from anywhere. Raises RemoteProtocolError when it is not one."""
        document = read_document(raw, roster_subject(agency), self._agencies[agency], now_ms)
        roster = roster_of(document, agency)
        outcome = self._book.offer(document, now_ms)
        if outcome is Offer.NEW:
            self._rosters[agency] = roster
        elif outcome is Offer.CONFLICT:
            self._rosters.pop(agency, None)
        return outcome

    def issued_ms(self, agency: AgencyId, raw: bytes) -> int:
        """Return when a roster was signed. Raises RemoteProtocolError when it is none."""
        document = read_undated(raw, roster_subject(agency), self._agencies[agency])
        return document.header.issued_ms

    def entry(self, gateway: GatewayId, now_ms: int) -> RosterEntry | None:
        """Return what counts now about a gateway."""
        roster = self._rosters.get(gateway.agency)
        return roster.entry(gateway, now_ms) if roster is not None else None

    def speaker(self, gateway: GatewayId, now_ms: int) -> Ed25519PublicKey | None:
        """Return the key of a gateway that may send voice."""
        entry = self.entry(gateway, now_ms)
        return entry.signer if entry is not None and Right.VOICE in entry.rights else None

    def holders(
        self, agencies: Iterable[AgencyId], right: Right, now_ms: int
    ) -> tuple[RosterEntry, ...]:
        """Return the gateways of some agencies that have a right now."""
        known = (self._rosters[a] for a in sorted(agencies) if a in self._rosters)
        return tuple(entry for roster in known for entry in roster.holders(right, now_ms))


def by_turns(entries: Iterable[RosterEntry], me: GatewayId) -> list[RosterEntry]:
    """Return each gateway once: `me` first, then one of each agency in turn, in their order.

    So when a document does not take all, each agency has somebody who can read it.
    """
    agencies: dict[AgencyId, dict[GatewayId, RosterEntry]] = {}
    for entry in entries:
        agencies.setdefault(entry.gateway.agency, {}).setdefault(entry.gateway, entry)
    turns = zip_longest(*(found.values() for found in agencies.values()))
    in_turn = [entry for turn in turns for entry in turn if entry is not None]
    return sorted(in_turn, key=lambda entry: entry.gateway != me)
