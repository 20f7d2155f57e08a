"""Patches in force: what the words of all gateways, taken together, allow now.

Rules (DESIGN, patches and consent):
  In force: each owner of a member has an authorised gateway that accepts exactly these terms, and
  the time is inside their window. Authorised: in the newest roster, with the right `consent`.
  A gateway with a plan of its own under that id joins by no other terms. What an operator has
  accepted by command (adopted) is said like a plan, but it is the words that count.
  Taking away is unilateral. A withdrawal by any gateway that was ever authorised holds for its
  agency for good, whatever the gateway or its siblings say later; the rest goes on while two
  agencies remain. Restrictions add up and never come off.
  A talkgroup, with all that its owner joins to it, is in one foreign patch at most: the one that
  starts first, then the lower id. Else A's local join would bridge two partners of A.
  Nothing foreign while the clock is not synchronised or lost state is not confirmed.

The state is a function of the set of plans, rosters and words and of the time; the order in which
they arrive does not matter (a property test).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from radiobridge.core.consent import Restriction, narrowed
from radiobridge.core.patch_record import Record, narrow
from radiobridge.core.patch_state import Difference, PatchState, Reason, why
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, TalkgroupId
from radiobridge.model.patch import Terms
from radiobridge.wire.roster import Right, Roster
from radiobridge.wire.terms import first_difference, terms_hash
from radiobridge.wire.words import PatchWord, Verb

MAX_PATCHES = 256
"""Patches on which one gateway's word is remembered; a word on a further one is refused."""

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class _Spoken:
    """The newest word of one gateway; `word` is None when two contradict under one version."""

    version: int
    expires_ms: int
    word: PatchWord | None


@dataclass(slots=True)
class _Entry:
    """All that was said about one patch."""

    spoken: dict[GatewayId, _Spoken] = field(default_factory=dict)
    restrictions: dict[GatewayId, Restriction] = field(default_factory=dict)
    withdrawn: set[GatewayId] = field(default_factory=set)
    last_ms: int = 0
    """When the last terms or withdrawal seen are over."""

    def record(self, gateway: GatewayId, patch: PatchId) -> Record:
        """Return all that counts of what one gateway has said."""
        spoken = self.spoken[gateway]
        return Record(
            patch=patch,
            word=spoken.word,
            version=spoken.version,
            expires_ms=spoken.expires_ms,
            withdrawn=gateway in self.withdrawn,
            restriction=self.restrictions.get(gateway),
            last_ms=self.last_ms,
        )


