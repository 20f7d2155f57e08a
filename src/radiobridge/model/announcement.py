"""What a gateway tells the people on a channel: that a patch has begun, or has ended."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from radiobridge.text import Language


class News(StrEnum):
    """What is announced."""

    ON = "on"
    OFF = "off"


Clip: TypeAlias = tuple[bytes, ...]
"""Opus packets of 20 ms each."""

Clips: TypeAlias = Mapping[tuple[Language, News], Clip]
