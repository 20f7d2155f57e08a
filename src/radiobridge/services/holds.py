"""What keeps a radio's transmitter off: an operator, the kill switch, its channel, a loop.

The transmitter may key only while nothing holds it; each hold is lifted by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

Holds = Mapping["Hold", str]
"""Each hold, and by whom or why."""

NOTHING: Holds = MappingProxyType({})


class Hold(StrEnum):
    """Why a radio stays off the air."""

    INHIBIT = "inhibit"
    """An operator took this radio off the air."""
    STOP = "stop"
    """An operator stopped all transmitters of the gateway."""
    CHANNEL = "channel"
    """The radio has not said that it is on its channel; it is not heard either."""
    LOOP = "loop"
    """The radio hears what was sent before; it is not heard either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChange:
    """A radio has left its channel, or is back on it."""

    reported: str
    expected: str
    wrong: bool


DEAF = frozenset({Hold.CHANNEL, Hold.LOOP})
"""Holds under which a radio is not heard either."""


WRONG_CHANNEL = "wrong-channel"
"""The alarm of a radio that is not on its channel."""

CHANNEL_UNKNOWN = "channel-unknown"
"""The alarm of a radio that must be on one channel and has not said yet which one it is on."""

LOOP_SUSPECTED = "loop-suspected"
"""The alarm of a radio that may have heard nothing but our own carrier; it stands until allowed."""

LOOP = "loop"
"""The alarm of a radio that hears what was sent before."""

OWN_ALARMS = frozenset({WRONG_CHANNEL, CHANNEL_UNKNOWN, LOOP_SUSPECTED, LOOP})
"""Alarms of the gateway; all others are a driver's, and end with its device."""


def channel_alarm(expected: str, reported: str | None) -> str | None:
    """Return the alarm of a radio that reports this channel; None when it is the right one.

    None for `reported`: it has not said anything since it was opened or restarted.
    """
    if reported is None:
        return CHANNEL_UNKNOWN
    return None if same_channel(expected, reported) else WRONG_CHANNEL


def with_hold(holds: Holds, hold: Hold, by: str) -> Holds:
    """Return `holds` and one more."""
    return MappingProxyType({**holds, hold: by})


def without_hold(holds: Holds, hold: Hold) -> Holds:
    """Return `holds` without one."""
    return MappingProxyType({one: by for one, by in holds.items() if one is not hold})


def same_channel(expected: str, reported: str) -> bool:
    """Tell whether a radio is on the channel that it should be on.

    A number may be written without leading zeros: zone 0, channel 12 of a Tait radio is `000012`
    or `12`.
    """
    if expected.isdecimal() and reported.isdecimal():
        return int(expected) == int(reported)
    return expected == reported
