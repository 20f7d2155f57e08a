"""A LinkSink that remembers, and waits for what it should hear."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from radiobridge.text import Text

LIMIT_S = 20.0
"""Longest wait for anything in these tests: far above what it takes, so only a fault reaches it."""

LOOK_S = 0.05


class Sink:
    """Records what a link delivers; `gateway` names whose presence it gives."""

    def __init__(self, gateway: str = "ca.opp/windsor") -> None:
        self.gateway = gateway
        self.voices: list[tuple[str, bytes, str]] = []
        self.documents: list[tuple[str, bytes, str]] = []
        self.ups = 0
        self.downs: list[Text] = []
        self._news = asyncio.Event()

    def topic(self, rest: str) -> str:
        return f"rb/1/{self.gateway}/{rest}"

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        self.voices.append((topic, payload, link))
        self._news.set()

    def document(self, topic: str, payload: bytes, link: str) -> None:
        self.documents.append((topic, payload, link))
        self._news.set()

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        word = "online" if online else "offline"
        return self.topic(f"presence/{link}"), f"{word} {connection}".encode()

    def link_up(self, link: str) -> None:
        del link
        self.ups += 1
        self._news.set()

    def link_down(self, link: str, reason: Text) -> None:
        del link
        self.downs.append(reason)
        self._news.set()

    def newest(self, topic: str) -> bytes | None:
        """Return the newest payload heard on a document topic."""
        return next((p for t, p, _ in reversed(self.documents) if t == topic), None)

    def heard(self) -> list[bytes]:
        """Return the payloads of the voice heard."""
        return [payload for _, payload, _ in self.voices]

    async def until(self, held: Callable[[], bool]) -> None:
        """Wait until `held()`, looking again after everything delivered and now and then."""
        async with asyncio.timeout(LIMIT_S):
            while not held():
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), LOOK_S)
