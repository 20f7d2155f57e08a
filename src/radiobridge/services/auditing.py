"""Who did what, for the audit log: one small function for each thing that is logged.

What grants is awaited here before it takes effect (`consent`, `key_grant`, `allowing`, or `before`
for anything else); it raises StoreError, and then must not be done. Everything else is told after
it was done and never waits (`after`).

What partners cause is logged too, but a partner that floods us cannot fill the disk: beyond an
allowance of its own its entries are counted, and the count is an entry.
"""

from collections.abc import Iterable, Mapping

from radiobridge.core.floor import FloorChange, FloorEvent
from radiobridge.core.patch_state import PatchState
from radiobridge.core.transmit import NotDelivered
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditEntry, AuditEvent, AuditState, Outcome
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, RadioName, TalkgroupId
from radiobridge.model.voice import Claim
from radiobridge.services.clock import BridgeTime
from radiobridge.services.holds import ChannelChange
from radiobridge.spi import AuditLog
from radiobridge.text import Text
from radiobridge.wire.canonical import dump
from radiobridge.wire.documents import DocumentHeader, roster_subject
from radiobridge.wire.roster import Roster
from radiobridge.wire.terms import terms_hash
from radiobridge.wire.words import KeyGrant, PatchWord, SpurtNotice

ALLOWANCE = 200
"""Entries that one partner gateway may cause at once: so many by voice, as many by documents."""

ALLOWANCE_MS = 500
"""One more for each time that long."""

Detail = str | int

_VOICE = frozenset({AuditEvent.SPURT_STARTED, AuditEvent.SPURT_ENDED, AuditEvent.NOT_DELIVERED})


