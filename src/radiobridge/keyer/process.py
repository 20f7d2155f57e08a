"""The keyer: the only process that can key a transmitter. `python -m radiobridge.keyer.process`.

It reads orders from its socket and hands them to one thread for each radio (`keyer.line`). What
ends a transmission, each without help of the others:

1. the gateway says UNKEY, or closes the socket, or dies (end of file, another parent);
2. the gateway renews no lease (stuck, SIGSTOP): the radio's thread unkeys after 200 ms;
3. a thread does not unkey its device in time: the main thread ends the process, and the kernel
   closes the devices, which drops their lines;
4. the main thread itself hangs while a radio is keyed: the kernel's interval timer ends the
   process (SIGALRM with its default action, which needs no code of ours to run);
5. the whole process is stopped: its guard (`keyer.guard`), or the gateway, kills it.

SIGTERM and SIGINT (Ctrl-C reaches the whole process group) unkey at once, but the process stays
until the gateway closes the socket, five seconds at most. No asyncio, no network of its own, no
writing to terminals, and no stop from them (Ctrl-Z stops the gateway alone, and the lease runs
out); opening a device never keys.
"""

import argparse
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from radiobridge.drivers.registry import Group, load
from radiobridge.errors import LocalProtocolError, RadioBridgeError
from radiobridge.keyer.guard import Guard
from radiobridge.keyer.line import EXIT_BUG, EXIT_UNCONFIRMED, Line
from radiobridge.keyer.protocol import (
    MAX_MESSAGE,
    Kind,
    Message,
    json_of,
    pack,
    pack_json,
    pack_rate,
    unpack,
)

HANG_S = 0.4
"""The kernel ends the process when its main thread hangs that long with a radio keyed."""

CLOSE_S = 1.0
"""How long the devices may take to close at the end; then the kernel closes them."""

TOLD_TO_END_S = 5.0
"""After SIGTERM or SIGINT the gateway has that long to close the socket."""

_TURN_S = 0.25
_BUSY_TURN_S = 0.05
_BATCH = 64


