"""Heads: what this gateway knows, said now and then; what others know, compared; whom to trust.

Each head is noted on the disk before it is published, so that a disk that went back in time shows
itself (`core.state_trust`). A gateway that does not trust its memory publishes no head: nobody is
to take its word for how things stand.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from radiobridge.core.heads import HeadWatch, LinkBehind, Withheld
from radiobridge.core.patch_state import Reason
from radiobridge.core.state_trust import StateTrust, Trust
from radiobridge.errors import CommandError, RemoteProtocolError, StoreError
from radiobridge.model.audit import AuditEvent, Outcome
from radiobridge.model.ids import AgencyId, GatewayId
from radiobridge.services.audit_heads import AuditHeads
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.durable import HANGS
from radiobridge.services.intake import Intake
from radiobridge.services.papers import Papers
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore
from radiobridge.wire.documents import Document
from radiobridge.wire.topics import TopicKind, head_topic, parse_topic
from radiobridge.wire.words import MAX_VERSIONS, Head

log = structlog.get_logger()

MARKER_KEY = "published-head"
"""The version of the newest head of ours: on the disk before it is on a broker."""

HEAD_S = 30.0
"""How often a head is said, when the configuration does not ask for more."""

HEAD_LIFE_MS = 90_000
_SURE_S = 0.005
"""A timer may fire a little early."""

STORE_S = 2.0
"""A disk that takes longer does not stop heads; the next start then asks to be confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadPorts:
    """What heads ask of the control plane."""

    agencies: Callable[[], frozenset[AgencyId]]
    """Those that are trusted."""
    changed: Callable[[], None]
    """Decide anew: what is closed may be open, or the reverse."""