class Auditor:
    """The audit log of one gateway, as the rest of the gateway uses it."""

    def __init__(self, me: GatewayId, log: AuditLog, bridge: BridgeTime) -> None:
        self.refused: dict[PatchId, Text] = {}
        """Consents that could not be logged, and so were not given, and why."""
        self._me = str(me)
        self._log = log
        self._bridge = bridge
        self._allowances: dict[tuple[GatewayId, str], _Allowance] = {}
        self._spurts: dict[tuple[GatewayId, TalkgroupId, int], int] = {}

    def after(
        self,
        what: str,
        *,
        source: str,
        identity: str | None = None,
        outcome: Outcome = Outcome.DONE,
        detail: Mapping[str, Detail] | None = None,
    ) -> None:
        """Log what was done already: quick, never raises. `identity` None: this gateway itself."""
        self._log.after(self._entry(what, source, identity, outcome, detail))

    async def before(
        self,
        what: str,
        *,
        source: str,
        identity: str | None = None,
        detail: Mapping[str, Detail] | None = None,
    ) -> None:
        """Log what is to be done when this returns; raises StoreError: then do not do it."""
        await self._log.before(self._entry(what, source, identity, Outcome.DONE, detail))

    def state(self) -> AuditState:
        """Return how the log is."""
        return self._log.state()

    def head_text(self) -> str:
        """Return `<sequence>:<hash>` of what is durable, for the head document; or nothing."""
        self._tell_left_out()
        head = self._log.head()
        return "" if head is None else str(head)

    # --- the gateway itself --------------------------------------------------------------------

    def started(self, version: str, boot: str) -> None:
        """The gateway is at work."""
        self.after(AuditEvent.STARTED, source="process", detail={"version": version, "boot": boot})

    def stopped(self) -> None:
        """The gateway ends in good order; what was being said ends here."""
        self._tell_left_out()
        now_ms = self._bridge.now_ms()
        for (sender, talkgroup, start_ms), since_ms in self._spurts.items():
            detail = _spurt_detail(talkgroup, start_ms)
            detail |= {"ended": "stopped", "duration_ms": now_ms - since_ms}
            self.after(
                AuditEvent.SPURT_ENDED, source="process", identity=str(sender), detail=detail
            )
        self._spurts.clear()
        self.after(AuditEvent.STOPPED, source="process")

    def configuration(self, *, error: str = "", restarted: bool = False) -> None:
        """SIGHUP: the configuration was taken, or refused because of `error`."""
        detail: dict[str, Detail] = {"restarted": "yes" if restarted else "no"}
        if error:
            detail["error"] = error
        self.after(
            AuditEvent.CONFIGURATION,
            source="SIGHUP",
            outcome=Outcome.REFUSED if error else Outcome.DONE,
            detail=detail,
        )

    def roster(self, agency: AgencyId, before: Roster | None, now: Roster | None) -> None:
        """The roster of an agency may count anew, or none any more: two contradict each other."""
        if now is before:
            return
        detail: dict[str, Detail] = {}
        if now is not None:
            gateways = " ".join(sorted(str(entry.gateway) for entry in now.gateways))
            detail = {"version": now.version, "gateways": gateways}
            if now.refused:
                detail["refused"] = " ".join(sorted(map(str, now.refused)))
        self.after(
            AuditEvent.ROSTER,
            source=roster_subject(agency),
            identity=str(agency),
            outcome=Outcome.REFUSED if now is None else Outcome.DONE,
            detail=detail,
        )

    # --- patches -------------------------------------------------------------------------------

    async def consent(self, word: PatchWord, *, source: str = "plan", by: str = "") -> None:
        """A word of ours is to be said that gives something. Raises StoreError: do not say it."""
        try:
            await self.before(
                AuditEvent.WORD_SAID, source=source, identity=by or None, detail=word_detail(word)
            )
        except StoreError as error:
            self.refused[word.patch] = error.text
            raise
        self.refused.pop(word.patch, None)

    def not_said(self, word: PatchWord, *, source: str = "plan", by: str = "") -> None:
        """A consent was logged, and was not given after all."""
        self.after(
            AuditEvent.WORD_SAID,
            source=source,
            identity=by or None,
            outcome=Outcome.FAILED,
            detail={
                "patch": str(word.patch),
                "verb": word.verb.value,
                "reason": "not-said",
            },
        )

    def word_said(self, word: PatchWord, *, source: str = "plan", by: str = "") -> None:
        """A word of ours that takes away counts already."""
        self.after(
            AuditEvent.WORD_SAID, source=source, identity=by or None, detail=word_detail(word)
        )

    def word_heard(self, sender: GatewayId, word: PatchWord, header: DocumentHeader) -> None:
        """A word of another gateway counts."""
        entry = self._entry(
            AuditEvent.WORD_HEARD,
            f"{header.topic}@{header.version}",
            str(sender),
            Outcome.DONE,
            word_detail(word),
        )
        self._caused(sender, entry)

    def patches(self, before: Iterable[PatchState], now: Iterable[PatchState]) -> None:
        """Patches may have come into force, changed, or be over."""
        known = {state.patch: state for state in before if state.in_force}
        for state in now:
            was = known.pop(state.patch, None)
            if state.in_force and (was is None or was.effective != state.effective):
                self._in_force(state)
            elif was is not None and not state.in_force:
                self._over(state.patch, state.reason.value, state.agencies)
        for patch in known:
            self._over(patch, "gone", ())

    def _in_force(self, state: PatchState) -> None:
        effective = state.effective
        members = ", ".join(f"{m.talkgroup} {m.access}" for m in effective.members)
        detail: dict[str, Detail] = {
            "patch": str(state.patch),
            "terms": terms_hash(state.terms),
            "members": members,
            "end_ms": effective.end_ms,
        }
        identity = " ".join(sorted(effective.agencies))
        self.after(AuditEvent.PATCH_IN_FORCE, source="consent", identity=identity, detail=detail)

    def _over(self, patch: PatchId, reason: str, agencies: Iterable[AgencyId]) -> None:
        detail: dict[str, Detail] = {"patch": str(patch), "reason": reason}
        identity = " ".join(sorted(agencies)) or None
        self.after(AuditEvent.PATCH_OVER, source="consent", identity=identity, detail=detail)

    # --- keys ----------------------------------------------------------------------------------

    async def key_grant(
        self, grant: KeyGrant, agency: AgencyId, gateways: Iterable[GatewayId]
    ) -> None:
        """A voice key is to go to gateways that had none. Raises StoreError: do not give it."""
        await self.before(
            AuditEvent.KEY_GIVEN,
            source="consent",
            identity=str(agency),
            detail=_key_detail(grant, gateways),
        )

    def key_renewed(
        self,
        grant: KeyGrant,
        agency: AgencyId,
        gateways: Iterable[GatewayId],
        outcome: Outcome = Outcome.DONE,
    ) -> None:
        """Gateways that had the key before got the next; or one was logged and not given."""
        self.after(
            AuditEvent.KEY_GIVEN,
            source="renewal" if outcome is Outcome.DONE else "consent",
            identity=str(agency),
            outcome=outcome,
            detail=_key_detail(grant, gateways),
        )

    # --- radios --------------------------------------------------------------------------------

    def inhibited(self, radio: str, by: str) -> None:
        """A radio is off the air."""
        self.after(AuditEvent.INHIBIT, source="command", identity=by, detail={"radio": radio})

    async def allowing(self, radio: str, by: str) -> None:
        """A radio is to be let on the air again. Raises StoreError: leave it off."""
        await self.before(AuditEvent.ALLOW, source="command", identity=by, detail={"radio": radio})

    def not_allowed(self, radio: str, by: str, reason: str) -> None:
        """Letting a radio on the air was logged, and could not be done."""
        self.after(
            AuditEvent.ALLOW,
            source="command",
            identity=by,
            outcome=Outcome.FAILED,
            detail={"radio": radio, "reason": reason},
        )

    def channel(self, radio: RadioName, change: ChannelChange) -> None:
        """A radio has left its channel and was cut, or is back on it."""
        self.after(
            AuditEvent.CHANNEL_WRONG if change.wrong else AuditEvent.CHANNEL_RIGHT,
            source=f"radio {radio}",
            detail={
                "radio": str(radio),
                "reported": change.reported,
                "expected": change.expected,
            },
        )

    def loop_opened(self, radio: RadioName, talkgroup: TalkgroupId, why: str) -> None:
        """A radio heard what had been sent before: a loop. It is cut both ways."""
        self.after(
            AuditEvent.LOOP_OPENED,
            source=f"radio {radio}",
            detail={"radio": str(radio), "talkgroup": str(talkgroup), "why": why},
        )

    # --- voice ---------------------------------------------------------------------------------

    def spurt(self, event: FloorEvent, radio: RadioName | None, talker: str = "") -> None:
        """Somebody took a floor, or lost it. `radio`: ours that hears the talker, if one does."""
        claim, now_ms = event.claim, self._bridge.now_ms()
        named = claim.sender, claim.talkgroup, claim.start_ms
        started = event.change is FloorChange.TAKEN
        detail = _spurt_detail(claim.talkgroup, claim.start_ms)
        detail["class"] = claim.talk_class.name.lower()
        if talker:
            detail["talker"] = talker
        if started:
            self._spurts[named] = now_ms
        else:
            detail["ended"] = event.change.value
            detail["duration_ms"] = now_ms - self._spurts.pop(named, now_ms)
        entry = self._entry(
            AuditEvent.SPURT_STARTED if started else AuditEvent.SPURT_ENDED,
            "voice" if radio is None else f"radio {radio}",
            str(claim.sender),
            Outcome.DONE,
            detail,
        )
        self._caused(claim.sender, entry)

    def not_delivered(
        self, radio: RadioName, talkgroup: TalkgroupId, claim: Claim | None, why: NotDelivered
    ) -> None:
        """A radio of ours could not put a spurt on the air."""
        detail = _spurt_detail(talkgroup, 0 if claim is None else claim.start_ms)
        detail |= {"reason": why.reason.value, "detail": why.detail, "radio": str(radio)}
        entry = self._entry(
            AuditEvent.NOT_DELIVERED,
            f"radio {radio}",
            None if claim is None else str(claim.sender),
            Outcome.FAILED,
            detail,
        )
        self._log.after(entry) if claim is None else self._caused(claim.sender, entry)

    def not_delivered_there(self, partner: GatewayId, notice: SpurtNotice, topic: str) -> None:
        """A partner says that it could not put a spurt of ours on the air."""
        detail = _spurt_detail(notice.talkgroup, notice.start_ms)
        detail |= {"reason": notice.reason, "radio": str(notice.radio)}
        entry = self._entry(AuditEvent.NOT_DELIVERED, topic, str(partner), Outcome.FAILED, detail)
        self._caused(partner, entry)

    # --- emergencies ---------------------------------------------------------------------------

    def caused(
        self,
        sender: GatewayId,
        what: str,
        *,
        source: str,
        by: str = "",
        outcome: Outcome = Outcome.DONE,
        detail: Mapping[str, Detail],
    ) -> None:
        """Log what a gateway has caused, `by` somebody there: partners within their allowance."""
        own = str(sender) == self._me
        identity = by if own and by else str(sender)
        self._caused(sender, self._entry(what, source, identity, outcome, detail))

    # --- inside --------------------------------------------------------------------------------

    def _entry(
        self,
        what: str,
        source: str,
        identity: str | None,
        outcome: Outcome,
        detail: Mapping[str, Detail] | None,
    ) -> AuditEntry:
        return AuditEntry(
            what=what,
            when_ms=self._bridge.now_ms(),
            where=self._me,
            source=source,
            outcome=outcome,
            identity=self._me if identity is None else identity,
            detail=detail or {},
        )

    def _caused(self, sender: GatewayId, entry: AuditEntry) -> None:
        """Log what a gateway causes; a partner within its allowance, one for voice, one for words.

        So no flood of spurts drowns an alarm or a withdrawal.
        """
        if str(sender) == self._me:
            self._log.after(entry)
            return
        kind = "voice" if entry.what in _VOICE else "documents"
        allowance = self._allowances.setdefault((sender, kind), _Allowance(entry.when_ms))
        if allowance.take(entry.when_ms):
            self._log.after(entry)

    def _tell_left_out(self) -> None:
        """Log how many entries partners have lost to their allowance since the last time."""
        for (sender, kind), allowance in self._allowances.items():
            count, allowance.left_out = allowance.left_out, 0
            if count:
                self.after(
                    AuditEvent.LEFT_OUT,
                    source="allowance",
                    identity=str(sender),
                    outcome=Outcome.FAILED,
                    detail={"count": count, "of": kind},
                )