class PatchBook:
    """The patches that concern one agency. Times are ms of bridge time."""

    def __init__(self, own: AgencyId) -> None:
        """Start for a gateway of agency `own`, knowing nothing: nothing is in force."""
        self._own = own
        self._plans: dict[PatchId, Terms] = {}
        self._adopted: dict[PatchId, Terms] = {}
        self._joins: tuple[frozenset[TalkgroupId], ...] = ()
        self._rosters: dict[AgencyId, Roster] = {}
        self._ever_authorised: set[GatewayId] = set()
        self._entries: dict[PatchId, _Entry] = {}
        self._closed: Reason | None = None

    def set_plans(
        self, plans: Iterable[Terms], joins: Iterable[frozenset[TalkgroupId]] = ()
    ) -> None:
        """Replace this gateway's own plans and its agency's local joins."""
        self._plans = {terms.patch: _sorted(terms) for terms in plans}
        self._joins = tuple(joins)

    def adopt(self, terms: Terms) -> None:
        """Take terms that an operator of this gateway has accepted: `words_to_say` says them."""
        self._adopted[terms.patch] = _sorted(terms)

    def set_closed(self, reason: Reason | None) -> None:
        """Close all foreign patches (CLOCK_UNSYNCHRONISED, STATE_UNCONFIRMED), or None: open."""
        self._closed = reason

    def roster(self, roster: Roster) -> None:
        """Take an agency's roster; the highest version counts."""
        self._ever_authorised |= {
            entry.gateway for entry in roster.gateways if Right.CONSENT in entry.rights
        }
        known = self._rosters.get(roster.agency)
        if known is None or roster.version > known.version:
            self._rosters[roster.agency] = roster

    def drop_roster(self, agency: AgencyId) -> None:
        """Forget an agency's roster: it is a partner no more, or two rosters contradict."""
        self._rosters.pop(agency, None)

    def word(self, gateway: GatewayId, word: PatchWord, *, version: int, expires_ms: int) -> None:
        """Take any authentic word, own ones too, old ones too, in any order.

        Raises RemoteProtocolError when its gateway already fills MAX_PATCHES.
        """
        entry = self._entry(gateway, word.patch)
        self._remember(entry, gateway, _Spoken(version, expires_ms, word))
        end_ms = expires_ms if word.terms is None else word.terms.end_ms
        entry.last_ms = max(entry.last_ms, end_ms)
        if word.verb is Verb.WITHDRAW:
            entry.withdrawn.add(gateway)
        elif word.verb is Verb.NARROW:
            entry.restrictions.setdefault(gateway, Restriction(gateway.agency)).add(word)

    def in_force(self, now_ms: int) -> tuple[Terms, ...]:
        """Return the effective terms of the patches in force."""
        return tuple(state.effective for state in self.states(now_ms) if state.in_force)

    def offers(self, patch: PatchId, now_ms: int) -> tuple[Terms, ...]:
        """Return the different terms that authorised gateways accept under this id now."""
        accepted = self._accepted(patch, now_ms)
        found = {terms for all_ in accepted.values() for terms in all_}
        return tuple(sorted(found, key=_hash))

    def records(self, patch: PatchId) -> dict[GatewayId, Record]:
        """Return all that counts of what each gateway has said about a patch."""
        entry = self._entries.get(patch)
        if entry is None:
            return {}
        return {gateway: entry.record(gateway, patch) for gateway in sorted(entry.spoken)}

    def narrowing(self, me: GatewayId, change: PatchWord) -> PatchWord:
        """Return the word that takes `change` away, and all that `me` took away before."""
        entry = self._entries.get(change.patch)
        known = entry.restrictions.get(me) if entry is not None else None
        total = known.copy() if known is not None else Restriction(me.agency)
        total.add(change)
        return narrow(total, change)

    def planned(self, patch: PatchId) -> bool:
        """Tell whether this gateway has a plan of its own under that id."""
        return patch in self._plans

    def withdrawn(self, patch: PatchId) -> frozenset[AgencyId]:
        """Return the agencies that have withdrawn from a patch, for good."""
        return self._withdrawn(patch)

    @property
    def known(self) -> frozenset[PatchId]:
        """Return all patches that something is known of."""
        return frozenset(self._patches())

    def may_consent(self, gateway: GatewayId, now_ms: int) -> bool:
        """Tell whether what `gateway` says about patches counts now."""
        return self._authorised(gateway, now_ms)

    def occupied(self, terms: Terms) -> set[TalkgroupId]:
        """Return the members and all that this agency joins to them."""
        groups = {member.talkgroup for member in terms.members}
        for join in self._joins:
            if join & groups:
                groups |= join
        return groups

    def states(self, now_ms: int) -> tuple[PatchState, ...]:
        """Return how each known patch stands, sorted by patch id."""
        judged = [state for patch in self._patches() if (state := self._judge(patch, now_ms))]
        return tuple(sorted(self._one_patch_each(judged, now_ms), key=lambda s: s.patch))

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """Return when a state may change by itself."""
        return min((at for at in self._moments(now_ms) if at > now_ms), default=None)

    def words_to_say(self, me: GatewayId, now_ms: int) -> tuple[PatchWord, ...]:
        """Return what gateway `me` has to publish so that its words are what its plans say.

        A plan is accepted, within the restrictions that `me` once gave; a plan that is gone is
        withdrawn. Publish each sealed, with `word_expires_ms`, and hand it to `word` too (a
        withdrawal first). Nothing when `me` may not consent.
        """
        if not self._authorised(me, now_ms):
            return ()
        states = {state.patch: state for state in self.states(now_ms)}
        words = [self._wanted(me, patch, states.get(patch), now_ms) for patch in self._patches()]
        return tuple(word for word in words if word is not None)

    def word_expires_ms(self, word: PatchWord, now_ms: int) -> int:
        """Return until when a document with `word` must count: past all that it is about."""
        entry = self._entries.get(word.patch)
        known = (word.terms, self._plans.get(word.patch), self._adopted.get(word.patch))
        ends = [terms.end_ms for terms in known if terms is not None]
        return max(now_ms, *ends, entry.last_ms if entry is not None else 0) + DAY_MS

    def forget_ended(self, now_ms: int) -> tuple[PatchId, ...]:
        """Forget patches on which every word and all terms seen are over, and no plan is left.

        Call it now and then; a day of grace keeps a withdrawal longer than what it withdrew.
        Returns what was forgotten.
        """
        for patch, terms in list(self._adopted.items()):
            if now_ms >= terms.end_ms + DAY_MS:
                del self._adopted[patch]
        kept = {*self._plans, *self._adopted}
        over = [
            patch
            for patch, entry in self._entries.items()
            if patch not in kept and now_ms >= entry.last_ms + DAY_MS
        ]
        for patch in over:
            del self._entries[patch]
        return tuple(over)

    # What is known

    def _patches(self) -> list[PatchId]:
        return sorted({*self._plans, *self._adopted, *self._entries})

    def _entry(self, gateway: GatewayId, patch: PatchId) -> _Entry:
        entry = self._entries.get(patch)
        if entry is not None and gateway in entry.spoken:
            return entry
        if sum(gateway in one.spoken for one in self._entries.values()) >= MAX_PATCHES:
            raise RemoteProtocolError("too-many-patches")
        return self._entries.setdefault(patch, _Entry())

    @staticmethod
    def _remember(entry: _Entry, gateway: GatewayId, spoken: _Spoken) -> None:
        known = entry.spoken.get(gateway)
        if known is None or spoken.version > known.version:
            entry.spoken[gateway] = spoken
        elif spoken.version == known.version and spoken != known:
            entry.spoken[gateway] = _Spoken(spoken.version, 0, None)

    def _authorised(self, gateway: GatewayId, now_ms: int) -> bool:
        roster = self._rosters.get(gateway.agency)
        entry = roster.entry(gateway, now_ms) if roster is not None else None
        return entry is not None and Right.CONSENT in entry.rights

    def _accepted(self, patch: PatchId, now_ms: int) -> dict[AgencyId, list[Terms]]:
        """Return what the authorised gateways of each agency accept now."""
        entry = self._entries.get(patch)
        accepted: dict[AgencyId, list[Terms]] = {}
        for gateway, spoken in sorted(entry.spoken.items()) if entry is not None else ():
            terms = spoken.word.terms if spoken.word is not None else None
            if terms is None or now_ms >= spoken.expires_ms:
                continue
            if self._authorised(gateway, now_ms):
                accepted.setdefault(gateway.agency, []).append(terms)
        return accepted

    def _withdrawn(self, patch: PatchId) -> frozenset[AgencyId]:
        entry = self._entries.get(patch)
        gateways = entry.withdrawn & self._ever_authorised if entry is not None else set()
        return frozenset(gateway.agency for gateway in gateways)

    def _restrictions(self, patch: PatchId) -> list[Restriction]:
        entry = self._entries.get(patch)
        if entry is None:
            return []
        given = entry.restrictions.items()
        return [one for gateway, one in given if gateway in self._ever_authorised]

    # Judging one patch

    def _judge(self, patch: PatchId, now_ms: int) -> PatchState | None:
        """Return how `patch` stands by itself; None when we know no terms of it."""
        plan = self._plans.get(patch)
        accepted, withdrawn = self._accepted(patch, now_ms), self._withdrawn(patch)
        known = self._known_terms(patch, accepted, withdrawn)
        if not known:
            return None
        agreed = _agreed(accepted, withdrawn)
        ours = [terms for terms in agreed if terms in known and plan in (None, terms)]
        terms = ours[0] if ours else known[0]
        restrictions = self._restrictions(patch)
        effective = narrowed(terms, restrictions, withdrawn)
        gone = tuple(sorted(withdrawn & terms.agencies))
        by = _restrictive(terms, restrictions, withdrawn)
        state = partial(_state, terms, effective, withdrawn_by=gone, narrowed_by=by)
        ended = self._ended(terms, effective, withdrawn, now_ms)
        if ended is not None:
            return state(ended, agencies=gone)
        if len(agreed) > 1:
            difference = _difference(self._own, agreed[0], agreed[1])
            return state(Reason.TERMS_DIFFER, difference=difference)
        if not ours:
            return self._disagreed(terms, state, accepted, withdrawn)
        if now_ms < effective.start_ms:
            return state(Reason.NOT_YET)
        return state(self._closed or Reason.IN_FORCE, agencies=gone)

    def _known_terms(
        self,
        patch: PatchId,
        accepted: Mapping[AgencyId, list[Terms]],
        withdrawn: frozenset[AgencyId],
    ) -> list[Terms]:
        """Return the different terms under this id: our plan, then those nearest to agreement.

        That order is the same for all who have no plan, so that they speak of the same terms.
        """
        found = {terms for all_ in accepted.values() for terms in all_}
        if patch in self._adopted:
            found.add(self._adopted[patch])
        plan = self._plans.get(patch)
        ours = [t for t in found if self._own in t.agencies and t != plan]
        ours.sort(key=lambda t: (len(_missing(t, accepted, withdrawn)), _hash(t)))
        return ours if plan is None else [plan, *ours]

    def _ended(
        self, terms: Terms, effective: Terms, withdrawn: frozenset[AgencyId], now_ms: int
    ) -> Reason | None:
        if self._own not in terms.agencies:
            return Reason.NOT_OURS
        if now_ms >= terms.end_ms:
            return Reason.EXPIRED
        if self._own in withdrawn or len(terms.agencies - withdrawn) < 2:
            return Reason.WITHDRAWN
        if now_ms >= effective.end_ms:
            return Reason.EXPIRED
        if self._own not in effective.agencies or len(effective.agencies) < 2:
            return Reason.TOO_FEW
        return None

    def _disagreed(
        self,
        terms: Terms,
        state: Callable[..., PatchState],
        accepted: dict[AgencyId, list[Terms]],
        withdrawn: frozenset[AgencyId],
    ) -> PatchState:
        """Say who has not accepted these terms, or which others were accepted."""
        missing = _missing(terms, accepted, withdrawn)
        for agency in missing:
            for other in sorted(accepted.get(agency, ()), key=_hash):
                difference = self._seen_from_here(agency, other, terms, accepted)
                return state(Reason.TERMS_DIFFER, difference=difference)
        return state(Reason.WAITING_FOR, agencies=tuple(missing))

    def _seen_from_here(
        self,
        agency: AgencyId,
        other: Terms,
        terms: Terms,
        accepted: Mapping[AgencyId, list[Terms]],
    ) -> Difference:
        """Say that `agency` accepts `other` and not `terms`; ours are ours, whichever they are."""
        if agency != self._own:
            return _difference(agency, terms, other)
        theirs = min((a for a, all_ in accepted.items() if terms in all_), default=agency)
        return _difference(theirs, other, terms)

    # All patches together

    def _one_patch_each(self, judged: list[PatchState], now_ms: int) -> Iterator[PatchState]:
        """Let each talkgroup be in one patch: the earliest start first, then the lower id."""
        taken: dict[TalkgroupId, PatchId] = {}
        in_force = [state for state in judged if state.in_force]
        for state in sorted(in_force, key=lambda s: (s.effective.start_ms, s.patch)):
            clash = self._clash(state, taken)
            if clash is None:
                taken.update(dict.fromkeys(self.occupied(state.effective), state.patch))
            yield state if clash is None else _taken(state, clash)
        for state in (state for state in judged if not state.in_force):
            waits = state.reason is Reason.WAITING_FOR and state.terms.start_ms <= now_ms
            clash = self._clash(state, taken) if waits else None
            yield state if clash is None else _taken(state, clash)

    def _clash(
        self, state: PatchState, taken: dict[TalkgroupId, PatchId]
    ) -> tuple[TalkgroupId, PatchId] | None:
        groups = sorted(self.occupied(state.effective) & taken.keys())
        return (groups[0], taken[groups[0]]) if groups else None

    # Time and our own words

    def _moments(self, now_ms: int) -> Iterator[int]:
        for terms in (*self._plans.values(), *self._adopted.values()):
            yield from (terms.start_ms, terms.end_ms)
        for entry in self._entries.values():
            for spoken in entry.spoken.values():
                yield spoken.expires_ms
                if spoken.word is not None and spoken.word.terms is not None:
                    yield from (spoken.word.terms.start_ms, spoken.word.terms.end_ms)
            yield from (r.end_ms for r in entry.restrictions.values() if r.end_ms is not None)
        for roster in self._rosters.values():
            change = roster.next_change_ms(now_ms)
            if change is not None:
                yield change

    def _wanted(
        self, me: GatewayId, patch: PatchId, state: PatchState | None, now_ms: int
    ) -> PatchWord | None:
        """Return the word that `me` owes on `patch`, if it differs from its newest."""
        entry = self._entries.get(patch)
        spoken = entry.spoken.get(me) if entry is not None else None
        said = spoken.word if spoken is not None and now_ms < spoken.expires_ms else None
        plan = self._plans.get(patch) or self._adopted.get(patch)
        if plan is None:
            live = said is not None and said.verb is not Verb.WITHDRAW
            return PatchWord(patch=patch, verb=Verb.WITHDRAW) if live else None
        over = self._own not in plan.agencies or now_ms >= plan.end_ms
        if over or self._own in self._withdrawn(patch):
            return None
        if said is None and state is not None and state.reason is Reason.TALKGROUP_TAKEN:
            return None
        wanted = self._acceptance(me, plan, entry)
        return wanted if wanted != said else None

    @staticmethod
    def _acceptance(me: GatewayId, plan: Terms, entry: _Entry | None) -> PatchWord:
        """Return the acceptance of `plan`, with what `me` restricted before."""
        mine = entry.restrictions.get(me) if entry is not None else None
        accepted = PatchWord(patch=plan.patch, verb=Verb.ACCEPT, terms=plan)
        return accepted if mine is None or mine.empty else narrow(mine, accepted)


