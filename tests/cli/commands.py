"""Runs `radiobridge` as an operator does, in this process or in one of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from radiobridge.cli.main import run_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one command did."""

    status: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run a command here; its help texts stay in the language of the first import."""
    status = run_command(arguments)
    out, err = capsys.readouterr()
    return Ran(status=status, out=out, err=err)


def run_apart(*arguments: str, lang: str = "C.UTF-8") -> Ran:
    """Run a command in a process of its own, in a language."""
    environment = {**os.environ, "LC_ALL": lang, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
        timeout=60,
    )
    return Ran(status=done.returncode, out=done.stdout, err=done.stderr)
