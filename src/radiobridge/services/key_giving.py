"""Giving voice keys away, and logging it: a first key before it is given, its successors after.

A gateway that gets a key for the first time waits for the audit log. One that has had the key of
this talkgroup before, and may still hear, gets the next one at once: a full disk must not stop
voice that is in force.
"""

import asyncio
from collections.abc import Collection, Mapping

import structlog

from radiobridge.core.voice_keys import Listener, PublishKey
from radiobridge.errors import StoreError
from radiobridge.model.audit import Outcome
from radiobridge.model.ids import AgencyId, GatewayId, TalkgroupId
from radiobridge.services.auditing import Auditor
from radiobridge.services.papers import Papers
from radiobridge.services.tasks import Tasks
from radiobridge.wire.topics import key_topic

log = structlog.get_logger()

RETRY_S = 5.0
"""After an audit log that failed: when a key is tried again."""


class KeyGiving:
    """Publishes the keys of one gateway to whom they are for."""

    def __init__(
        self,
        me: GatewayId,
        *,
        papers: Papers,
        auditor: Auditor,
        tasks: Tasks,
    ) -> None:
        self._me = me
        self._papers = papers
        self._auditor = auditor
        self._tasks = tasks
        self._entitled: Mapping[TalkgroupId, Collection[GatewayId]] = {}
        self._given: dict[TalkgroupId, set[GatewayId]] = {}
        self._newest: dict[tuple[TalkgroupId, AgencyId], PublishKey] = {}
        self._closed = asyncio.Event()

    def entitled(self, listeners: Mapping[TalkgroupId, Collection[Listener]]) -> None:
        """Say who may hear each of our talkgroups from now on; who may not starts anew."""
        self._entitled = {tg: {one.gateway for one in who} for tg, who in listeners.items()}
        for talkgroup, given in self._given.items():
            given &= set(self._entitled.get(talkgroup, ()))

    def give(self, effect: PublishKey) -> None:
        """Give a key to its listeners: at once to those who had one, to others once logged."""
        self._newest[effect.grant.talkgroup, effect.recipient] = effect
        given = self._given.setdefault(effect.grant.talkgroup, set())
        old = frozenset(one for one in effect.listeners if one.gateway in given)
        if old:
            self._publish(effect, old)
            self._auditor.key_renewed(effect.grant, effect.recipient, _names(old))
        if effect.listeners - old:
            self._tasks.spawn(self._give_first(effect, effect.listeners - old))

    def close(self) -> None:
        """Give no more."""
        self._closed.set()

    async def _give_first(self, effect: PublishKey, new: frozenset[Listener]) -> None:
        """Give a key to gateways that have none, once that is in the log."""
        while self._counts(effect):
            try:
                await self._auditor.key_grant(effect.grant, effect.recipient, _names(new))
            except StoreError as error:
                why = {"agency": str(effect.recipient), "error": str(error)}
                log.error("voice-key-not-given", talkgroup=str(effect.grant.talkgroup), **why)  # noqa: TRY400
                await self._pause()
                continue
            if self._counts(effect):
                self._given[effect.grant.talkgroup] |= _names(effect.listeners)
                self._publish(effect, effect.listeners)
            else:
                self._auditor.key_renewed(
                    effect.grant, effect.recipient, _names(new), Outcome.FAILED
                )
            return

    def _counts(self, effect: PublishKey) -> bool:
        """Tell whether a key is still the newest, and all it is for may still hear."""
        talkgroup = effect.grant.talkgroup
        newest = self._newest.get((talkgroup, effect.recipient)) is effect
        entitled = self._entitled.get(talkgroup, ())
        return newest and not self._closed.is_set() and _names(effect.listeners) <= set(entitled)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), RETRY_S)
        except TimeoutError:
            return

    def _publish(self, effect: PublishKey, listeners: frozenset[Listener]) -> None:
        grant = effect.grant
        self._papers.publish_sealed(
            key_topic(self._me, grant.talkgroup.name, effect.recipient),
            grant.to_body(),
            {one.gateway: one.hpke_key for one in listeners},
            expires_ms=effect.expires_ms,
        )
        log.info("voice-key-given", talkgroup=str(grant.talkgroup), agency=str(effect.recipient),
                 epoch=grant.epoch, gateways=len(listeners))  # fmt: skip


def _names(listeners: Collection[Listener]) -> frozenset[GatewayId]:
    return frozenset(one.gateway for one in listeners)
