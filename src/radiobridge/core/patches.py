"""Patches in force: what the words of all gateways, taken together, allow now.

Rules (DESIGN, patches and consent):
  In force: each owner of a member has an authorised gateway that accepts exactly these terms, and
  the time is inside their window. Authorised: in the newest roster, with the right `consent`.
  A gateway with a plan of its own under that id joins by no other terms.
  Taking away is unilateral. A withdrawal by any gateway that was ever authorised holds for its
  agency for good, whatever the gateway or its siblings say later; the rest goes on while two
  agencies remain. Restrictions add up and never come off.
  A talkgroup, with all that its owner joins to it, is in one foreign patch at most: the one that
  starts first, then the lower id. Else A's local join would bridge two partners of A.
  Nothing foreign while the clock is not synchronised or lost state is not confirmed.

The state is a function of the set of plans, rosters and words and of the time; the order in which
they arrive does not matter (a property test).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from radiobridge.core.consent import Restriction, narrowed
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


class PatchBook:
    """The patches that concern one agency. Times are ms of bridge time."""

    def __init__(self, own: AgencyId) -> None:
        """Start for a gateway of agency `own`, knowing nothing: nothing is in force."""
        self._own = own
        self._plans: dict[PatchId, Terms] = {}
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
        ends = (word.terms.end_ms if word.terms is not None else 0, now_ms)
        return max(*ends, entry.last_ms if entry is not None else 0) + DAY_MS

    def forget_ended(self, now_ms: int) -> None:
        """Forget patches on which every word and all terms seen are over, and no plan is left.

        Call it now and then; a day of grace keeps a withdrawal longer than what it withdrew.
        """
        for patch, entry in list(self._entries.items()):
            if patch not in self._plans and now_ms >= entry.last_ms + DAY_MS:
                del self._entries[patch]

    # What is known

    def _patches(self) -> list[PatchId]:
        return sorted({*self._plans, *self._entries})

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
        known = self._known_terms(patch, accepted)
        if not known:
            return None
        agreed = [
            terms
            for terms in ([plan] if plan is not None else known)
            if all(terms in accepted.get(a, ()) for a in terms.agencies - withdrawn)
        ]
        terms = agreed[0] if agreed else known[0]
        effective = narrowed(terms, self._restrictions(patch), withdrawn)
        gone = tuple(sorted(withdrawn & terms.agencies))
        ended = self._ended(terms, effective, withdrawn, now_ms)
        if ended is not None:
            return _state(terms, effective, ended, agencies=gone)
        if len(agreed) > 1:
            difference = _difference(self._own, agreed[0], agreed[1])
            return _state(terms, effective, Reason.TERMS_DIFFER, difference=difference)
        if not agreed:
            return self._disagreed(terms, effective, accepted, withdrawn)
        if now_ms < effective.start_ms:
            return _state(terms, effective, Reason.NOT_YET)
        return _state(terms, effective, self._closed or Reason.IN_FORCE, agencies=gone)

    def _known_terms(self, patch: PatchId, accepted: dict[AgencyId, list[Terms]]) -> list[Terms]:
        """Return the different terms under this id: our plan, our agency's, then the others'."""
        plan = self._plans.get(patch)
        ours = accepted.get(self._own, [])
        others = [t for agency, all_ in accepted.items() if agency != self._own for t in all_]
        found = [plan] if plan is not None else []
        for terms in (*sorted(ours, key=_hash), *sorted(others, key=_hash)):
            if terms not in found and self._own in terms.agencies:
                found.append(terms)
        return found

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
        effective: Terms,
        accepted: dict[AgencyId, list[Terms]],
        withdrawn: frozenset[AgencyId],
    ) -> PatchState:
        """Say who has not accepted these terms, or which others were accepted."""
        missing = sorted(a for a in terms.agencies - withdrawn if terms not in accepted.get(a, ()))
        for agency in missing:
            for theirs in sorted(accepted.get(agency, ()), key=_hash):
                difference = _difference(agency, terms, theirs)
                return _state(terms, effective, Reason.TERMS_DIFFER, difference=difference)
        return _state(terms, effective, Reason.WAITING_FOR, agencies=tuple(missing))

    # All patches together

    def _one_patch_each(self, judged: list[PatchState], now_ms: int) -> Iterator[PatchState]:
        """Let each talkgroup be in one patch: the earliest start first, then the lower id."""
        taken: dict[TalkgroupId, PatchId] = {}
        in_force = [state for state in judged if state.in_force]
        for state in sorted(in_force, key=lambda s: (s.effective.start_ms, s.patch)):
            clash = self._clash(state, taken)
            if clash is None:
                taken.update(dict.fromkeys(self._occupied(state.effective), state.patch))
            yield state if clash is None else _taken(state, clash)
        for state in (state for state in judged if not state.in_force):
            waits = state.reason is Reason.WAITING_FOR and state.terms.start_ms <= now_ms
            clash = self._clash(state, taken) if waits else None
            yield state if clash is None else _taken(state, clash)

    def _clash(
        self, state: PatchState, taken: dict[TalkgroupId, PatchId]
    ) -> tuple[TalkgroupId, PatchId] | None:
        groups = sorted(self._occupied(state.effective) & taken.keys())
        return (groups[0], taken[groups[0]]) if groups else None

    def _occupied(self, terms: Terms) -> set[TalkgroupId]:
        """Return the members and all that we join to them."""
        groups = {member.talkgroup for member in terms.members}
        for join in self._joins:
            if join & groups:
                groups |= join
        return groups

    # Time and our own words

    def _moments(self, now_ms: int) -> Iterator[int]:
        for terms in self._plans.values():
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
        plan = self._plans.get(patch)
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
        if mine is None or mine.empty:
            return PatchWord(patch=plan.patch, verb=Verb.ACCEPT, terms=plan)
        return PatchWord(
            patch=plan.patch,
            verb=Verb.NARROW,
            terms=plan,
            limits=tuple(mine.limits[group] for group in sorted(mine.limits)),
            end_ms=mine.end_ms,
            recording=mine.recording,
        )


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
    difference: Difference | None = None,
) -> PatchState:
    return PatchState(
        patch=terms.patch,
        terms=terms,
        effective=effective,
        reason=reason,
        why=why(reason, agencies=agencies, difference=difference),
        agencies=agencies,
        difference=difference,
    )


def _taken(state: PatchState, taken: tuple[TalkgroupId, PatchId]) -> PatchState:
    return PatchState(
        patch=state.patch,
        terms=state.terms,
        effective=state.effective,
        reason=Reason.TALKGROUP_TAKEN,
        why=why(Reason.TALKGROUP_TAKEN, taken=taken),
        taken=taken,
    )


def _difference(agency: AgencyId, ours: Terms, theirs: Terms) -> Difference:
    found = first_difference(ours, theirs) or ("terms", "", "")
    return Difference(agency=agency, field=found[0], ours=found[1], theirs=found[2])
