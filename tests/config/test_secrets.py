"""Key files, roster and certificates: present, whole, private, and this gateway's."""

import errno
import os
from pathlib import Path

import pytest

from radiobridge.drivers.store.key_files import create_gateway_keys
from radiobridge.model.ids import parse_gateway
from tests.config.home import Home


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read(home: Home, mode: int) -> None:
    (home.folder / "windsor.keys").chmod(mode)
    problem = home.only_problem()
    assert problem.place.line == home.line("windsor.yaml", "keys:")
    assert problem.path == "keys"
    assert f"chmod 600 {home.folder / 'windsor.keys'}" in problem.text.en
    assert f"chmod 600 {home.folder / 'windsor.keys'}" in problem.text.fr


def test_a_key_file_that_is_not_there(home: Home) -> None:
    (home.folder / "windsor.keys").unlink()
    problem = home.only_problem()
    assert problem.path == "keys"
    assert "make it with `radiobridge keys gateway`" in problem.text.en
    assert "créez-le par `radiobridge keys gateway`" in problem.text.fr


def test_a_key_file_that_cannot_be_read(home: Home) -> None:
    path = home.folder / "windsor.keys"
    path.unlink()
    path.mkdir(mode=0o700)
    assert home.only_problem().path == "keys"


def test_a_key_file_without_permission(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.folder / "windsor.keys"
    path.chmod(0)
    really = os.open

    def as_another_user(name: str | Path, flags: int, mode: int = 0o777) -> int:
        if Path(name) == path:  # root may read every file
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(name, flags, mode)

    monkeypatch.setattr(os, "open", as_another_user)
    problem = home.only_problem()
    assert problem.path == "keys"
    assert "cannot be read by this user; give it to the gateway's user" in problem.text.en
    assert "n'est pas lisible par cet utilisateur" in problem.text.fr
    assert "radiobridge keys" not in problem.text.en


def test_a_key_file_of_another_gateway(home: Home) -> None:
    (home.folder / "windsor.keys").unlink()
    create_gateway_keys(home.folder / "windsor.keys", parse_gateway("ca.opp/sarnia"))
    problem = home.only_problem()
    assert "keys of ca.opp/sarnia, not of ca.opp/windsor" in problem.text.en
    assert "clés de ca.opp/sarnia, non de ca.opp/windsor" in problem.text.fr


def test_a_damaged_key_file_is_not_quoted(home: Home) -> None:
    path = home.folder / "windsor.keys"
    content = path.read_text(encoding="utf-8")
    path.write_text(content[: len(content) // 2], encoding="utf-8")
    problem = home.only_problem()
    assert problem.path == "keys"
    assert content[60:80] not in problem.text.en


def test_a_roster_that_our_agency_did_not_sign(home: Home) -> None:
    text = home.text("partners.yaml")
    ours, theirs = (part.split(",")[0] for part in text.split("{key: ")[1:3])
    swapped = text.replace(ours, "@").replace(theirs, ours).replace("@", theirs)
    home.write("partners.yaml", swapped)
    problem = home.only_problem()
    assert problem.path == "roster"
    assert "no roster that the key of ca.opp" in problem.text.en
    assert "n'est pas un registre signé" in problem.text.fr


def test_a_roster_without_this_gateway(home: Home) -> None:
    home.edit("windsor.yaml", "gateway: windsor", "gateway: sarnia")
    texts = [p.text.en for p in home.problems() if p.path == "roster"]
    assert any("does not list ca.opp/sarnia" in text for text in texts)


@pytest.mark.parametrize(("name", "path"), [("tls.key", "tls.key"), ("pw", "password_file")])
def test_a_broker_secret_that_the_world_can_read(
    home: Home, tmp_path: Path, name: str, path: str
) -> None:
    secret = tmp_path / name
    secret.touch()
    home.edit("windsor.yaml", "    tls: {", f"    password_file: {name}\n    tls: {{")
    secret.chmod(0o604)
    (tmp_path / "tls.key").chmod(0o604 if name == "tls.key" else 0o640)
    found = [p.path for p in home.problems()]
    assert f"brokers[0].{path}" in found
