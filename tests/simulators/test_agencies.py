import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from radiobridge.config.load import load_gateway
from radiobridge.model.ids import PatchId
from radiobridge.wire.terms import terms_hash
from radiobridge_sim.agencies import CBP, OPP, Cabling, Side, make_plan, write_gateway, write_plans
from radiobridge_sim.identities import make_identities

NOW = dt.datetime(2026, 5, 1, 12, 0, 0, tzinfo=dt.UTC)
SIDES = (OPP, CBP)

USRP = {"driver": "usrp", "listen": "127.0.0.1:34001", "peer": "127.0.0.1:32001"}
CCDI = {"driver": "ccdi", "device": "/dev/pts/999"}
LINES = {"driver": "lines", "device": "rfc2217://127.0.0.1:4000", "ptt": "RTS", "cor": "CTS"}
LINES["radio_time_out"] = "60s"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for side in SIDES:
        home = tmp_path / str(side.agency)
        home.mkdir(mode=0o700)
        secret = home / "broker.password"
        secret.touch(mode=0o600)
        secret.write_text("secret")
    make_identities(tmp_path, SIDES, dt.datetime.now(dt.UTC))
    return tmp_path


def write(folder: Path, side: Side, cabling: Cabling) -> Path:
    broker = {
        "name": "one",
        "url": "mqtt://127.0.0.1:1883",
        "username": str(side.gateway),
        "password_file": "broker.password",
    }
    home = folder / str(side.agency)
    write_plans(home / "plans.yaml", {PatchId("river"): make_plan(SIDES, OPP.agency, NOW)})
    return write_gateway(home, side, cabling, [broker])


@pytest.mark.parametrize(
    "cabling",
    [
        Cabling(interface=USRP, audio=None),
        Cabling(interface=CCDI, audio=USRP),
        Cabling(interface=LINES, audio=USRP),
    ],
    ids=["usrp", "ccdi", "lines"],
)
def test_the_files_are_a_right_configuration(folder: Path, cabling: Cabling) -> None:
    loaded = load_gateway(write(folder, OPP, cabling))
    assert loaded.config.id == OPP.gateway
    assert set(loaded.partners) == {CBP.agency, OPP.agency}
    assert [str(t) for t in loaded.map.talkgroups] == ["ca.opp/TAC1"]


def test_both_sides_write_the_same_terms(folder: Path) -> None:
    here, there = (
        load_gateway(write(folder, side, Cabling(interface=USRP, audio=None))) for side in SIDES
    )
    assert [terms_hash(t) for t in here.plans] == [terms_hash(t) for t in there.plans]
    assert here.plans[0].agencies == {OPP.agency, CBP.agency}


def test_names_derive_from_the_unit() -> None:
    assert OPP.donor == "opp-donor"
    assert replace(CBP, unit="cbp-9").donor == "cbp-donor"
