"""Keys, rosters and trust of the simulated agencies, as `radiobridge keys` would make them."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import yaml

from radiobridge.drivers.store.key_files import AgencyKey, create_agency_key, create_gateway_keys
from radiobridge.wire.canonical import encode_bytes
from radiobridge.wire.roster import Right, Roster, RosterEntry, sign_roster
from radiobridge_sim.agencies import Side

VALID = dt.timedelta(days=2)


def make_identities(folder: Path, sides: Sequence[Side], now: dt.datetime) -> None:
    """Make each side's keys, its signed roster, and its file of the agencies that it trusts.

    It trusts all of them, itself included. All files go to `folder/<agency>/`. Raises KeyFileError.
    """
    agencies = {side.agency: _make_agency(folder / str(side.agency), side, now) for side in sides}
    for side in sides:
        partners = {
            str(other.agency): {
                "key": encode_bytes(agencies[other.agency].public.key),
                "label": other.label._asdict(),
            }
            for other in sides
        }
        text = yaml.safe_dump({"partners": partners}, sort_keys=False, allow_unicode=True)
        (folder / str(side.agency) / "partners.yaml").write_text(text, encoding="utf-8")


def _make_agency(home: Path, side: Side, now: dt.datetime) -> AgencyKey:
    agency = create_agency_key(home / "agency.key", side.agency)
    keys = create_gateway_keys(home / f"{side.gateway.name}.keys", side.gateway)
    end_ms = _ms(now + VALID)
    entry = RosterEntry(
        gateway=side.gateway,
        signing_key=keys.public.signing_key,
        hpke_key=keys.public.hpke_key,
        rights=frozenset(Right),
        end_ms=end_ms,
    )
    roster = Roster(agency=side.agency, version=1, gateways=(entry,), expires_ms=end_ms)
    (home / "roster.jws").write_bytes(sign_roster(roster, _ms(now), agency.signing))
    return agency


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
