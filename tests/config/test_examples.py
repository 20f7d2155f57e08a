"""The examples under config/ are right once their agencies have made their keys."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from radiobridge.config.load import Files, load_gateway
from radiobridge.drivers.store.key_files import create_agency_key, create_gateway_keys
from radiobridge.model.ids import GatewayId, parse_gateway
from radiobridge.model.patch import Terms
from radiobridge.wire.canonical import encode_bytes
from radiobridge.wire.roster import Right, Roster, RosterEntry, sign_roster

CONFIG = Path(__file__).parents[2] / "config"
GATEWAYS = {"ca.opp/windsor": "windsor.yaml", "us.cbp/detroit": "detroit.yaml"}


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Copy the examples and make all that they name and no repository may hold."""
    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    for name in GATEWAYS:
        make_keys(tmp_path, parse_gateway(name))
    return tmp_path


def make_keys(folder: Path, gateway: GatewayId) -> None:
    keys = folder / gateway.agency / "keys"
    agency = create_agency_key(keys / "agency.key", gateway.agency)
    mine = create_gateway_keys(keys / f"{gateway.name}.keys", gateway)
    now = datetime.now(UTC)
    end_ms = round((now + timedelta(days=1)).timestamp() * 1000)
    entry = RosterEntry(
        gateway=gateway,
        signing_key=mine.public.signing_key,
        hpke_key=mine.public.hpke_key,
        rights=frozenset(Right),
        end_ms=end_ms,
    )
    roster = Roster(agency=gateway.agency, version=1, gateways=(entry,), expires_ms=end_ms)
    signed = sign_roster(roster, round(now.timestamp() * 1000), agency.signing)
    (keys / "roster.jws").write_bytes(signed)
    names = ("opp-ca.pem", "cbp-ca.pem", f"{gateway.name}.pem", f"{gateway.name}.key")
    for name in (*names, "opp-broker.password"):
        (keys / name).touch(mode=0o600)
    partners = folder / gateway.agency / "partners.yaml"
    lines = partners.read_text(encoding="utf-8").splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip() == f"{gateway.agency}:")
    lines[at + 1] = f"    key: {encode_bytes(agency.public.key)}"
    partners.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", GATEWAYS)
def test_an_example_is_right(examples: Path, name: str) -> None:
    gateway = parse_gateway(name)
    loaded = load_gateway(examples / gateway.agency / GATEWAYS[name])
    assert loaded.config.id == gateway
    assert not loaded.config.simulation
    assert set(loaded.partners) == {"ca.opp", "us.cbp"}


@pytest.mark.parametrize("name", GATEWAYS)
def test_an_example_is_right_as_it_is_shipped_but_for_keys(name: str) -> None:
    gateway = parse_gateway(name)
    loaded = load_gateway(CONFIG / gateway.agency / GATEWAYS[name], files=Files.UNSEEN)
    assert loaded.config.id == gateway


def test_both_agencies_have_the_plan_alike() -> None:
    ours, theirs = (plans(name) for name in GATEWAYS)
    assert ours == theirs
    assert {m.talkgroup.agency for m in ours[0].members} == {"ca.opp", "us.cbp"}


def plans(name: str) -> tuple[Terms, ...]:
    gateway = parse_gateway(name)
    path = CONFIG / gateway.agency / GATEWAYS[name]
    return load_gateway(path, files=Files.UNSEEN).plans


def test_no_key_is_in_the_repository() -> None:
    ignored = (CONFIG / ".gitignore").read_text(encoding="utf-8")
    assert "**/keys/" in ignored
    assert [path for path in CONFIG.rglob("*") if path.suffix in (".keys", ".jws", ".pem")] == []
