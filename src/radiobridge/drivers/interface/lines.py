"""`lines`: PTT on RTS or DTR of a serial port, COR and more on CTS, DSR, DCD or RI.

`ptt` is `RTS`, `DTR`, or an interlock pair such as `DTR!RTS`: keyed only while DTR is on *and* RTS
is off. Linux raises both lines for an instant when a port is opened, and drops both when it is
closed: neither keys a pair, while the first keys a plain line for that instant. At rest the second
line of a pair is kept on, so that two changes are needed to key.

A radio of a trunked system has outputs that say what has become of a request. With `grant`, the
line that is on while the channel is ours, a request is granted by that line and not by PTT;
`denied` and `queued` say the other two answers at once. A grant that was there before the request
is none; one that ends while we transmit is a channel that the system has taken away.

A line holds itself: it stays as it is when this machine hangs, and so does the far end of a remote
one whose network dies. `radio_time_out` must therefore declare the time-out that is set in the
radio or in a hardware timer. A line that keys when it is *off* (`!RTS`, `!DTR` alone) is keyed
whenever the port is closed, this machine is off or the cable is out, until that timer ends it.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import serial

from radiobridge.drivers.interface import settings as read
from radiobridge.drivers.interface.inputs import INPUTS, Input, line_level
from radiobridge.drivers.interface.port import Port, RemotePort, because, failed, open_port
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.interface import (
    NOT_OPEN,
    CorChanged,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.text import Text

POLL_S = 0.004
ALIVE_POLL_S = 0.05
MODEM_STATE_S = 2.0
"""A remote port must have told its input lines that long after it was opened."""

_GONE = Text("the connection is gone", "la connexion est perdue")


class PttWiring(NamedTuple):
    """Which line levels key; the other line of a plain PTT is always off."""

    line: str
    keyed: bool
    guard: str | None
    """The line of a pair that must be off while keyed."""


_WIRINGS = {
    "RTS": PttWiring("RTS", keyed=True, guard=None),
    "DTR": PttWiring("DTR", keyed=True, guard=None),
    "!RTS": PttWiring("RTS", keyed=False, guard=None),
    "!DTR": PttWiring("DTR", keyed=False, guard=None),
    "DTR!RTS": PttWiring("DTR", keyed=True, guard="RTS"),
    "RTS!DTR": PttWiring("RTS", keyed=True, guard="DTR"),
}


class TrunkInputs(NamedTuple):
    """Where the answers of a trunked system come in."""

    grant: Input | None = None
    denied: Input | None = None
    queued: Input | None = None


class LinesInterface:
    """One radio on the lines of a serial port (settings: device, ptt, cor, baud, ...)."""

    def __init__(
        self,
        device: str,
        baud: int,
        ptt: PttWiring,
        cor: str | None,
        trunk: TrunkInputs = TrunkInputs(),  # noqa: B008 - immutable
    ) -> None:
        self._device = device
        self._baud = baud
        self._ptt = ptt
        self._cor_line = cor.removeprefix("!") if cor else None
        self._cor_level = cor is None or not cor.startswith("!")
        self._trunk = trunk
        self.poll_s = POLL_S if cor or trunk.grant else ALIVE_POLL_S
        self._answers: list[tuple[Input, KeyAnswer, str]] = []
        """What the radio may still answer to the request, each once."""
        self._stale: set[Input] = set()
        """Lines that were on before the request, and have been since: no answer to it."""
        self._granted = False
        self._port: Port | None = None
        self._cor = False
        self._opened_at = 0.0
        self._events: list[InterfaceEvent] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from settings; raises ConfigError."""
        known = ("device", "ptt", "cor", "grant", "denied", "queued", "baud", "radio_time_out")
        read.no_other_keys(settings, known)
        wiring = _WIRINGS[read.choice(settings, "ptt", tuple(_WIRINGS))]
        if read.radio_time_out(settings) is None:
            raise ConfigError(
                "a serial line stays as it is when this machine hangs: set a time-out of at most "
                "60 s in the radio, or fit a hardware timer, and declare it as 'radio_time_out'",
                "une ligne série reste telle quelle si cette machine se fige : réglez une limite "
                "d'émission d'au plus 60 s dans la radio, ou posez une minuterie, et déclarez-la "
                "par « radio_time_out »",
            )
        inputs = {
            key: read.choice(settings, key, INPUTS)
            for key in ("cor", *TrunkInputs._fields)
            if settings.get(key) is not None
        }
        _check_inputs(inputs)
        named = {key: Input.named(line) for key, line in inputs.items() if key != "cor"}
        device, baud = read.text(settings, "device"), read.whole(settings, "baud", 9600)
        return cls(device, baud, wiring, inputs.get("cor"), TrunkInputs(**named))

    def open(self) -> None:
        """Open the port with PTT off."""
        rest = {"DTR": False, "RTS": False}
        rest[self._ptt.line] = not self._ptt.keyed
        if self._ptt.guard is not None:
            rest[self._ptt.guard] = True
        self._events = []
        self._cor = False
        self._port = open_port(self._device, self._baud, dtr=rest["DTR"], rts=rest["RTS"])
        self._opened_at = time.monotonic()
        if not isinstance(self._port, RemotePort):
            self._read_line("CTS")

    def fileno(self) -> int | None:
        """Return None: lines are polled."""
        return None

    def key(self) -> None:
        """Set the lines to keyed; without a grant line they tell nothing of what comes of it."""
        trunk = self._trunk
        self._granted = False
        if trunk.grant is not None:
            self._answers = [
                (line, answer, detail)
                for line, answer, detail in (
                    (trunk.denied, KeyAnswer.DENIED, "denied by the system"),
                    (trunk.grant, KeyAnswer.GRANTED, ""),
                    (trunk.queued, KeyAnswer.QUEUED, "queued by the system"),
                )
                if line is not None
            ]
            self._stale = {line for line, _, _ in self._answers if self._is(line)}
        self._set(self._ptt.line, self._ptt.keyed)
        if self._ptt.guard is not None:
            self._set(self._ptt.guard, False)
        if trunk.grant is None:
            self._events.append(KeyAnswered(answer=KeyAnswer.GRANTED, at=time.monotonic()))

    def refresh(self) -> None:
        """Do nothing: a line holds itself."""

    def unkey(self) -> None:
        """Set the lines to rest; the second line of a pair is tried when the first one fails."""
        self._answers, self._granted = [], False
        try:
            self._set(self._ptt.line, not self._ptt.keyed)
        finally:
            if self._ptt.guard is not None:
                self._set(self._ptt.guard, True)

    def poll(self) -> Iterable[InterfaceEvent]:
        """Read COR and notice a lost device."""
        events, self._events = self._events, []
        port = self._port
        if isinstance(port, RemotePort) and not port.alive():
            raise failed(self._device, _GONE)
        active = self._cor_active()
        if active is not None and active != self._cor:
            self._cor = active
            events.append(CorChanged(active=active, at=time.monotonic()))
        if self._trunk.grant is not None and (self._answers or self._granted):
            self._follow_trunk(self._trunk.grant, events)
        return events

    def _follow_trunk(self, grant: Input, events: list[InterfaceEvent]) -> None:
        """Report what the trunked system has answered since the last look."""
        now = time.monotonic()
        if self._granted:
            if not self._is(grant):
                self._granted = False
                events.append(Unkeyed(cause=UnkeyCause.RADIO, at=now))
            return
        self._stale = {line for line in self._stale if self._is(line)}
        for line, answer, detail in self._answers:
            if line not in self._stale and self._is(line):
                self._granted = answer is KeyAnswer.GRANTED
                over = answer is not KeyAnswer.QUEUED
                self._answers = [] if over else [a for a in self._answers if a[0] != line]
                events.append(KeyAnswered(answer=answer, at=now, detail=detail))
                return

    def _is(self, one: Input) -> bool:
        return self._read_line(one.line) is one.level

    def close(self) -> None:
        """Set the lines to rest and close, whatever fails."""
        port = self._port
        if port is None:
            return
        for step in (self.unkey, port.close):
            try:
                step()
            except (DriverError, OSError, ValueError, serial.SerialException):
                continue
        self._port = None

    def _cor_active(self) -> bool | None:
        """Return whether COR is on, None while a remote port has not told its lines yet."""
        if isinstance(self._port, RemotePort) and self._cor_line is None:
            return None
        try:
            level = self._read_line(self._cor_line or "CTS")
        except DriverError:
            if isinstance(self._port, RemotePort) and self._young():
                return None
            raise
        return None if self._cor_line is None else level is self._cor_level

    def _young(self) -> bool:
        return time.monotonic() - self._opened_at < MODEM_STATE_S

    def _set(self, line: str, level: bool) -> None:
        port = self._opened()
        try:
            if line == "DTR":
                port.dtr = level
            else:
                port.rts = level
        except (OSError, ValueError, serial.SerialException) as error:
            raise failed(
                self._device, because(f"{line} cannot be set", f"{line} ne peut être réglée", error)
            ) from error

    def _read_line(self, line: str) -> bool:
        port = self._opened()
        try:
            return line_level(port, line)
        except (OSError, ValueError, serial.SerialException) as error:
            raise failed(
                self._device, because(f"{line} cannot be read", f"{line} ne peut être lue", error)
            ) from error

    def _opened(self) -> Port:
        if self._port is None:
            raise failed(self._device, NOT_OPEN)
        return self._port


def _check_inputs(inputs: Mapping[str, str]) -> None:
    """Raise ConfigError for two uses of one line, and for answers without a grant."""
    lines = [line.removeprefix("!") for line in inputs.values()]
    twice = next((line for line in lines if lines.count(line) > 1), None)
    if twice is not None:
        uses = ", ".join(key for key, line in inputs.items() if line.removeprefix("!") == twice)
        raise ConfigError(
            f"{twice} is the input of {uses}; each needs a line of its own",
            f"{twice} est l'entrée de {uses}; chacun a besoin de sa propre ligne",
        )
    if "grant" not in inputs and inputs.keys() & {"denied", "queued"}:
        raise ConfigError(
            "'denied' and 'queued' mean nothing without 'grant', the line that is on while the "
            "trunked system has granted the channel",
            "« denied » et « queued » ne veulent rien dire sans « grant », la ligne active tant "
            "que le système accorde le canal",
        )
