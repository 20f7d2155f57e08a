"""Documents as they come in: whose they are, whether they count, and who takes them.

Nothing here raises towards a link, and nothing decides who hears whom: what a document says is told
to the books, and the control plane is asked to decide anew.
"""

import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from radiobridge.core.documents import DocumentBook, Offer
from radiobridge.core.patches import PatchBook
from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.papers import Papers
from radiobridge.services.recollection import Recollection
from radiobridge.services.words import OwnWords
from radiobridge.wire.documents import (
    MAX_DOCUMENT,
    Document,
    read_document,
    read_undated,
    roster_subject,
)
from radiobridge.wire.topics import Topic, TopicKind, parse_topic
from radiobridge.wire.words import KeyGrant, PatchWord

log = structlog.get_logger()

_PENDING_EACH = 4
"""Of them on one topic: brokers may have kept different ones; the first that came goes."""
_PENDING = 256
"""Documents kept until their sender's roster comes; beyond that they are dropped and counted."""

_LAST = 4096
"""Topics of which is known what came last; beyond that what comes again is read as if it were new.
One sender fills 512 of them at most (`core.documents.MAX_TOPICS`) at a time."""

_OWN = frozenset({TopicKind.HEAD, TopicKind.PATCH, TopicKind.KEY, TopicKind.ALARM, TopicKind.ACK})
"""Kinds of our own that are looked at when a broker brings them back."""

_SAY_S = 1.0
"""Refused documents are logged that often at most: a flood of them must not fill the disk."""

STANDING = frozenset(
    {TopicKind.PATCH, TopicKind.KEY, TopicKind.ALARM, TopicKind.ACK, TopicKind.ROSTER}
)
"""Kinds that stand on a broker until they are replaced: heads name them, links are compared by
them."""


@dataclass(slots=True)
class IntakePorts:
    """Who takes what has been read; set by whoever is built later."""

    heard: Callable[[GatewayId, Topic, Document, str], None]
    """Presences, heads and notices: (sender, topic, document, link)."""
    emergency: Callable[[Topic, Document], None]
    """Alarms and acknowledgements, old ones too."""
    probed: Callable[[GatewayId, Topic, Document], None]
    """Probes of patches: (sender, topic, document)."""
    delivered: Callable[[str, str, int], None]
    """A link has brought a standing document, known or not: (link, signed topic, version)."""
    own_head: Callable[[int], None]
    """A head of our own came from a broker: its version."""
    own_word: Callable[[int], None]
    """A word of our own from before this run came from a broker: its version."""


class _Last(NamedTuple):
    """A document that was taken, without its bytes: they may be 64 KiB."""

    size: int
    digest: bytes
    version: int


