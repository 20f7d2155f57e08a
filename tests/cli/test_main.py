"""The command as a whole: help, wrong use, exit statuses, plug-ins, and what starting it costs."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from radiobridge.cli import main
from radiobridge.errors import CommandError, ConfigError
from tests.cli.commands import run, run_apart

COMMANDS = [
    (),
    ("run",),
    ("check",),
    ("schema",),
    ("status",),
    ("radio",),
    ("radio", "list"),
    ("radio", "inhibit"),
    ("radio", "allow"),
    ("keys",),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    ran = run(capsys, *command, "--help")
    assert ran.status == 0
    assert "radiobridge" in ran.out
    assert "Example" in ran.out or "Exemple" in ran.out


WRONG_USE = [
    (),
    ("radio",),
    ("--bogus",),
    ("check",),
    ("check", "--bogus"),
    ("nonsense",),
    ("schema", "nonsense"),
    ("radio", "inhibit"),
    ("radio", "inhibit", "tac1", "tac2"),
    ("status", "--socket"),
    ("run",),
    ("run", "a.yaml", "b.yaml"),
]


@pytest.mark.parametrize("arguments", WRONG_USE)
def test_wrong_use_exits_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    ran = run(capsys, *arguments)
    assert ran.status == 2
    assert "Traceback" not in ran.err
    assert ran.err or "Usage" in ran.out


def test_wrong_use_names_the_nearest_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean 'check'" in run(capsys, "chek").err


def test_wrong_use_in_french() -> None:
    ran = run_apart("check", "--bogus", lang="fr_CA.UTF-8")
    assert ran.status == 2
    assert "Erreur: Option inconnue: --bogus" in ran.err
    assert "Voir 'radiobridge check --help'" in ran.err


def test_help_in_french() -> None:
    ran = run_apart("--help", lang="fr_CA.UTF-8")
    assert ran.status == 0
    assert "Commandes" in ran.out
    assert "Relier par consentement les radios" in ran.out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version").out.strip().count(".") == 2


def test_run_with_a_bad_configuration_exits_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("agency: 1\n", encoding="utf-8")
    ran = run(capsys, "run", str(path))
    assert ran.status == 2
    assert f"{path}:1: agency: 1 is not text" in ran.err


def test_errors_become_statuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[BaseException] = [
        CommandError("no", "non"),
        ConfigError("bad", "mauvais"),
        KeyboardInterrupt(),
        BrokenPipeError(),
    ]
    app = typer.Typer()

    @app.command(name="one")
    def one() -> None:
        raise raised[0]

    @app.command(name="two")
    def two() -> None: ...

    monkeypatch.setattr(main, "command", lambda: typer.main.get_group(app))
    statuses = []
    while raised:
        statuses.append(main.run_command(["one"]))
        raised.pop(0)
    assert statuses == [1, 2, 130, 1]
    assert capsys.readouterr().err == "no\nbad\n"


def test_starting_imports_nothing_heavy() -> None:
    heavy = ["aiohttp", "cryptography", "gmqtt", "numpy", "pydantic", "structlog", "yaml"]
    code = (
        "import sys; from radiobridge.cli.main import run_command; run_command(['--help']);"
        f"print('heavy:', [m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Offer commands of a third party; the file says which."""
    info = tmp_path / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: acme\nVersion: 1.0\n", encoding="utf-8")
    (tmp_path / "site" / "acme_commands.py").write_text(
        "import typer\n"
        "def hello(name: str) -> None:\n    print('hello', name)\n"
        "group = typer.Typer()\n"
        "@group.command()\ndef up() -> None:\n    print('up')\n"
        "@group.command()\ndef down() -> None:\n    print('down')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return info / "entry_points.txt"


def test_a_plug_in_adds_commands(capsys: pytest.CaptureFixture[str], plug_in: Path) -> None:
    plug_in.write_text(
        "[radiobridge.commands]\nhello = acme_commands:hello\nlift = acme_commands:group\n"
        "broken = acme_nothing:x\n",
        encoding="utf-8",
    )
    assert "hello" in run(capsys, "--help").out
    assert run(capsys, "hello", "you").out == "hello you\n"
    assert run(capsys, "lift", "up").out == "up\n"
    assert run(capsys, "lift", "sideways").status == 2
    broken = run(capsys, "broken")
    assert broken.status == 1
    assert "acme_nothing" in broken.err


def test_a_plug_in_cannot_replace_a_command(
    capsys: pytest.CaptureFixture[str], plug_in: Path
) -> None:
    plug_in.write_text("[radiobridge.commands]\ncheck = acme_commands:hello\n", encoding="utf-8")
    ran = run(capsys, "check", "x")
    assert ran.status == 2
    assert "registers the command 'check', which radiobridge has itself" in ran.err
