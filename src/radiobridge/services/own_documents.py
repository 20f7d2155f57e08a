"""Documents of this gateway about one talkgroup: sealed to whom it concerns, kept over restarts.

A document stands until it expires: it is published again when somebody new must read it (a patch
has come into force, a roster names another gateway), and after a restart. Counting, publishing and
storing are in this order: what is said in an emergency counts here before anything is written.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import structlog

from radiobridge.errors import RadioBridgeError, StoreError
from radiobridge.model.ids import AgencyId, GatewayId, TalkgroupId, parse_talkgroup
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.papers import Papers
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore
from radiobridge.wire.canonical import Body
from radiobridge.wire.roster import Right
from radiobridge.wire.topics import Topic, TopicKind, parse_topic

log = structlog.get_logger()

DOCUMENT_KEY = "document/"
"""Before the topic: what was said on it, in the state store."""

RETRY_S = 5.0
"""After a store that failed: when it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDocument:
    """One document of ours, as said last. Times are ms of bridge time."""

    topic: str
    body: Body
    talkgroup: TalkgroupId
    version: int
    expires_ms: int
    recipients: frozenset[tuple[GatewayId, bytes]] = frozenset()
    """Who could read it, by which key."""

    @property
    def parsed(self) -> Topic:
        """Return the topic, taken apart."""
        return parse_topic(self.topic)

    def stored(self) -> str:
        """Return what is kept on the disk."""
        value = {
            "body": self.body,
            "talkgroup": str(self.talkgroup),
            "version": self.version,
            "expires": self.expires_ms,
        }
        return json.dumps(value)

    @classmethod
    def restored(cls, topic: str, text: str) -> "OwnDocument":
        """Return what `stored` gave. Raises ValueError, KeyError, TypeError, RadioBridgeError."""
        value: dict[str, Any] = json.loads(text)
        return cls(
            topic=topic,
            body=dict(value["body"]),
            talkgroup=parse_talkgroup(value["talkgroup"]),
            version=int(value["version"]),
            expires_ms=int(value["expires"]),
        )


class OwnDocuments:
    """What one gateway has said about talkgroups, on topics of some kinds."""

    def __init__(
        self,
        own: AgencyId,
        *,
        papers: Papers,
        directory: Directory,
        bridge: BridgeTime,
        store: StateStore,
        tasks: Tasks,
        concerned: Callable[[TalkgroupId], frozenset[AgencyId]],
    ) -> None:
        """Start with nothing said; `concerned`: agencies that may read about a talkgroup now."""
        self._own = own
        self._papers = papers
        self._directory = directory
        self._bridge = bridge
        self._store = store
        self._tasks = tasks
        self._concerned = concerned
        self._said: dict[str, OwnDocument] = {}
        self._running = True

    def close(self) -> None:
        """Try no more to store what could not be stored."""
        self._running = False

    def say(
        self,
        topic: str,
        body: Body,
        talkgroup: TalkgroupId,
        *,
        expires_ms: int,
        counts: Callable[[int], None],
    ) -> "asyncio.Task[None]":
        """Let `counts(version)` happen, then publish. The task makes it durable."""
        version = self._papers.next_version()
        counts(version)
        document = OwnDocument(
            topic=topic, body=body, talkgroup=talkgroup, version=version, expires_ms=expires_ms
        )
        return self._publish(document)

    def restore(self, kinds: frozenset[TopicKind]) -> Iterator[OwnDocument]:
        """Yield what was said before a restart and still counts."""
        now_ms = self._bridge.now_ms()
        for name, text in self._store.items(DOCUMENT_KEY).items():
            topic = name.removeprefix(DOCUMENT_KEY)
            try:
                if not text or parse_topic(topic).kind not in kinds:
                    continue
                document = OwnDocument.restored(topic, text)
            except (RadioBridgeError, ValueError, KeyError, TypeError) as error:
                log.error("document-not-restored", name=name, error=type(error).__name__)  # noqa: TRY400
                continue
            self._said[topic] = document
            self._papers.raise_floor(document.version)
            if document.expires_ms > now_ms:
                yield document
            elif self._bridge.synchronised:
                self.forget(topic)

    def follow(self) -> None:
        """Publish again what somebody has not been able to read; forget what has expired."""
        now_ms = self._bridge.now_ms()
        for topic, document in list(self._said.items()):
            if document.expires_ms <= now_ms:
                if self._bridge.synchronised:
                    self.forget(topic)
            elif self._audience(document.talkgroup).items() - document.recipients:
                self._again(document)

    def said(self, topic: str) -> OwnDocument | None:
        """Return what was said on a topic last."""
        return self._said.get(topic)

    def forget(self, topic: str) -> None:
        """Say no more on a topic, and let brokers forget what they retain there."""
        if self._said.pop(topic, None) is not None:
            self._papers.clear(topic)
            self._tasks.spawn(self._put(topic, "", lambda: topic not in self._said))

    def _again(self, document: OwnDocument) -> None:
        self._publish(replace(document, version=self._papers.next_version()))

    def _publish(self, document: OwnDocument) -> "asyncio.Task[None]":
        audience = self._audience(document.talkgroup)
        said = replace(document, recipients=frozenset(audience.items()))
        self._said[document.topic] = said
        try:
            self._papers.publish_sealed(
                said.topic, said.body, audience, expires_ms=said.expires_ms, version=said.version
            )
        except RadioBridgeError as error:
            # It counts here in any case, and is said as soon as there is somebody to read it.
            log.error("document-not-said", topic=said.topic, error=str(error))  # noqa: TRY400
        return self._tasks.spawn(
            self._put(said.topic, said.stored(), lambda: self._said.get(said.topic) is said)
        )

    def _audience(self, talkgroup: TalkgroupId) -> dict[GatewayId, bytes]:
        """Return who may read about a talkgroup, with their HPKE keys; the own agency first."""
        agencies, now_ms = self._concerned(talkgroup), self._bridge.now_ms()
        found = (self._directory.holders(agencies, right, now_ms) for right in Right)
        entries = [entry for holders in found for entry in holders]
        entries.sort(key=lambda entry: (entry.gateway.agency != self._own, entry.gateway))
        return {entry.gateway: entry.hpke_key for entry in entries}

    async def _put(self, topic: str, value: str, wanted: Callable[[], bool]) -> None:
        """Store, trying again while the disk fails and it is still wanted."""
        while True:
            try:
                await self._store.put(DOCUMENT_KEY + topic, value)
            except StoreError as error:
                log.error("document-not-stored", topic=topic, error=str(error))  # noqa: TRY400
            else:
                return
            if not self._running:
                return
            await asyncio.sleep(RETRY_S)
            if not (self._running and wanted()):
                return
