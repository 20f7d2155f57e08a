"""What the README tells people to type is true."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line
]


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_readme_works_as_it_stands(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "radiobridge"
    done = subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", ["demo", "test", "check", "clean"])
def test_the_makefile_has_what_the_readme_promises(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target, "ARGS=--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if target == "demo":
        assert "radiobridge demo --once" in done.stdout


def test_each_page_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
