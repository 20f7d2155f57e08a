"""Telling figures: as tables, or as JSON."""

import json
from collections.abc import Sequence

import typer
from rich.console import Console

from radiobridge.text import Language, Text
from radiobridge_sim.bench.report import Section, all_ok, show, to_json


def tell(sections: Sequence[Section], wanted: Language, *, as_json: bool) -> None:
    """Print all figures, and whether every target is met."""
    if as_json:
        typer.echo(json.dumps(to_json(sections, wanted), ensure_ascii=False, indent=2))
        return
    show(sections, wanted, Console(highlight=False))
    if all_ok(sections):
        typer.echo(Text("Every target is met.", "Toutes les cibles sont atteintes.").to(wanted))
    else:
        missed = Text(
            "A target is missed. See docs/benchmarks.md for what the figures mean.",
            "Une cible est manquée. Voir docs/benchmarks.md pour le sens des chiffres.",
        )
        typer.echo(missed.to(wanted))
