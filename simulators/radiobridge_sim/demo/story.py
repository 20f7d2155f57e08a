"""The story: two agencies that cannot hear each other, agree, talk, and part again."""

import signal
from collections.abc import Callable, Sequence
from typing import Any

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.exchange import AFTER_S, Exchange, Silence, exchange, silence
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.gateway_status import patch_in_force, patch_why
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import percentile
from radiobridge_sim.sound import RATE
from radiobridge_sim.world import World

FIRST, SECOND, THIRD = PatchId("river-1"), PatchId("river-2"), PatchId("river-3")
"""A patch that was withdrawn is never resumed: each agreement has a new id."""

AGREE_S = 15.0
"""Longest wait for a change of plans to take effect."""

UNKEY_MS = 500.0
"""A gateway that ends must have released its transmitter by then."""

WITHIN_MS = 300.0
"""Mouth to ear for 95 % of the voice (3GPP TS 22.179, KPI 3)."""

LONG_BEFORE_STOP_S = 2.0


class Story:
    """Plays the steps, one after the other, and keeps what came of them."""

    def __init__(self, world: World, progress: Progress) -> None:
        self.world = world
        self.progress = progress
        self.canada, self.states = world.sides
        self.results: list[StepResult] = []
        self.exchanges: list[Exchange] = []
        self.said: list[Said] = []
        self._allowed: list[Said] = []
        self._plan: dict[str, Any] = {}

    def play(self) -> None:
        """Play all steps; raise WorldError when one cannot be played."""
        steps: tuple[Callable[[], StepResult], ...] = (
            self.silent_before_consent,
            self.silent_with_one_consent,
            self.heard_after_consent,
            self.reply_heard,
            self.withdrawn_silent,
            self.gateway_stopped_unkeyed,
        )
        for step in steps:
            self._add(step())

    def _add(self, result: StepResult) -> None:
        self.results.append(result)
        self.progress.step(result)

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
        """One side alone agrees: nothing passes, and its gateway says whom it waits for."""
        self.progress.doing(Text("one agency agrees", "une agence accepte"))
        self._plan = self.world.plan()
        self.world.set_plans(self.canada, {FIRST: self._plan})
        told = self.world.comes_true(lambda: self._why(self.canada, FIRST) is not None, AGREE_S)
        tries = self._unheard((self.states, "radio-check-en"), (self.canada, "radio-check-fr"))
        why = self._why(self.canada, FIRST) or Text("nothing", "rien")
        heard = _silences(tries)
        gateway = self.canada.gateway
        return StepResult(
            id="silent-with-one-consent",
            title=Text(
                "Only one side has the plan: still nothing",
                "Un seul côté a le plan : toujours rien",
            ),
            expected=Text(
                f"{NOTHING.en}; the status names {self.states.agency}",
                f"{NOTHING.fr}; l'état nomme {self.states.agency}",
            ),
            measured=Text(
                f"{heard.en}; {gateway} says: {why.en}", f"{heard.fr}; {gateway} dit : {why.fr}"
            ),
            ok=told and self.states.agency in why.en and all(t.held for t in tries),
        )

    def heard_after_consent(self) -> StepResult:
        """Both have the same plan: the call is heard across."""
        self.progress.doing(Text("the other agency agrees", "l'autre agence accepte"))
        self.world.set_plans(self.states, {FIRST: self._plan})
        agreed = self.world.comes_true(self._both_in_force(FIRST), AGREE_S)
        heard = self._heard(self.states, "call-en", "dont-shoot-en", "position-en", "dont-shoot-en")
        return self._voice_result(
            "heard-after-consent",
            Text(
                "Both sides have the plan: heard across", "Les deux côtés ont le plan : on entend"
            ),
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

    def withdrawn_silent(self) -> StepResult:
        """One side takes the plan out of its file: nothing passes any more."""
        self.progress.doing(Text("one agency withdraws", "une agence se retire"))
        self.world.set_plans(self.states, {})
        parted = self.world.comes_true(
            lambda: not any(self._in_force(side, FIRST) for side in self.world.sides), AGREE_S
        )
        tries = self._unheard((self.states, "still-there-en"), (self.canada, "still-there-fr"))
        return StepResult(
            id="withdrawn-silent",
            title=Text("One side drops the plan: nothing heard", "Un côté se retire : plus rien"),
            expected=NOTHING,
            measured=_silences(tries),
            ok=parted and all(t.held for t in tries),
        )

    def gateway_stopped_unkeyed(self) -> StepResult:
        """The gateway that keys a transmitter is ended: the transmitter is released."""
        self.progress.doing(Text("a new agreement", "un nouvel accord"))
        agreed = self._agree(SECOND)
        self.progress.spoken(self.states.unit, "long-en")
        said = self.world.begin(self.states, "long-en")
        self.said.append(said)
        self._allowed.append(said)
        start_s = said.start / RATE + LONG_BEFORE_STOP_S
        self.world.comes_true(lambda: self.world.clock.now() >= start_s, 10.0)
        keyed = self.world.radio(self.canada).busy
        at = self.world.end_gateway(self.canada, signal.SIGTERM)
        status = self.world.gateway(self.canada).wait(10.0)
        until = said.end / RATE + AFTER_S
        self.world.comes_true(lambda: self.world.clock.now() >= until, 20.0)
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
        agreed = self._agree(THIRD)
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

    def _why(self, side: Side, patch: PatchId) -> Text | None:
        return patch_why(self._status(side), patch)

    def _status(self, side: Side) -> dict[str, Any] | None:
        return self.world.gateway(side).status()

    def _unkeyed(self, at: float, until: float) -> tuple[float | None, bool]:
        """Return how long after `at` PTT went off in ms, and whether it came on again."""
        events = [e for e in self.world.lines.events(self.canada.donor, "PTT") if e.t >= at]
        off = next((e.t for e in events if not e.value), None)
        again = any(e.value and e.t <= until for e in events)
        return (None if off is None else 1000.0 * (off - at)), again


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


def _stopped(after_ms: float | None, status: int | None, *, keyed: bool, again: bool) -> Text:
    if not keyed:
        return Text("it was not keyed", "elle n'émettait pas")
    if after_ms is None:
        return Text("PTT stayed on", "PTT resté actif")
    en = f"PTT off after {after_ms:.0f} ms, {'on again' if again else 'not on again'}"
    fr = f"PTT coupé après {after_ms:.0f} ms, {'remis' if again else 'plus jamais remis'}"
    return Text(f"{en}, exit status {status}", f"{fr}, état {status}")
