"""`patch test`: proves all of a patch but the radio wave, in two seconds, keying nothing.

Here: clock, state, consent, brokers, rosters, floor, own radios. Over there: each far gateway is
asked, and answers how the patch stands with it, whether it holds our keys, and how many of its
radios would transmit; its answer proves its own keys to us. Questions and answers are sealed, not
retained, and decide nothing.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from radiobridge.core.patch_state import PatchState, Reason
from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.errors import CommandError
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId
from radiobridge.model.patch import Terms
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.papers import Papers
from radiobridge.services.radio import RadioRunner
from radiobridge.services.voice import VoiceMap
from radiobridge.text import Text
from radiobridge.wire.documents import Document
from radiobridge.wire.probes import NONCE, KeyProof, Probe, ProbeKind
from radiobridge.wire.roster import Right
from radiobridge.wire.terms import terms_hash
from radiobridge.wire.topics import Topic, probe_topic

log = structlog.get_logger()

ANSWER_S = 1.5
PROBE_LIFE_MS = 10_000
MIN_BETWEEN_S = 0.2
"""A gateway that asks more often than that is not answered."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    id: str
    ok: bool
    text: Text

    def view(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"id": self.id, "ok": self.ok, "text": self.text._asdict()}


@dataclass(slots=True)
class _Asked:
    """A question that is out."""

    nonce: bytes
    since: float
    expected: frozenset[GatewayId]
    answers: dict[GatewayId, tuple[Probe, float]] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePorts:
    """What probing looks at."""

    state: Callable[[str], PatchState]
    """How a patch stands; raises CommandError for one that is not known."""
    closed: Callable[[], Reason | None]
    voice_map: Callable[[], VoiceMap]
    links: Callable[[], Iterable[tuple[str, bool]]]
    online: Callable[[], frozenset[GatewayId]]
    """Far gateways that some link shows."""


