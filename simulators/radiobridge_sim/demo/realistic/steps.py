"""The steps of the realistic demonstration, as `report.json` and the drawing tell them."""

from collections.abc import Mapping, Sequence

from radiobridge.text import Text
from radiobridge_sim.demo.exchange import Silence
from radiobridge_sim.demo.realistic.calls import Called
from radiobridge_sim.demo.realistic.judge import LENGTH_MS, LEVEL_DB, Keys
from radiobridge_sim.demo.realistic.plan import HARMLESS
from radiobridge_sim.demo.realistic.strikes import WORDS, Struck
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.measure import percentile

WITHDRAW_MS = 100.0
"""From a withdrawal to carrier down on the own side."""

NOTHING = Text("no carrier, no sound, no PTT", "ni porteuse, ni son, ni PTT")


def silent_before(tries: Sequence[Silence]) -> StepResult:
    """Nobody has agreed to anything: each side hears its own only."""
    return StepResult(
        id="silent-before-consent",
        title=Text("No agreement: nothing is heard across", "Sans accord : rien ne passe"),
        expected=NOTHING,
        measured=_silences(tries),
        ok=all(t.held for t in tries),
    )


def calls_whole(calls: Sequence[Called]) -> StepResult:
    """Every call was heard whole."""
    whole = sum(one.verdict.whole for one in calls)
    return StepResult(
        id="calls-whole",
        title=Text(
            f'"Don\'t shoot!" {len(calls)} times: each whole',
            f"« Ne tirez pas ! » {len(calls)} fois : chaque fois entier",
        ),
        expected=Text(
            f"nothing clipped, no hole, level within {LEVEL_DB:.0f} dB, length within "
            f"{LENGTH_MS:.0f} ms, start and end recognised",
            f"rien de coupé, aucun trou, niveau à {LEVEL_DB:.0f} dB près, longueur à "
            f"{LENGTH_MS:.0f} ms près, début et fin reconnus",
        ),
        measured=_calls(calls, whole),
        ok=bool(calls) and whole == len(calls),
    )


def fault(struck: Struck, after: Sequence[Called]) -> StepResult:
    """Something broke while a radio transmitted; afterwards all is as before."""
    whole = sum(one.verdict.whole for one in after)
    words, carrier = WORDS[struck.strike.fault], _carrier(struck)
    back = _recovered(struck)
    return StepResult(
        id=f"fault-{struck.strike.fault.value}",
        title=Text(f"{struck.side.donor}: {words.en}", f"{struck.side.donor} : {words.fr}"),
        expected=_promise(struck),
        measured=Text(
            f"{carrier.en}; {back.en}; then {whole} of {len(after)} calls whole",
            f"{carrier.fr}; {back.fr}; puis {whole} appels entiers sur {len(after)}",
        ),
        ok=struck.held and whole == len(after),
    )


def withdrawn(
    down_ms: float | None, tries: Sequence[Silence], *, again: bool, parted: bool
) -> StepResult:
    """One side withdraws while its radio transmits."""
    silent = _silences(tries)
    down = _down(down_ms, again=again)
    return StepResult(
        id="withdrawn-silent",
        title=Text("One side withdraws: silence", "Un côté se retire : silence"),
        expected=Text(
            f"carrier down within {WITHDRAW_MS:.0f} ms, not up again; then {NOTHING.en}",
            f"porteuse coupée en {WITHDRAW_MS:.0f} ms, pas remise; puis {NOTHING.fr}",
        ),
        measured=Text(f"{down.en}; then {silent.en}", f"{down.fr}; puis {silent.fr}"),
        ok=down_ms is not None
        and down_ms <= WITHDRAW_MS
        and not again
        and parted
        and all(t.held for t in tries),
    )


def no_false_key(keys: Mapping[str, Keys]) -> StepResult:
    """From start to end, faults included, no transmitter was keyed that should not have been."""
    told = ", ".join(f"{radio} {found.total}" for radio, found in keys.items())
    false = sum(len(found.false) for found in keys.values())
    return StepResult(
        id="no-false-key",
        title=Text(
            "Not one false key, faults included", "Aucune fausse émission, pannes comprises"
        ),
        expected=Text(
            "each PTT belongs to something said across, one PTT each, ended in time",
            "chaque PTT répond à une parole de l'autre côté, un seul par parole, fini à temps",
        ),
        measured=Text(f"{told}; {false} false", f"{told}; {false} sans raison"),
        ok=false == 0 and all(found.total for found in keys.values()),
    )


def _calls(calls: Sequence[Called], whole: int) -> Text:
    queued = sum(one.queued for one in calls)
    delays = [delay for one in calls if (delay := one.verdict.delay_ms) is not None]
    median, most = percentile(delays, 50) or 0.0, percentile(delays, 100) or 0.0
    level = max((abs(one.verdict.level_db) for one in calls), default=0.0)
    length = max((abs(one.verdict.length_ms) for one in calls), default=0.0)
    score = min((one.verdict.end.score for one in calls), default=0.0)
    return Text(
        f"{whole} of {len(calls)} whole, {queued} of them queued; level within {level:.1f} dB, "
        f"length within {length:.0f} ms, ends recognised by {score:.2f} at least; mouth to ear "
        f"{median:.0f} ms, {most:.0f} ms at most",
        f"{whole} sur {len(calls)} entiers, dont {queued} en file; niveau à {level:.1f} dB près, "
        f"longueur à {length:.0f} ms près, fins reconnues à {score:.2f} au moins; bouche à oreille "
        f"{median:.0f} ms, {most:.0f} ms au plus",
    )


def _promise(struck: Struck) -> Text:
    if struck.strike.fault in HARMLESS:
        return Text("the carrier stays, nothing is missing", "la porteuse reste, rien ne manque")
    return Text(
        f"carrier down within {struck.limit_ms:.0f} ms, not up again",
        f"porteuse coupée en {struck.limit_ms:.0f} ms, pas remise",
    )


def _carrier(struck: Struck) -> Text:
    if struck.strike.fault not in HARMLESS:
        return _down(struck.down_ms, again=struck.again)
    if struck.verdict is None or not struck.verdict.measured.whole:
        missing = None if struck.verdict is None else struck.verdict.measured
        lost = 0.0 if missing is None else missing.missing_ms
        return Text(f"damaged, {lost:.0f} ms missing", f"altéré, {lost:.0f} ms manquants")
    return Text("heard whole", "entendu en entier")


def _down(down_ms: float | None, *, again: bool) -> Text:
    if down_ms is None:
        return Text("the carrier stayed up or never came", "porteuse restée ou jamais venue")
    if again:
        return Text(f"down after {down_ms:.0f} ms, UP AGAIN", f"coupée en {down_ms:.0f} ms, REMISE")
    return Text(f"down after {down_ms:.0f} ms", f"coupée en {down_ms:.0f} ms")


def _recovered(struck: Struck) -> Text:
    if struck.recovered_s is None:
        return Text("not in service again", "pas remise en service")
    return Text(
        f"in service {struck.recovered_s:.1f} s after mending",
        f"en service {struck.recovered_s:.1f} s après réparation",
    )


def _silences(tries: Sequence[Silence]) -> Text:
    if all(t.held for t in tries):
        return NOTHING
    carrier, keyed = sum(t.carrier_s for t in tries), sum(t.keyed for t in tries)
    return Text(
        f"{carrier:.2f} s of carrier, {keyed} times keyed",
        f"{carrier:.2f} s de porteuse, {keyed} activations",
    )
