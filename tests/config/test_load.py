"""A right configuration, and all that is wrong in a wrong one."""

from pathlib import Path

import pytest

from radiobridge.config.load import Files
from radiobridge.config.problems import ConfigErrors
from radiobridge.config.radio import SquelchMode
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId
from radiobridge.model.patch import Access, Air, Recording
from radiobridge.model.talkgroup import RadioRef
from radiobridge.model.voice import TalkClass
from radiobridge.text import Language, Text
from tests.config.home import Home

WINDSOR = GatewayId(AgencyId("ca.opp"), "windsor")
TAC1 = TalkgroupId(AgencyId("ca.opp"), "TAC1")
TAC2 = TalkgroupId(AgencyId("ca.opp"), "TAC2")


def test_settings_are_in_base_units_and_paths_absolute(home: Home) -> None:
    loaded = home.load()
    config, radio = loaded.config, loaded.config.radios["tac1"]
    assert config.id == WINDSOR
    assert config.language is Language.EN
    assert config.voice.bitrate == 16_000
    assert (radio.transmit.lead_in, radio.transmit.time_out) == (0.12, 60.0)
    assert radio.receive.squelch is SquelchMode.COR
    assert config.radio_talkgroup(RadioName("tac1")) == TAC1
    assert config.state == home.folder / "state"
    assert config.socket == home.folder / "api.sock"
    assert loaded.base == home.folder


def test_driver_settings_are_complete_json_values(home: Home) -> None:
    radios = home.load().config.radios
    assert radios["tac1"].interface == {
        "driver": "lines",
        "device": "/dev/rb-a",
        "ptt": "DTR!RTS",
        "cor": "CTS",
        "baud": 9600,
        "radio_time_out": 60.0,
    }
    assert radios["tac1"].audio == {
        "driver": "soundcard",
        "device": "Card A",
        "rate": 48_000,
        "latency": 0.02,
    }
    assert radios["tac2"].audio is None


def test_the_map_is_the_models(home: Home) -> None:
    map_ = home.load().map
    river = map_.talkgroups[TAC2]
    assert river.label == Text("Tactical 2", "Tactique 2")
    assert (river.air, river.separate_coverage) == (Air.ENCRYPTED, True)
    assert river.receive == {RadioRef(WINDSOR, RadioName("tac2"))}
    assert [coverage for coverage, _ in river.transmit] == ["main", "river"]
    assert set(map_.joins) == {frozenset({TAC1, TAC2})}


def test_plans_are_terms_sorted_by_member(home: Home) -> None:
    (terms,) = home.load().plans
    ours, theirs = terms.members
    assert (terms.patch, terms.host, terms.recording) == ("bridge", "ca.opp", Recording.OWN)
    assert terms.end_ms - terms.start_ms == 365 * 86_400_000
    assert terms.start_ms == 1_767_225_600_000
    assert (ours.talkgroup, ours.max_class, ours.max_priority) == (TAC1, TalkClass.EMERGENCY, 3)
    assert (theirs.access, theirs.max_class) == (Access.LISTEN, TalkClass.NORMAL)
    assert theirs.signalling


def test_partners_have_their_keys(home: Home) -> None:
    partners = home.load().partners
    assert set(partners) == {"ca.opp", "us.cbp"}
    assert len(partners[AgencyId("us.cbp")].public_key) == 32
    assert partners[AgencyId("us.cbp")].label.fr == "ASF"


def test_defaults_of_what_is_left_out(home: Home) -> None:
    home.edit("windsor.yaml", "plans: plans.yaml\n", "")
    home.edit("windsor.yaml", "state: state\nsocket: api.sock\n", "")
    loaded = home.load()
    assert loaded.plans == ()
    assert str(loaded.config.state) == "/var/lib/radiobridge/windsor"
    assert str(loaded.config.socket) == "/run/radiobridge/windsor.sock"
    assert loaded.config.radios["tac2"].transmit.hold == 0.8


def test_links_are_named_by_host_and_port_when_it_repeats(home: Home) -> None:
    home.edit(
        "windsor.yaml",
        "radios:\n",
        "  - {url: 'mqtt://10.0.0.1:1883', password_file: tls.key}\n"
        "  - {url: 'mqtt://10.0.0.1:1884', name: spare}\n"
        "  - {url: 'mqtt://10.0.0.1:1885'}\nradios:\n",
    )
    links = home.load().config.links()
    assert list(links) == ["broker.opp.example", "10.0.0.1", "spare", "10.0.0.1-1885"]
    assert links["10.0.0.1"].settings() == {
        "url": "mqtt://10.0.0.1:1883",
        "username": "ca.opp/windsor",
        "password_file": str(home.folder / "tls.key"),
        "keepalive": 10,
    }