class Probing:
    """Asks and answers for one gateway."""

    def __init__(
        self,
        me: GatewayId,
        *,
        papers: Papers,
        directory: Directory,
        bridge: BridgeTime,
        keys: VoiceKeys,
        runners: Mapping[RadioName, RadioRunner],
        ports: ProbePorts,
    ) -> None:
        self._me = me
        self._papers = papers
        self._directory = directory
        self._bridge = bridge
        self._keys = keys
        self._runners = runners
        self._ports = ports
        self._asked: dict[bytes, _Asked] = {}
        self._answered: dict[GatewayId, float] = {}

    # --- asking --------------------------------------------------------------------------------

    async def test(self, patch: str) -> dict[str, Any]:
        """Look at everything, here and over there. Raises CommandError for an unknown patch."""
        began = time.monotonic()
        state = self._ports.state(patch)
        if self._me.agency not in state.terms.agencies:
            raise CommandError(*state.why)
        asked = await self._ask(state)
        checks = [*self._here(state), *self._there(state, asked)]
        took_ms = round(1000 * (time.monotonic() - began))
        ok = all(check.ok for check in checks)
        log.info("patch-tested", patch=patch, ok=ok, took_ms=took_ms)
        return {
            "id": patch,
            "ok": ok,
            "took_ms": took_ms,
            "checks": [check.view() for check in checks],
        }

    async def _ask(self, state: PatchState) -> _Asked:
        far = self._gateways(state.effective)
        asked = _Asked(secrets.token_bytes(NONCE), time.monotonic(), frozenset(far))
        if not far:
            return asked
        self._asked[asked.nonce] = asked
        question = Probe(
            kind=ProbeKind.ASK,
            patch=state.patch,
            nonce=asked.nonce,
            terms=_terms(state),
            proofs=self._proofs(state.effective, asked.nonce),
        )
        try:
            self._send(question, far)
            async with asyncio.timeout(ANSWER_S):
                await asked.complete.wait()
        except TimeoutError:
            pass
        finally:
            del self._asked[asked.nonce]
        return asked

    def _gateways(self, terms: Terms) -> dict[GatewayId, bytes]:
        """Return all other gateways that have a part in it, siblings too."""
        now_ms = self._bridge.now_ms()
        entries = self._directory.holders(terms.agencies, Right.VOICE, now_ms)
        return {one.gateway: one.hpke_key for one in entries if one.gateway != self._me}

    def _proofs(self, terms: Terms, nonce: bytes) -> tuple[KeyProof, ...]:
        grants = (self._keys.sending(member.talkgroup) for member in terms.members)
        return tuple(KeyProof.of(grant, nonce) for grant in grants if grant is not None)

    def _send(self, probe: Probe, to: Mapping[GatewayId, bytes]) -> None:
        expires_ms = self._bridge.now_ms() + PROBE_LIFE_MS
        topic = probe_topic(self._me, probe.patch)
        self._papers.notice_sealed(topic, probe.to_body(), to, expires_ms=expires_ms)

    # --- being asked ---------------------------------------------------------------------------

    def heard(self, sender: GatewayId, topic: Topic, document: Document) -> None:
        """Take a question or an answer. Raises RemoteProtocolError."""
        probe = Probe.from_body(self._papers.opened(document, sender), topic.name)
        if probe.kind is ProbeKind.ASK:
            self._answer(sender, probe)
            return
        asked = self._asked.get(probe.nonce)
        if asked is None or probe.asker != self._me or sender not in asked.expected:
            return
        asked.answers.setdefault(sender, (probe, time.monotonic() - asked.since))
        if asked.answers.keys() >= asked.expected & self._ports.online():
            asked.complete.set()

    def _answer(self, asker: GatewayId, question: Probe) -> None:
        now = time.monotonic()
        if now - self._answered.get(asker, float("-inf")) < MIN_BETWEEN_S:
            return
        self._answered[asker] = now
        try:
            state = self._ports.state(question.patch)
        except CommandError:
            return
        entry = self._directory.entry(asker, self._bridge.now_ms())
        if entry is None or asker.agency not in state.terms.agencies:
            return
        radios = self._radios(question.proofs, asker)
        answer = Probe(
            kind=ProbeKind.ANSWER,
            patch=state.patch,
            nonce=question.nonce,
            terms=_terms(state),
            proofs=self._proofs(state.effective, question.nonce) if state.in_force else (),
            asker=asker,
            reason=state.reason.value,
            opened=self._opened(question.proofs, asker, question.nonce),
            radios=len(radios),
            ready=sum(_ready(runner) for runner in radios),
        )
        self._send(answer, {asker: entry.hpke_key})

    def _opened(
        self, proofs: Iterable[KeyProof], sender: GatewayId, nonce: bytes
    ) -> tuple[TalkgroupId, ...]:
        """Return the talkgroups of a sender whose key we hold."""
        return tuple(
            proof.talkgroup
            for proof in proofs
            if proof.talkgroup.agency == sender.agency
            and (key := self._keys.received(sender, proof.talkgroup, proof.epoch)) is not None
            and proof.holds(key, nonce)
        )

    def _radios(self, proofs: Iterable[KeyProof], sender: GatewayId) -> list[RadioRunner]:
        """Return the radios here that would transmit what a sender says."""
        plays = self._ports.voice_map().plays
        own = (proof.talkgroup for proof in proofs if proof.talkgroup.agency == sender.agency)
        names = {name for talkgroup in own for name in plays.get(talkgroup, ())}
        return [self._runners[name] for name in sorted(names) if name in self._runners]

    # --- what was found ------------------------------------------------------------------------

    def _here(self, state: PatchState) -> Iterator[Check]:
        yield Check("clock", self._bridge.synchronised, Text("own clock", "horloge"))
        yield Check("state", self._ports.closed() is None, Text("own state", "état propre"))
        yield Check("consent", state.in_force, state.why)
        for name, up in self._ports.links():
            yield Check(f"broker:{name}", up, Text(f"broker {name}", f"courtier {name}"))
        for agency in sorted(state.effective.agencies):
            known = agency in self._directory.rosters
            text = Text(f"roster of {agency}", f"liste de {agency}")
            yield Check(f"roster:{agency}", known, text)
        yield from self._routes(state)

    def _routes(self, state: PatchState) -> Iterator[Check]:
        """Yield a check for each of our talkgroups that has radios here."""
        voice_map = self._ports.voice_map()
        for member in state.effective.members:
            talkgroup = member.talkgroup
            if talkgroup.agency != self._me.agency:
                continue
            runners = [one for one in self._runners.values() if one.talkgroup == talkgroup]
            for runner in runners:
                text = Text(f"radio {runner.name}", f"radio {runner.name}")
                yield Check(f"radio:{runner.name}", _ready(runner), text)
            if member.access.speaks and any(one.name in voice_map.receivers for one in runners):
                leaves = talkgroup in voice_map.remote
                keyed = leaves and self._keys.sending(talkgroup) is not None
                text = Text(f"key of {talkgroup}", f"clé de {talkgroup}")
                yield Check(f"key:{talkgroup}", keyed, text)
            shared = any(talkgroup in group and len(group) > 1 for group in voice_map.groups)
            text = Text(f"floor of {talkgroup}", f"parole de {talkgroup}")
            yield Check(f"floor:{talkgroup}", shared, text)

    def _there(self, state: PatchState, asked: _Asked) -> Iterator[Check]:
        online = self._ports.online()
        by_agency: dict[AgencyId, int] = {}
        for gateway in sorted(asked.expected):
            found = asked.answers.get(gateway)
            if found is not None:
                by_agency[gateway.agency] = by_agency.get(gateway.agency, 0) + 1
                yield from self._answered_check(state, gateway, found, asked.nonce)
            elif gateway in online:
                text = Text(f"{gateway} does not answer", f"{gateway} ne répond pas")
                yield Check(f"answer:{gateway}", ok=False, text=text)
        for agency in sorted(state.effective.agencies - {self._me.agency}):
            text = Text(f"a gateway of {agency} answers", f"une passerelle de {agency} répond")
            yield Check(f"agency:{agency}", by_agency.get(agency, 0) > 0, text)

    def _answered_check(
        self, state: PatchState, gateway: GatewayId, found: tuple[Probe, float], nonce: bytes
    ) -> Iterator[Check]:
        probe, took_s = found
        agrees = probe.terms == _terms(state) and probe.reason == state.reason.value
        text = Text(
            f"{gateway} answers in {took_s * 1000:.0f} ms: {probe.reason}",
            f"{gateway} répond en {took_s * 1000:.0f} ms : {probe.reason}",
        )
        yield Check(f"answer:{gateway}", agrees and state.in_force, text)
        radios = Text(
            f"{probe.ready} of {probe.radios} radios of {gateway} ready",
            f"{probe.ready} radios sur {probe.radios} de {gateway} prêtes",
        )
        yield Check(f"radios:{gateway}", probe.ready == probe.radios, radios)
        if gateway.agency == self._me.agency:
            return
        ours = {proof.talkgroup for proof in self._proofs(state.effective, nonce)}
        heard = {talkgroup for talkgroup in ours if _hears_any(state.effective, gateway, talkgroup)}
        opens = heard <= set(probe.opened)
        text = Text(f"{gateway} holds our keys", f"{gateway} détient nos clés")
        yield Check(f"their-keys:{gateway}", opens, text)
        theirs = {proof.talkgroup for proof in probe.proofs}
        needed = {talkgroup for talkgroup in theirs if talkgroup in self._ports.voice_map().hears}
        got = set(self._opened(probe.proofs, gateway, nonce))
        text = Text(f"we hold the keys of {gateway}", f"nous détenons les clés de {gateway}")
        yield Check(f"our-keys:{gateway}", needed <= got, text)


def _hears_any(terms: Terms, gateway: GatewayId, talkgroup: TalkgroupId) -> bool:
    """Tell whether an agency's members may hear one of our talkgroups."""
    source = terms.member(talkgroup)
    return source is not None and any(
        member.talkgroup.agency == gateway.agency
        and member.access.hears
        and source.access.speaks
        and source.may_reach(member)
        for member in terms.members
    )


def _terms(state: PatchState) -> str:
    return terms_hash(state.terms) if state.in_force else ""


def _ready(runner: RadioRunner) -> bool:
    return runner.usable and not runner.condition.holds
