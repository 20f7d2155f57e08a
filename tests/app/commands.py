"""The `radiobridge` command, as an operator types it, against a running gateway."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LIMIT_S = 30.0


def radiobridge(
    *arguments: str, socket: Path, language: str = "en"
) -> subprocess.CompletedProcess[str]:
    """Run a command that talks to the gateway at `socket`."""
    environment = {**os.environ, "RADIOBRIDGE_SOCKET": str(socket), "COLUMNS": "200"}
    environment |= {"LC_ALL": f"{language}_CA.UTF-8", "LANGUAGE": language}
    return subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment,
        check=False,
    )


def as_json(*arguments: str, socket: Path) -> Any:
    """Run a command with `--json`; return what it prints."""
    done = radiobridge(*arguments, "--json", socket=socket)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
