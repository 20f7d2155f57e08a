"""A Tait radio on a pty: what the `ccdi` driver finds on its serial line.

It knows PTT presses (timed and constant), progress messages, the model query, the channel command
and the question for the channel. Like the real radio it keeps a constant press when the line goes
away, and ends a timed press by itself. It differs from a real one in that it answers in
microseconds, takes commands without waiting for its prompt, and does not key up slowly: that is the
business of the radio behind it (`on_ptt`).
"""

import contextlib
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from radiobridge_sim.serial.log import LineCallback, LineChange

_PRESS_UNIT_S = 0.125
_CONSTANT = 9
_NOT_READY = 5
_ASK_CHANNEL = "f052"
_MODEL = "13102.03"


class CcdiRadio:
    """One radio in a thread. Methods may be called from any thread.

    `on_ptt(on, cause)` is called in the device's thread; `cause` is `press`, `release`,
    `press-ended`, `inhibited` or `reset`. `link` is a path that always points to the current pty,
    as /dev/serial/by-id does.
    """

    def __init__(
        self,
        *,
        link: Path | None = None,
        on_ptt: Callable[[bool, str], None] | None = None,
        log: LineCallback | None = None,
        channel: str = "000001",
    ) -> None:
        self._link = link
        self._on_ptt = on_ptt
        self._log = log
        self._channel = channel
        self._lock = threading.RLock()
        self._fds: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._running = False
        self._line = bytearray()
        self._ptt = False
        self._ptt_until: float | None = None
        self._cor = False
        self._progress = False
        self.path = ""
        """The device: the link, or the pty itself."""
        self.tty = ""
        """The pty itself."""
        self.inhibited = False
        """Refuse to transmit, as outside its trunking system."""
        self.mute = False
        """Answer nothing and obey nothing, as when switched off."""
        self.not_ready = False
        """Refuse to transmit for now, as while it waits for a channel."""
        self.channel_error: int | None = None
        """The error for an answer to the question for its channel; None: it answers."""
        self.drops_channel = False
        """Lose that question, without so much as a prompt."""
        self.silent = False
        """Obey, and say nothing: the wire from it is broken."""
        self.deaf_to_off = False
        """Ignore PTT off and obey everything else: a broken radio."""
        self.commands: list[str] = []
        """Commands received, without size and checksum."""

    def start(self) -> None:
        """Make the pty and serve it."""
        self.appear()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="ccdi radio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and remove the pty."""
        self._running = False
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        self.vanish()
        os.close(self._wake)

    def vanish(self) -> None:
        """Pull the cable: the device is gone for who has it open."""
        with self._lock:
            fds, self._fds = self._fds, None
            if fds is None:
                return
            for fd in fds:
                os.close(fd)
            if self._link is not None:
                self._link.unlink(missing_ok=True)
        os.eventfd_write(self._wake, 1)  # a thread that polls the pty keeps it open

    def appear(self) -> None:
        """Plug the cable in again; behind a link, the device has another name then."""
        with self._lock:
            if self._fds is not None:
                return
            master, slave = self._pty()
            tty.setraw(slave, termios.TCSANOW)
            os.set_blocking(master, False)
            self._fds = (master, slave)
            self._line.clear()
            self.path = self.tty = os.ttyname(slave)
            if self._link is not None:
                self._link.unlink(missing_ok=True)
                self._link.symlink_to(self.path)
                self.path = str(self._link)
        os.eventfd_write(self._wake, 1)

    def _pty(self) -> tuple[int, int]:
        pair = os.openpty()
        if self._link is None or os.ttyname(pair[1]) != self.tty:
            return pair
        try:
            return os.openpty()
        finally:
            for fd in pair:
                os.close(fd)

    @property
    def ptt(self) -> bool:
        """Tell whether the radio is told to transmit."""
        return self._ptt

    def set_cor(self, *, active: bool) -> None:
        """RF appears on the channel, or ends."""
        with self._lock:
            if active is not self._cor:
                self._cor = active
                self._note("COR", active, "air")
                self._report("05" if active else "06")

    def set_channel(self, channel: str) -> None:
        """Somebody turns the knob: zone (2 digits) and channel (4)."""
        with self._lock:
            self._channel = channel
            self._report(f"210{channel}")

    def emergency(self, *, active: bool) -> None:
        """Somebody presses the radio's own emergency switch, or it is reset."""
        with self._lock:
            self._report("03" if active else "04")

    def babble(self, noise: bytes) -> None:
        """The line brings what no radio has said, as much of it as it takes."""
        with self._lock:
            self._write(noise)

    def drop_ptt(self) -> None:
        """The radio ends the transmission by itself (its own time-out)."""
        with self._lock:
            self._key(None, "radio")

    def restart(self) -> None:
        """Power fails for a moment: PTT off, progress messages off."""
        with self._lock:
            self._key(None, "reset")
            self._report("1F0")
            self._progress = False

    def _run(self) -> None:
        while self._running:
            poller = select.poll()
            poller.register(self._wake, select.POLLIN)
            with self._lock:
                master = self._fds[0] if self._fds is not None else None
                until = self._ptt_until
            if master is not None:
                poller.register(master, select.POLLIN)
            left = None if until is None else max(0.0, (until - time.monotonic()) * 1000)
            for fd, _ in poller.poll(left):
                if fd == self._wake:
                    os.eventfd_read(self._wake)
            with self._lock:
                self._read()
                self._end_press()

    def _end_press(self) -> None:
        if self._ptt_until is not None and time.monotonic() >= self._ptt_until:
            self._key(None, "press-ended")

    def _read(self) -> None:
        if self._fds is None:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            self._line += os.read(self._fds[0], 4096)
        while (end := self._line.find(b"\r")) >= 0:
            line = bytes(self._line[:end])
            del self._line[: end + 1]
            if line and not self.mute:
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        error = self._fault(line)
        if error is None:
            command = chr(line[0]) + line[3:-2].decode("ascii", "replace")
            self.commands.append(command)
            if command == _ASK_CHANNEL and self.drops_channel:
                return
            error = self._command(command)
        if error is not None:
            self._send("e", f"00{error}")
        self._write(b".")

    def _fault(self, line: bytes) -> int | None:
        if len(line) < 5 or _sum(line[:-2]) != line[-2:]:
            return 2
        size = line[1:3]
        return None if int(size, 16) == len(line) - 5 else 3

    def _command(self, command: str) -> int | None:
        match command[0], command[1:]:
            case "f", "041":
                self._progress = True
            case "f", "040":
                self._progress = False
            case "f", "051" | "050":
                pass
            case "f", "052":
                if self.channel_error is None:
                    self._send("p", f"210{self._channel}")
                return self.channel_error
            case "f", press if press.startswith("300") and press[3:].isdecimal():
                return self._pressed(int(press[3:]))
            case "q", "0":
                self._send("m", _MODEL)
            case "g", channel:
                self._channel = channel
            case _:
                return 1
        return None

    def _pressed(self, eighths: int) -> int | None:
        if eighths == 0:
            if not self.deaf_to_off:
                self._key(None, "release")
        elif self.not_ready:
            return _NOT_READY
        elif self.inhibited:
            self._report("02")
        else:
            now = time.monotonic()
            self._key(float("inf") if eighths == _CONSTANT else now + eighths * _PRESS_UNIT_S, "")
        return None

    def _key(self, until: float | None, cause: str) -> None:
        """Transmit until then; None: stop."""
        on = until is not None
        self._ptt_until = None if until == float("inf") else until
        if on is self._ptt:
            return
        self._ptt = on
        self._note("PTT", on, cause or "press")
        if self._on_ptt is not None:
            self._on_ptt(on, cause or "press")
        self._report("07" if on else "08")

    def _report(self, progress: str) -> None:
        if self._progress and not self.mute:
            self._send("p", progress)

    def _send(self, ident: str, parameters: str) -> None:
        head = f"{ident}{len(parameters):02X}{parameters}".encode()
        self._write(head + _sum(head) + b"\r")

    def _write(self, data: bytes) -> None:
        if self._fds is not None and not self.silent:
            with contextlib.suppress(BlockingIOError, OSError):
                os.write(self._fds[0], data)

    def _note(self, line: str, value: bool, cause: str) -> None:
        if self._log is not None:
            self._log(LineChange(time.monotonic(), line, value, cause))


def _sum(head: bytes) -> bytes:
    return b"%02X" % (-sum(head) & 0xFF)
