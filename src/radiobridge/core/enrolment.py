"""The next roster of an agency: who is added, renewed, removed."""

from collections.abc import Iterable

from radiobridge.model.ids import AgencyId, GatewayId
from radiobridge.wire.roster import Roster, RosterEntry, sorted_entries


def next_roster(
    known: Roster | None,
    agency: AgencyId,
    *,
    add: Iterable[RosterEntry] = (),
    remove: Iterable[GatewayId] = (),
    now_ms: int,
    version: int | None = None,
) -> Roster:
    """Return the roster after `known` (None: the first one), in a version one higher.

    Entries of `add` replace those of the same gateways; entries that have ended are left out. The
    roster expires with its last entry, and never before the one that it replaces: else that one
    could be served again, with gateways that were removed. `version` may be higher still, when the
    newest roster was lost.
    """
    gone = set(remove)
    entries = {e.gateway: e for e in (known.gateways if known is not None else ())}
    entries.update((entry.gateway, entry) for entry in add)
    kept = sorted_entries(
        e for e in entries.values() if e.gateway not in gone and e.end_ms > now_ms
    )
    following = known.version + 1 if known is not None else 1
    last = known.expires_ms if known is not None else now_ms
    return Roster(
        agency=agency,
        version=max(following, version or 0),
        gateways=kept,
        expires_ms=max(last, now_ms + 1, *(e.end_ms for e in kept)),
    )
