"""What the gateway and its keyer process say to each other.

One message is one packet of an AF_UNIX SOCK_SEQPACKET socket, so there is no framing to get wrong:

    kind (1 byte) | radio (1 byte) | serial (4) | at (8, CLOCK_MONOTONIC in s) | body

`radio` is the index in which the radios were added. `serial` numbers the requests to transmit of a
radio: an answer to an older request is recognised by it. `at` is when the message was made; a lease
runs from there, so that a message which waited in the socket renews nothing.

| to the keyer | body | | from the keyer | body |
|---|---|---|---|---|
| ADD | JSON: driver, settings, time_out_s, simulation | | READY | voice rate in Hz (4 bytes), 0 |
| KEY, RENEW, UNKEY | - | | REFUSED | JSON: en, fr |
| VOICE | 20 ms of s16le | | events | see `pack_event` |
| PING | - | | PONG | - |
| CLOSE | - | | CLOSED | - (all unkeyed, all closed) |
"""

import json
import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from radiobridge.errors import LocalProtocolError
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    DeviceBack,
    DeviceLost,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.text import Text

LEASE_S = 0.2
"""How long PTT is held after the last KEY or RENEW was made."""

MAX_MESSAGE = 65536
MAX_RADIOS = 255
_MAX_TEXT = 400

_HEAD = struct.Struct("<BBId")
_RATE = struct.Struct("<I")


class Kind(IntEnum):
    """What a message says."""

    ADD = 1
    KEY = 2
    RENEW = 3
    UNKEY = 4
    VOICE = 5
    PING = 6
    CLOSE = 7
    READY = 65
    REFUSED = 66
    PONG = 67
    CLOSED = 68
    HEARD = 69
    """Voice received by the radio."""
    COR = 70
    ANSWERED = 71
    UNKEYED = 72
    LOST = 73
    BACK = 74
    CHANNEL = 75
    ALARM = 76


_KINDS = {int(kind): kind for kind in Kind}


class Message(NamedTuple):
    """One message in either direction."""

    kind: Kind
    radio: int
    serial: int
    at: float
    body: bytes


def pack(kind: Kind, radio: int, serial: int, at: float, body: bytes = b"") -> bytes:
    """Return one packet."""
    return _HEAD.pack(kind, radio, serial, at) + body


def unpack(raw: bytes) -> Message:
    """Return the message in one packet; raise LocalProtocolError (both ends are ours)."""
    if len(raw) < _HEAD.size:
        raise LocalProtocolError(f"keyer message of {len(raw)} bytes")
    kind, radio, serial, at = _HEAD.unpack_from(raw)
    known = _KINDS.get(kind)
    if known is None:
        raise LocalProtocolError(f"keyer message of unknown kind {kind}")
    return Message(known, radio, serial, at, raw[_HEAD.size :])


def pack_json(kind: Kind, radio: int, at: float, value: Mapping[str, Any]) -> bytes:
    """Return a packet with a JSON body; raise LocalProtocolError when it is too long."""
    raw = pack(kind, radio, 0, at, json.dumps(value).encode())
    if len(raw) > MAX_MESSAGE:
        raise LocalProtocolError(f"keyer message of {len(raw)} bytes")
    return raw


def json_of(message: Message) -> dict[str, Any]:
    """Return the JSON body of a message; raise LocalProtocolError."""
    try:
        value = json.loads(message.body)
    except ValueError as error:
        raise LocalProtocolError("keyer message without JSON") from error
    if not isinstance(value, dict):
        raise LocalProtocolError("keyer message without a JSON object")
    return value


def pack_rate(radio: int, at: float, rate: int) -> bytes:
    """Return READY for an interface that carries voice at `rate` Hz, 0 when it carries none."""
    return pack(Kind.READY, radio, 0, at, _RATE.pack(rate))


def rate_of(message: Message) -> int:
    """Return the voice rate in Hz of a READY message."""
    rate: int = _RATE.unpack(message.body)[0]
    return rate


_ANSWERS = tuple(KeyAnswer)
_CAUSES = tuple(UnkeyCause)


def pack_event(radio: int, serial: int, event: InterfaceEvent) -> bytes:
    """Return the packet of an interface event of the request `serial`."""
    match event:
        case CorChanged():
            return pack(Kind.COR, radio, serial, event.at, bytes([event.active]))
        case KeyAnswered():
            body = bytes([_ANSWERS.index(event.answer)]) + _text(event.detail)
            return pack(Kind.ANSWERED, radio, serial, event.at, body)
        case Unkeyed():
            return pack(Kind.UNKEYED, radio, serial, event.at, bytes([_CAUSES.index(event.cause)]))
        case DeviceLost():
            body = _text(event.reason.en) + b"\0" + _text(event.reason.fr)
            return pack(Kind.LOST, radio, serial, event.at, body)
        case DeviceBack():
            return pack(Kind.BACK, radio, serial, event.at)
        case ChannelReported():
            return pack(Kind.CHANNEL, radio, serial, event.at, _text(event.channel))
        case RadioAlarm():
            body = bytes([event.active]) + _text(event.kind) + b"\0" + _text(event.detail)
            return pack(Kind.ALARM, radio, serial, event.at, body)


def event_of(message: Message) -> InterfaceEvent:
    """Return the event in a message; raise LocalProtocolError when it holds none."""
    reader = _READERS.get(message.kind)
    if reader is None:
        raise LocalProtocolError(f"keyer message {message.kind.name} is no event")
    try:
        return reader(message)
    except (IndexError, UnicodeDecodeError) as error:
        raise LocalProtocolError(f"keyer message {message.kind.name} cannot be read") from error


def _text(text: str) -> bytes:
    return text[:_MAX_TEXT].replace("\0", " ").encode(errors="replace")


def _cor(message: Message) -> InterfaceEvent:
    return CorChanged(active=message.body[0] == 1, at=message.at)


def _answered(message: Message) -> InterfaceEvent:
    answer = _ANSWERS[message.body[0]]
    return KeyAnswered(answer=answer, at=message.at, detail=message.body[1:].decode())


def _unkeyed(message: Message) -> InterfaceEvent:
    return Unkeyed(cause=_CAUSES[message.body[0]], at=message.at)


def _alarm(message: Message) -> InterfaceEvent:
    kind, _, detail = message.body[1:].decode().partition("\0")
    return RadioAlarm(kind=kind, active=message.body[0] == 1, at=message.at, detail=detail)


def _lost(message: Message) -> InterfaceEvent:
    en, _, fr = message.body.decode().partition("\0")
    return DeviceLost(reason=Text(en, fr), at=message.at)


_READERS: dict[Kind, Callable[[Message], InterfaceEvent]] = {
    Kind.COR: _cor,
    Kind.ANSWERED: _answered,
    Kind.UNKEYED: _unkeyed,
    Kind.LOST: _lost,
    Kind.BACK: lambda m: DeviceBack(at=m.at),
    Kind.CHANNEL: lambda m: ChannelReported(channel=m.body.decode(), at=m.at),
    Kind.ALARM: _alarm,
}
