"""`radiobridge bench faults`: break one thing after the other, and say what came of it."""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from radiobridge.cli.words import say
from radiobridge.errors import ConfigError
from radiobridge.text import Language, Text
from radiobridge_sim import stage
from radiobridge_sim.bench.faults import Fault, faults
from radiobridge_sim.bench.running import DONE, FAILED, Doing, progress_told, work_folder
from radiobridge_sim.bench.stand import Outcome, Stand
from radiobridge_sim.options import RADIOS, JsonOption, LangOption

COLUMNS: tuple[tuple[str, Text, str], ...] = (
    ("lost", Text("lost", "perdus"), ""),
    ("gap_ms", Text("gap", "trou"), "ms"),
    ("keyed", Text("keyed", "émis"), "×"),
    ("unkey_ms", Text("unkey", "repos"), "ms"),
    ("told_ms", Text("tell", "avis"), "ms"),
    ("recover_s", Text("recover", "retour"), "s"),
)
"""What is measured of each fault: its field, its heading, its unit."""


class Row(NamedTuple):
    """A fault and what it did."""

    fault: Fault
    outcome: Outcome

    def ok(self, field: str) -> bool:
        """Tell whether a limit is kept, if there is one; what never came keeps none."""
        limit, value = getattr(self.fault.limits, field), getattr(self.outcome, field)
        return limit is None or (value is not None and value <= limit)

    @property
    def held(self) -> bool:
        """Tell whether all limits are kept."""
        return all(self.ok(field) for field, _, _ in COLUMNS)


def run_faults(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ID",
            help=say(
                "A fault by its name, or all of a part by its letter; may be repeated.",
                "Une panne par son nom, ou toutes celles d'une partie par sa lettre; répétable.",
            ),
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", help=say("Of the bad network.", "Du mauvais réseau.")),
    ] = 1,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Run the table of faults; exit status 0 only if every limit is kept."""
    wanted = _chosen(only)
    with progress_told(lang) as progress:
        rows = list(_run(wanted, seed, progress.doing))
    if as_json:
        typer.echo(json.dumps(to_json(rows, progress.language), ensure_ascii=False, indent=2))
    else:
        show(rows, progress.language, Console(highlight=False))
    raise typer.Exit(DONE if all(row.held for row in rows) else FAILED)


HELP = say(
    "Break one thing after the other while somebody talks across two real gateways and two real "
    "brokers, and tell what came of it: packets lost, the longest gap in what is heard, the time "
    "to carrier down, to the word in a status, and until all works again. Exit status 1 when a "
    "limit is not kept. Nothing else should run on the machine meanwhile.",
    "Casser une chose après l'autre pendant que quelqu'un parle à travers deux vraies passerelles "
    "et deux vrais courtiers, et dire ce qu'il en advient : paquets perdus, plus long trou à "
    "l'écoute, temps jusqu'à la porteuse coupée, jusqu'à l'avis dans un état, et jusqu'à ce que "
    "tout fonctionne. État 1 si une limite n'est pas tenue. Rien d'autre ne devrait tourner sur la "
    "machine pendant ce temps.",
)
EXAMPLE = say("Example", "Exemple") + ": radiobridge bench faults --only A --only keyer-stopped"


def _chosen(only: Sequence[str] | None) -> list[Fault]:
    known = faults()
    if not only:
        return list(known)
    unknown = set(only) - {one.id for one in known} - {one.part for one in known}
    if unknown:
        names = ", ".join([*sorted({one.part for one in known}), *(one.id for one in known)])
        raise ConfigError(
            f"--only {min(unknown)}: right would be one of {names}",
            f"--only {min(unknown)} : il faudrait l'un de {names}",
        )
    return [one for one in known if one.id in only or one.part in only]


def _run(wanted: Sequence[Fault], seed: int, doing: Doing) -> Iterator[Row]:
    for place, group in groupby(wanted, key=lambda one: one.place):
        sides = place.sides(stage.sides(RADIOS))
        # Signals for each world anew: the end of the one before lets none interrupt it.
        with work_folder() as folder:
            stand = Stand(folder, sides, seed)
            try:
                stand.start(doing)
                for fault in group:
                    doing(fault.name)
                    yield Row(fault, fault.run(stand))
            finally:
                stage.ignore_signals()
                stand.world.stop()


def to_json(rows: Sequence[Row], language: Language) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "ok": all(row.held for row in rows),
        "faults": [
            {
                "id": row.fault.id,
                "part": row.fault.part,
                "name": row.fault.name.to(language),
                "ok": row.held,
            }
            | {
                field: {
                    "value": _finite(getattr(row.outcome, field)),
                    "limit": getattr(row.fault.limits, field),
                    "ok": row.ok(field),
                }
                for field, _, _ in COLUMNS
            }
            for row in rows
        ],
    }


def show(rows: Sequence[Row], language: Language, console: Console) -> None:
    """Print the table; a figure beyond its limit has the limit beside it."""
    # 80 columns are enough, in French too: what is no terminal has no more.
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column(Text("fault", "panne").to(language))
    for _, heading, unit in COLUMNS:
        table.add_column(f"{heading.to(language)}\n{unit}", justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        cells = [_cell(row, field) for field, _, _ in COLUMNS]
        mark = "[green]✔[/]" if row.held else "[bold red]✘[/]"
        table.add_row(row.fault.part, row.fault.name.to(language), *cells, mark)
    console.print(table)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 3)


def _cell(row: Row, field: str) -> str:
    value = _finite(getattr(row.outcome, field))
    limit = getattr(row.fault.limits, field)
    if value is None:
        return "" if limit is None else "[bold red]–[/]"
    text = f"{value:.1f}" if field == "recover_s" else f"{value:.0f}"
    return text if row.ok(field) else f"[bold red]{text} > {limit:.0f}[/]"
