"""Tait CCDI, the serial protocol of TM8000 and TM9000 mobiles (manual MMA-00038, section 1).

A message is `IDENT SIZE PARAMETERS CHECKSUM CR`: one letter, the number of parameter characters as
two upper-case hex digits, the parameters, the two's complement of the sum of all bytes before,
modulo 256, as two upper-case hex digits. The radio ends its answer to a command with the prompt
`.`, and sends progress messages (`p`) whenever something happens.
"""

from enum import Enum
from typing import NamedTuple, TypeAlias

from radiobridge.errors import LocalProtocolError, RemoteProtocolError

CR = 0x0D
_PROMPT = 0x2E
_LINE_FEED = 0x0A
MAX_PARAMETERS = 255
MAX_LINE = 1 + 2 + MAX_PARAMETERS + 2


class CcdiMessage(NamedTuple):
    """One message, either way."""

    ident: str
    parameters: str


class Prompt(Enum):
    """The radio is ready for the next command."""

    READY = "."


CcdiItem: TypeAlias = CcdiMessage | Prompt


class Progress(Enum):
    """Type of a progress message: the first two parameter characters of `p`."""

    INHIBITED = "02"
    """A transmission was requested but is inhibited."""
    EMERGENCY = "03"
    """The radio's own emergency switch, on."""
    EMERGENCY_ENDED = "04"
    BUSY = "05"
    """RF detected on the channel; not qualified by tone."""
    NOT_BUSY = "06"
    PTT_ON = "07"
    PTT_OFF = "08"
    RESTARTED = "1F"
    CHANNEL = "21"


_PROGRESS = {progress.value: progress for progress in Progress}

ERRORS = {
    1: "unsupported command",
    2: "wrong checksum",
    3: "wrong parameter",
    5: "not ready",
    6: "command error",
}
"""Transaction errors (`e0` and the number)."""

NOT_READY = 5
FOR_GOOD = frozenset({1, 3, 6})
"""Errors that the same command meets again; the others come of noise, or of the moment."""


def checksum(head: bytes) -> str:
    """Return the checksum of ident, size and parameters."""
    return f"{-sum(head) & 0xFF:02X}"


def encode(ident: str, parameters: str = "") -> bytes:
    """Return one message with its CR; raise LocalProtocolError for what cannot be one."""
    if len(ident) != 1 or len(parameters) > MAX_PARAMETERS:
        raise LocalProtocolError(f"no CCDI message: {ident!r} with {len(parameters)} characters")
    head = f"{ident}{len(parameters):02X}{parameters}".encode("ascii")
    return head + checksum(head).encode("ascii") + b"\r"


def press(eighths: int) -> bytes:
    """Return the command that presses PTT for 1 to 8 eighths of a second, 9: until told, 0: off."""
    if not 0 <= eighths <= 9:
        raise LocalProtocolError(f"no CCDI press: {eighths}")
    return encode("f", f"300{eighths}")


PTT_OFF = press(0)
PTT_CONSTANT = press(9)
PROGRESS_ON = encode("f", "041")
CHANNEL_PROGRESS_ON = encode("f", "051")
QUERY_CHANNEL = encode("f", "052")
"""Answered by one CHANNEL progress (TM8100 from CCDI 2.03, TM8200 from 2.05; page 25)."""
QUERY_MODEL = encode("q", "0")


def decode(line: bytes) -> CcdiMessage:
    """Return the message in `line` (without its CR); raise RemoteProtocolError."""
    if not 5 <= len(line) <= MAX_LINE:
        raise RemoteProtocolError("ccdi-length", f"{len(line)} bytes")
    if checksum(line[:-2]).encode("ascii") != line[-2:]:
        raise RemoteProtocolError("ccdi-checksum")
    try:
        text = line.decode("ascii")
        size = int(text[1:3], 16)
    except ValueError:
        raise RemoteProtocolError("ccdi-syntax") from None
    if size != len(text) - 5:
        raise RemoteProtocolError("ccdi-size", f"{size} announced, {len(text) - 5} there")
    return CcdiMessage(text[0], text[3:-2])


def progress_of(message: CcdiMessage) -> Progress | None:
    """Return the kind of a progress message, None when it is none or of no interest."""
    return _PROGRESS.get(message.parameters[:2]) if message.ident == "p" else None


def channel_of(message: CcdiMessage) -> str:
    """Return the channel in a CHANNEL progress: zone (2 digits), channel (4); "" when invalid.

    The character before says what it is: single channel, scan group, ..., 9 for invalid.
    """
    kind, channel = message.parameters[2:3], message.parameters[3:]
    return "" if kind == "9" else channel


def error_of(message: CcdiMessage) -> int | None:
    """Return the number of a transaction error, None when the message is no error."""
    if message.ident != "e":
        return None
    digits = message.parameters[1:]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


class CcdiReader:
    """Makes messages and prompts out of the bytes of a serial line, cut anywhere.

    Bounded: at most one message is held. Damaged messages are dropped and counted in `bad`.
    """

    def __init__(self) -> None:
        self.bad = 0
        self._line = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[CcdiItem]:
        """Take bytes as they come; return what is complete."""
        items: list[CcdiItem] = []
        for byte in data:
            if byte == CR:
                self._end_line(items)
            elif byte == _PROMPT and not self._line and not self._overlong:
                items.append(Prompt.READY)
            elif byte != _LINE_FEED:
                self._add(byte)
        return items

    def _add(self, byte: int) -> None:
        if len(self._line) >= MAX_LINE:
            self._overlong = True
            self._line.clear()
        elif not self._overlong:
            self._line.append(byte)

    def _end_line(self, items: list[CcdiItem]) -> None:
        line, self._line = bytes(self._line), bytearray()
        overlong, self._overlong = self._overlong, False
        if overlong:
            self.bad += 1
        elif line:
            try:
                items.append(decode(line))
            except RemoteProtocolError:
                self.bad += 1
