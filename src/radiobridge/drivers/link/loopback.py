"""The link inside this process: radios of one gateway, or several gateways in one test.

What it does differently from a broker: nothing is encrypted, refused, lost or late; a sender gets
back what it subscribed to itself, since that is what joins the radios of one gateway.
"""

import asyncio
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Self

from radiobridge.drivers.link.filters import matches
from radiobridge.spi import LinkSink
from radiobridge.text import Text


class Hub:
    """What joins loopback links, and keeps their documents as a broker would."""

    def __init__(self) -> None:
        self._links: list[LoopbackLink] = []
        self._retained: dict[str, bytes] = {}

    def join(self, link: "LoopbackLink") -> None:
        """Deliver to `link` from now on."""
        self._links.append(link)

    def leave(self, link: "LoopbackLink") -> None:
        """Deliver to `link` no more."""
        self._links.remove(link)

    def voice(self, topic: str, payload: bytes) -> None:
        """Hand a voice packet to everyone who wants it."""
        for link in self._links:
            link.deliver_voice(topic, payload)

    def document(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Hand a document to everyone who wants it; keep the newest when `retain`."""
        if retain:
            self._retained[topic] = payload
        for link in self._links:
            link.deliver_document(topic, payload)

    def retained(self) -> Mapping[str, bytes]:
        """Return the documents kept."""
        return self._retained


class LoopbackLink:
    """A Link (see `spi`) without a network. Delivers in the next turn of the event loop."""

    def __init__(self, name: str, hub: Hub | None = None) -> None:
        """Join `hub`, or stay alone with oneself."""
        self.name = name
        self._hub = hub or Hub()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sink: LinkSink | None = None
        self._voice: frozenset[str] = frozenset()
        self._documents: frozenset[str] = frozenset()
        self._own: dict[str, bytes] = {}
        self._sent = self._received = self._connects = 0

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], base: PurePath) -> Self:
        """Build a link of its own hub; there are no settings."""
        del settings, base
        return cls(name)

    async def open(self, sink: LinkSink) -> None:
        """Join the hub and publish what was given before."""
        self._loop, self._sink = asyncio.get_running_loop(), sink
        self._connects += 1
        self._hub.join(self)
        topic, payload = sink.presence(self.name, self._connects, online=True)
        self._own[topic] = payload
        for own in self._own.items():
            self._hub.document(*own, retain=True)
        self._deliver_retained(self._documents)
        self._loop.call_soon(sink.link_up, self.name)

    def want_voice(self, topics: frozenset[str]) -> None:
        """See Link."""
        self._voice = topics

    def want_documents(self, filters: frozenset[str]) -> None:
        """See Link."""
        new, self._documents = filters - self._documents, filters
        self._deliver_retained(new)

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        """See Link; False only when closed."""
        if self._sink is None:
            return False
        self._sent += 1
        self._hub.voice(topic, payload)
        return True

    def restart_voice(self) -> bool:
        """Nothing waits here."""
        return False

    def publish_document(self, topic: str, payload: bytes) -> None:
        """See Link."""
        self._own[topic] = payload
        if self._sink is not None:
            self._hub.document(topic, payload, retain=True)

    def publish_notice(self, topic: str, payload: bytes) -> None:
        """See Link."""
        if self._sink is not None:
            self._hub.document(topic, payload, retain=False)

    def stats(self) -> Mapping[str, int]:
        """See Link."""
        return {"voice_sent": self._sent, "voice_received": self._received}

    async def close(self) -> None:
        """Say goodbye and leave the hub."""
        sink, self._sink = self._sink, None
        if sink is None:
            return
        topic, payload = sink.presence(self.name, self._connects, online=False)
        self._hub.leave(self)
        self._hub.document(topic, payload, retain=True)
        sink.link_down(self.name, Text("closed", "fermée"))

    def deliver_voice(self, topic: str, payload: bytes) -> None:
        """Take voice from the hub, if wanted."""
        sink, loop = self._sink, self._loop
        if sink is None or loop is None:
            return
        if any(matches(wanted, topic) for wanted in self._voice):
            self._received += 1
            loop.call_soon(sink.voice, topic, payload, self.name)

    def deliver_document(self, topic: str, payload: bytes) -> None:
        """Take a document from the hub, if wanted."""
        if any(matches(wanted, topic) for wanted in self._documents):
            self._hand_over(topic, payload)

    def _deliver_retained(self, filters: frozenset[str]) -> None:
        for topic, payload in self._hub.retained().items():
            if any(matches(wanted, topic) for wanted in filters):
                self._hand_over(topic, payload)

    def _hand_over(self, topic: str, payload: bytes) -> None:
        if self._sink is not None and self._loop is not None and payload:
            self._loop.call_soon(self._sink.document, topic, payload, self.name)
