"""Figures with their targets: for a table, and for `--json`."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from radiobridge.text import Language, Text
from radiobridge_sim.bench.path import Direction, Lateness, Load, PathResult
from radiobridge_sim.bench.stopwatch import Cost
from radiobridge_sim.measure import percentile

MEDIAN_MS, P95_MS = 60.0, 90.0
"""Issue 2: mouth to ear across both gateways and the broker."""
PTT_MS = 25.0
"""Issue 2: COR to PTT at the far end, median, for `usrp` and `ccdi`."""

QUICK_PTT = frozenset({"usrp", "ccdi"})
LATE_MS = 5
"""What is counted as late: a sound device has about that much in store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number."""

    id: str
    """`path.opp-12.cbp-7.mouth-to-ear.median`; the same in every language and version."""
    name: Text
    value: float | None
    """None: there was nothing to measure."""
    unit: str
    limit: float | None = None
    """The target: not above."""

    @property
    def ok(self) -> bool:
        """Tell whether the target is met, if there is one."""
        return self.limit is None or (self.value is not None and self.value <= self.limit)

    def to_json(self, language: Language) -> dict[str, Any]:
        """Return the figure as `--json` has it."""
        return {
            "id": self.id,
            "name": self.name.to(language),
            "value": None if self.value is None else round(self.value, 3),
            "unit": self.unit,
            "limit": self.limit,
            "ok": self.ok,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures under one heading."""

    title: Text
    figures: tuple[Figure, ...]


def micro_section(costs: Sequence[Cost]) -> Section:
    """Return the costs of single calls."""
    return Section(
        title=Text("CPU time of one call", "temps processeur d'un appel"),
        figures=tuple(
            Figure(
                id=f"micro.{cost.micro.id}",
                name=cost.micro.name,
                value=cost.median_us,
                unit="µs",
                limit=cost.micro.limit_us,
            )
            for cost in costs
        ),
    )


def path_sections(result: PathResult) -> list[Section]:
    """Return what was measured on the whole way."""
    return [
        *(_direction(one) for one in result.directions),
        Section(
            title=Text("processes, per second of voice", "processus, par seconde de voix"),
            figures=tuple(figure for load in result.loads for figure in _load(load)),
        ),
        Section(
            title=Text("how steady it was", "régularité"),
            figures=(*(_late(name, late) for name, late in result.lateness.items()), _air(result)),
        ),
    ]


def _direction(one: Direction) -> Section:
    source, target = one.source, one.target
    start = f"path.{source.unit}.{target.unit}"
    title = f"{source.unit} ({source.interface}) → {target.unit} ({target.interface})"
    lags, delays = one.lags_ms, one.ptt_ms
    keyed_all = len(delays) == len(one.exchanges)
    limit = PTT_MS if target.interface in QUICK_PTT else None
    ear, ptt = Text("mouth to ear", "bouche à oreille"), Text("COR to PTT", "de COR à PTT")
    missing = [max(e.measured.missing_ms, e.measured.inserted_ms) for e in one.exchanges]
    return Section(
        title=Text(title, title),
        figures=(
            _ms(f"{start}.mouth-to-ear.median", ear, MEDIAN, percentile(lags, 50), MEDIAN_MS),
            _ms(f"{start}.mouth-to-ear.p95", ear, P95, percentile(lags, 95), P95_MS),
            _ms(
                f"{start}.cor-to-ptt.median",
                ptt,
                MEDIAN,
                statistics.median(delays) if delays and keyed_all else None,
                limit,
            ),
            _ms(f"{start}.cor-to-ptt.p95", ptt, P95, percentile(delays, 95), None),
            Figure(
                id=f"{start}.damaged",
                name=Text(
                    f"spurts of {len(one.exchanges)} not heard whole",
                    f"messages sur {len(one.exchanges)} non entendus en entier",
                ),
                value=float(len(one.exchanges) - one.whole),
                unit="",
            ),
            Figure(
                id=f"{start}.damage.max",
                name=Text("longest damage in a spurt", "plus long dommage d'un message"),
                value=max(missing, default=None),
                unit="ms",
            ),
        ),
    )


MEDIAN, P95 = Text("median", "médiane"), Text("95 %", "95 %")


def _ms(id_: str, what: Text, which: Text, value: float | None, limit: float | None) -> Figure:
    name = Text(f"{what.en}, {which.en}", f"{what.fr}, {which.fr}")
    return Figure(id=id_, name=name, value=value, unit="ms", limit=limit)


def _load(load: Load) -> tuple[Figure, ...]:
    start = "load." + load.name.replace(" ", ".").replace("/", ".")
    process = load.name.replace("gateway", "passerelle")
    return (
        Figure(
            id=f"{start}.talking",
            name=Text(f"{load.name}, CPU", f"{process}, processeur"),
            value=load.talking_ms,
            unit="ms",
        ),
        Figure(
            id=f"{start}.idle",
            name=Text(f"{load.name}, CPU while idle", f"{process}, processeur au repos"),
            value=load.idle_ms,
            unit="ms",
        ),
        Figure(
            id=f"{start}.waited",
            name=Text(f"{load.name}, waiting for a CPU", f"{process}, attente d'un processeur"),
            value=load.waited_ms,
            unit="ms",
        ),
    )


def _late(gateway: str, late: Lateness) -> Figure:
    return Figure(
        id=f"late.{gateway.replace('/', '.')}",
        name=Text(
            f"{gateway}: event loop over {LATE_MS} ms late",
            f"{gateway} : boucle en retard de plus de {LATE_MS} ms",
        ),
        value=100.0 * late.over_ms.get(LATE_MS, 0) / late.fired if late.fired else None,
        unit="%",
    )


def _air(result: PathResult) -> Figure:
    return Figure(
        id="late.simulation",
        name=Text("the simulation itself late, 95 %", "retard de la simulation même, 95 %"),
        value=result.air_late_p95_ms,
        unit="ms",
    )


# -- showing it ------------------------------------------------------------------------------


def all_ok(sections: Sequence[Section]) -> bool:
    """Tell whether every target is met, and anything was measured."""
    return bool(sections) and all(f.ok for section in sections for f in section.figures)


def to_json(sections: Sequence[Section], language: Language) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "ok": all_ok(sections),
        "version": version("radiobridge"),
        "machine": {"cpus": os.cpu_count(), "load": [round(one, 2) for one in os.getloadavg()]},
        "figures": [f.to_json(language) for section in sections for f in section.figures],
    }


def show(sections: Sequence[Section], language: Language, console: Console) -> None:
    """Print one table for each section."""
    heads = (Text("measured", "mesuré"), Text("target", "cible"))
    for section in sections:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
        table.add_column(section.title.to(language), min_width=46)
        for head in heads:
            table.add_column(head.to(language), justify="right", min_width=9)
        table.add_column("")
        for figure in section.figures:
            target = "" if figure.limit is None else f"≤ {figure.limit:g} {figure.unit}"
            table.add_row(figure.name.to(language), _shown(figure), target, _mark(figure))
        console.print(table)


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    digits = 0 if figure.unit == "" else 1
    return f"{figure.value:.{digits}f} {figure.unit}".rstrip()


def _mark(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    return "[green]✔[/]" if figure.ok else "[bold red]✘[/]"