class Keyer:
    """The main thread's side: socket, lines, watchdog."""

    def __init__(self, sock: socket.socket, parent: int, guard: Guard) -> None:
        self._sock = sock
        self._guard = guard
        self._guarded = True
        self._parent = parent
        self._lines: list[Line] = []
        self._end_at: float | None = None
        self._armed = False

    def run(self) -> None:
        """Serve until the gateway is gone or says CLOSE; returns with everything unkeyed."""
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        serving = True
        while serving:
            busy = any(line.busy() for line in self._lines)
            self._alarm(hang=busy)
            self._mark(busy=busy)
            if poller.poll((_BUSY_TURN_S if busy else _TURN_S) * 1000):
                serving = self._read()
            self._watch()
            serving = serving and self._guarded and not self._must_end()
        self._close()

    def told_to_end(self, _signal: int, _frame: FrameType | None) -> None:
        """Unkey everything: SIGTERM or SIGINT came."""
        for line in self._lines:
            line.silence()
        if self._end_at is None:
            self._end_at = time.monotonic() + TOLD_TO_END_S

    def _must_end(self) -> bool:
        late = self._end_at is not None and time.monotonic() > self._end_at
        return late or os.getppid() != self._parent

    def _alarm(self, *, hang: bool) -> None:
        """Let the kernel watch the main thread while `hang` would matter."""
        if hang or self._armed:
            signal.setitimer(signal.ITIMER_REAL, HANG_S if hang else 0.0)
            self._armed = hang

    def _mark(self, *, busy: bool) -> None:
        """Let the guard know; without one, nothing is keyed any more."""
        self._guarded = self._guard.mark(busy=busy) and self._guarded

    def _watch(self) -> None:
        now = time.monotonic()
        for line in self._lines:
            if line.overdue(now):
                os._exit(EXIT_UNCONFIRMED)

    def _read(self) -> bool:
        """Take what waits in the socket; False at its end."""
        for _ in range(_BATCH):
            try:
                raw = self._sock.recv(MAX_MESSAGE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not raw:
                return False
            message = unpack(raw)
            if message.kind is Kind.CLOSE:
                return False
            self._take(message)
        return True

    def _take(self, message: Message) -> None:
        if message.kind is Kind.ADD:
            self._add(message)
        elif message.kind is Kind.PING:
            self.send(pack(Kind.PONG, 0, 0, time.monotonic()))
            for line in self._lines:
                line.resend()
        elif message.radio < len(self._lines):
            self._order(self._lines[message.radio], message)
        else:
            raise LocalProtocolError(f"keyer message for unknown radio {message.radio}")

    def _order(self, line: Line, message: Message) -> None:
        if message.kind is Kind.RENEW:
            line.renew(message.serial, message.at)
        elif message.kind is Kind.VOICE:
            line.write(message.body)
        elif message.kind is Kind.UNKEY:
            line.unkey(message.serial)
        elif message.kind is Kind.KEY:
            self._key(line, message)

    def _key(self, line: Line, message: Message) -> None:
        self._mark(busy=True)
        if not self._guarded:
            return
        line.key(message.serial, message.at)
        if self._end_at is not None:
            line.silence()

    def _add(self, message: Message) -> None:
        now = time.monotonic()
        try:
            line, rate = self._line(message.radio, json_of(message))
        except RadioBridgeError as error:
            texts = {"en": error.text.en, "fr": error.text.fr}
        except Exception as error:  # noqa: BLE001 - a third-party driver must not end the others
            texts = {"en": repr(error), "fr": repr(error)}
        else:
            self._lines.append(line)
            self.send(pack_rate(message.radio, now, rate))
            line.start()
            return
        self.send(pack_json(Kind.REFUSED, message.radio, now, texts))

    def _line(self, index: int, order: Mapping[str, Any]) -> tuple[Line, int]:
        if index != len(self._lines):
            raise LocalProtocolError(f"radio {index} added out of order")
        settings: Mapping[str, Any] = order["settings"]
        simulation = bool(order["simulation"])
        cls = load(Group.INTERFACES, str(settings.get("driver", "")), simulation=simulation)
        interface = cls.from_settings(settings)
        rate = int(getattr(interface, "rate", 0))
        voice = interface if rate else None
        line = Line(index, interface, voice, float(order["time_out_s"]), self.send)
        return line, rate

    def send(self, raw: bytes) -> bool:
        """Send to the gateway without ever waiting for it; False when it does not read."""
        try:
            self._sock.send(raw, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def _close(self) -> None:
        until = time.monotonic() + CLOSE_S
        for line in self._lines:
            line.stop()
        while not all(line.ended() for line in self._lines) and time.monotonic() < until:
            self._alarm(hang=True)
            self._mark(busy=True)
            self._watch()
            time.sleep(0.005)
        self._alarm(hang=False)
        self.send(pack(Kind.CLOSED, 0, 0, time.monotonic()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the keyer on the socket that was handed over as `--fd`; never returns."""
    parser = argparse.ArgumentParser(prog="radiobridge-keyer")
    parser.add_argument("--fd", type=int, required=True, help="socket of the gateway")
    parser.add_argument("--parent", type=int, required=True, help="process id of the gateway")
    options = parser.parse_args(arguments)
    sock = _isolate(options.fd)
    gc.freeze()
    keyer = Keyer(sock, options.parent, Guard.start())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keyer.told_to_end)
    for number in (signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    code = EXIT_BUG
    try:
        keyer.run()
        code = 0
    finally:
        os._exit(code)


def _isolate(fd: int) -> socket.socket:
    """Keep the socket and nothing else open, so that this process holds nothing of others."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, fd)
    os.closerange(fd + 1, max(os.sysconf("SC_OPEN_MAX"), fd + 1))
    return sock


if __name__ == "__main__":
    main(sys.argv[1:])
