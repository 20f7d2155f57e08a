"""A donor radio with everything that hangs on its cables."""

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from radiobridge_sim.agencies import Cabling, Side
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.rfc2217_lines import Rfc2217Lines
from radiobridge_sim.trunked import Trunk
from radiobridge_sim.usrp import UsrpSocket

NOISE = bytes(n for n in range(1, 256) if n != 0x0D)
"""What a line brings that hangs loose: each byte but the one that ends a message."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    """A serial device as the gateway is told of it, and its plug."""

    interface: dict[str, Any]
    pull: Callable[[], None]
    plug_in: Callable[[], None]
    close: Callable[[], None]
    babble: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Cables:
    """The radio, what the gateway must be told about it, and how to take it all away."""

    radio: DonorRadio
    cabling: Cabling
    close: Callable[[], None]
    pull: Callable[[], None] = _nothing
    """The serial device is gone for who has it open. A USRP radio has none."""
    plug_in: Callable[[], None] = _nothing
    """It is there again, under the same name."""
    babble: Callable[[], None] = _nothing
    """The line brings what no radio has said. Lines of a serial port have no words."""


def connect(side: Side, log: LineLog, zero: float, folder: Path) -> Cables:
    """Set up the donor radio of one side, with the devices that `side.interface` names.

    A serial device that keeps its name when it is plugged in again has it in `folder`.
    """
    sound = UsrpSocket()
    sound.peer = ("127.0.0.1", free_udp_port())
    usrp = {"driver": "usrp", "listen": _written(sound.peer), "peer": _written(sound.address)}
    keying = Keying.USRP if side.interface == "usrp" else Keying.SERIAL
    radio = DonorRadio(
        side.donor,
        hz=side.hz,
        tx_hz=side.input_hz,
        settings=DonorSettings(
            keying=keying,
            key_up_s=side.key_up_s,
            grid_steps=secrets.randbelow(4),
            ctcss_hz=side.repeater.input_ctcss_hz if side.input_hz is not None else None,
            flat=side.input_hz is not None,
            trunked=side.trunked,
        ),
        socket=sound,
        log=log,
        zero=zero,
    )
    if keying is Keying.USRP:
        return Cables(radio=radio, cabling=Cabling(interface=usrp, audio=None), close=radio.close)
    device = _SERIAL[side.interface](radio, folder / side.donor)

    def close() -> None:
        device.close()
        radio.close()

    return Cables(
        radio=radio,
        cabling=Cabling(interface=device.interface, audio=usrp),
        close=close,
        pull=device.pull,
        plug_in=device.plug_in,
        babble=device.babble,
    )


def _ccdi(radio: DonorRadio, name: Path) -> _Device:
    device = CcdiRadio(link=name, on_ptt=_keys(radio))
    device.start()
    radio.on_cor = lambda active: device.set_cor(active=active)
    return _Device(
        interface={"driver": "ccdi", "device": str(name), "cor": True},
        pull=device.vanish,
        plug_in=device.appear,
        close=device.stop,
        babble=partial(device.babble, NOISE),
    )


def _lines(radio: DonorRadio, _name: Path) -> _Device:
    device = Rfc2217Lines(ptt="RTS", cor="CTS", on_ptt=_keys(radio))
    device.start()
    radio.on_cor = lambda active: device.set_cor(active=active)
    interface = {"driver": "lines", "device": device.url, "ptt": "RTS", "cor": "CTS"}
    interface["radio_time_out"] = "60s"
    if radio.trunking is not None:
        radio.on_trunk = trunk_lines(device)
        interface.update(TRUNK_INPUTS)
    return _Device(interface=interface, pull=device.stop, plug_in=device.start, close=device.stop)


TRUNK_INPUTS = {"grant": "DSR", "denied": "DCD", "queued": "RI"}
"""Where the radio of a trunked system is wired to, in the words of the `lines` driver."""


def trunk_lines(device: Rfc2217Lines) -> Callable[[Trunk], None]:
    """Return what puts the answers of a trunked system on a serial port's lines."""
    inputs = {
        Trunk.GRANTED: TRUNK_INPUTS["grant"],
        Trunk.DENIED: TRUNK_INPUTS["denied"],
        Trunk.QUEUED: TRUNK_INPUTS["queued"],
    }

    def changed(state: Trunk) -> None:
        for trunk, line in inputs.items():
            device.set_input(line, active=trunk is state)

    return changed


_SERIAL: dict[str, Callable[[DonorRadio, Path], _Device]] = {
    "ccdi": _ccdi,
    "lines": _lines,
}
"""The serial devices by the driver that they are made for."""

INTERFACES = ("usrp", *_SERIAL)
"""What can key a simulated radio."""


def _keys(radio: DonorRadio) -> Callable[[bool, str], None]:
    def changed(on: bool, cause: str) -> None:
        radio.ptt(on, time.monotonic(), cause)

    return changed


def free_udp_port() -> int:
    """Return a UDP port below Linux's ephemeral range: nobody gets it by chance meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _written(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
