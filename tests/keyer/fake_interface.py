"""An interface without a device: it notes what it is told, and fails where a test says so."""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from radiobridge.model.interface import InterfaceEvent, KeyAnswer, KeyAnswered


class FakeInterface:
    """Unlike a real one it has no time of its own; `say` makes it report."""

    poll_s = 30.0

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.answer: KeyAnswer | None = KeyAnswer.GRANTED
        self.keyed = False
        self.blocked = threading.Event()
        self.blocked.set()
        self.hangs: dict[str, threading.Event] = {}
        """What returns only when its event is set."""
        self._events: list[InterfaceEvent] = []
        self._read, self._write = os.pipe()

    @classmethod
    def from_settings(cls, _settings: Mapping[str, Any]) -> Self:
        return cls()

    def say(self, event: InterfaceEvent) -> None:
        self._events.append(event)
        os.write(self._write, b".")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.blocked.wait()
        if name in self.hangs:
            self.hangs[name].wait()
        if name in self.fails:
            raise self.fails[name]

    def open(self) -> None:
        self._call("open")

    def fileno(self) -> int | None:
        return self._read

    def key(self) -> None:
        self.keyed = True
        self._call("key")
        if self.answer is not None:
            self.say(KeyAnswered(answer=self.answer, at=time.monotonic()))

    def refresh(self) -> None:
        self._call("refresh")

    def unkey(self) -> None:
        self._call("unkey")
        self.keyed = False

    def poll(self) -> Iterable[InterfaceEvent]:
        if "poll" in self.fails:
            raise self.fails["poll"]
        events = []
        while self._events:
            os.read(self._read, 1)
            events.append(self._events.pop(0))
        return events

    def close(self) -> None:
        self._call("close")
        self.keyed = False

    def dispose(self) -> None:
        os.close(self._read)
        os.close(self._write)
