"""A real gateway as a child process, with its log in a file."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radiobridge_sim import api_client

PRIORITY = -10
"""Nice value, as in the systemd unit; without the privilege for it, it stays as it is."""

STOP_S = 8.0
"""A gateway that has not ended this long after SIGTERM is killed."""


class GatewayProcess:
    """`radiobridge run CONFIG`. Ends with this process, however that ends (where setpriv is)."""

    def __init__(self, name: str, config: Path, socket: Path, log: Path) -> None:
        self.name = name
        self.config = config
        self.socket = socket
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, `environment` added to ours.

        Call from the main thread: the end of the calling thread ends it.
        """
        command = [sys.executable, "-m", "radiobridge.cli.main", "run", str(self.config)]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | dict(environment or {}),
            )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._child.pid, PRIORITY)

    @property
    def pid(self) -> int | None:
        """Return the process id; None before the first start."""
        return None if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        """Tell whether the process lives."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Return the exit status; None while it runs; negative for a signal."""
        return None if self._child is None else self._child.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._child is not None and self.running:
            self._child.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; return the exit status, None when it still runs."""
        if self._child is None:
            return None
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout_s: float = STOP_S) -> int | None:
        """End it: SIGTERM, and SIGKILL for one that does not obey. Return the exit status."""
        self.send(signal.SIGTERM)
        if self.wait(timeout_s) is None:
            self.send(signal.SIGKILL)
            self.wait(STOP_S)
        return self.exit_status

    def status(self) -> dict[str, Any] | None:
        """Return what `radiobridge status --json` would show, None while it does not answer."""
        try:
            answer = api_client.get(self.socket, "/v1/status")
        except (OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def last_lines(self, count: int = 12) -> str:
        """Return the end of its log."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-count:])
