"""What a radio's interface tells: COR, answers to keying, loss of the device.

Times are CLOCK_MONOTONIC seconds, the same in the keyer and in the gateway on Linux.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from radiobridge.text import Text


class KeyAnswer(Enum):
    """How a request to transmit was answered."""

    GRANTED = "granted"
    QUEUED = "queued"
    DENIED = "denied"
    FAILED = "failed"


class UnkeyCause(Enum):
    """Why a transmitter was released."""

    COMMAND = "command"
    LEASE = "lease"
    """The gateway stopped renewing."""
    DEVICE = "device"
    """The device failed or vanished."""
    TIME_OUT = "time-out"
    """The keyer's own longest transmission."""
    RADIO = "radio"
    """The radio dropped PTT itself."""
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorChanged:
    """The receiver opened or closed."""

    active: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswered:
    """The radio answered a request to transmit."""

    answer: KeyAnswer
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unkeyed:
    """PTT is off."""

    cause: UnkeyCause
    at: float


NOT_OPEN = Text("not open yet", "pas encore ouvert")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLost:
    """The interface device cannot be used; the keyer retries."""

    reason: Text
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBack:
    """The interface device is open (first time or again). Opening never keys."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReported:
    """The radio says which channel it is on."""

    channel: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioAlarm:
    """The radio reports a condition of its own (`donor-emergency`, `restarted`, `error`, ...)."""

    kind: str
    active: bool
    at: float
    detail: str = ""


InterfaceEvent: TypeAlias = (
    CorChanged | KeyAnswered | Unkeyed | DeviceLost | DeviceBack | ChannelReported | RadioAlarm
)
