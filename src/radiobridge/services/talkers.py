"""Who talks, and what supervisors have decided about it: demoted, excluded, or nothing.

A spurt goes by several names: the donor radio that hears it and, once known, the typed id of its
talker. For other gateways' spurts these come from their notices, which are for display otherwise:
here they can only take away.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from radiobridge.core.measures import (
    FREE,
    MeasureBook,
    MeasureState,
    Reach,
    Standing,
    by_radio,
)
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId
from radiobridge.model.voice import Claim
from radiobridge.services.clock import BridgeTime
from radiobridge.services.own_documents import OwnDocuments
from radiobridge.services.timer import OneTimer
from radiobridge.wire.alarms import AckVerb, Measure
from radiobridge.wire.documents import DocumentHeader
from radiobridge.wire.topics import ack_topic

LIFE_MS = 24 * 3600 * 1000
"""A measure ends by itself after a day."""

_REMEMBERED = 1024
"""Talkgroups of gateways whose last talker is remembered; the oldest go."""


class _Talker(NamedTuple):
    start_ms: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkerPorts:
    """What this asks of the rest of the gateway."""

    changed: Callable[[], None]
    """Somebody who talks may stand otherwise than before."""
    radio_of: Callable[[TalkgroupId], RadioName | None]
    """Our radio that hears the talker of one of our talkgroups."""
    make_timer: Callable[[Callable[[float], None]], OneTimer]


class Talkers:
    """The talkers that one gateway knows, and the measures against them."""

    def __init__(
        self, me: GatewayId, *, bridge: BridgeTime, documents: OwnDocuments, ports: TalkerPorts
    ) -> None:
        self._me = me
        self._bridge = bridge
        self._documents = documents
        self._ports = ports
        self._book = MeasureBook(me.agency)
        self._talkers: OrderedDict[tuple[GatewayId, TalkgroupId], _Talker] = OrderedDict()
        self._any = False
        self._timer = ports.make_timer(lambda _now: self._follow())

    def close(self) -> None:
        """Look at nothing more."""
        self._timer.set(None)

    # --- who talks -----------------------------------------------------------------------------

    def identified(
        self, sender: GatewayId, talkgroup: TalkgroupId, start_ms: int, *names: str
    ) -> None:
        """Note names of who speaks in a spurt, as its sender says; they add up."""
        key = sender, talkgroup
        known = self._talkers.pop(key, None)
        before = known.names if known is not None and known.start_ms == start_ms else frozenset()
        talker = _Talker(start_ms, before | {name for name in names if name})
        self._talkers[key] = talker
        if len(self._talkers) > _REMEMBERED:
            self._talkers.popitem(last=False)
        if self._any and talker.names != before:
            self._ports.changed()

    def names(self, claim: Claim) -> frozenset[str]:
        """Return by which names the talker of a spurt goes, as far as known."""
        known = self._talkers.get((claim.sender, claim.talkgroup))
        names = frozenset[str]()
        if known is not None and known.start_ms == claim.start_ms:
            names = known.names
        if claim.sender == self._me:
            radio = self._ports.radio_of(claim.talkgroup)
            names |= {by_radio(self._me, radio)} if radio is not None else set()
        return names

    def standing(self, claim: Claim) -> Standing:
        """Return how the talker of a spurt stands."""
        if not self._any:
            return FREE
        return self._book.standing(claim.talkgroup, self.names(claim), self._bridge.now_ms())

    # --- measures ------------------------------------------------------------------------------

    def states(self) -> tuple[MeasureState, ...]:
        """Return the measures that count now."""
        return self._book.states(self._bridge.now_ms())

    def reach(self, talkgroup: TalkgroupId) -> Reach:
        """Return whom this gateway may bind in what concerns a talker of `talkgroup`."""
        return self._book.reach(self._me, talkgroup)

    def decide(
        self, verb: AckVerb, talkgroup: TalkgroupId, talker: str, by: str
    ) -> tuple[Measure, "asyncio.Task[None]"]:
        """Demote, exclude or restore a talker. The task makes it durable."""
        word = Measure(
            id=self._id_of(talkgroup, talker), verb=verb, talkgroup=talkgroup, talker=talker, by=by
        )
        expires_ms = self._bridge.now_ms() + LIFE_MS

        def counts(version: int) -> None:
            self.restore(word, version, expires_ms)
            self._follow()

        task = self._documents.say(
            ack_topic(self._me, word.id),
            word.to_body(),
            talkgroup,
            expires_ms=expires_ms,
            counts=counts,
        )
        return word, task

    def _id_of(self, talkgroup: TalkgroupId, talker: str) -> str:
        """Return the id of what this gateway has said about a talker, or a new one."""
        for state in self.states():
            measure = state.measure
            named = (state.sender, measure.talkgroup, measure.talker)
            if named == (self._me, talkgroup, talker):
                return measure.id
        return secrets.token_hex(8)

    def restore(self, word: Measure, version: int, expires_ms: int) -> None:
        """Take what this gateway has decided, also before a restart."""
        self._book.measure(
            self._me, word, version=version, expires_ms=expires_ms, now_ms=self._bridge.now_ms()
        )

    def heard(self, sender: GatewayId, word: Measure, header: DocumentHeader) -> None:
        """Take another gateway's measure. Raises RemoteProtocolError."""
        self._book.measure(
            sender,
            word,
            version=header.version,
            expires_ms=header.expires_ms,
            now_ms=self._bridge.now_ms(),
        )
        self._follow()

    def set_hosts(self, hosts: Mapping[TalkgroupId, AgencyId]) -> None:
        """Say who hosts the patch in force that each member is in."""
        if self._book.set_hosts(hosts):
            self._follow()

    def follow(self) -> None:
        """Begin to look at the measures that were restored."""
        self._follow()

    def _follow(self) -> None:
        now_ms = self._bridge.now_ms()
        before, self._any = self._any, bool(self._book.states(now_ms))
        due = self._book.next_deadline_ms(now_ms)
        self._timer.set(None if due is None else self._bridge.monotonic_at(due))
        if before or self._any:
            self._ports.changed()
