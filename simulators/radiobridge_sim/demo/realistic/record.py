"""What the realistic demonstration leaves beside its recordings: figures, trace, audit sheets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radiobridge.cli.audit_view import as_json, csv_lines, print_entry
from radiobridge.drivers.store.audit_file import read_log
from radiobridge.errors import RadioBridgeError
from radiobridge.text import Language, Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.audit_step import AUDIT_FILE
from radiobridge_sim.demo.outcome import Told, write_outcome
from radiobridge_sim.demo.realistic.calls import Called
from radiobridge_sim.demo.realistic.plan import HARMLESS
from radiobridge_sim.demo.realistic.story import RealisticStory
from radiobridge_sim.demo.realistic.strikes import WORDS, Struck
from radiobridge_sim.demo.realistic.trace import Lane, Line, Mark, Span, Trace, draw
from radiobridge_sim.sound import RATE
from radiobridge_sim.trunked import Trunk
from radiobridge_sim.world import World

TRACE = "trace.svg"

CONSENT = frozenset({"word-said", "word-heard", "patch-in-force", "patch-over"})
"""What of an audit log tells who agreed to what, from when to when."""


def write_record(
    out: Path,
    story: RealisticStory,
    told: Told,
    failure: RadioBridgeError | None,
    language: Language,
) -> None:
    """Write report, recordings, logs, trace and audit sheets; the air must have ended."""
    write_outcome(out, story, told, failure, language, figures(story))
    drawn = draw(make_trace(story, told, failure), language)
    (out / TRACE).write_text(drawn, encoding="utf-8")
    for side in story.world.sides:
        log = story.world.home(side) / "state" / AUDIT_FILE
        if log.exists():
            sheet = out / f"{str(side.gateway).replace('/', '-')}.audit.csv"
            sheet.write_text("".join(csv_lines(read_log(log))), encoding="utf-8")


def show_sheets(story: RealisticStory) -> None:
    """Show who agreed and who withdrew, from both audit logs; the gateways have ended."""
    progress = story.progress
    for side in story.world.sides:
        name = str(side.gateway)
        progress.note(Text(f"Audit sheet of {name}", f"Feuille d'audit de {name}"), "bold")
        for record in read_log(story.world.home(side) / "state" / AUDIT_FILE):
            if as_json(record).get("what") in CONSENT:
                print_entry(record, progress.language, progress.console, full=False)


def figures(story: RealisticStory) -> dict[str, Any]:
    """Return what `report.json` has of this demonstration beside steps and voice."""
    return {
        "seed": story.plan.seed,
        "trace": TRACE,
        "calls": [_call(one) for one in story.calls],
        "faults": [_fault(one) for one in story.struck],
        "keys": {
            radio: {"count": found.total, "false": [list(key) for key in found.false]}
            for radio, found in story.keys.items()
        },
        "carriers": {
            side.donor: [[round(s.start_s, 3), round(s.end_s, 3)] for s in _carriers(story, side)]
            for side in story.world.sides
        },
    }


def make_trace(story: RealisticStory, told: Told, failure: RadioBridgeError | None) -> Trace:
    """Return the trace of a story that has been played, as far as it was."""
    world = story.world
    lines = [Line(held=r.ok, words=_line(r.title, r.measured)) for r in story.results]
    if failure is not None:
        lines.append(Line(held=False, words=failure.text))
    end_s = max((span.end_s for side in world.sides for span in _spoken(story, side)), default=0.0)
    when = world.zero_utc.isoformat(sep=" ", timespec="seconds")
    seed = story.plan.seed
    return Trace(
        title=Text(
            f"Both carriers, {when}, seed {seed}", f"Les deux porteuses, {when}, graine {seed}"
        ),
        held=told is Told.WHOLE and failure is None and story.held,
        lines=tuple(lines),
        lanes=tuple(
            lane
            for letter, side in zip("AB", world.sides, strict=True)
            for lane in _lanes(story, side, letter)
        ),
        marks=(*story.marks, *(mark for one in story.struck for mark in _marks(one))),
        end_s=end_s + 1.0,
    )


def _line(title: Text, measured: Text) -> Text:
    return Text(f"{title.en}: {measured.en}", f"{title.fr} : {measured.fr}")


def _lanes(story: RealisticStory, side: Side, letter: str) -> Iterator[Lane]:
    unit = story.world.unit(side)
    yield Lane(
        label=Text(f"{unit.name} speaks", f"{unit.name} parle"),
        spans=tuple(_spoken(story, side)),
    )
    yield Lane(
        label=Text(f"carrier {letter}: {side.donor}", f"porteuse {letter} : {side.donor}"),
        spans=(*_keyed(story.world, side), *_carriers(story, side)),
    )
    yield Lane(
        label=Text(f"{unit.name} hears", f"{unit.name} entend"),
        spans=tuple(
            Span(start_s=heard.start / RATE, end_s=heard.end / RATE, kind="heard")
            for heard in unit.heard_carrier
        ),
    )


def _spoken(story: RealisticStory, side: Side) -> Iterator[Span]:
    verdicts = {one.said: one.verdict.whole for one in story.calls}
    verdicts |= {one.said: one.kept for one in story.struck if one.strike.fault in HARMLESS}
    kinds = {True: "spoken", False: "damaged", None: "cut"}
    for said in story.said:
        if said.unit == side.unit:
            kind = kinds[verdicts.get(said)]
            yield Span(start_s=said.start / RATE, end_s=said.end / RATE, kind=kind)


def _until(world: World) -> float:
    return world.clock.step / 200.0


def _keyed(world: World, side: Side) -> Iterator[Span]:
    for on, off in world.lines.intervals(side.donor, "PTT", _until(world)):
        yield Span(start_s=on, end_s=off, kind="asked")


def _carriers(story: RealisticStory, side: Side) -> list[Span]:
    """Return when the donor radio was on the air: keyed up, or granted."""
    world, found = story.world, []
    granted = [event.t for event in world.lines.events(side.donor, Trunk.GRANTED.value)]
    for on, off in world.lines.intervals(side.donor, "PTT", _until(world)):
        if side.trunked is None:
            up: float | None = on + side.key_up_s
        else:
            up = next((at for at in granted if on <= at <= off), None)
        if up is not None and up < off:
            found.append(Span(start_s=up, end_s=off, kind="carrier"))
    return found


def _marks(struck: Struck) -> Iterator[Mark]:
    yield Mark(at_s=struck.at_s, kind="fault", words=WORDS[struck.strike.fault])
    if struck.strike.fault not in HARMLESS and struck.down_ms is not None:
        words = f"▼ {struck.down_ms:.0f} ms"
        at_s = struck.at_s + struck.down_ms / 1000.0
        yield Mark(at_s=at_s, kind="down", words=Text(words, words))


def _call(one: Called) -> Mapping[str, Any]:
    verdict = one.verdict
    return {
        "from": one.source.unit,
        "at_s": one.said.start / RATE,
        "whole": verdict.whole,
        "faults": list(verdict.faults),
        "queued": one.queued,
        "delay_ms": verdict.delay_ms,
        "level_db": round(verdict.level_db, 2),
        "length_ms": round(verdict.length_ms, 2),
        "start_score": round(verdict.start.score, 3),
        "end_score": round(verdict.end.score, 3),
    }


def _fault(one: Struck) -> Mapping[str, Any]:
    return {
        "fault": one.strike.fault.value,
        "radio": one.side.donor,
        "at_s": round(one.at_s, 3),
        "carrier_down_ms": None if one.down_ms is None else round(one.down_ms, 1),
        "again": one.again,
        "recovered_s": None if one.recovered_s is None else round(one.recovered_s, 2),
        "held": one.held,
    }
