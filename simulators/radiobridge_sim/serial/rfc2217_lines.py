"""A serial port with bare lines behind RFC 2217: what ser2net is in the field.

A pty has no modem lines, so RTS, DTR, CTS, DSR, DCD and RI are carried over TCP. One client at a
time; both output lines drop when it goes, as they do on a port that is closed. It differs from
ser2net in that no line is raised for an instant when a client connects; `raises_on_open` does that
as a Linux port would.
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from serial import rfc2217

from radiobridge_sim.serial.log import LineCallback, LineChange


class _Lines:
    """The serial port that pyserial's server side works on."""

    def __init__(self, changed: Callable[[dict[str, bool], str], None]) -> None:
        self._changed = changed
        self._levels = {"RTS": False, "DTR": False}
        self.cts = self.dsr = self.cd = self.ri = False
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9600, 8, "N", 1
        self.xonxoff = self.rtscts = self.break_condition = False

    def set(self, cause: str, **levels: bool) -> None:
        """Set output lines, all of them at the same instant as the kernel does."""
        changed = {line: on for line, on in levels.items() if self._levels[line] is not on}
        self._levels.update(changed)
        if changed:
            self._changed(changed, cause)

    @property
    def rts(self) -> bool:
        return self._levels["RTS"]

    @rts.setter
    def rts(self, level: bool) -> None:
        self.set("client", RTS=level)

    @property
    def dtr(self) -> bool:
        return self._levels["DTR"]

    @dtr.setter
    def dtr(self, level: bool) -> None:
        self.set("client", DTR=level)

    def reset_input_buffer(self) -> None:
        """Do nothing: there is no data."""

    def reset_output_buffer(self) -> None:
        """Do nothing: there is no data."""


class _Connection:
    """What pyserial's server side writes to."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def write(self, data: bytes) -> None:
        """Send to the client."""
        with contextlib.suppress(OSError):
            self._sock.sendall(data)


class Rfc2217Lines:
    """One port in a thread. Methods may be called from any thread.

    `ptt` says what keys, in the notation of the `lines` driver; its state is logged as line `PTT`
    and told to `on_ptt(on, cause)` with the cause `client`, `disconnect` or `power`.
    """

    def __init__(
        self,
        *,
        ptt: str = "RTS",
        cor: str = "CTS",
        port: int = 0,
        on_ptt: Callable[[bool, str], None] | None = None,
        log: LineCallback | None = None,
        raises_on_open: str = "",
    ) -> None:
        self._ptt_rule = ptt
        self._cor_line = cor
        self._port = port
        self._on_ptt = on_ptt
        self._log = log
        self._raises_on_open = raises_on_open.split()
        self._serial = _Lines(self._changed)
        self._ptt = False
        self._server: socket.socket | None = None
        self._client: socket.socket | None = None
        self._manager: Any = None
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._running = False
        self.frozen = False
        """Answer nothing more: the network between is dead."""

    def start(self) -> None:
        """Listen on the loopback."""
        server = socket.create_server(("127.0.0.1", self._port), backlog=1)
        self._server = server
        self._port = server.getsockname()[1]
        self._running = True
        self._thread = threading.Thread(target=self._run, name="rfc2217 lines", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and stop; `start` listens on the same TCP port again."""
        self._running = False
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def url(self) -> str:
        """Return the device as the driver wants it."""
        return f"rfc2217://127.0.0.1:{self._port}"

    @property
    def ptt(self) -> bool:
        """Tell whether the lines key."""
        return self._ptt

    def set_cor(self, *, active: bool) -> None:
        """Set the input line that carries COR."""
        if self.set_input(self._cor_line, active=active):
            self._note("COR", active, "air")

    def set_input(self, line: str, *, active: bool) -> bool:
        """Set CTS, DSR, DCD or RI; tell whether it changed."""
        attribute = {"CTS": "cts", "DSR": "dsr", "DCD": "cd", "RI": "ri"}[line]
        if getattr(self._serial, attribute) is active:
            return False
        setattr(self._serial, attribute, active)
        os.eventfd_write(self._wake, 1)
        return True

    def babble(self, noise: bytes) -> None:
        """The serial line brings data, though nobody asked for any."""
        client = self._client
        if client is not None:
            _Connection(client).write(noise.replace(b"\xff", b"\xff\xff"))

    def _run(self) -> None:
        try:
            while self._running:
                self._turn()
        finally:
            self._disconnect()
            if self._server is not None:
                self._server.close()
                self._server = None

    def _turn(self) -> None:
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        waited = self._client or self._server
        if waited is not None and not self.frozen:
            poller.register(waited, select.POLLIN)
        for fd, _ in poller.poll(100):
            if fd == self._wake:
                os.eventfd_read(self._wake)
            elif self._client is None:
                self._accept()
            else:
                self._receive(self._client)
        if self._manager is not None and not self.frozen:
            self._manager.check_modem_lines()

    def _accept(self) -> None:
        if self._server is None:
            return
        self._client, _ = self._server.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._serial.set("open", **dict.fromkeys(self._raises_on_open, True))
        serial: Any = self._serial  # it needs no more of a port than these lines
        connection: Any = _Connection(self._client)
        self._manager = rfc2217.PortManager(serial, connection)

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(1024)
        except OSError:
            data = b""
        if not data:
            self._disconnect()
            return
        for _ in self._manager.filter(data):
            pass

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        self._manager = None
        if client is not None:
            client.close()
        self._serial.set("disconnect", DTR=False, RTS=False)

    def _changed(self, levels: dict[str, bool], cause: str) -> None:
        for line, level in levels.items():
            self._note(line, level, cause)
        on = self._keyed()
        if on is self._ptt:
            return
        self._ptt = on
        self._note("PTT", on, cause)
        if self._on_ptt is not None:
            self._on_ptt(on, cause)

    def _keyed(self) -> bool:
        levels = {"RTS": self._serial.rts, "DTR": self._serial.dtr}
        line, pair, guard = self._ptt_rule.partition("!")
        if not pair:
            return levels[line]
        if not line:
            return self._client is not None and not levels[guard]
        return levels[line] and not levels[guard]

    def _note(self, line: str, value: bool, cause: str) -> None:
        if self._log is not None:
            self._log(LineChange(time.monotonic(), line, value, cause))
