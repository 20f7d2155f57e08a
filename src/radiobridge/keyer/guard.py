"""The keyer's sibling: kills it when it stands still, because a stopped process holds its lines.

A process that is stopped (SIGSTOP, a debugger) runs nothing, not even its own alarm signal, and the
kernel keeps its serial lines as they are. The gateway kills such a keyer, but may be stopped or
dead itself. So the keyer forks this one before it opens any device, and writes a mark to it before
it keys and in each turn while a radio is keyed. No mark for 0.4 s then: SIGKILL, which ends a
stopped process too, and the kernel closes its devices.

Each watches the other: when the guard is gone, or does not read, the keyer keys nothing, unkeys and
ends. The guard holds no device, has a session of its own, heeds no signal that can be ignored, and
ends when the keyer does. Silence is counted in its own turns, so that a machine that slept for a
moment kills nobody.
"""

import fcntl
import os
import select
import signal
from typing import NoReturn, Self

SILENT_S = 0.4
_TURNS = 10
_BUSY, _IDLE = b"b", b"i"
_PIPE_BYTES = 4096
"""The least that Linux gives: a guard that does not read is found out by a full pipe."""

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


class Guard:
    """The keyer's end of it."""

    def __init__(self, pid: int, marks: int) -> None:
        self.pid = pid
        self._marks = marks
        self._busy = False

    @classmethod
    def start(cls) -> Self:
        """Fork the guard of this process; raises OSError.

        To be called before there are devices: the guard keeps no descriptor but its own.
        """
        keyer = os.getpid()
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        pid = os.fork()
        if pid == 0:
            _guard(keyer, reading)
        os.close(reading)
        return cls(pid, writing)

    def mark(self, *, busy: bool) -> bool:
        """Say that the keyer lives while a radio is keyed, or that none is any more.

        False when nobody guards: nothing may be keyed.
        """
        if not (busy or self._busy):
            return True
        self._busy = busy
        try:
            return os.write(self._marks, _BUSY if busy else _IDLE) == 1
        except OSError:
            return False


def _guard(keyer: int, marks: int) -> NoReturn:
    """Watch until the keyer ends, then end."""
    try:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        os.closerange(3, marks)
        os.closerange(marks + 1, max(os.sysconf("SC_OPEN_MAX"), marks + 1))
        _watch(keyer, marks)
    finally:
        os._exit(0)


def _watch(keyer: int, marks: int) -> None:
    poller = select.poll()
    poller.register(marks, select.POLLIN)
    busy, silent = False, 0
    while os.getppid() == keyer:
        if poller.poll(SILENT_S / _TURNS * 1000 if busy else None):
            said = os.read(marks, _PIPE_BYTES)
            if not said:
                return
            busy, silent = said[-1:] == _BUSY, 0
            continue
        silent += 1
        if silent >= _TURNS and os.getppid() == keyer:
            os.kill(keyer, signal.SIGKILL)
            return