def test_everything_wrong_is_reported_at_once(home: Home) -> None:
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 120")
    home.edit("windsor.yaml", "talkgroup: TAC2", "talkgruop: TAC2")
    home.edit("windsor.yaml", "complexity: 5", "complexity: 11")
    home.edit("windsor.yaml", "device: /dev/rb-a", "device: ttyUSB0")
    home.edit("talkgroups.yaml", "air: clear", "air: open")
    home.edit("plans.yaml", "host: ca.opp", "host: us.dea")
    home.edit("partners.yaml", "ASF", "''")
    (home.folder / "windsor.keys").chmod(0o644)
    found = {(p.place.file.rpartition("/")[2], p.path) for p in home.problems()}
    assert {
        ("windsor.yaml", "radios.tac1.transmit.lead_in"),
        ("windsor.yaml", "radios.tac2.talkgruop"),
        ("windsor.yaml", "radios.tac2.talkgroup"),
        ("windsor.yaml", "voice.complexity"),
        ("windsor.yaml", "radios.tac1.interface.device"),
        ("windsor.yaml", "keys"),
        ("talkgroups.yaml", "talkgroups.TAC1.air"),
        ("plans.yaml", "plans.bridge.host"),
        ("partners.yaml", "partners.us.cbp.label.fr"),
    } <= found


def test_errors_come_in_order_of_place(home: Home) -> None:
    home.edit("windsor.yaml", "gateway: windsor", "gateway: [windsor]")
    home.edit("windsor.yaml", "time_out: 60s", "time_out: 60")
    places = [p.place for p in home.problems()]
    assert places == sorted(places)
    assert len(places) >= 2


def test_a_broken_file_does_not_hide_the_others(home: Home) -> None:
    home.write("talkgroups.yaml", "talkgroups: [\n")
    home.write("plans.yaml", "")
    home.edit("windsor.yaml", "hang: 200ms", "hang: soon")
    files = {p.place.file.rpartition("/")[2] for p in home.problems()}
    assert files == {"talkgroups.yaml", "plans.yaml", "windsor.yaml"}


def test_a_failed_reload_leaves_the_old_configuration_whole(home: Home) -> None:
    before = home.load()
    snapshot = before.config.model_dump()
    home.edit("windsor.yaml", "time_out: 60s", "time_out: 45s")
    home.edit("talkgroups.yaml", "air: clear", "air: open")
    with pytest.raises(ConfigErrors):
        home.load()
    assert before.config.model_dump() == snapshot
    home.edit("talkgroups.yaml", "air: open", "air: clear")
    assert home.load().config.radios["tac1"].transmit.time_out == 45.0
    assert before.config.radios["tac1"].transmit.time_out == 60.0


def test_settings_cannot_be_changed(home: Home) -> None:
    config = home.load().config
    with pytest.raises(ValueError, match="frozen"):
        config.gateway = "other"


def test_errors_are_in_both_languages(home: Home) -> None:
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 120")
    with pytest.raises(ConfigErrors) as caught:
        home.load()
    line = home.line("windsor.yaml", "lead_in")
    start = f"{home.gateway}:{line}: radios.tac1.transmit.lead_in: 120 "
    assert caught.value.text.en.startswith(start + "needs a number and a unit")
    assert caught.value.text.fr.startswith(start + "demande un nombre et une unité")


def test_without_files_keys_and_certificates_are_not_looked_for(home: Home) -> None:
    for name in ("windsor.keys", "roster.jws", "ca.pem", "tls.key"):
        (home.folder / name).unlink()
    assert {p.path for p in home.problems()} == {
        "keys",
        "roster",
        "brokers[0].tls.ca",
        "brokers[0].tls.key",
    }
    assert home.problems(Files.UNSEEN) == ()


def test_what_is_not_connected_is_remarked_on_and_stops_nothing(home: Home) -> None:
    (remark,) = home.load().remarks
    assert remark.path == "radios.tac1.interface.device"
    assert "/dev/rb-a does not exist; connected now:" in remark.text.en


def test_one_load_finds_what_is_wrong_in_syntax_and_sense_in_all_files(home: Home) -> None:
    home.edit("windsor.yaml", "gateway: windsor", "gateway: windsor\ngateway: sarnia\nlanuage: en")
    home.edit("talkgroups.yaml", "air: clear", "air: clear\n    air: encrypted\n    ari: clear")
    home.edit("plans.yaml", "host: ca.opp", "host: !id us.dea")
    home.edit("partners.yaml", "us.cbp: {key: ", "us.cbp: {key: AA")
    assert {(Path(p.place.file).name, p.path) for p in home.problems()} >= {
        ("windsor.yaml", "gateway"),
        ("windsor.yaml", "lanuage"),
        ("talkgroups.yaml", "talkgroups.TAC1.air"),
        ("talkgroups.yaml", "talkgroups.TAC1.ari"),
        ("plans.yaml", "plans.bridge.host"),
        ("partners.yaml", "partners.us.cbp.key"),
    }
