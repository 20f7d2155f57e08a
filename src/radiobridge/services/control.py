"""What this gateway says and hears in documents, and what follows: patches, keys, routes.

One function decides, `refresh`: from plans, rosters, words and time to the map of who hears whom.
It runs when any of these changes, and at the next moment that changes a patch by itself. What it
takes away is silent before anything is written or sent; what it gives waits for keys by itself,
because without a key nothing is sent and nothing can be opened.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from radiobridge.core.patch_state import PatchState, Reason
from radiobridge.core.patches import PatchBook
from radiobridge.core.routing import Routes
from radiobridge.core.voice_keys import KeyEffect, Listener, PersistEpoch, VoiceKeys
from radiobridge.errors import StoreError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, TalkgroupId
from radiobridge.model.patch import Terms
from radiobridge.services.agreements import Agreements
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.intake import Intake
from radiobridge.services.key_giving import KeyGiving
from radiobridge.services.papers import Papers, subscribe
from radiobridge.services.patching import DeskPorts, PatchDesk
from radiobridge.services.recollection import Recollection
from radiobridge.services.tasks import Tasks
from radiobridge.services.timer import OneTimer
from radiobridge.services.voice import VoiceMap
from radiobridge.services.words import OwnWords, WordPorts
from radiobridge.spi import StateStore
from radiobridge.wire.roster import Right
from radiobridge.wire.topics import (
    document_filters,
    roster_topic,
)

log = structlog.get_logger()

EPOCH_KEY = "epoch/"

_OVER = frozenset({Reason.NOT_OURS, Reason.EXPIRED, Reason.WITHDRAWN, Reason.TOO_FEW})

_FORGET_MS = 3600 * 1000
"""How often patches that are long over are forgotten."""

_RETRY_S = 5.0
"""After a store that failed: when keys are tried again."""


class ControlPlane:
    """The documents of one gateway. Times on the wire are ms of bridge time."""

    def __init__(
        self,
        me: GatewayId,
        agreements: Agreements,
        *,
        directory: Directory,
        roster: bytes,
        papers: Papers,
        bridge: BridgeTime,
        store: StateStore,
        keys: VoiceKeys,
        apply: Callable[[VoiceMap], None],
        auditor: Auditor,
        make_timer: Callable[[Callable[[float], None]], OneTimer],
    ) -> None:
        self.closed_by: Callable[[], Reason | None] = _open
        """Why nothing foreign is joined, besides the clock."""
        self.decided: Callable[[tuple[PatchState, ...], int], None] = _nothing
        """Who does what else follows from how the patches stand: (states, bridge time)."""
        self.patches_changed: Callable[[tuple[PatchState, ...], int], None] = _nothing
        """The same, for emergencies; called first."""
        self._me = me
        self._agreements = agreements
        self._directory = directory
        self._roster = roster
        self._papers = papers
        self._bridge = bridge
        self._store = store
        self._keys = keys
        self._apply = apply
        self._timer = make_timer(lambda _now: self.refresh())
        self._patches = PatchBook(me.agency)
        self._states: tuple[PatchState, ...] = ()
        self._known: frozenset[AgencyId] = frozenset()
        self.voice_map = VoiceMap()
        """Who hears whom now."""
        self._tasks = Tasks()
        self._auditor = auditor
        self._giving = KeyGiving(me, papers=papers, auditor=auditor, tasks=self._tasks)
        self._running = False
        self._refreshing = self._applied = False
        self._forget_at_ms = 0
        self._words = OwnWords(
            me,
            patches=self._patches,
            directory=directory,
            papers=papers,
            bridge=bridge,
            store=store,
            auditor=auditor,
            tasks=self._tasks,
            ports=WordPorts(
                decide=self._decide,
                refresh=self.refresh,
                terms_of=self._terms_of,
                running=lambda: self._running,
            ),
        )
        self._memory = Recollection(store, self._patches, self._tasks)
        self.intake = Intake(
            me,
            directory=directory,
            papers=papers,
            bridge=bridge,
            keys=keys,
            patches=self._patches,
            words=self._words,
            memory=self._memory,
            auditor=auditor,
            rosters_changed=self._rosters_changed,
            words_changed=self._refresh_soon,
        )
        self.desk = PatchDesk(
            me,
            patches=self._patches,
            words=self._words,
            directory=directory,
            bridge=bridge,
            tasks=self._tasks,
            ports=DeskPorts(
                agreements=lambda: self._agreements,
                states=lambda: self._states,
                closed=self.closed,
                refused=lambda patch: auditor.refused.get(patch),
            ),
        )

    @property
    def agreements(self) -> Agreements:
        """Return the talkgroup map and the plans, as configured now."""
        return self._agreements

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: ask for documents, show the roster, say what the plans say."""
        self.intake.restore_rosters()
        self.intake.known_roster(self._me.agency, self._roster)
        self._memory.restore_words(self._me)
        self._words.restore(self._bridge.now_ms())
        self._running = True
        self._take_agreements()

    def stop(self) -> None:
        """Stop deciding; what was said stands."""
        self._running = False
        self._timer.set(None)
        self._giving.close()

    def replace(self, agreements: Agreements, roster: bytes) -> None:
        """Take a new configuration (SIGHUP). Plans that are gone are silent when this returns."""
        self._agreements = agreements
        if roster != self._roster:
            self._roster = roster
            self.intake.known_roster(self._me.agency, roster)
        self._take_agreements()

    def _take_agreements(self) -> None:
        # Who is trusted again is asked again, and says the same as before.
        self.intake.again()
        talkgroups = self._agreements.talkgroups
        self._patches.set_plans(self._agreements.plans, talkgroups.joins)
        filters = [document_filters(agency) for agency in self._directory.agencies]
        subscribe(self._papers.links, frozenset[str]().union(*filters))
        self._papers.put(roster_topic(self._me), self._roster)
        self._take_rosters()
        self.refresh()

    # --- what comes in -------------------------------------------------------------------------

    def document(self, topic: str, payload: bytes, link: str) -> None:
        """Take a document of a link, whatever it holds. Never raises."""
        self.intake.document(topic, payload, link)

    def _rosters_changed(self) -> None:
        self._take_rosters()
        self.refresh()

    def _take_rosters(self) -> None:
        """Tell the patches who is who; who is trusted no more is nobody."""
        trusted = self._directory.agencies
        for agency in trusted | self._known:
            roster = self._directory.rosters.get(agency)
            if roster is None:
                self._patches.drop_roster(agency)
            else:
                self._patches.roster(roster)
        self._known = trusted

    # --- what follows --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Decide anew who hears whom, and do what follows. Taking away comes first."""
        self._refreshing = False
        if not self._running:
            return
        if self._bridge.synchronised:
            self.intake.synchronised()
        now_ms = self._bridge.now_ms()
        if self._bridge.synchronised and now_ms >= self._forget_at_ms:
            self._forget_at_ms = now_ms + _FORGET_MS
            over = self._patches.forget_ended(now_ms)
            self._words.forget(over)
            self._memory.forget(over)
        self._patches.set_closed(self.closed())
        self._decide(now_ms)
        # Who does not trust its memory says nothing: it might say again what it has withdrawn.
        if self.closed_by() is None and self._words.speak(now_ms, gives=self._bridge.synchronised):
            self._decide(now_ms)
            # A withdrawal may have made room for what a new plan owes.
            self._refresh_soon()
        self._set_timer(now_ms)
        self.desk.follow(self._states, now_ms)
        self.patches_changed(self._states, now_ms)
        self.decided(self._states, now_ms)

    def closed(self) -> Reason | None:
        """Return why this gateway joins nothing foreign now."""
        if not self._bridge.synchronised:
            return Reason.CLOCK_UNSYNCHRONISED
        return self.closed_by()

    def _refresh_soon(self) -> None:
        """Decide in the next turn of the loop: a flood of words costs one decision, not many."""
        if not self._refreshing:
            self._refreshing = True
            asyncio.get_running_loop().call_soon(self.refresh)

    def _decide(self, now_ms: int) -> None:
        states = self._patches.states(now_ms)
        self._log_changes(states)
        self._states = states
        in_force = tuple(state.effective for state in states if state.in_force)
        routes = Routes.for_gateway(self._me, self._agreements.talkgroups, in_force)
        listeners = {tg: self._listeners(tg, routes, in_force, now_ms) for tg in routes.sends}
        voice_map = voice_map_of(routes, listeners, self._speakers(routes, now_ms))
        if voice_map != self.voice_map or not self._applied:
            self.voice_map, self._applied = voice_map, True
            self._apply(voice_map)
        self._giving.entitled(listeners)
        self._keys.sends(listeners)
        for talkgroup, who in listeners.items():
            self._carry_out(self._keys.follow(talkgroup, who, now_ms))
        self._carry_out(self._keys.tick(now_ms))
        self._forget_keys(routes, now_ms)

    def _speakers(self, routes: Routes, now_ms: int) -> frozenset[tuple[GatewayId, bytes]]:
        """Return who may send voice, with their keys: a changed roster changes the map."""
        agencies = {talkgroup.agency for talkgroup in routes.sources}
        entries = self._directory.holders(agencies, Right.VOICE, now_ms)
        return frozenset((entry.gateway, entry.signing_key) for entry in entries)

    def _forget_keys(self, routes: Routes, now_ms: int) -> None:
        """Keep the keys of what is heard, or will be when all have agreed; no others."""
        wanted = set(routes.sources)
        for state in self._states:
            if state.reason not in _OVER:
                wanted |= {member.talkgroup for member in state.terms.members}
        agencies = {talkgroup.agency for talkgroup in wanted}
        gateways = [e.gateway for e in self._directory.holders(agencies, Right.VOICE, now_ms)]
        self._keys.keep_only(
            {(gw, tg) for tg in wanted for gw in gateways if gw.agency == tg.agency}
        )

    def _listeners(
        self, talkgroup: TalkgroupId, routes: Routes, in_force: tuple[Terms, ...], now_ms: int
    ) -> frozenset[Listener]:
        """Return the other gateways that hear one of our talkgroups."""
        entries = self._directory.holders(routes.listeners(talkgroup), Right.VOICE, now_ms)
        return frozenset(
            Listener(entry.gateway, entry.hpke_key)
            for entry in entries
            if entry.gateway != self._me and self._needs(entry.gateway, talkgroup, in_force)
        )

    def _needs(
        self, gateway: GatewayId, talkgroup: TalkgroupId, in_force: tuple[Terms, ...]
    ) -> bool:
        """A sibling needs a key for what its own radios play; a partner's map we do not know."""
        if gateway.agency != self._me.agency:
            return True
        sibling = Routes.for_gateway(gateway, self._agreements.talkgroups, in_force)
        return talkgroup in sibling.sources

    def _carry_out(self, effects: Iterable[KeyEffect]) -> None:
        for effect in effects:
            if isinstance(effect, PersistEpoch):
                self._tasks.spawn(self._persist_epoch(effect))
            else:
                self._giving.give(effect)

    async def _persist_epoch(self, effect: PersistEpoch) -> None:
        name = EPOCH_KEY + str(effect.talkgroup)
        while self._running:
            try:
                await self._store.put(name, str(effect.epoch))
            except StoreError as error:
                log.error("epoch-not-stored", talkgroup=str(effect.talkgroup), error=str(error))  # noqa: TRY400
                self._keys.epoch_not_stored(effect.talkgroup, self._bridge.now_ms())
                await asyncio.sleep(_RETRY_S)
                continue
            now_ms = self._bridge.now_ms()
            self._carry_out(self._keys.epoch_stored(effect.talkgroup, effect.epoch, now_ms))
            self._set_timer(now_ms)
            return

    # --- time and people -----------------------------------------------------------------------

    def _terms_of(self, patch: PatchId) -> Terms | None:
        return next((state.terms for state in self._states if state.patch == patch), None)

    def _set_timer(self, now_ms: int) -> None:
        moments = (self._patches.next_deadline_ms(now_ms), self._keys.next_deadline_ms())
        due = min((at for at in moments if at is not None), default=None)
        self._timer.set(None if due is None else self._bridge.monotonic_at(max(due, now_ms + 1)))

    def _log_changes(self, states: tuple[PatchState, ...]) -> None:
        before = {state.patch: (state.reason, state.why) for state in self._states}
        for state in states:
            if before.get(state.patch) != (state.reason, state.why):
                log.info("patch", patch=str(state.patch), in_force=state.in_force,
                         reason=state.reason.value, why=state.why.en)  # fmt: skip
        for gone in before.keys() - {state.patch for state in states}:
            log.info("patch", patch=str(gone), in_force=False, reason="gone")
        self._auditor.patches(self._states, states)

    async def settle(self) -> None:
        """Wait until what is being written is on the disk (at the end)."""
        await self._tasks.settle()

    def status(self) -> list[dict[str, Any]]:
        """Return how each patch stands, for people."""
        return self.desk.patches()


def voice_map_of(
    routes: Routes,
    listeners: Mapping[TalkgroupId, frozenset[Listener]],
    speakers: frozenset[tuple[GatewayId, bytes]],
) -> VoiceMap:
    """Return what `routes` mean for the voice of this gateway; `listeners` by own talkgroup."""
    sources = {*routes.sources, *routes.sends}
    members = {tg: m for group in routes.groups for tg, m in group.members.items()}
    return VoiceMap(
        groups=tuple(group.talkgroups for group in routes.groups),
        plays={tg: frozenset(play.radio for play in routes.plays(tg)) for tg in sources},
        receivers=routes.receivers,
        mutes={tg: routes.mutes(tg) for tg in sources},
        hears=routes.sources,
        remote=frozenset(tg for tg, who in listeners.items() if who),
        members=members,
        speakers=speakers,
    )


def _open() -> Reason | None:
    """Nothing closes us."""
    return None


def _nothing(_states: tuple[PatchState, ...], _now_ms: int) -> None:
    """Nothing else follows."""
