"""Driver settings as checked here are settings that the drivers themselves take."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.assembly import interface_settings
from radiobridge.config.drivers import BUILT_IN, reports_channel
from radiobridge.drivers.registry import Group, load
from tests.config.home import Home

EVERY_KEY: dict[tuple[Group, str], dict[str, Any]] = {
    (Group.INTERFACES, "lines"): {
        "device": "/dev/x",
        "ptt": "!RTS",
        "cor": "!DCD",
        "grant": "DSR",
        "denied": "!CTS",
        "queued": "RI",
        "baud": 1200,
        "radio_time_out": "45s",
    },
    (Group.INTERFACES, "ccdi"): {
        "device": "/dev/x",
        "baud": 19200,
        "dead_man": "constant",
        "cor": False,
        "mute": "!CTS",
        "radio_time_out": "60s",
    },
    (Group.INTERFACES, "usrp"): {"listen": "127.0.0.1:1", "peer": "[::1]:2"},
    (Group.INTERFACES, "none"): {},
    (Group.AUDIO, "soundcard"): {
        "device": "a",
        "input": "b",
        "output": "c",
        "rate": "16kHz",
        "latency": "40ms",
    },
    (Group.AUDIO, "usrp"): {"listen": "127.0.0.1:1", "peer": "127.0.0.1:2"},
    (Group.AUDIO, "wav"): {"input": "a.wav", "output": "b.wav", "rate": 16000, "repeat": True},
}


@pytest.mark.parametrize(("group", "name"), EVERY_KEY)
def test_a_driver_takes_every_key_that_is_checked_for_it(group: Group, name: str) -> None:
    model = BUILT_IN[group][name]
    settings = model.model_validate({"driver": name, **EVERY_KEY[group, name]})
    assert set(EVERY_KEY[group, name]) == model.model_fields.keys() - {"driver"}
    load(group, name).from_settings(settings.model_dump(mode="json", exclude_none=True))


def test_every_built_in_driver_is_covered() -> None:
    assert {(group, name) for group in BUILT_IN for name in BUILT_IN[group]} == set(EVERY_KEY)


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a third party's drivers for the time of a test."""
    site = tmp_path / "site"
    info = site / "acme_radio-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: acme-radio\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[radiobridge.interfaces]\nacme = acme_radio:Acme\nfree = acme_radio:Free\n"
        "gone = acme_missing:Gone\n",
        encoding="utf-8",
    )
    (site / "acme_radio.py").write_text(
        "from pydantic import BaseModel\n"
        "class Settings(BaseModel, extra='forbid'):\n"
        "    driver: str\n    speed: int = 3\n"
        "class Acme:\n    Settings = Settings\n    reports_channel = True\n"
        "class Free:\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("acme_radio", None)


def put(home: Home, interface: str) -> None:
    home.edit(
        "windsor.yaml",
        '{driver: lines, device: /dev/rb-a, ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min}',
        interface,
    )


@pytest.mark.usefixtures("plug_in")
def test_a_third_partys_settings_are_checked_by_its_model(home: Home) -> None:
    put(home, "{driver: acme}")
    assert home.load().config.radios["tac1"].interface == {"driver": "acme", "speed": 3}
    put_again = home.text("windsor.yaml").replace("{driver: acme}", "{driver: acme, sped: 3}")
    home.write("windsor.yaml", put_again)
    problem = home.only_problem()
    assert problem.path == "radios.tac1.interface.sped"
    assert "did you mean `speed`?" in problem.text.en


@pytest.mark.usefixtures("plug_in")
def test_a_third_party_without_a_model_gets_what_is_written(home: Home) -> None:
    put(home, "{driver: free, what: [1, {ever: x}]}")
    assert home.load().config.radios["tac1"].interface["what"] == [1, {"ever": "x"}]


@pytest.mark.parametrize("interface", ["{driver: ccdi, device: /dev/rb-a}", "{driver: acme}"])
@pytest.mark.usefixtures("plug_in")
def test_a_driver_that_can_say_its_channel_is_told_to(home: Home, interface: str) -> None:
    put(home, interface)
    assert "report_channel" not in interface_settings(home.load().config.radios["tac1"])
    home.edit("windsor.yaml", "    talkgroup: TAC1", "    talkgroup: TAC1\n    channel: '12'")
    assert interface_settings(home.load().config.radios["tac1"])["report_channel"] is True


@pytest.mark.parametrize("name", sorted(BUILT_IN[Group.INTERFACES]))
def test_what_the_check_knows_of_channels_is_what_the_driver_says(name: str) -> None:
    driver = load(Group.INTERFACES, name)
    assert reports_channel(name, simulation=False) is getattr(driver, "reports_channel", False)


@pytest.mark.usefixtures("plug_in")
def test_a_third_party_that_never_says_its_channel_is_refused_one(home: Home) -> None:
    put(home, "{driver: free}")
    home.edit("windsor.yaml", "    talkgroup: TAC1", "    talkgroup: TAC1\n    channel: '12'")
    problem = home.only_problem()
    assert problem.path == "radios.tac1.channel"
    assert "interface `free` never reports a channel" in problem.text.en


@pytest.mark.usefixtures("plug_in")
def test_a_driver_whose_library_is_missing_says_what_to_install(home: Home) -> None:
    put(home, "{driver: gone}")
    problem = home.only_problem()
    assert problem.path == "radios.tac1.interface.driver"
    assert "'acme_missing'" in problem.text.en
    assert "acme_missing" in problem.text.fr
