"""Donor radios whose cables a test can pull and plug in again.

What `radiobridge_sim.cables` sets up, plus a hand on the plug: the pty of the CCDI radio closes and
comes back under the same name, the RFC 2217 server stops and listens on the same TCP port again,
the USRP peer gives its UDP port up and takes it again.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from radiobridge_sim.agencies import Cabling, Side
from radiobridge_sim.cables import Cables, free_udp_port
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.rfc2217_lines import Rfc2217Lines
from radiobridge_sim.usrp import UsrpSocket

_SO_TIMESTAMPNS = 35

PAIR = "DTR!RTS"
"""How the lines key: both are raised for an instant whenever the port is opened, as by Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """One donor radio on its cables."""

    cables: Cables
    pull: Callable[[], None]
    """The device that keys is gone for who has it open. May be called when it is gone."""
    plug_in: Callable[[], None]
    """It is there again. May be called when it is there."""
    turn: Callable[[str], None] = lambda _channel: None
    """Somebody turns the channel knob, on a radio that reports its channel."""
    press: Callable[[], None] = lambda: None
    """Somebody presses the donor radio's own emergency switch, where it has one."""
    ccdi: CcdiRadio | None = None
    """The device itself, where it is one that speaks CCDI."""

    @property
    def radio(self) -> DonorRadio:
        """The radio."""
        return self.cables.radio


def plug(side: Side, folder: Path, log: LineLog, zero: float) -> Plug:
    """Set up the donor radio of one side, with the device that `side.interface` names."""
    sound = UsrpSocket()
    sound.peer = ("127.0.0.1", free_udp_port())
    keying = Keying.USRP if side.interface == "usrp" else Keying.SERIAL
    settings = DonorSettings(keying=keying, grid_steps=secrets.randbelow(4))
    radio = DonorRadio(side.donor, hz=side.hz, settings=settings, socket=sound, log=log, zero=zero)
    usrp = {"driver": "usrp", "listen": _written(sound.peer), "peer": _written(sound.address)}
    if side.interface == "ccdi":
        return _ccdi(radio, usrp, folder / side.donor)
    if side.interface == "lines":
        return _lines(radio, usrp)
    return _usrp(radio, usrp)


def _ccdi(radio: DonorRadio, sound: dict[str, Any], link: Path) -> Plug:
    device = CcdiRadio(link=link, on_ptt=keys(radio))
    device.start()
    radio.on_cor = lambda active: device.set_cor(active=active)
    interface = {"driver": "ccdi", "device": str(link), "cor": True}

    def close() -> None:
        device.stop()
        radio.close()

    cabling = Cabling(interface=interface, audio=sound)
    cables = Cables(radio=radio, cabling=cabling, close=close)
    return Plug(
        cables=cables,
        pull=device.vanish,
        plug_in=device.appear,
        turn=device.set_channel,
        press=partial(device.emergency, active=True),
        ccdi=device,
    )


def _lines(radio: DonorRadio, sound: dict[str, Any] | None) -> Plug:
    device = Rfc2217Lines(ptt=PAIR, cor="CTS", on_ptt=keys(radio), raises_on_open="DTR RTS")
    device.start()
    there = [True]
    radio.on_cor = lambda active: device.set_cor(active=active)
    interface = {"driver": "lines", "device": device.url, "ptt": PAIR, "cor": "CTS"}
    interface["radio_time_out"] = "60s"

    def pull() -> None:
        if there[0]:
            there[0] = False
            device.stop()

    def plug_in() -> None:
        if not there[0]:
            device.start()
            there[0] = True

    def close() -> None:
        pull()
        radio.close()

    cabling = Cabling(interface=interface, audio=sound)
    cables = Cables(radio=radio, cabling=cabling, close=close)
    return Plug(cables=cables, pull=pull, plug_in=plug_in)


def _usrp(radio: DonorRadio, interface: dict[str, Any]) -> Plug:
    address = radio.socket.address

    def pull() -> None:
        _rebind(radio.socket, ("127.0.0.1", 0))

    def plug_in() -> None:
        _rebind(radio.socket, address)

    cabling = Cabling(interface=interface, audio=None)
    cables = Cables(radio=radio, cabling=cabling, close=radio.close)
    return Plug(cables=cables, pull=pull, plug_in=plug_in)


def _rebind(kept: UsrpSocket, address: tuple[str, int]) -> None:
    """Put a socket at another address in the place of `kept`, whose descriptor others wait on."""
    with socket.socket(fileno=os.dup(kept.fileno())) as now:
        if now.getsockname() == address:
            return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fresh:
        fresh.bind(address)
        fresh.setblocking(False)
        fresh.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        os.dup2(fresh.fileno(), kept.fileno(), inheritable=False)


def keys(radio: DonorRadio) -> Callable[[bool, str], None]:
    """Return what a serial device calls when its PTT changes."""

    def changed(on: bool, cause: str) -> None:
        radio.ptt(on, time.monotonic(), cause)

    return changed


def _written(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
