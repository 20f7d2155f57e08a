"""Each `radiobridge …` that a page, a unit or an example shows is a command, with these options."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup

from radiobridge.cli.main import command
from radiobridge.cli.plugins import LazyCommand

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "hardware/**/*", "config/**/*.yaml", "systemd/*")
    for path in ROOT.glob(pattern)
    if path.is_file()
)
_SHOWN = re.compile(
    r"`radiobridge ([^`]+)`|^ *(?:\S*/bin/|ExecStart=\S*/)?radiobridge (.+)$", re.MULTILINE
)
_NO_COMMAND = ("radiobridge probe 1", "radiobridge fingerprint 1", "radiobridge 1 audit record")
"""Labels of the wire."""


def shown() -> dict[str, Path]:
    """Return every command line, joined where it goes on, without its remark."""
    found: dict[str, Path] = {}
    for page in PAGES:
        text = re.sub(r"\\\n *", " ", page.read_text(encoding="utf-8"))
        for match in _SHOWN.finditer(text):
            line = "radiobridge " + re.split(r" {3,}|#|;", match[1] or match[2])[0]
            if not line.startswith(_NO_COMMAND) and "radiobridge." not in line:
                found[" ".join(line.split())] = page
    return found


SHOWN = shown()


def test_the_pages_show_commands() -> None:
    assert len(SHOWN) > 50


@pytest.mark.parametrize("line", SHOWN)
def test_what_a_page_shows_is_a_command(line: str) -> None:
    for words in spelled_out(shlex.split(line)):
        check(words, f"{SHOWN[line]}: {line}")


def spelled_out(words: list[str]) -> list[list[str]]:
    """Return one line for each of `show|verify`."""
    several = next((word for word in words if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word)), None)
    if several is None:
        return [words]
    return [[one if word == several else word for word in words] for one in several.split("|")]


def check(words: list[str], where: str) -> None:
    here: TyperGroup | TyperCommand = command()
    rest = words[1:]
    while isinstance(here, TyperGroup) and rest and not rest[0].startswith(("-", "…", "|", ">")):
        found = here.commands.get(rest[0])
        found = found.real() if isinstance(found, LazyCommand) else found
        assert isinstance(found, TyperGroup | TyperCommand), f"{where}: no command {rest[0]}"
        here, rest = found, rest[1:]
    options = {name for one in here.params for name in (*one.opts, *one.secondary_opts)}
    options |= {"--help", "-h"}
    for word in rest:
        if word.startswith("-") and word != "-":
            assert word.split("=")[0] in options, f"{where}: no option {word}"
