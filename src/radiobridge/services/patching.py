"""Patches by command: what operators propose, accept, take away and look at (spi.PatchApi).

What gives is checked here, durable, and only then said. What takes away is said first and never
refused for a reason that could wait. The decision who hears whom is not made here: words are said,
and `services.control` follows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from radiobridge.core.activation import (
    AHEAD_MS,
    activates,
    activation_id,
    activation_of,
    is_activation,
    successor_id,
)
from radiobridge.core.patch_state import PatchState, Reason, why
from radiobridge.core.patches import PatchBook
from radiobridge.errors import CommandError, RadioBridgeError, StoreError
from radiobridge.model.ids import GatewayId, PatchId, TalkgroupId
from radiobridge.model.patch import Terms
from radiobridge.services.agreements import Agreements
from radiobridge.services.asked import Asked
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.durable import settled
from radiobridge.services.patch_requests import (
    Narrowing,
    asked_end,
    asked_narrowing,
    asked_terms,
    check_terms,
)
from radiobridge.services.patch_view import Json, exposed, state_view, terms_view, words_view
from radiobridge.services.tasks import Tasks
from radiobridge.services.words import Origin, OwnWords
from radiobridge.text import Text
from radiobridge.wire.terms import terms_hash
from radiobridge.wire.words import PatchWord, Verb

log = structlog.get_logger()

COMMAND = "command"
ACTIVE_MS = 8 * 3600 * 1000
"""How long an activation lasts when nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPorts:
    """What the desk asks of the control plane."""

    agreements: Callable[[], Agreements]
    states: Callable[[], tuple[PatchState, ...]]
    closed: Callable[[], Reason | None]
    """Why this gateway joins nothing foreign now."""
    refused: Callable[[PatchId], Text | None]
    """Why a word of ours could not be said."""


