"""A donor radio with everything that hangs on its cables."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from radiobridge_sim.agencies import Cabling, Side
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.usrp import UsrpSocket


@dataclass(frozen=True, slots=True, kw_only=True)
class Cables:
    """The radio, what the gateway must be told about it, and how to take it all away."""

    radio: DonorRadio
    cabling: Cabling
    close: Callable[[], None]


def connect(side: Side, log: LineLog, zero: float) -> Cables:
    """Set up the donor radio of one side, with the devices that `side.interface` names."""
    sound = UsrpSocket()
    sound.peer = ("127.0.0.1", free_udp_port())
    usrp = {
        "driver": "usrp",
        "listen": _written(sound.peer),
        "peer": _written(sound.address),
    }
    keying = Keying.USRP if side.interface == "usrp" else Keying.SERIAL
    radio = DonorRadio(
        side.donor,
        hz=side.hz,
        settings=DonorSettings(keying=keying, grid_steps=secrets.randbelow(4)),
        socket=sound,
        log=log,
        zero=zero,
    )
    if keying is Keying.USRP:
        return Cables(radio=radio, cabling=Cabling(interface=usrp, audio=None), close=radio.close)
    raise NotImplementedError(side.interface)


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
