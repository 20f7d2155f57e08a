"""The newest document of each topic, whatever the order in which they arrive.

A higher version replaces a lower one. Two contents under one version contradict each other: then
neither counts, until a higher version settles it, so that no order of arrival decides. A version
that was seen stays seen: nothing older comes back when the newest has expired.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from radiobridge.wire.documents import Document

MAX_TOPICS = 512
"""Topics remembered for one sender; a document on a further one is refused and counted."""


class Offer(StrEnum):
    """What became of a document that was offered."""

    NEW = "new"
    """The newest on its topic."""
    KNOWN = "known"
    """The same again, by another link or after a reconnect."""
    OLD = "old"
    """A newer one is known."""
    CONFLICT = "conflict"
    """Another content under the same version: neither counts."""
    REFUSED = "refused"
    """Its sender already fills MAX_TOPICS."""


class DocumentBook:
    """Newest verified documents by signed topic. `counters` counts each kind of offer."""

    __slots__ = ("_conflicts", "_floors", "_newest", "counters")

    def __init__(self, floors: Mapping[str, int] | None = None) -> None:
        """Start with `floors`: versions known from before, below which nothing counts."""
        self._newest: dict[str, Document] = {}
        self._conflicts: dict[str, int] = {}
        self._floors = dict(floors or {})
        self.counters: Counter[Offer] = Counter()

    def offer(self, document: Document, now_ms: int) -> Offer:
        """Take a document that `read_document` returned, and say what it is."""
        outcome = self._judge(document, now_ms)
        if outcome is Offer.NEW:
            self._newest[document.header.topic] = document
        elif outcome is Offer.CONFLICT:
            self._conflicts[document.header.topic] = document.header.version
        self.counters[outcome] += 1
        return outcome

    def newest(self, topic: str, now_ms: int) -> Document | None:
        """Return the document that counts on `topic`: newest, not contradicted, not expired."""
        document = self._newest.get(topic)
        if document is None or now_ms >= document.header.expires_ms:
            return None
        version = document.header.version
        if version < self._floors.get(topic, 0) or self._conflicts.get(topic) == version:
            return None
        return document

    def in_conflict(self, topic: str) -> bool:
        """Tell whether the newest version on `topic` exists with two contents."""
        document = self._newest.get(topic)
        return document is not None and self._conflicts.get(topic) == document.header.version

    def versions(self, now_ms: int | None = None) -> dict[str, int]:
        """Return the newest version known on each topic: what a head says.

        With `now_ms` without those that have expired: nobody can be asked to have them.
        """
        known = {
            topic: document.header.version
            for topic, document in self._newest.items()
            if now_ms is None or now_ms < document.header.expires_ms
        }
        return {
            topic: max(known.get(topic, 0), self._floors.get(topic, 0))
            for topic in {*known, *self._floors}
        }

    def behind(self, versions: Mapping[str, int]) -> tuple[str, ...]:
        """Return the topics on which a head knows a newer version than this book."""
        known = self.versions()
        return tuple(
            sorted(topic for topic, version in versions.items() if version > known.get(topic, 0))
        )

    def raise_floor(self, topic: str, version: int) -> None:
        """Let nothing below `version` count on `topic`.

        Only on the word of who writes there: a stranger's head could else silence anybody.
        """
        self._floors[topic] = max(version, self._floors.get(topic, 0))

    def forget(self, topic: str) -> None:
        """Forget all about `topic`: its signer has changed (a partner's new agency key)."""
        self._newest.pop(topic, None)
        self._conflicts.pop(topic, None)
        self._floors.pop(topic, None)

    def _judge(self, document: Document, now_ms: int) -> Offer:
        topic, version = document.header.topic, document.header.version
        known = self._newest.get(topic)
        if version < self._floors.get(topic, 0):
            return Offer.OLD
        if known is None:
            return Offer.NEW if self._has_room(topic, now_ms) else Offer.REFUSED
        if version != known.header.version:
            return Offer.NEW if version > known.header.version else Offer.OLD
        return Offer.KNOWN if document.digest == known.digest else Offer.CONFLICT

    def _has_room(self, topic: str, now_ms: int) -> bool:
        """Make room by forgetting the sender's topic that expired longest ago, if one did."""
        sender = _sender(topic)
        mine = [t for t in self._newest if _sender(t) == sender]
        if len(mine) < MAX_TOPICS:
            return True
        oldest = min(mine, key=lambda t: self._newest[t].header.expires_ms)
        if self._newest[oldest].header.expires_ms > now_ms:
            return False
        self.forget(oldest)
        return True


def _sender(topic: str) -> str:
    """Return the part of a topic that only one gateway may write below."""
    return "/".join(topic.split("/", 4)[:4])
