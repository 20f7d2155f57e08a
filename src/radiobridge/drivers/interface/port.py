"""Opens serial ports without keying what hangs on them.

pyserial (and Linux itself, for an instant) raises DTR and RTS when a port is opened, so the port
is built unopened with its lines set first. A local port is opened for us alone and set to drop its
lines when its last descriptor closes (HUPCL), which is what unkeys after SIGKILL. A remote one
(`rfc2217://host:port`) notices a dead network within about two seconds and does not wait in steps
of 50 ms as pyserial's own client does.
"""

import contextlib
import fcntl
import queue
import socket
import termios
import threading
import time
import warnings
from typing import Any, TypeAlias

import serial
from serial import rfc2217

from radiobridge.errors import DriverError, os_reason
from radiobridge.text import Text

Port: TypeAlias = "serial.Serial | RemotePort"
"""A port, local or remote; other pyserial URLs behave as a local one."""

WRITE_S = 0.1
"""A local port that takes no bytes for that long has failed."""

ANSWER_S = 0.2
"""A remote port that does not confirm a line change for that long has failed."""

UNREAD_BYTES = 4096
"""What a remote port keeps of what nobody reads; the rest is dropped, uncounted: it is noise."""

_STEP_S = 0.001
_REMOTE = "rfc2217://"


class _Unread(queue.Queue[bytes | None]):
    """Holds what was received and not read yet. Bound: 4096 items; drops the newest."""

    def __init__(self) -> None:
        super().__init__(UNREAD_BYTES)

    def put(self, item: bytes | None, block: bool = True, timeout: float | None = None) -> None:
        """Never wait: the same thread receives the input lines."""
        del block, timeout
        with contextlib.suppress(queue.Full):
            super().put(item, block=False)


class RemotePort(rfc2217.Serial):
    """An RFC 2217 connection that is quick, and that ends when the network does."""

    # What pyserial's class keeps and its stubs do not tell.
    _rfc2217_options: dict[str, Any]
    _socket: socket.socket
    _read_buffer: queue.Queue[bytes | None]
    _thread: threading.Thread | None

    def open(self) -> None:
        """Connect, negotiate, set the lines."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pyserial 3.5: Thread.setDaemon
            super().open()
        self._read_buffer = _Unread()
        self._network_timeout = ANSWER_S
        sock = self._socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_KEEPIDLE, 1),
            (socket.TCP_KEEPINTVL, 1),
            (socket.TCP_KEEPCNT, 1),
            (socket.TCP_USER_TIMEOUT, 1000),
        ):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def rfc2217_set_control(self, value: bytes) -> None:
        """Change a line or the flow control; returns when the far end has confirmed it."""
        item = self._rfc2217_options["control"]
        item.set(value)
        end = time.monotonic() + self._network_timeout
        while not item.is_ready():
            if time.monotonic() > end or not self.alive():
                self._network_timeout = 0.0  # the unkeying that follows must not wait once more
                raise serial.SerialException("the far end does not confirm a line change")
            time.sleep(_STEP_S)

    def close(self) -> None:
        """Disconnect at once: the far end drops the lines."""
        self.is_open = False
        sock, thread = getattr(self, "_socket", None), self._thread
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        if thread is not None:
            thread.join(ANSWER_S)

    def alive(self) -> bool:
        """Tell whether the connection still stands."""
        return self._thread is not None and self._thread.is_alive()


def open_port(device: str, baud: int, *, dtr: bool, rts: bool) -> Port:
    """Return `device` (a path or a pyserial URL), open, with its lines as given.

    Raises DriverError. `dtr` is set before `rts`; both are on for an instant while Linux opens.
    """
    try:
        port = _unopened(device)
        port.baudrate = baud
        port.timeout = 0
        port.dtr = dtr
        port.rts = rts
        port.open()
    except (OSError, ValueError, serial.SerialException) as error:
        raise failed(device, because("cannot be opened", "ne peut être ouvert", error)) from error
    if not isinstance(port, RemotePort):
        _ours_alone(port.fileno())
    return port


def failed(device: str, why: Text) -> DriverError:
    """Return the error of a device."""
    return DriverError(f"{device}: {why.en}", f"{device} : {why.fr}")


def because(en: str, fr: str, error: Exception) -> Text:
    """Return what failed, and what the system says of it."""
    reason = os_reason(error) if isinstance(error, OSError) else Text(str(error), str(error))
    return Text(f"{en}: {reason.en}", f"{fr} : {reason.fr}")


def descriptor(port: Port) -> int | None:
    """Return the descriptor of a local port, None for a remote one."""
    return None if isinstance(port, RemotePort) else port.fileno()


def _unopened(device: str) -> Port:
    if device.startswith(_REMOTE):
        remote = RemotePort()
        remote.port = device
        return remote
    port = serial.serial_for_url(device, do_not_open=True)
    port.exclusive = True
    port.write_timeout = WRITE_S
    return port


def _ours_alone(fd: int) -> None:
    """Refuse other openers, and make the last close drop DTR and RTS."""
    with contextlib.suppress(OSError, termios.error):
        fcntl.ioctl(fd, termios.TIOCEXCL)
    with contextlib.suppress(OSError, termios.error):
        attributes = termios.tcgetattr(fd)
        attributes[2] |= termios.HUPCL
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
