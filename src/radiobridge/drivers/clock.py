"""The two clocks of this machine, and whether the kernel says that its wall clock is synchronised.

adjtimex(2) with no mode set only reads; it needs no rights. TIME_ERROR or STA_UNSYNC means that
nothing (chrony, ntpd, timesyncd, PTP) has disciplined the clock lately.
"""

import ctypes
import time
from enum import StrEnum

_TIME_ERROR = 5
_STA_UNSYNC = 0x0040


class Synchronised(StrEnum):
    """Where the word on synchronisation comes from (`clock.synchronised`)."""

    AUTO = "auto"
    """Ask the kernel."""
    TRUSTED = "trusted"
    """The operator vouches, for instance inside a container or with a GPS card."""


class _Timex(ctypes.Structure):
    """The head of `struct timex`; the rest is room for what the kernel fills in."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class SystemClock:
    """A Clock (see `spi`)."""

    def __init__(self, synchronised: Synchronised = Synchronised.AUTO) -> None:
        self._trusted = synchronised is Synchronised.TRUSTED

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """See Clock."""
        return time.time_ns() // 1_000_000

    def synchronised(self) -> bool:
        """See Clock."""
        return self._trusted or _kernel_synchronised()


def _kernel_synchronised() -> bool:
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return False
    timex = _Timex()
    state: int = adjtimex(ctypes.byref(timex))
    return 0 <= state < _TIME_ERROR and not timex.status & _STA_UNSYNC
