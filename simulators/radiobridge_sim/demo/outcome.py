"""What the demonstration leaves in its folder: report, recordings, line, audit and gateway logs."""

import json
from collections.abc import Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from radiobridge.errors import RadioBridgeError
from radiobridge.text import Language, Text
from radiobridge_sim.demo.audit_step import keep_logs
from radiobridge_sim.demo.played import Played
from radiobridge_sim.demo.report import voice_entries
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.sound import RATE, Recording, write_wav
from radiobridge_sim.world import World


class Told(Enum):
    """How far the story came."""

    WHOLE = "whole"
    IN_PART = "in-part"
    """A signal or an error ended it; what was not told did not hold."""


_STOPPED = Text("the story was stopped before its end", "l'histoire a été arrêtée avant sa fin")


def write_outcome(
    out: Path,
    story: Played,
    told: Told,
    failure: RadioBridgeError | None,
    language: Language,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write everything into `out`, with `more` in the report; the air must have ended."""
    world = story.world
    report = make_report(story, told, failure, language) | dict(more or {})
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    for unit in (world.unit(side) for side in world.sides):
        _write_recording(out / f"{unit.name}.said.wav", unit.said)
        _write_recording(out / f"{unit.name}.heard.wav", unit.heard)
    world.lines.write(out / "lines.jsonl")
    keep_logs(world, out)
    for log in world.logs:
        if log.exists():
            (out / log.name).write_bytes(log.read_bytes())


def make_report(
    story: Played, told: Told, failure: RadioBridgeError | None, language: Language
) -> dict[str, Any]:
    """Return `report.json` (DESIGN, the commands), and what helps to judge it."""
    report = {
        "ok": told is Told.WHOLE and failure is None and story.held,
        "steps": [result.to_json(language) for result in story.results],
        "voice": voice_entries(story.exchanges),
        "phrases": _phrases(story),
        "zero": story.world.zero_utc.isoformat(timespec="microseconds"),
        "simulation": _simulation(story.world),
        "language": language.value,
        "version": version("radiobridge"),
    }
    if failure is not None or told is Told.IN_PART:
        report["error"] = (failure.text if failure else _STOPPED).to(language)
    return report


def _phrases(story: Played) -> list[dict[str, Any]]:
    """Return who said what, when, in s since the common time zero of all recordings."""
    words = load_phrases()
    return [
        {
            "unit": said.unit,
            "phrase": said.phrase,
            "voice": words[said.phrase].voice,
            "words": words[said.phrase].words,
            "start_s": said.start / RATE,
            "end_s": said.end / RATE,
        }
        for said in story.said
    ]


def _simulation(world: World) -> dict[str, Any]:
    """Return how steady the simulation itself was: its lateness is no delay of the gateways."""
    ticker = world.ticker
    return {
        "late_ms": {
            "p95": ticker.lateness_ms(0.95) if ticker else None,
            "max": ticker.lateness_ms(1.0) if ticker else None,
        },
        "radios": {
            radio.name: {
                "interface": side.interface,
                "underruns": radio.playout.underruns,
                "overruns": radio.playout.overruns,
            }
            for side, radio in world.radios
        },
    }


def _write_recording(path: Path, recording: Recording) -> None:
    write_wav(path, recording.samples())
