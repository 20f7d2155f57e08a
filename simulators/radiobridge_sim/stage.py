"""What the commands that start a world share: which radios, where, and an end that is clean."""

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType

from radiobridge.errors import ConfigError
from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.cables import INTERFACES

LONGEST_FOLDER = 60
"""Bytes of the folder for temporary files; what is added to it is less than 45."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(BaseException):
    """A signal asks us to end. Not an Exception, so that nothing but the end catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into StoppedError; the first counts, the rest is ignored."""

    def stop(number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise StoppedError(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """Let nothing interrupt the end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def sides(radios: str) -> tuple[Side, Side]:
    """Return both sides with the radios that `--radios` names; raise ConfigError."""
    canadian, comma, american = radios.partition(",")
    if not comma or not {canadian, american} <= set(INTERFACES):
        raise ConfigError(
            f"--radios {radios}: right would be two of {', '.join(INTERFACES)}, as in ccdi,usrp",
            f"--radios {radios} : il faudrait deux de {', '.join(INTERFACES)}, comme ccdi,usrp",
        )
    return replace(OPP, interface=canadian), replace(CBP, interface=american)


def short_folder() -> str | None:
    """Return where temporary files go: the path of a UNIX socket holds 107 bytes, no more."""
    usual = tempfile.gettempdir()
    return usual if len(usual.encode()) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 - mkdtemp's
