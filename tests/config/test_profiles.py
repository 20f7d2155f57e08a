"""Profiles: laid under a radio's own settings, and blamed by their own file and line."""

from pathlib import Path

import pytest

from radiobridge.config.load import Files
from radiobridge.config.profiles import profile_files
from tests.config.home import Home

SHIPPED = ("allstarlink-usrp", "generic-lines", "tait-tm9100", "vox-only")

OWN = """\
label: {en: Test radio, fr: Radio d'essai}
interface: {driver: lines, ptt: RTS, cor: "!DCD", baud: 1200}
audio: {driver: soundcard, rate: 16kHz}
receive: {hang: 450ms, gain: 3dB}
transmit: {tail: 70ms, lead_in: 50ms}
"""


@pytest.fixture
def own(home: Home) -> Home:
    (home.folder / "profiles").mkdir()
    home.write("profiles/own.yaml", OWN)
    home.edit("windsor.yaml", "    talkgroup: TAC1", "    talkgroup: TAC1\n    profile: own")
    return home


def test_the_radios_settings_override_the_profiles(own: Home) -> None:
    radio = own.load().config.radios["tac1"]
    assert radio.interface["cor"] == "CTS"
    assert radio.interface["baud"] == 1200
    assert radio.audio is not None
    assert radio.audio["rate"] == 16_000
    assert (radio.transmit.lead_in, radio.transmit.tail) == (0.12, 0.07)
    assert (radio.receive.hang, radio.receive.gain) == (0.2, 3.0)


def test_a_radio_with_another_driver_takes_nothing_of_the_interface(own: Home) -> None:
    own.edit("windsor.yaml", 'driver: lines, device: /dev/rb-a, ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min', "driver: ccdi, device: /dev/rb-a")  # fmt: skip  # noqa: E501 - the line as it stands
    interface = own.load().config.radios["tac1"].interface
    assert interface == {
        "driver": "ccdi",
        "device": "/dev/rb-a",
        "baud": 28_800,
        "dead_man": "press",
        "cor": True,
    }


def test_an_error_in_a_profile_is_blamed_on_its_file(own: Home) -> None:
    own.edit("profiles/own.yaml", "tail: 70ms", "tail: 70")
    problem = own.only_problem()
    assert problem.place.file == str(own.folder / "profiles/own.yaml")
    assert problem.place.line == 5
    assert problem.path == "radios.tac1.transmit.tail"


def test_an_unknown_key_of_a_profile(own: Home) -> None:
    own.edit("profiles/own.yaml", "receive:", "recieve:")
    problem = own.only_problem()
    assert (problem.place.line, problem.path) == (4, "recieve")
    assert "did you mean `receive`?" in problem.text.en


def test_a_profile_that_is_no_yaml(own: Home) -> None:
    own.write("profiles/own.yaml", "label: [\n")
    assert str(own.folder / "profiles/own.yaml") in {p.place.file for p in own.problems()}


def test_all_shipped_profiles_are_found() -> None:
    assert set(SHIPPED) <= set(profile_files(Path("/nowhere")))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_makes_a_radio(home: Home, name: str) -> None:
    interface = {
        "allstarlink-usrp": '{listen: "127.0.0.1:5", peer: "127.0.0.1:6"}',
        "vox-only": "{driver: none}",
    }.get(name, "{device: /dev/rb-a, radio_time_out: 60s}")
    audio = "" if name == "allstarlink-usrp" else "    audio: {device: Card A}\n"
    text = home.text("windsor.yaml")
    start, end = text.index("    interface: {driver: lines"), text.index("  tac2:")
    radio = f"    profile: {name}\n    interface: {interface}\n{audio}"
    home.write("windsor.yaml", text[:start] + radio + text[end:])
    if name == "vox-only":
        home.edit("talkgroups.yaml", "    transmit: {main: windsor/tac1}\n", "")
    config = home.load(Files.UNSEEN).config
    assert config.radios["tac1"].interface["driver"]


def test_a_timer_that_nobody_declared_is_asked_for_in_the_gateways_file(home: Home) -> None:
    text = home.text("windsor.yaml")
    start, end = text.index("    interface: {driver: lines"), text.index("  tac2:")
    radio = "    profile: generic-lines\n    interface: {device: /dev/rb-a}\n"
    radio += "    audio: {device: Card A}\n"
    home.write("windsor.yaml", text[:start] + radio + text[end:])
    problem = home.only_problem()
    assert problem.place.file == str(home.folder / "windsor.yaml")
    assert problem.place.line == home.line("windsor.yaml", "device: /dev/rb-a")
    assert "`radio_time_out: 60s`" in problem.text.en