class Heads:
    """The heads of one gateway and of its partners."""

    def __init__(
        self,
        me: GatewayId,
        *,
        intake: Intake,
        papers: Papers,
        bridge: BridgeTime,
        store: StateStore,
        auditor: Auditor,
        simulation: bool,
        ports: HeadPorts,
        every_s: float = HEAD_S,
    ) -> None:
        self._me = me
        self._intake = intake
        self._papers = papers
        self._bridge = bridge
        self._store = store
        self._auditor = auditor
        self._ports = ports
        self._every_s = every_s
        self._tasks = Tasks()
        self._audit = AuditHeads(me, store=store, auditor=auditor, tasks=self._tasks)
        marker = store.get(MARKER_KEY)
        number = int(marker) if marker is not None and marker.isdecimal() else None
        self._trust = StateTrust(number, fresh_is_trusted=simulation)
        self._told = Trust.CHECKING
        self._watch = HeadWatch()
        self._withheld: tuple[Withheld, ...] = ()
        self._behind: tuple[LinkBehind, ...] = ()
        self._say_at = 0.0
        self._saying = False
        intake.ports.delivered = self._delivered
        intake.ports.own_head = self._own_head
        intake.ports.own_word = self._own_word
        if number is not None:
            papers.raise_floor(number)

    # --- trust ---------------------------------------------------------------------------------

    def closed(self) -> Reason | None:
        """Return why nothing foreign is joined."""
        return _CLOSED.get(self._trust.trust(time.monotonic()))

    async def confirm(self, by: str) -> dict[str, Any]:
        """An operator vouches for the state; durable before it takes effect."""
        now_ms = self._bridge.now_ms()
        try:
            await self._auditor.before(AuditEvent.STATE_CONFIRMED, source="command", identity=by)
            async with asyncio.timeout(STORE_S):
                await self._store.put(MARKER_KEY, str(self._papers.next_version()))
        except (StoreError, TimeoutError) as error:
            why = error.text if isinstance(error, StoreError) else HANGS
            raise CommandError(
                f"the state is not confirmed: it cannot be stored ({why.en})",
                f"l'état n'est pas confirmé : il ne peut être enregistré ({why.fr})",
            ) from error
        self._trust.confirm(by)
        self._settle()
        return self.status(now_ms)

    def _own_head(self, version: int) -> None:
        self._trust.own_head(version)
        self._settle()

    def _own_word(self, version: int) -> None:
        self._trust.own_word(version)
        self._settle()

    def _settle(self) -> None:
        """Say and do what follows when trust has changed."""
        trust = self._trust.trust(time.monotonic())
        if trust is self._told:
            return
        before, self._told = self._told, trust
        if trust is Trust.LOST:
            log.error("state-lost")
            self._auditor.after(AuditEvent.STATE_LOST, source="heads", outcome=Outcome.FAILED)
        elif trust is Trust.TRUSTED and (before is Trust.LOST or self._trust.by):
            log.warning("state-trusted", by=self._trust.by)
            self._auditor.after(
                AuditEvent.STATE_TRUSTED, source="heads", identity=self._trust.by or None
            )
        self._say_at = 0.0
        self._ports.changed()

    # --- what we say ---------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what is due; call each second."""
        self._settle()
        self._compare()
        now = time.monotonic()
        if now >= self._say_at and not self._saying and self._told is Trust.TRUSTED:
            self._say_at = now + self._every_s
            self._saying = True
            self._tasks.spawn(self._say())

    async def _say(self) -> None:
        try:
            version = self._papers.next_version()
            if await self._noted(version) and self._told is Trust.TRUSTED:
                self._publish(version)
        finally:
            self._saying = False

    async def _noted(self, version: int) -> bool:
        """Put the marker on the disk; tell whether it is there.

        A head beyond the marker would tell the next run that its disk has lost something.
        """
        self._trust.published(version)
        try:
            async with asyncio.timeout(STORE_S):
                await self._store.put(MARKER_KEY, str(version))
        except (StoreError, TimeoutError) as error:
            log.error("head-not-noted", error=str(error) or HANGS.en)  # noqa: TRY400
            return False
        return True

    def _publish(self, version: int) -> None:
        now_ms = self._bridge.now_ms()
        audit = self._auditor.head_text()
        self._audit.published(audit, now_ms)
        head = Head(bridge_ms=now_ms, versions=self._versions(now_ms), audit=audit)
        topic, expires_ms = head_topic(self._me), now_ms + HEAD_LIFE_MS
        raw = self._papers.signed(topic, head.to_body(), expires_ms=expires_ms, version=version)
        self._papers.put(topic, raw)

    def _versions(self, now_ms: int) -> dict[str, int]:
        """Return what fits into a head: rosters first, then the newest."""
        known = self._intake.versions(now_ms)
        order = sorted(known, key=lambda topic: (not _is_roster(topic), -known[topic]))
        return {topic: known[topic] for topic in order[:MAX_VERSIONS]}

    # --- what others say -----------------------------------------------------------------------

    def heard(self, sender: GatewayId, document: Document) -> None:
        """Take the head of another gateway. Raises RemoteProtocolError."""
        head, issued_ms = Head.from_body(document.body), document.header.issued_ms
        now_ms = self._bridge.now_ms()
        self._audit.heard(sender, head.audit, issued_ms, now_ms)
        self._watch.head(sender, issued_ms, head.versions)
        self._compare()

    def link_up(self, link: str) -> None:
        """A link is up: its broker now shows what it keeps."""
        now = time.monotonic()
        self._watch.link(link, up=True, now=now)
        self._trust.link_up(now, self._bridge.now_ms())
        due = self._trust.next_deadline(now)
        if due is not None:
            asyncio.get_running_loop().call_later(due - now + _SURE_S, self.tick)

    def link_down(self, link: str) -> None:
        """A link is gone."""
        self._watch.link(link, up=False, now=time.monotonic())

    def _delivered(self, link: str, topic: str, version: int) -> None:
        if not self._watch.delivered(link, topic, version, time.monotonic()):
            log.error("broker-served-old", link=link, topic=topic, version=version)

    def _compare(self) -> None:
        """Look for what is withheld, and take a sibling's word for our state."""
        now_ms = self._bridge.now_ms()
        known = self._intake.versions(now_ms)
        if self._told is not Trust.TRUSTED:
            self._ask_siblings(known, now_ms)
        self._tell_withheld(self._watch.withheld(known, self._counts, now_ms))
        self._watch.forget(self._watch.topics - known.keys())
        self._tell_behind(self._watch.links_behind(time.monotonic()))

    def _ask_siblings(self, known: dict[str, int], now_ms: int) -> None:
        for gateway, issued_ms in self._watch.fresh(now_ms).items():
            if gateway.agency == self._me.agency:
                missing = bool(self._watch.missing(gateway, known, self._counts_for_trust))
                self._trust.sibling_head(str(gateway), issued_ms, now_ms, missing=missing)
        self._settle()

    def _counts(self, topic: str) -> bool:
        """Tell whether we should have a document: of a trusted agency, and not a key for others."""
        if _is_roster(topic):
            return topic.split("/")[2] in self._ports.agencies()
        try:
            parsed = parse_topic(topic)
        except RemoteProtocolError:
            return False
        if parsed.kind is TopicKind.KEY and parsed.recipient != self._me.agency:
            return False
        return parsed.gateway.agency in self._ports.agencies() and (
            parsed.kind is not TopicKind.KEY or parsed.gateway != self._me
        )

    def _counts_for_trust(self, topic: str) -> bool:
        return f"/{TopicKind.PATCH}/" in topic and self._counts(topic)

    def _tell_withheld(self, found: tuple[Withheld, ...]) -> None:
        told = {(one.topic, one.version) for one in self._withheld}
        for one in found:
            if (one.topic, one.version) not in told:
                told.add((one.topic, one.version))
                log.error("document-withheld", topic=one.topic, version=one.version,
                          known=one.known, according_to=str(one.according_to))  # fmt: skip
                self._auditor.after(
                    AuditEvent.DOCUMENT_WITHHELD,
                    source=f"head of {one.according_to}",
                    outcome=Outcome.FAILED,
                    detail={"topic": one.topic, "version": one.version, "known": one.known},
                )
        self._withheld = found

    def _tell_behind(self, found: tuple[LinkBehind, ...]) -> None:
        before = {(one.link, one.topic, one.version) for one in self._behind}
        for one in found:
            if (one.link, one.topic, one.version) not in before:
                log.warning("broker-behind", link=one.link, topic=one.topic,
                            version=one.version, delivered=one.delivered)  # fmt: skip
        self._behind = found

    # --- people --------------------------------------------------------------------------------

    def status(self, now_ms: int) -> dict[str, Any]:
        """Return trust and findings."""
        return {
            "trust": self._told.value,
            "by": self._trust.by,
            "heads": {
                str(gateway): now_ms - issued_ms
                for gateway, issued_ms in sorted(self._watch.fresh(now_ms).items())
            },
            "withheld": [
                {
                    "topic": one.topic,
                    "version": one.version,
                    "known": one.known,
                    "according_to": str(one.according_to),
                    "since_ms": one.since_ms,
                }
                for one in self._withheld
            ],
            "links_behind": [
                {
                    "link": one.link,
                    "topic": one.topic,
                    "version": one.version,
                    "delivered": one.delivered,
                }
                for one in self._behind
            ],
        }

    def served_old(self, link: str) -> int:
        """Return how often a link brought an older document than before."""
        return self._watch.served_old(link)

    def audit_status(self) -> dict[str, str]:
        """Return the furthest head held of each other gateway's audit log."""
        return self._audit.status()

    def audit_held(self) -> list[str]:
        """Return all heads held of others' audit logs."""
        return self._audit.held()

    async def close(self) -> None:
        """Give what is being stored a last moment."""
        await self._tasks.settle()


def _is_roster(topic: str) -> bool:
    return topic.endswith(f"/{TopicKind.ROSTER}")


_CLOSED = {Trust.CHECKING: Reason.STARTING, Trust.LOST: Reason.STATE_UNCONFIRMED}
