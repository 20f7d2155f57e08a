"""A dispatcher at the keyboard: `radiobridge` commands, run as anybody would run them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from radiobridge.errors import RadioBridgeError

COMMAND_S = 20.0


class CommandFailedError(RadioBridgeError):
    """A command ended with another status than 0."""


class Dispatcher:
    """Gives commands to one running gateway, over its socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def run(self, *words: str) -> Any:  # noqa: ANN401 - whatever JSON the command prints
        """Run `radiobridge WORDS --socket … --json`; return what it prints, decoded.

        Raises CommandFailedError when it fails.
        """
        done = subprocess.run(
            [
                *(sys.executable, "-m", "radiobridge.cli.main", *words),
                *("--json", "--socket", str(self._socket)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            text = f"radiobridge {' '.join(words)}: {said}"
            raise CommandFailedError(text, text)
        return json.loads(done.stdout) if done.stdout.strip() else None