class _Allowance:
    """How many entries one partner may still cause: a bucket that fills with time."""

    __slots__ = ("_full_at_ms", "left_out")

    def __init__(self, now_ms: int) -> None:
        self.left_out = 0
        self._full_at_ms = now_ms

    def take(self, now_ms: int) -> bool:
        """Take one; False, and counted, when there is none."""
        full_at_ms = max(self._full_at_ms, now_ms) + ALLOWANCE_MS
        if full_at_ms - now_ms > ALLOWANCE * ALLOWANCE_MS:
            self.left_out += 1
            return False
        self._full_at_ms = full_at_ms
        return True


def word_detail(word: PatchWord) -> dict[str, Detail]:
    """Return what is kept of a word: all of it, and the hash by which its terms are known."""
    detail: dict[str, Detail] = {
        "patch": str(word.patch),
        "verb": word.verb.value,
        "word": dump(word.to_body()).decode("utf-8"),
    }
    if word.terms is not None:
        detail["terms"] = terms_hash(word.terms)
    return detail


def _key_detail(grant: KeyGrant, gateways: Iterable[GatewayId]) -> dict[str, Detail]:
    return {
        "talkgroup": str(grant.talkgroup),
        "epoch": grant.epoch,
        "gateways": " ".join(sorted(map(str, gateways))),
    }


def _spurt_detail(talkgroup: TalkgroupId, start_ms: int) -> dict[str, Detail]:
    return {"talkgroup": str(talkgroup), "start_ms": start_ms}
