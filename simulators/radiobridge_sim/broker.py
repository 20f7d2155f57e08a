"""A real mosquitto broker as a child process, for tests and the demonstration.

Each user writes under its own name only (`pattern write rb/1/%u/#`) and reads everything below
`rb/1/`, as DESIGN has it. Plain and, with an authority, TLS listeners on free ports of 127.0.0.1,
which stay the same when the broker is killed and started again.

The broker ends with this process, however that ends: a small shell between the two waits for the
end of a pipe that only this process holds, then kills the broker.
"""

import atexit
import base64
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from radiobridge.errors import DependencyMissingError, DriverError
from radiobridge_sim.certificates import Authority

_GUARD = '"$@" </dev/null & echo $!; exec >/dev/null; read -r _; kill -9 $! 2>/dev/null; wait'
_READY_S = 10.0
_STEP_S = 0.01


class Broker:
    """One mosquitto with its own folder; start, stop, kill, pause and resume it at will.

    All calls block for some ms (`start` until the broker accepts): from an event loop, call
    through `asyncio.to_thread`.
    """

    def __init__(
        self, folder: Path, users: Mapping[str, str], *, authority: Authority | None = None
    ) -> None:
        """Prepare a broker in `folder` for `users` (name to password)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = _free_port()
        self.tls_port = _free_port() if authority else None
        self.log = folder / "mosquitto.log"
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0
        self._write_files(users, authority)

    @property
    def url(self) -> str:
        """The plain listener, `mqtt://127.0.0.1:port`."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The TLS listener, `mqtts://localhost:port`."""
        if self.tls_port is None:
            raise DriverError("this broker has no TLS listener", "ce courtier n'a pas de port TLS")
        return f"mqtts://localhost:{self.tls_port}"

    @property
    def pid(self) -> int:
        """The process id of mosquitto, 0 when it does not run."""
        return self._pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when it accepts connections; raise DriverError when it does not."""
        if self._guard is not None:
            return
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", _mosquitto(), "-c", str(self._config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        atexit.register(self.kill)
        assert self._guard.stdout is not None  # noqa: S101  PIPE was asked for
        self._pid = int(self._guard.stdout.readline())
        self._wait_ready()

    def stop(self) -> None:
        """End it with SIGTERM: it says goodbye to its clients."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL, in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it with SIGSTOP: its sockets stay open and nobody reads them."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self._pid, signal.SIGCONT)

    def bridge_to(self, other: "Broker") -> None:
        """Carry everything below `rb/1/` both ways between the two, from their next starts on.

        May be called again: mosquitto does not start with the same bridge twice.
        """
        if f"connection bridge-{self.port}\n" in self._config.read_text(encoding="utf-8"):
            return
        name, password = f"bridge-{self.port}", secrets.token_urlsafe(24)
        other.admit(name, password)
        with self._config.open("a") as config:
            config.write(
                f"connection {name}\naddress 127.0.0.1:{other.port}\n"
                f"remote_username {name}\nremote_password {password}\n"
                "bridge_protocol_version mqttv50\ncleansession true\nnotifications false\n"
                "restart_timeout 1\nbridge_max_packet_size 0\ntopic rb/1/# both 1\n"
            )

    def admit(self, name: str, password: str) -> None:
        """Let somebody write everything below `rb/1/`, as a bridge must, from the next start on."""
        with (self.folder / "passwords").open("a") as passwords:
            passwords.write(f"{name}:{_hashed(password)}\n")
        with (self.folder / "acl").open("a") as acl:
            acl.write(f"user {name}\ntopic readwrite rb/1/#\n")

    def _end(self, how: signal.Signals) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        atexit.unregister(self.kill)
        if how is not signal.SIGKILL and self._alive():
            os.kill(self._pid, how)
            os.kill(self._pid, signal.SIGCONT)
            self._wait_gone()
        guard.communicate("")
        self._pid = 0

    def _wait_gone(self) -> None:
        until = time.monotonic() + _READY_S
        while self._alive() and time.monotonic() < until:
            time.sleep(_STEP_S)

    def _alive(self) -> bool:
        try:
            state = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state != "Z"

    def _wait_ready(self) -> None:
        until = time.monotonic() + _READY_S
        for port in filter(None, (self.port, self.tls_port)):
            while not _accepts(port):
                if time.monotonic() > until or not self._alive():
                    self.kill()
                    said = self.log.read_text(errors="replace")[-500:]
                    raise DriverError(
                        f"mosquitto did not start: {said}", f"mosquitto n'a pas démarré : {said}"
                    )
                time.sleep(_STEP_S)

    def _write_files(self, users: Mapping[str, str], authority: Authority | None) -> None:
        self._config = self.folder / "mosquitto.conf"
        passwords, acl = self.folder / "passwords", self.folder / "acl"
        _write_private(passwords, "".join(f"{u}:{_hashed(p)}\n" for u, p in users.items()))
        _write_private(acl, "pattern write rb/1/%u/#\npattern read rb/1/#\n")
        lines = [
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",
            "per_listener_settings false",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {acl}",
            "persistence false",
            # Without it Nagle's algorithm holds a voice packet back until the last one is acked.
            "set_tcp_nodelay true",
            "log_dest stderr",
            "connection_messages true",
            f"listener {self.port} 127.0.0.1",
        ]
        if authority is not None:
            server = authority.server()
            lines += [
                f"listener {self.tls_port} 127.0.0.1",
                f"cafile {authority.certificate}",
                f"certfile {server.certificate}",
                f"keyfile {server.key}",
            ]
        self._config.write_text("\n".join(lines) + "\n")


def _mosquitto() -> str:
    found = shutil.which(
        "mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    )
    if found is None:
        raise DependencyMissingError(
            "mosquitto is not installed: apt-get install mosquitto",
            "mosquitto n'est pas installé : apt-get install mosquitto",
        )
    return found


def _hashed(password: str) -> str:
    """Return what mosquitto 2 keeps for a password: PBKDF2 with SHA-512 (`mosquitto_passwd`)."""
    salt, rounds = secrets.token_bytes(12), 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _free_port() -> int:
    """Return a port below Linux's ephemeral range: no outgoing connection takes it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
