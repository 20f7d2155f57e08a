"""The commands of docs/keys.md, run as they are written there."""

import re
import shlex
from pathlib import Path

import pytest

from radiobridge.cli.main import run_command

TEXT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]


def test_each_command_does_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        assert program == "radiobridge"
        # The page has a person answer; here nobody sits at the terminal.
        confirmed = [*arguments, "--yes"] if arguments[1] == "trust" else arguments
        assert run_command(confirmed) == 0, (line, capsys.readouterr().err)
    assert sorted(path.name for path in Path().iterdir()) == [
        "ca.opp.key",
        "ca.opp.key.pub",
        "ca.opp.roster",
        "new.roster",
        "partners.yaml",
        "sarnia.keys",
        "sarnia.keys.pub",
        "windsor.keys",
        "windsor.keys.pub",
    ]


def test_the_page_shows_every_command() -> None:
    shown = {shlex.split(line)[2] for line in COMMANDS}
    assert shown == {"agency", "gateway", "enrol", "fingerprint", "trust"}
