"""The story: two agencies that cannot hear each other, agree, talk, and part again."""

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo import broker_step
from radiobridge_sim.demo.audit_step import audit_verified
from radiobridge_sim.demo.exchange import (
    AFTER_S,
    Exchange,
    Silence,
    exchange,
    heard,
    silence,
)
from radiobridge_sim.demo.live import Desk
from radiobridge_sim.demo.played import Played
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.gateway_status import patch_in_force
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import percentile
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

FIRST, SECOND, THIRD, FOURTH, FIFTH = (PatchId(f"river-{number}") for number in range(1, 6))
"""A patch that was withdrawn is never resumed: each agreement has a new id."""

AGREE_S = 15.0
"""Longest wait for a change of plans to take effect."""

UNKEY_MS = 500.0
"""A gateway that ends must have released its transmitter by then."""

WITHIN_MS = 300.0
"""Mouth to ear for 95 % of the voice (3GPP TS 22.179, KPI 3)."""

WITHDRAW_MS = 100.0
"""From a withdrawal to silence on the own side."""

LONG_BEFORE_STOP_S = 2.0


class Story(Played):
    """Plays the steps, one after the other, and keeps what came of them."""

    def __init__(self, world: World, progress: Progress) -> None:
        super().__init__(world, progress)
        self.canada, self.states = world.sides
        self.desk = Desk(world)
        self._allowed: list[Said] = []

    def play(self) -> None:
        """Play all steps; raise WorldError when one cannot be played."""
        steps: tuple[Callable[[], StepResult], ...] = (
            self.silent_before_consent,
            self.silent_with_one_consent,
            self.heard_after_consent,
            self.reply_heard,
            self.narrowed,
            self.emergency_first,
            self.broker_killed,
            self.withdrawn_silent,
            self.former_partner_cannot_decrypt,
            self.plan_dropped_silent,
            self.gateway_stopped_unkeyed,
        )
        try:
            self.desk.eavesdrop(self.states)
            for step in steps:
                self._add(step())
        finally:
            self.desk.close()

    # -- steps -------------------------------------------------------------------------------

    def silent_before_consent(self) -> StepResult:
        """Nobody has agreed to anything: each side hears its own only."""
        tries = self._unheard((self.states, "radio-check-en"), (self.canada, "radio-check-fr"))
        return StepResult(
            id="silent-before-consent",
            title=Text("No plan: nothing is heard across", "Aucun plan : rien ne passe"),
            expected=NOTHING,
            measured=_silences(tries),
            ok=all(t.held for t in tries),
        )

    def silent_with_one_consent(self) -> StepResult:
        """One side proposes: nothing passes, and both gateways say who is waited for."""
        self.progress.doing(Text("one agency proposes", "une agence propose"))
        self.desk.propose(self.canada, FIRST)
        why = [self.desk.waiting(side, FIRST) or NOT_KNOWN for side in self.world.sides]
        tries = self._unheard((self.states, "radio-check-en"), (self.canada, "radio-check-fr"))
        heard = _silences(tries)
        return StepResult(
            id="silent-with-one-consent",
            title=Text(
                "One side proposes: still nothing",
                "Un côté propose : toujours rien",
            ),
            expected=Text(
                f"{NOTHING.en}; both gateways wait for {self.states.agency}",
                f"{NOTHING.fr}; les deux passerelles attendent {self.states.agency}",
            ),
            measured=Text(f"{heard.en}; {why[0].en}", f"{heard.fr}; {why[0].fr}"),
            ok=all(self.states.agency in one.en for one in why) and all(t.held for t in tries),
        )

    def heard_after_consent(self) -> StepResult:
        """The other side accepts: the call is heard across."""
        self.progress.doing(Text("the other agency accepts", "l'autre agence accepte"))
        agreed = self.desk.accept(self.states, FIRST)
        heard = self._heard(self.states, "call-en", "dont-shoot-en", "position-en", "dont-shoot-en")
        return self._voice_result(
            "heard-after-consent",
            Text("The other side accepts: heard across", "L'autre côté accepte : on entend"),
            heard,
            agreed=agreed,
        )

    def reply_heard(self) -> StepResult:
        """The reply comes back, in French."""
        heard = self._heard(
            self.canada, "reply-fr", "ne-tirez-pas-fr", "still-there-fr", "ne-tirez-pas-fr"
        )
        title = Text("The reply, in French, is heard", "La réponse, en français, est entendue")
        return self._voice_result("reply-heard", title, heard, agreed=True)

    def narrowed(self) -> StepResult:
        """One side keeps its own voice to itself, and goes on listening."""
        self.progress.doing(Text("one agency only listens on", "une agence n'écoute plus que"))
        known = self.desk.listen_only(self.states, FIRST)
        tries = self._unheard((self.states, "still-there-en"))
        heard = self._heard(self.canada, "ne-tirez-pas-fr")
        silent, voice = _silences(tries), _voice(heard, sum(e.measured.whole for e in heard))
        return StepResult(
            id="narrowed",
            title=Text("One side narrows to listening", "Un côté se limite à l'écoute"),
            expected=Text(
                f"{NOTHING.en} from it; the other's phrase whole",
                f"{NOTHING.fr} de sa part; la phrase de l'autre entière",
            ),
            measured=Text(f"{silent.en}; {voice.en}", f"{silent.fr}; {voice.fr}"),
            ok=known and all(t.held for t in tries) and all(e.measured.whole for e in heard),
        )

    def emergency_first(self) -> StepResult:
        """An alarm is on every gateway of the patch, and its talker has the highest rank."""
        self.progress.doing(
            Text("a new agreement, and an alarm", "un nouvel accord, et une alarme")
        )
        self.desk.dispatcher(self.states).run("patch", "withdraw", FIRST)
        agreed = self.desk.over(FIRST) and self.desk.agree(SECOND)
        alarm = self.desk.raise_alarm(self.canada)
        raised = self.desk.alarm_shown(alarm, stage="raised")
        ranks: list[str] = []
        heard = [self._exchange_with_rank(self.canada, "ne-tirez-pas-fr", ranks)]
        self.desk.acknowledge(self.states, alarm)
        acknowledged = self.desk.alarm_shown(alarm, stage="acknowledged")
        self.desk.clear(self.canada, alarm)
        cleared = self.desk.alarm_shown(alarm, stage="cleared")
        stages = (raised, acknowledged, cleared)
        first = bool(ranks) and all(rank == "emergency" for rank in ranks)
        return StepResult(
            id="emergency-first",
            title=Text("An emergency goes first", "Une urgence passe d'abord"),
            expected=Text(
                "alarm, acknowledgement and end on both gateways; the floor held as emergency",
                "alarme, confirmation et fin sur les deux passerelles; parole tenue en urgence",
            ),
            measured=_alarmed(stages, ranks, heard),
            ok=agreed and all(stages) and first and all(e.measured.whole for e in heard),
        )

    def broker_killed(self) -> StepResult:
        """The broker that brings the voice first is killed while somebody speaks."""
        self.progress.doing(Text("a broker is killed", "un courtier est tué"))
        before = broker_step.carried(self.world, self.canada)
        said = self._begin_long(self.states)
        broker = broker_step.kill_carrier(self.world, self.canada, before)
        in_mid_sentence = self.world.clock.now() < said.end / RATE - LONG_BEFORE_STOP_S
        self._until(said.end / RATE + AFTER_S)
        self.world.settle()
        found = heard(self.world, self.states, said)
        self.progress.heard(found)
        self.exchanges.append(found)
        lost = broker_step.carried(self.world, self.canada).since(before).lost
        broker.start()
        self.world.wait_ready()
        return broker_step.broker_killed(found, lost, in_mid_sentence=in_mid_sentence)

    def withdrawn_silent(self) -> StepResult:
        """One side withdraws in mid-sentence, with both brokers cut: silence, at once."""
        self.progress.doing(Text("both brokers are cut", "les deux courtiers sont coupés"))
        said = self._begin_long(self.states)
        done = self.desk.withdraw_cut_off(self.canada, SECOND)
        self._until(said.end / RATE + AFTER_S)
        self.world.settle()
        parted = self.desk.over(SECOND)
        tries = self._unheard((self.states, "still-there-en"), (self.canada, "still-there-fr"))
        off = done.ptt_off_ms
        silent = _silences(tries)
        return StepResult(
            id="withdrawn-silent",
            title=Text(
                "One side withdraws, with every link cut: nothing heard",
                "Un côté se retire, toutes liaisons coupées : plus rien",
            ),
            expected=Text(
                f"PTT off within {WITHDRAW_MS:.0f} ms, not on again; then {NOTHING.en}",
                f"PTT coupé en {WITHDRAW_MS:.0f} ms, plus jamais remis; puis {NOTHING.fr}",
            ),
            measured=Text(
                f"PTT off after {off or 0.0:.0f} ms; then {silent.en}",
                f"PTT coupé après {off or 0.0:.0f} ms; puis {silent.fr}",
            )
            if off is not None
            else Text(f"not keyed or not silent; {silent.en}", f"sans effet; {silent.fr}"),
            ok=done.keyed
            and off is not None
            and off <= WITHDRAW_MS
            and not done.again
            and parted
            and all(t.held for t in tries),
        )

    def former_partner_cannot_decrypt(self) -> StepResult:
        """The keys that a partner held when consent ended open nothing said afterwards.

        It stores everything, and there is a new agreement, a plan in both sides' files, so that
        there is something to store: under new keys.
        """
        self.progress.doing(Text("a plan on both sides", "un plan des deux côtés"))
        agreed = self._agree(THIRD)
        self._heard(self.canada, "still-there-fr")
        before, after = self.desk.opened_by(self.states, self.canada)
        opened, later = sum(before), sum(after)
        return StepResult(
            id="former-partner-cannot-decrypt",
            title=Text(
                "The former partner cannot decrypt", "L'ancien partenaire ne peut déchiffrer"
            ),
            expected=Text(
                "the keys it held open what it was entitled to, and nothing said afterwards",
                "ses clés ouvrent ce à quoi il avait droit, et rien de ce qui fut dit ensuite",
            ),
            measured=Text(
                f"opened {opened} of {len(before)} packets before, {later} of {len(after)} after",
                f"{opened} paquets sur {len(before)} ouverts avant, {later} sur {len(after)} après",
            ),
            ok=agreed and 0 < opened == len(before) and later == 0 < len(after),
        )

    def plan_dropped_silent(self) -> StepResult:
        """One side takes the plan out of its file: nothing passes any more."""
        self.progress.doing(Text("one agency drops the plan", "une agence abandonne le plan"))
        self.world.set_plans(self.states, {})
        parted = self.desk.over(THIRD)
        tries = self._unheard((self.states, "radio-check-en"), (self.canada, "radio-check-fr"))
        return StepResult(
            id="plan-dropped-silent",
            title=Text("One side drops the plan: nothing heard", "Plan abandonné : plus rien"),
            expected=NOTHING,
            measured=_silences(tries),
            ok=parted and all(t.held for t in tries),
        )

    def gateway_stopped_unkeyed(self) -> StepResult:
        """The gateway that keys a transmitter is ended: the transmitter is released."""
        self.progress.doing(Text("a last agreement", "un dernier accord"))
        agreed = self._agree(FOURTH)
        said = self._begin_long(self.states)
        keyed = self.world.radio(self.canada).busy
        at = self.world.end_gateway(self.canada, signal.SIGTERM)
        status = self.world.gateway(self.canada).wait(10.0)
        until = said.end / RATE + AFTER_S
        self._until(until)
        after_ms, again = self._unkeyed(at, until)
        ok = agreed and keyed and status == 0 and after_ms is not None and not again
        return StepResult(
            id="gateway-stopped-unkeyed",
            title=Text(
                "A gateway ends while it transmits: carrier down",
                "Une passerelle s'arrête en émettant : porteuse coupée",
            ),
            expected=Text(
                f"PTT off within {UNKEY_MS:.0f} ms of SIGTERM, not on again, exit status 0",
                f"PTT coupé en {UNKEY_MS:.0f} ms après SIGTERM, plus jamais remis, état 0",
            ),
            measured=_stopped(after_ms, status, keyed=keyed, again=again),
            ok=ok and (after_ms or 0.0) <= UNKEY_MS,
        )

    def audit_verified(self) -> None:
        """Verify what both gateways have logged. To be played once they have ended."""
        self._add(audit_verified(self.world))

    def never_keyed_unasked(self) -> StepResult:
        """Look at both line logs as a whole: no transmitter was keyed but for a phrase.

        To be played once the gateways have ended.
        """
        end = self.world.clock.now()
        allowed = [(s.unit, s.start / RATE, s.end / RATE + AFTER_S) for s in self._allowed]
        keyed = unasked = 0
        for side in self.world.sides:
            other = self.world.other(side).unit
            for on, off in self.world.lines.intervals(side.donor, "PTT", end):
                keyed += 1
                fits = any(u == other and a <= on and off <= b for u, a, b in allowed)
                unasked += not fits
        result = StepResult(
            id="never-keyed-unasked",
            title=Text("No transmitter was keyed unasked", "Aucun émetteur activé sans raison"),
            expected=Text("each PTT belongs to a phrase", "chaque PTT répond à une phrase"),
            measured=Text(
                f"{keyed} transmissions, {unasked} unasked",
                f"{keyed} émissions, {unasked} sans raison",
            ),
            ok=unasked == 0 and keyed >= len(self.exchanges),
        )
        self._add(result)
        return result

    def resume(self) -> None:
        """Bring the bridge up again after the story."""
        self.progress.doing(Text("the gateway comes back", "la passerelle revient"))
        self.world.start_gateway(self.canada)
        self.world.wait_ready()
        agreed = self._agree(FIFTH)
        text = Text("The bridge is up; Ctrl-C ends it.", "Le pont est en service; Ctrl-C termine.")
        self.progress.note(text if agreed else Text("no agreement", "pas d'accord"), "bold")
        for side in self.world.sides:
            command = f"  radiobridge status --socket {self.world.gateway(side).socket}"
            self.progress.note(Text(command, command))

    def small_talk(self) -> tuple[tuple[Side, str], ...]:
        """Return calls and replies for as long as somebody wants to listen."""
        return (
            (self.states, "call-en"),
            (self.canada, "reply-fr"),
            (self.states, "position-en"),
            (self.canada, "ne-tirez-pas-fr"),
        )

    # -- talking -----------------------------------------------------------------------------

    def _unheard(self, *talks: tuple[Side, str]) -> list[Silence]:
        tries = []
        for side, phrase in talks:
            self.progress.spoken(side.unit, phrase)
            found = silence(self.world, side, phrase)
            self.progress.unheard(found)
            self.said.append(found.said)
            tries.append(found)
        return tries

    def _heard(self, side: Side, *phrases: str) -> list[Exchange]:
        return [self.exchange(side, phrase) for phrase in phrases]

    def exchange(self, side: Side, phrase: str) -> Exchange:
        """Say one phrase that is to be heard across, and measure it."""
        self.progress.spoken(side.unit, phrase)
        found = exchange(self.world, side, phrase)
        self.progress.heard(found)
        self.said.append(found.said)
        self._allowed.append(found.said)
        self.exchanges.append(found)
        return found

    def _exchange_with_rank(self, side: Side, phrase: str, ranks: list[str]) -> Exchange:
        """Say a phrase; note as what its floor is held on both gateways while it is said."""
        said = threading.Timer(1.0, lambda: ranks.extend(self._ranks()))
        said.start()
        found = self.exchange(side, phrase)
        said.join()
        return found

    def _ranks(self) -> list[str]:
        found = []
        for side in self.world.sides:
            for group in (self._status(side) or {}).get("floor", ()):
                holder = group.get("holder")
                found += [str(holder.get("class"))] if holder else []
        return found

    def _begin_long(self, side: Side) -> Said:
        """Begin the long phrase; return when it is under way."""
        self.progress.spoken(side.unit, "long-en")
        said = self.world.begin(side, "long-en")
        self.said.append(said)
        self._allowed.append(said)
        self._until(said.start / RATE + LONG_BEFORE_STOP_S)
        return said

    def _until(self, at: float) -> None:
        """Wait for a time of the common zero, in s."""
        self.world.comes_true(lambda: self.world.clock.now() >= at, 20.0)

    def _voice_result(
        self, step: str, title: Text, heard: Sequence[Exchange], *, agreed: bool
    ) -> StepResult:
        lags = [lag for e in heard for lag in e.measured.lags_ms]
        late = percentile(lags, 95)
        whole = sum(e.measured.whole for e in heard)
        return StepResult(
            id=step,
            title=title,
            expected=Text(
                f"every phrase whole, 95 % within {WITHIN_MS:.0f} ms",
                f"chaque phrase entière, 95 % en {WITHIN_MS:.0f} ms",
            ),
            measured=_voice(heard, whole),
            ok=agreed and whole == len(heard) and late is not None and late <= WITHIN_MS,
        )

    # -- agreements --------------------------------------------------------------------------

    def _agree(self, patch: PatchId) -> bool:
        plan = self.world.plan()
        for side in self.world.sides:
            self.world.set_plans(side, {patch: plan})
        return self.world.comes_true(self._both_in_force(patch), AGREE_S)

    def _both_in_force(self, patch: PatchId) -> Callable[[], bool]:
        return lambda: all(self._in_force(side, patch) for side in self.world.sides)

    def _in_force(self, side: Side, patch: PatchId) -> bool:
        return patch_in_force(self._status(side), patch)

    def _status(self, side: Side) -> dict[str, Any] | None:
        return self.world.gateway(side).status()

    def _unkeyed(self, at: float, until: float) -> tuple[float | None, bool]:
        """Return how long after `at` PTT went off in ms, and whether it came on again."""
        events = [e for e in self.world.lines.events(self.canada.donor, "PTT") if e.t >= at]
        off = next((e.t for e in events if not e.value), None)
        again = any(e.value and e.t <= until for e in events)
        return (None if off is None else 1000.0 * (off - at)), again


