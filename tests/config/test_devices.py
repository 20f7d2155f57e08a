"""Two radios on one device, by whatever names it goes."""

from pathlib import Path

import pytest

from tests.config.home import Home

SECOND = '{driver: usrp, listen: "127.0.0.1:34001", peer: "127.0.0.1:32001"}'


def put_second_on(home: Home, device: str) -> None:
    home.edit(
        "windsor.yaml",
        SECOND,
        f'{{driver: lines, device: "{device}", ptt: RTS, cor: DSR, radio_time_out: 60s}}\n'
        "    audio: {driver: soundcard, device: Card B}",
    )


def put_first_on(home: Home, device: str) -> None:
    home.edit("windsor.yaml", "/dev/rb-a", f'"{device}"')


def test_the_same_path(home: Home) -> None:
    put_second_on(home, "/dev/rb-a")
    problem = home.only_problem()
    line = home.line("windsor.yaml", "tac1:") + 2
    assert problem.path == "radios.tac2.interface.device"
    assert f"/dev/rb-a is already the device of radio `tac1` on line {line}" in problem.text.en
    assert f"est déjà l'appareil de la radio `tac1`, ligne {line}" in problem.text.fr


def test_two_links_to_one_device(home: Home, tmp_path: Path) -> None:
    device = tmp_path / "ttyUSB7"
    device.touch()
    for name in ("by-id", "by-path"):
        (tmp_path / name).symlink_to(device)
    put_first_on(home, str(tmp_path / "by-id"))
    put_second_on(home, str(tmp_path / "by-path"))
    problem = home.only_problem()
    assert problem.path == "radios.tac2.interface.device"
    assert str(device) in problem.text.en


SAME_URLS = [
    ("rfc2217://10.0.0.5:4000", "rfc2217://10.0.0.5:4000"),
    ("rfc2217://LOCALHOST:4000", "rfc2217://127.0.0.1:4000"),
    ("rfc2217://10.0.0.5:4000?timeout=3", "socket://10.0.0.5:4000"),
]


@pytest.mark.parametrize(("first", "second"), SAME_URLS)
def test_one_remote_port(home: Home, first: str, second: str) -> None:
    put_first_on(home, first)
    put_second_on(home, second)
    assert home.only_problem().path == "radios.tac2.interface.device"


def test_two_remote_ports_are_two_devices(home: Home) -> None:
    put_first_on(home, "rfc2217://10.0.0.5:4000")
    put_second_on(home, "rfc2217://10.0.0.5:4001")
    assert home.problems() == ()


USRP = [
    ("127.0.0.1:34001", "127.0.0.1:9", "listen"),
    ("localhost:34001", "127.0.0.1:9", "listen"),
    ("0.0.0.0:34001", "127.0.0.1:9", "listen"),
    ("127.0.0.1:34002", "127.0.0.1:32001", "peer"),
]


@pytest.mark.parametrize(("listen", "peer", "key"), USRP)
def test_one_usrp_address(home: Home, listen: str, peer: str, key: str) -> None:
    old = home.text("windsor.yaml").splitlines()[home.line("windsor.yaml", "/dev/rb-a") - 1]
    home.edit(
        "windsor.yaml", old, f'    interface: {{driver: usrp, listen: "{listen}", peer: "{peer}"}}'
    )
    home.edit("windsor.yaml", "    audio: {driver: soundcard, device: Card A}\n", "")
    problem = home.only_problem()
    assert problem.path == f"radios.tac2.interface.{key}"
    assert "already the device of radio `tac1`" in problem.text.en


def test_one_sound_card(home: Home) -> None:
    put_second_on(home, "/dev/rb-b")
    home.edit("windsor.yaml", "Card B", "card a")
    problem = home.only_problem()
    assert problem.path == "radios.tac2.audio.device"
    assert "card a is already the device of radio `tac1`" in problem.text.en


def test_one_card_for_both_ways_of_one_radio_is_fine(home: Home) -> None:
    home.edit("windsor.yaml", "device: Card A", "input: Card A, output: Card A")
    assert home.problems() == ()
