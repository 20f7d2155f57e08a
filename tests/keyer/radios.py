"""One simulated radio of each kind on its real cable, the way the keyer finds it."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from radiobridge.model.ids import RadioName
from radiobridge.model.interface import InterfaceEvent
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.log import LineHistory
from radiobridge_sim.serial.rfc2217_lines import Rfc2217Lines
from radiobridge_sim.serial.usrp_peer import UsrpPeer

CCDI = RadioName("ccdi")
LINES = RadioName("lines")
USRP = RadioName("usrp")
ALL = (CCDI, LINES, USRP)

LIMIT_S = 20.0
"""How long anything real may take in a test before it has failed."""


@dataclass
class Radios:
    """The devices and their line logs."""

    ccdi: CcdiRadio
    lines: Rfc2217Lines
    usrp: UsrpPeer
    settings: dict[RadioName, dict[str, Any]]
    history: dict[RadioName, LineHistory]

    def set_cor(self, radio: RadioName, *, active: bool) -> None:
        """The receiver of one radio opens or closes."""
        devices: dict[RadioName, CcdiRadio | Rfc2217Lines | UsrpPeer] = {
            CCDI: self.ccdi,
            LINES: self.lines,
            USRP: self.usrp,
        }
        devices[radio].set_cor(active=active)

    def lose(self, radio: RadioName) -> None:
        """The device is gone: cable, server, node."""
        {CCDI: self.ccdi.vanish, LINES: self.lines.stop, USRP: self.usrp.stop}[radio]()

    def bring_back(self, radio: RadioName) -> None:
        """The device is there again."""
        {CCDI: self.ccdi.appear, LINES: self.lines.start, USRP: self.usrp.start}[radio]()

    def keyed(self) -> list[RadioName]:
        """Return the radios that have been keyed at any time."""
        return [name for name, log in self.history.items() if log.of("PTT")]


@contextmanager
def radios(link: Any) -> Iterator[Radios]:
    """Start the three devices; `link` is the path that stays when the pty changes."""
    history = {name: LineHistory() for name in ALL}
    ccdi = CcdiRadio(link=link, log=history[CCDI])
    lines = Rfc2217Lines(ptt="DTR!RTS", log=history[LINES])
    usrp = UsrpPeer(log=history[USRP])
    for device in (ccdi, lines, usrp):
        device.start()
    usrp.peer = _free_address()
    listen = f"{usrp.peer[0]}:{usrp.peer[1]}"
    timer = {"radio_time_out": 60}
    settings: dict[RadioName, dict[str, Any]] = {
        CCDI: {"driver": "ccdi", "device": str(link)},
        LINES: {"driver": "lines", "device": lines.url, "ptt": "DTR!RTS", "cor": "CTS", **timer},
        USRP: {"driver": "usrp", "listen": listen, "peer": usrp.address},
    }
    try:
        yield Radios(ccdi, lines, usrp, settings, history)
    finally:
        for device in (ccdi, lines, usrp):
            device.stop()


def _free_address() -> tuple[str, int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    return str(host), int(port)


@dataclass
class Sink:
    """An InterfaceSink that keeps what it is told."""

    events: list[InterfaceEvent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def interface_event(self, event: InterfaceEvent) -> None:
        self.events.append(event)
        self._news.set()

    def of(self, kind: type[InterfaceEvent]) -> list[InterfaceEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not found():
                self._news.clear()
                await self._news.wait()

    async def event(self, kind: type[InterfaceEvent], count: int = 1) -> InterfaceEvent:
        await self.wait(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]
