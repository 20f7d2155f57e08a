"""The input lines of a serial port, and what a radio says by them."""

from typing import NamedTuple

from radiobridge.drivers.interface.port import Port

COR_LINES = ("CTS", "DSR", "DCD", "RI")
INPUTS = (*COR_LINES, *(f"!{line}" for line in COR_LINES))


class Input(NamedTuple):
    """An input line, and the level at which it says what it is for."""

    line: str
    level: bool

    @classmethod
    def named(cls, name: str) -> "Input":
        """Return `CTS`, or `!CTS` for one that is active low."""
        return cls(name.removeprefix("!"), not name.startswith("!"))


def line_level(port: Port, line: str) -> bool:
    """Return whether a line is on; raises OSError, ValueError or SerialException."""
    match line:
        case "CTS":
            return bool(port.cts)
        case "DSR":
            return bool(port.dsr)
        case "DCD":
            return bool(port.cd)
        case _:
            return bool(port.ri)