NOT_KNOWN = Text("nothing is known", "rien n'est connu")
NOTHING = Text("no carrier, no sound, no PTT", "ni porteuse, ni son, ni PTT")


def _silences(tries: Sequence[Silence]) -> Text:
    if all(t.held for t in tries):
        return NOTHING
    carrier = sum(t.carrier_s for t in tries)
    keyed = sum(t.keyed for t in tries)
    return Text(
        f"{carrier:.2f} s of carrier, {keyed} times keyed",
        f"{carrier:.2f} s de porteuse, {keyed} activations",
    )


def _voice(heard: Sequence[Exchange], whole: int) -> Text:
    lags = [lag for e in heard for lag in e.measured.lags_ms]
    median, late = percentile(lags, 50), percentile(lags, 95)
    if median is None or late is None:
        return Text("nothing heard", "rien entendu")
    return Text(
        f"{whole} of {len(heard)} whole; mouth to ear {median:.1f} ms, 95 % {late:.1f} ms",
        f"{whole} sur {len(heard)} entières; bouche à oreille {median:.1f} ms, 95 % {late:.1f} ms",
    )


def _alarmed(stages: Sequence[bool], ranks: Sequence[str], heard: Sequence[Exchange]) -> Text:
    shown = sum(stages)
    voice = _voice(heard, sum(e.measured.whole for e in heard))
    rank = ", ".join(ranks) or "-"
    return Text(
        f"{shown} of 3 stages shown on both; floor held as {rank}; {voice.en}",
        f"{shown} étapes sur 3 vues des deux; parole tenue en {rank}; {voice.fr}",
    )


def _stopped(after_ms: float | None, status: int | None, *, keyed: bool, again: bool) -> Text:
    if not keyed:
        return Text("it was not keyed", "elle n'émettait pas")
    if after_ms is None:
        return Text("PTT stayed on", "PTT resté actif")
    en = f"PTT off after {after_ms:.0f} ms, {'on again' if again else 'not on again'}"
    fr = f"PTT coupé après {after_ms:.0f} ms, {'remis' if again else 'plus jamais remis'}"
    return Text(f"{en}, exit status {status}", f"{fr}, état {status}")
