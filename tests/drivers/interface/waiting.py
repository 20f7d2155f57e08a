"""Waits for what a device tells, as the keyer's thread does."""

import select
import time
from collections.abc import Callable

from radiobridge.model.interface import InterfaceEvent
from radiobridge.spi import RadioInterface

LIMIT_S = 10.0
"""How long a real device may take in a test before it has failed."""


def poll_for(interface: RadioInterface, kind: type[InterfaceEvent]) -> InterfaceEvent:
    """Return the first event of `kind`; the others are dropped."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        for event in interface.poll():
            if isinstance(event, kind):
                return event
        fd = interface.fileno()
        select.select([fd] if fd is not None else [], [], [], interface.poll_s)
    raise AssertionError(f"no {kind.__name__}")


def until(condition: Callable[[], bool]) -> None:
    """Wait until another thread has made `condition` true."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, "never came"
        time.sleep(0.002)