class Intake:
    """Reads documents and tells the books."""

    def __init__(
        self,
        me: GatewayId,
        *,
        directory: Directory,
        papers: Papers,
        bridge: BridgeTime,
        keys: VoiceKeys,
        patches: PatchBook,
        words: OwnWords,
        memory: Recollection,
        auditor: Auditor,
        rosters_changed: Callable[[], None],
        words_changed: Callable[[], None],
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.ports = IntakePorts(
            _nobody, _no_emergency, _no_probe, _not_compared, _no_head, _no_head
        )
        self._me = me
        self._directory = directory
        self._papers = papers
        self._bridge = bridge
        self._keys = keys
        self._patches = patches
        self._words = words
        self._memory = memory
        self._auditor = auditor
        self._rosters_changed = rosters_changed
        self._words_changed = words_changed
        self._book = DocumentBook()
        self._pending: dict[tuple[str, bytes], str] = {}
        self._early: dict[str, tuple[bytes, str]] = {}
        self._said_at = float("-inf")
        self._unsaid = 0
        self._last: OrderedDict[str, _Last] = OrderedDict()
        """What was taken last on each topic; the topic heard of longest ago goes."""

    # --- links ---------------------------------------------------------------------------------

    def document(self, topic: str, payload: bytes, link: str) -> None:
        """Take a document of a link, whatever it holds. Never raises."""
        try:
            self._document(topic, payload, link)
        except RemoteProtocolError as error:
            self.counters[f"document-{error.reason}"] += 1
            self._say_refused(topic, error.reason, link)
            if error.reason == "future" and not self._bridge.synchronised:
                self._keep_for_later(topic, payload, link)

    def _say_refused(self, topic: str, reason: str, link: str) -> None:
        """Log a refusal: one a second at most, with how many were left out before it."""
        now = time.monotonic()
        if now - self._said_at < _SAY_S:
            self._unsaid += 1
            return
        self._said_at = now
        log.warning("document-refused", topic=topic[:200], reason=reason, link=link,
                    left_out=self._unsaid)  # fmt: skip
        self._unsaid = 0

    def _keep_for_later(self, topic: str, payload: bytes, link: str) -> None:
        """Keep what comes from the future: it may be our clock that is wrong."""
        if len(self._early) < _PENDING or topic in self._early:
            self._early[topic] = (payload, link)

    def synchronised(self) -> None:
        """The clock is right now: read again what seemed to come from the future."""
        early, self._early = self._early, {}
        for topic, (payload, link) in early.items():
            self.document(topic, payload, link)

    def _document(self, topic: str, payload: bytes, link: str) -> None:
        if not payload:
            self._last.pop(topic, None)
            return
        parsed = parse_topic(topic)
        if parsed.kind is not TopicKind.PRESENCE and self._again(topic, parsed, payload, link):
            return
        if len(payload) > MAX_DOCUMENT:
            raise RemoteProtocolError("too-large")
        if parsed.gateway.agency not in self._directory.agencies:
            raise RemoteProtocolError("not-trusted")
        if parsed.kind is TopicKind.ROSTER:
            version = self._take_roster(parsed.gateway.agency, payload)
            if parsed.gateway != self._me:
                self.ports.delivered(link, topic, version)
        elif parsed.gateway == self._me:
            self._take_own(topic, parsed, payload)
            return
        else:
            taken = self._take(topic, parsed, payload, link)
            if taken is None:
                return
            version = taken
        if parsed.kind is not TopicKind.PRESENCE:
            self._taken(topic, payload, version)

    def _taken(self, topic: str, payload: bytes, version: int) -> None:
        """Remember what was taken, at the cost of what was heard of longest ago."""
        self._last[topic] = _Last(len(payload), _digest(payload), version)
        self._last.move_to_end(topic)
        if len(self._last) > _LAST:
            self._last.popitem(last=False)

    def _again(self, topic: str, parsed: Topic, payload: bytes, link: str) -> bool:
        """Tell whether this is what came last on the topic, by another link perhaps."""
        last = self._last.get(topic)
        if last is None or last.size != len(payload) or last.digest != _digest(payload):
            return False
        self._last.move_to_end(topic)
        if parsed.kind in STANDING and parsed.gateway != self._me:
            self.ports.delivered(link, topic, last.version)
        return True

    def again(self) -> None:
        """Read what comes again as if it were new: somebody is trusted who was not."""
        self._last.clear()

    # --- rosters -------------------------------------------------------------------------------

    def offer_roster(self, agency: AgencyId, payload: bytes, now_ms: int | None = None) -> Offer:
        """Take a roster from anywhere. Raises RemoteProtocolError when it is none."""
        before = self._directory.rosters.get(agency)
        now_ms = self._bridge.now_ms() if now_ms is None else now_ms
        outcome = self._directory.offer(agency, payload, now_ms)
        now = self._directory.rosters.get(agency)
        self._auditor.roster(agency, before, now)
        if outcome is Offer.NEW and now is not None:
            for gateway in now.refused:
                self.counters["roster-entry-bad-key"] += 1
                log.error("roster-entry-refused", gateway=str(gateway), reason="bad-key")
        if outcome is Offer.NEW:
            self._memory.roster(agency, payload)
        return outcome

    def known_roster(self, agency: AgencyId, payload: bytes) -> None:
        """Take a roster from our own disk; a clock that is behind is no objection to it."""
        issued_ms = self._directory.issued_ms(agency, payload)
        self.offer_roster(agency, payload, max(issued_ms, self._bridge.now_ms()))

    def restore_rosters(self) -> None:
        """Take the rosters that were known before a restart: no older one comes back."""
        for agency, raw in list(self._memory.rosters()):
            try:
                if agency in self._directory.agencies:
                    self.known_roster(agency, raw)
            except RemoteProtocolError as error:
                log.warning("roster-not-restored", agency=str(agency), reason=error.reason)

    def _take_roster(self, agency: AgencyId, payload: bytes) -> int:
        """Take a roster; return its version (of an old one: one that is too low)."""
        outcome = self.offer_roster(agency, payload)
        if outcome not in (Offer.KNOWN, Offer.OLD):
            log.info("roster", agency=str(agency), outcome=outcome.value)
            self._rosters_changed()
            pending, self._pending = self._pending, {}
            for (topic, raw), link in pending.items():
                self.document(topic, raw, link)
        newest = self._directory.versions.get(roster_subject(agency), 0)
        return newest - 1 if outcome is Offer.OLD else newest

    # --- other documents -----------------------------------------------------------------------

    def _take(self, topic: str, parsed: Topic, payload: bytes, link: str) -> int | None:
        """Read a document; None: nothing is to be remembered of it.

        It waits for its sender's roster, and comes here again then; or its sender has filled what
        is kept of one.
        """
        now_ms = self._bridge.now_ms()
        entry = self._directory.entry(parsed.gateway, now_ms)
        if entry is None:
            self._wait_for_roster(topic, payload, link)
            return None
        document = read_document(payload, topic, entry.signer, now_ms)
        offer = self._book.offer(document, now_ms)
        self._note_offer(offer, topic, document.header.version, link)
        if parsed.kind in STANDING and offer is not Offer.REFUSED:
            self.ports.delivered(link, topic, document.header.version)
        if parsed.kind is TopicKind.PATCH:
            self._take_word(parsed, document, offer)
        elif parsed.kind is TopicKind.KEY and offer is Offer.NEW:
            self._take_key(parsed, document)
        elif parsed.kind in (TopicKind.ALARM, TopicKind.ACK):
            self.ports.emergency(parsed, document)
        elif parsed.kind is TopicKind.PROBE:
            if offer is Offer.NEW:
                self.ports.probed(parsed.gateway, parsed, document)
        elif offer is Offer.NEW or (offer is Offer.KNOWN and parsed.kind is TopicKind.PRESENCE):
            self.ports.heard(parsed.gateway, parsed, document, link)
        return None if offer is Offer.REFUSED else document.header.version

    def _note_offer(self, offer: Offer, topic: str, version: int, link: str) -> None:
        if offer is Offer.CONFLICT:
            self.counters["document-conflict"] += 1
            log.error("document-conflict", topic=topic, version=version)
        elif offer is Offer.REFUSED:
            self.counters["document-too-many-topics"] += 1
            self._say_refused(topic, "too-many-topics", link)

    def _wait_for_roster(self, topic: str, payload: bytes, link: str) -> None:
        """Keep a document; which of several on a topic is the newest shows when it can be read."""
        if (topic, payload) in self._pending:
            return
        waiting = [one for one in self._pending if one[0] == topic]
        if len(waiting) >= _PENDING_EACH:
            del self._pending[waiting[0]]
        elif len(self._pending) >= _PENDING:
            raise RemoteProtocolError("no-roster")
        self._pending[topic, payload] = link

    def _take_word(self, topic: Topic, document: Document, offer: Offer) -> None:
        """Take a partner's word; old ones too, for a withdrawal counts whenever it comes."""
        body = self._papers.opened(document, topic.gateway)
        word = PatchWord.from_body(body, topic.name)
        header = document.header
        self._patches.word(
            topic.gateway, word, version=header.version, expires_ms=header.expires_ms
        )
        self._memory.heard(topic.gateway, PatchId(topic.name))
        if offer is not Offer.KNOWN:
            self._auditor.word_heard(topic.gateway, word, header)
        log.info("word", partner=str(topic.gateway), patch=topic.name, verb=word.verb.value)
        self._words_changed()

    def _take_key(self, topic: Topic, document: Document) -> None:
        if topic.recipient != self._me.agency:
            return
        body = self._papers.opened(document, topic.gateway)
        grant = KeyGrant.from_body(body, topic.talkgroup)
        self._keys.receive(topic.gateway, grant, self._bridge.now_ms())
        log.info("voice-key", sender=str(topic.gateway), talkgroup=str(topic.talkgroup),
                 epoch=grant.epoch)  # fmt: skip

    def _take_own(self, topic: str, parsed: Topic, payload: bytes) -> None:
        """Take what we said ourselves, in this run or before: the disk may have forgotten it.

        A word or a key that has expired counts for nobody: brokers need not keep it.
        """
        now_ms = self._bridge.now_ms()
        entry = self._directory.entry(self._me, now_ms)
        if entry is None or parsed.kind not in _OWN:
            return
        document = read_undated(payload, topic, entry.signer)
        header = document.header
        self._papers.raise_floor(header.version)
        if parsed.kind is TopicKind.HEAD:
            self.ports.own_head(header.version)
        elif header.expires_ms <= now_ms:
            if self._bridge.synchronised and self._papers.versions.get(topic, 0) <= header.version:
                self._papers.clear(topic)
        elif parsed.kind in (TopicKind.ALARM, TopicKind.ACK):
            if self._papers.versions.get(topic, 0) < header.version:
                self.ports.emergency(parsed, document)
        elif parsed.kind is TopicKind.PATCH:
            self._book.offer(document, now_ms)
            if self._papers.versions.get(topic, 0) < header.version:
                self.ports.own_word(header.version)
            word = PatchWord.from_body(self._papers.opened(document, self._me), parsed.name)
            self._words.recall(word, header.version, header.expires_ms)

    def versions(self, now_ms: int) -> dict[str, int]:
        """Return the newest version known of each standing document, ours too."""
        found = {**self._book.versions(now_ms), **self._directory.versions}
        for topic, version in self._papers.standing(now_ms).items():
            found[topic] = max(version, found.get(topic, 0))
        return {topic: version for topic, version in found.items() if _stands(topic)}


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()


def _stands(topic: str) -> bool:
    try:
        return parse_topic(topic).kind in STANDING
    except RemoteProtocolError:
        return topic.endswith(f"/{TopicKind.ROSTER}")


def _nobody(_sender: GatewayId, _topic: Topic, _document: Document, _link: str) -> None:
    """Drop what nobody shows."""


def _no_emergency(_topic: Topic, _document: Document) -> None:
    """Drop what nobody follows."""


def _no_probe(_sender: GatewayId, _topic: Topic, _document: Document) -> None:
    """Nobody answers."""


def _not_compared(_link: str, _topic: str, _version: int) -> None:
    """Nobody compares links."""


def _no_head(_version: int) -> None:
    """Nobody doubts our state."""