class PatchDesk:
    """The commands on patches of one gateway."""

    def __init__(
        self,
        me: GatewayId,
        *,
        patches: PatchBook,
        words: OwnWords,
        directory: Directory,
        bridge: BridgeTime,
        tasks: Tasks,
        ports: DeskPorts,
    ) -> None:
        self._me = me
        self._patches = patches
        self._words = words
        self._directory = directory
        self._bridge = bridge
        self._tasks = tasks
        self._ports = ports
        self._accepting: set[PatchId] = set()
        self.prober: Callable[[str], Awaitable[Json]] = _untested
        """Who tests a patch."""

    # --- looking -------------------------------------------------------------------------------

    def patches(self) -> list[Json]:
        """Return how each patch stands."""
        return [self._view(state) for state in self._ports.states()]

    def show(self, patch: str) -> Json:
        """Return all about one patch. Raises CommandError when nothing is known of it."""
        state = self.state(patch)
        others = [t for t in self._offers(state.patch) if t != state.terms]
        return {
            **self._view(state),
            "agreed": terms_view(state.terms),
            "other_terms": [terms_view(terms) for terms in others],
            "words": words_view(self._patches.records(state.patch)),
        }

    def plans(self) -> list[Json]:
        """Return what was agreed in advance, and what has come of it."""
        states = {state.patch: state for state in self._ports.states()}
        agreements = self._ports.agreements()
        found = []
        for plan in agreements.plans:
            state = states.get(plan.patch)
            patches = [] if state is None else [self._view(state)]
            found.append({**terms_view(plan), "activation": "standing", "patches": patches})
        for plan in agreements.on_demand:
            patches = [self._view(s) for s in states.values() if activates(plan.patch, s.patch)]
            found.append({**terms_view(plan), "activation": "on-demand", "patches": patches})
        return found

    def _view(self, state: PatchState) -> Json:
        return state_view(state, self._ports.refused(state.patch))

    async def test(self, patch: str) -> Json:
        """Prove all but the radio wave, keying nothing."""
        return await self.prober(patch)

    # --- giving --------------------------------------------------------------------------------

    async def propose(self, request: object, by: str) -> Json:
        """Accept terms of our own making: the others see who is waited for."""
        self._check_open()
        asked = Asked(request)
        preview = asked.flag("preview")
        terms = asked_terms(asked, self._ports.agreements().talkgroups, self._bridge.now_ms())
        asked.done()
        self._check_new(terms)
        return await self._give(terms, Narrowing(), by, preview=preview)

    async def accept(self, patch: str, request: object, by: str) -> Json:
        """Accept what another agency proposes: the same terms, narrowed if asked."""
        self._check_open()
        asked = Asked(request)
        preview, in_clear = asked.flag("preview"), asked.flag("in_clear")
        prefix = asked.text("terms") if asked.has("terms") else ""
        narrowing = asked_narrowing(asked)
        asked.done()
        terms = self._offered(patch, prefix)
        self._check_narrowing(terms, narrowing)
        self._check_accepted(terms, in_clear=in_clear or preview)
        return await self._give(terms, narrowing, by, preview=preview)

    async def extend(self, patch: str, request: object, by: str) -> Json:
        """Propose a patch that goes on when this one ends."""
        self._check_open()
        asked = Asked(request)
        preview = asked.flag("preview")
        state = self.state(patch)
        now_ms = self._bridge.now_ms()
        start_ms = max(state.effective.end_ms, now_ms)
        end_ms = asked_end(asked, start_ms)
        asked.done()
        old = state.effective
        if self._me.agency not in old.agencies or len(old.agencies) < 2:
            raise CommandError(
                f"{patch}: {state.why.en}; propose a new patch",
                f"{patch} : {state.why.fr}; proposez un nouveau jumelage",
            )
        terms = replace(
            old,
            patch=successor_id(state.patch, self._taken()),
            start_ms=start_ms,
            end_ms=end_ms,
            host=old.host if old.host in old.agencies else self._me.agency,
        )
        self._check_new(terms)
        return await self._give(terms, Narrowing(), by, preview=preview)

    async def activate(self, plan: str, request: object, by: str) -> Json:
        """Put an on-demand plan into force; partners that have it accept by themselves."""
        self._check_open()
        asked = Asked(request)
        preview = asked.flag("preview")
        agreed = self._plan(plan)
        now_ms = self._bridge.now_ms()
        timed = asked.has("end_ms") or asked.has("for_ms")
        end_ms = asked_end(asked, now_ms) if timed else now_ms + ACTIVE_MS
        asked.done()
        if not agreed.start_ms <= now_ms < agreed.end_ms:
            text = why(Reason.NOT_YET if now_ms < agreed.start_ms else Reason.EXPIRED)
            raise CommandError(f"{plan}: {text.en}", f"{plan} : {text.fr}")
        patch = activation_id(agreed.patch, self._taken())
        terms = activation_of(agreed, patch, now_ms, end_ms)
        self._check_new(terms)
        return await self._give(terms, Narrowing(), by, preview=preview)

    async def _give(self, terms: Terms, narrowing: Narrowing, by: str, *, preview: bool) -> Json:
        """Accept terms, once that is durable."""
        if preview:
            return {"preview": True, **terms_view(terms)}
        await self._accept(narrowing.word(terms), Origin(COMMAND, by))
        return self.show(terms.patch)

    async def _accept(self, word: PatchWord, origin: Origin) -> None:
        if word.patch in self._accepting:
            raise CommandError(f"{word.patch} is being accepted already",
                               f"{word.patch} est déjà en cours d'acceptation")  # fmt: skip
        self._accepting.add(word.patch)
        try:
            await self._words.accept(word, origin)
        except StoreError as error:
            raise CommandError(
                f"{word.patch}: nothing was accepted: {error}",
                f"{word.patch} : rien n'a été accepté : {error.text.fr}",
            ) from error
        finally:
            self._accepting.discard(word.patch)

    # --- taking away ---------------------------------------------------------------------------

    async def narrow(self, patch: str, request: object, by: str) -> Json:
        """Restrict our own part of a patch, at once and for good."""
        asked = Asked(request)
        narrowing = asked_narrowing(asked)
        asked.done()
        terms = self._accepted(patch)
        if narrowing.empty:
            raise CommandError(
                "what is to be taken away? name a talkgroup, an earlier end, or the recording",
                "que faut-il retirer? nommez un groupe, une fin plus proche, ou l'enregistrement",
            )
        self._check_narrowing(terms, narrowing)
        word = self._patches.narrowing(self._me, narrowing.word(terms))
        durable = await settled(self._words.take_away(word, Origin(COMMAND, by)))
        return {**self.show(patch), "durable": durable}

    async def withdraw(self, patch: str, by: str) -> Json:
        """Take our consent back, or refuse it, at once and for good."""
        state = self.state(patch)
        if self._me.agency not in state.terms.agencies:
            raise CommandError(f"{patch}: {state.why.en}", f"{patch} : {state.why.fr}")
        if not self._patches.may_consent(self._me, self._bridge.now_ms()):
            raise _no_right(self._me)
        word = PatchWord(patch=state.patch, verb=Verb.WITHDRAW)
        durable = await settled(self._words.take_away(word, Origin(COMMAND, by)))
        return {**self.show(patch), "durable": durable}

    # --- what follows by itself ----------------------------------------------------------------

    def follow(self, states: tuple[PatchState, ...], now_ms: int) -> None:
        """Accept the activations of plans that partners have put into force."""
        if self._ports.closed() is not None:
            return
        plans = self._ports.agreements().on_demand
        for state in states if plans else ():
            if state.reason is not Reason.WAITING_FOR or self._me.agency not in state.agencies:
                continue
            if self._activated(plans, state.terms, now_ms) and state.patch not in self._accepting:
                self._tasks.spawn(self._accept_activation(state.terms))

    def _activated(self, plans: tuple[Terms, ...], terms: Terms, now_ms: int) -> bool:
        plan = next((plan for plan in plans if is_activation(plan, terms)), None)
        if plan is None or not terms.start_ms <= now_ms + AHEAD_MS or terms.end_ms <= now_ms:
            return False
        if not self._patches.may_consent(self._me, now_ms) or self._clash(terms) is not None:
            return False
        refused = [p for p in self._patches.known if activates(plan.patch, p)]
        return not any(self._me.agency in self._patches.withdrawn(patch) for patch in refused)

    async def _accept_activation(self, terms: Terms) -> None:
        """Say what was agreed in advance."""
        log.warning("plan-activated", patch=str(terms.patch), host=str(terms.host))
        try:
            await self._accept(Narrowing().word(terms), Origin("plan"))
        except RadioBridgeError as error:
            log.error("activation-not-accepted", patch=str(terms.patch), error=str(error))  # noqa: TRY400

    # --- checks --------------------------------------------------------------------------------

    def state(self, patch: str) -> PatchState:
        """Return how a patch stands; raise CommandError when nothing is known of it."""
        found = {str(state.patch): state for state in self._ports.states()}
        if patch not in found:
            known = ", ".join(sorted(found)) or "-"
            raise CommandError(
                f"no patch '{patch[:40]}' is known here; there are: {known}",
                f"aucun jumelage « {patch[:40]} » ici; il y a : {known}",
            )
        return found[patch]

    def _plan(self, plan: str) -> Terms:
        agreements = self._ports.agreements()
        found = {str(terms.patch): terms for terms in agreements.on_demand}
        if plan in found:
            return found[plan]
        if plan in [str(terms.patch) for terms in agreements.plans]:
            raise CommandError(f"{plan} is a standing plan: it needs no activation",
                               f"{plan} est un plan permanent : il ne s'active pas")  # fmt: skip
        known = ", ".join(sorted(found)) or "-"
        raise CommandError(
            f"no plan on demand '{plan[:40]}'; there are: {known}",
            f"aucun plan à la demande « {plan[:40]} »; il y a : {known}",
        )

    def _taken(self) -> frozenset[PatchId]:
        agreements = self._ports.agreements()
        plans = {plan.patch for plan in (*agreements.plans, *agreements.on_demand)}
        return self._patches.known | plans | self._accepting

    def _offers(self, patch: PatchId) -> tuple[Terms, ...]:
        offers = self._patches.offers(patch, self._bridge.now_ms())
        return tuple(terms for terms in offers if self._me.agency in terms.agencies)

    def _offered(self, patch: str, prefix: str) -> Terms:
        """Return the terms to accept."""
        state = self.state(patch)
        if self._me.agency in self._patches.withdrawn(state.patch):
            raise CommandError(f"{patch}: {state.why.en}", f"{patch} : {state.why.fr}")
        offers = [t for t in self._offers(state.patch) if terms_hash(t).startswith(prefix)]
        if len(offers) == 1:
            return offers[0]
        if not offers:
            raise CommandError(
                f"{patch}: nobody proposes such terms now; look again with `patch show {patch}`",
                f"{patch} : personne ne propose ces conditions; voyez `patch show {patch}`",
            )
        raise CommandError(
            f"{patch}: {len(offers)} different terms are proposed; say which with --terms HASH",
            f"{patch} : {len(offers)} conditions différentes proposées; choisissez par --terms",
        )

    def _accepted(self, patch: str) -> Terms:
        """Return the terms that our agency accepts."""
        state = self.state(patch)
        mine = self._accepted_by_us(state.patch)
        if state.terms in mine:
            return state.terms
        if len(mine) == 1:
            return mine[0]
        raise CommandError(
            f"{patch}: this agency has not accepted it, so there is nothing to narrow",
            f"{patch} : cette agence ne l'a pas accepté; il n'y a rien à restreindre",
        )

    def _check_open(self) -> None:
        now_ms = self._bridge.now_ms()
        closed = self._ports.closed()
        if closed is not None:
            raise CommandError(*why(closed))
        if not self._patches.may_consent(self._me, now_ms):
            raise _no_right(self._me)

    def _check_new(self, terms: Terms) -> None:
        """Raise CommandError unless these terms may be proposed."""
        check_terms(terms, self._bridge.now_ms())
        used = {patch.casefold() for patch in self._taken()}
        if terms.patch.casefold() in used:
            raise CommandError(
                f"the id {terms.patch} is used already; an id is never used again: take another",
                f"l'identifiant {terms.patch} a déjà servi; il ne sert qu'une fois : prenez-en un "
                "autre",
            )
        if self._me.agency not in terms.agencies:
            raise CommandError(
                f"no member belongs to {self._me.agency}; name a talkgroup of your own",
                f"aucun membre n'est à {self._me.agency}; nommez un groupe à vous",
            )
        for agency in sorted(terms.agencies - self._directory.agencies):
            raise CommandError(
                f"{agency} is no partner; trust it first with `radiobridge keys trust`",
                f"{agency} n'est pas partenaire; faites-lui d'abord confiance par "
                "`radiobridge keys trust`",
            )
        self._check_own(terms)

    def _check_accepted(self, terms: Terms, *, in_clear: bool) -> None:
        check_terms(terms, self._bridge.now_ms())
        plans = {plan.patch: plan for plan in self._ports.agreements().plans}
        if plans.get(terms.patch, terms) != terms:
            raise CommandError(
                f"{terms.patch}: the plan of that name says otherwise; agree on one of the two",
                f"{terms.patch} : le plan de ce nom dit autre chose; accordez-vous sur l'un",
            )
        self._check_own(terms)
        own = [m for m in terms.members if m.talkgroup.agency == self._me.agency]
        names = ", ".join(str(member.talkgroup) for member in exposed(terms, own))
        if names and not in_clear:
            raise CommandError(
                f"{names} is encrypted and would be heard IN CLEAR ON AIR elsewhere; if that is "
                "meant, accept with --in-clear",
                f"{names} est chiffré et serait entendu EN CLAIR SUR LES ONDES ailleurs; si c'est "
                "voulu, acceptez avec --in-clear",
            )

    def _check_own(self, terms: Terms) -> None:
        """Our own members must be as the talkgroup map has them, and in no other patch."""
        talkgroups = self._ports.agreements().talkgroups.talkgroups
        for member in terms.members:
            mapped = talkgroups.get(member.talkgroup)
            if member.talkgroup.agency != self._me.agency:
                continue
            if mapped is None:
                raise CommandError(
                    f"{member.talkgroup} is not in the talkgroup map",
                    f"{member.talkgroup} n'est pas dans la carte des groupes",
                )
            if mapped.air is not member.air:
                raise CommandError(
                    f"{member.talkgroup} is {mapped.air.value} on the air by the map, but the "
                    f"terms say {member.air.value}; propose them anew",
                    f"{member.talkgroup} est {mapped.air.value} selon la carte, mais les "
                    f"conditions disent {member.air.value}; proposez-les de nouveau",
                )
        clash = self._clash(terms)
        if clash is not None:
            raise CommandError(*why(Reason.TALKGROUP_TAKEN, taken=clash))

    def _clash(self, terms: Terms) -> tuple[TalkgroupId, PatchId] | None:
        """Return our talkgroup that is in another patch at that time, and that patch."""
        wanted = {tg for tg in self._patches.occupied(terms) if tg.agency == self._me.agency}
        for state in self._ports.states():
            other = state.effective
            over = state.reason in (Reason.EXPIRED, Reason.WITHDRAWN, Reason.TOO_FEW)
            if over or state.patch == terms.patch or not _overlap(terms, other):
                continue
            both = sorted(wanted & self._patches.occupied(other))
            if both and self._we_accept(state):
                return both[0], state.patch
        return None

    def _we_accept(self, state: PatchState) -> bool:
        return state.terms in self._accepted_by_us(state.patch)

    def _accepted_by_us(self, patch: PatchId) -> list[Terms]:
        records = self._patches.records(patch)
        ours = (one.word for gateway, one in records.items() if gateway.agency == self._me.agency)
        return [word.terms for word in ours if word is not None and word.terms is not None]

    def _check_narrowing(self, terms: Terms, narrowing: Narrowing) -> None:
        for limit in narrowing.limits:
            own = limit.talkgroup.agency == self._me.agency
            if not own or terms.member(limit.talkgroup) is None:
                raise CommandError(
                    f"{limit.talkgroup} is no member of ours in {terms.patch}",
                    f"{limit.talkgroup} n'est pas un membre à nous dans {terms.patch}",
                )


async def _untested(patch: str) -> Json:
    raise CommandError(f"{patch} cannot be tested here", f"{patch} ne peut être vérifié ici")


def _overlap(one: Terms, other: Terms) -> bool:
    return one.start_ms < other.end_ms and other.start_ms < one.end_ms


def _no_right(me: GatewayId) -> CommandError:
    return CommandError(
        f"the roster gives {me} no right to consent; use a gateway that has it, or enrol anew",
        f"la liste ne donne pas à {me} le droit de consentir; employez une passerelle qui l'a",
    )
