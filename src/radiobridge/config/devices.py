"""Two radios must not share a device, by whatever names it is called."""

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from radiobridge.config.drivers import split_address
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report

_WILDCARDS = ("0.0.0.0", "::", "*")  # noqa: S104 - compared with, never bound to


_BY_ID = Path("/dev/serial/by-id")


class Device(NamedTuple):
    """One device as the configuration names it, and what it really is."""

    loc: Loc
    name: str
    kind: str
    host: str
    """Empty for what has no address."""
    identity: str

    def is_same(self, other: "Device") -> bool:
        """Tell whether both are one device."""
        if (self.kind, self.identity) != (other.kind, other.identity):
            return False
        hosts = {self.host, other.host}
        return len(hosts) == 1 or not hosts.isdisjoint(_WILDCARDS)


def check_devices(config: GatewayConfig, tree: Node, report: Report) -> None:
    """Note devices that two radios (or both ends of one) claim."""
    found = [device for name in config.radios for device in _devices(config, name)]
    for first, second in combinations(found, 2):
        if first.is_same(second) and first.loc[:2] != second.loc[:2]:
            _report_shared(tree, first, second, report)


def _report_shared(tree: Node, first: Device, second: Device, report: Report) -> None:
    radio, line = first.loc[1], tree.place_of(first.loc).line
    really = f" ({second.identity})" if first.name != second.name else ""
    report.wrong(
        tree,
        second.loc,
        f"{second.name} is already the device of radio `{radio}` on line {line}{really}; each "
        "radio needs its own",
        f"{second.name} est déjà l'appareil de la radio `{radio}`, ligne {line}{really}; chaque "
        "radio a besoin du sien",
    )


def _devices(config: GatewayConfig, name: str) -> Iterator[Device]:
    radio = config.radios[name]
    for part, settings in (("interface", radio.interface), ("audio", radio.audio or {})):
        loc: Loc = ("radios", name, part)
        driver = settings.get("driver")
        for key, value in settings.items():
            if isinstance(value, str) and (device := _device((*loc, key), driver, value)):
                yield device


def _device(loc: Loc, driver: Any, value: str) -> Device | None:  # noqa: ANN401 - as written
    key = loc[-1]
    if key in ("listen", "peer") and driver == "usrp":
        return _address(loc, value)
    if key == "device" and "://" in value:
        url = urlsplit(value)
        where = url.netloc.lower().replace("localhost", "127.0.0.1") + url.path
        return Device(loc, value, "serial", "", where)
    if key == "device" and value.startswith("/"):
        return Device(loc, value, "file", "", os.path.realpath(value))
    if key in ("device", "input", "output") and driver == "soundcard":
        return Device(loc, value, "sound", "", value.casefold())
    if key == "output" and driver == "wav":
        return Device(loc, value, "file", "", os.path.realpath(value))
    return None


def _address(loc: Loc, value: str) -> Device | None:
    try:
        host, port = split_address(value)
    except ValueError:
        return None
    return Device(loc, value, f"usrp {loc[-1]}", _host(host), str(port))


def _host(host: str) -> str:
    return "127.0.0.1" if host.lower() in ("localhost", "::1") else host.lower()


def remark_devices(config: GatewayConfig, tree: Node, report: Report) -> None:
    """Remark on devices that are not connected now, or whose name may change at the next boot."""
    for name in config.radios:
        for device in _devices(config, name):
            if device.loc[-1] != "device" or device.kind != "file":
                continue
            if not os.path.exists(device.name):  # noqa: PTH110 - the name as written
                now = ", ".join(map(str, sorted(_BY_ID.glob("*"))))
                report.remark(
                    tree,
                    device.loc,
                    f"{device.name} does not exist; connected now: {now or 'nothing'}",
                    f"{device.name} n'existe pas; connectés: {now or 'rien'}",
                )
            elif device.name.startswith(("/dev/ttyUSB", "/dev/ttyACM")):
                report.remark(
                    tree,
                    device.loc,
                    f"{device.name} may be another device after a restart; use its name under "
                    f"{_BY_ID}",
                    f"{device.name} peut désigner un autre appareil après un redémarrage; "
                    f"employez son nom sous {_BY_ID}",
                )