def _missing(
    terms: Terms, accepted: Mapping[AgencyId, list[Terms]], withdrawn: frozenset[AgencyId]
) -> list[AgencyId]:
    """Return the owners of members, but those that withdrew, who do not accept these terms."""
    return sorted(a for a in terms.agencies - withdrawn if terms not in accepted.get(a, ()))


def _agreed(
    accepted: Mapping[AgencyId, list[Terms]], withdrawn: frozenset[AgencyId]
) -> list[Terms]:
    """Return the terms that the owners of all their members accept, but those that withdrew."""
    found = {terms for all_ in accepted.values() for terms in all_}
    return [terms for terms in sorted(found, key=_hash) if not _missing(terms, accepted, withdrawn)]


def _restrictive(
    terms: Terms, restrictions: Iterable[Restriction], withdrawn: frozenset[AgencyId]
) -> tuple[AgencyId, ...]:
    """Return the agencies that narrow these terms."""
    said = {one.agency for one in restrictions if not one.empty}
    return tuple(sorted((said & terms.agencies) - withdrawn))


@lru_cache(maxsize=1024)
def _hash(terms: Terms) -> str:
    return terms_hash(terms)


def _sorted(terms: Terms) -> Terms:
    return replace(terms, members=tuple(sorted(terms.members, key=lambda m: m.talkgroup)))


def _state(
    terms: Terms,
    effective: Terms,
    reason: Reason,
    *,
    agencies: tuple[AgencyId, ...] = (),
    withdrawn_by: tuple[AgencyId, ...] = (),
    narrowed_by: tuple[AgencyId, ...] = (),
    difference: Difference | None = None,
) -> PatchState:
    return PatchState(
        patch=terms.patch,
        terms=terms,
        effective=effective,
        reason=reason,
        why=why(reason, agencies=agencies, narrowed_by=narrowed_by, difference=difference),
        agencies=agencies,
        withdrawn_by=withdrawn_by,
        narrowed_by=narrowed_by,
        difference=difference,
    )


def _taken(state: PatchState, taken: tuple[TalkgroupId, PatchId]) -> PatchState:
    reason = Reason.TALKGROUP_TAKEN
    return replace(state, reason=reason, why=why(reason, taken=taken), agencies=(), taken=taken)


def _difference(agency: AgencyId, ours: Terms, theirs: Terms) -> Difference:
    found = first_difference(ours, theirs) or ("terms", "", "")
    return Difference(agency=agency, field=found[0], ours=found[1], theirs=found[2])
