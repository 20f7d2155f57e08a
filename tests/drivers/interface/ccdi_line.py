"""The `ccdi` driver on a simulated radio, used as the keyer uses it."""

from collections.abc import Callable
from typing import Any

from radiobridge.drivers.interface.ccdi import CcdiInterface
from radiobridge.model.interface import InterfaceEvent
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from tests.drivers.interface.waiting import until


def driver(radio: CcdiRadio, **settings: Any) -> CcdiInterface:
    return CcdiInterface.from_settings({"driver": "ccdi", "device": radio.path, **settings})


def said_while_refreshed(line: CcdiInterface, done: Callable[[], bool]) -> list[InterfaceEvent]:
    """Renew as the keyer does until `done`; return what the radio has said meanwhile."""
    said: list[InterfaceEvent] = []

    def renewed() -> bool:
        line.refresh()
        said.extend(line.poll())
        return done()

    until(renewed)
    return said
