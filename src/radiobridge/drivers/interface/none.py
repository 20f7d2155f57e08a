"""`none`: a radio without PTT and COR, for reception by VOX. It can never transmit."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from radiobridge.drivers.interface.settings import no_other_keys
from radiobridge.model.interface import InterfaceEvent, KeyAnswer, KeyAnswered


class NoInterface:
    """No device at all: always there, never keys."""

    poll_s = 3600.0

    def __init__(self) -> None:
        self._asked = False

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build; there is nothing to set."""
        no_other_keys(settings, ())
        return cls()

    def open(self) -> None:
        """Do nothing."""

    def fileno(self) -> int | None:
        """Return None: there is nothing to wait for."""
        return None

    def key(self) -> None:
        """Refuse: the answer is DENIED."""
        self._asked = True

    def refresh(self) -> None:
        """Do nothing."""

    def unkey(self) -> None:
        """Do nothing: it never keyed."""

    def poll(self) -> Iterable[InterfaceEvent]:
        """Return the refusal, if there was a request."""
        if not self._asked:
            return ()
        self._asked = False
        at = time.monotonic()
        return (KeyAnswered(answer=KeyAnswer.DENIED, at=at, detail="no PTT"),)

    def close(self) -> None:
        """Do nothing."""
