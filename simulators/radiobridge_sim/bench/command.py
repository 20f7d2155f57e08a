"""`radiobridge bench`: measure, and say whether the targets are met on this machine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from radiobridge.cli.words import say
from radiobridge_sim import stage
from radiobridge_sim.bench import faults_command, network_command
from radiobridge_sim.bench.load_commands import add_commands
from radiobridge_sim.bench.micro import run_micro
from radiobridge_sim.bench.path import run_path
from radiobridge_sim.bench.report import (
    Section,
    micro_section,
    path_sections,
)
from radiobridge_sim.bench.running import Doing, run_measure
from radiobridge_sim.options import RADIOS, JsonOption, LangOption, RadiosOption
from radiobridge_sim.world import World

SPURTS, QUICK_SPURTS = 20, 4
BATCHES, QUICK_BATCHES = 25, 5


class Part(StrEnum):
    """What can be measured alone."""

    MICRO = "micro"
    PATH = "path"


bench = typer.Typer(add_completion=False)
"""The command, as the entry point group `radiobridge.commands` has it."""

bench.command(name="networks", help=network_command.HELP, epilog=network_command.EXAMPLE)(
    network_command.networks
)
bench.command(name="faults", help=faults_command.HELP, epilog=faults_command.EXAMPLE)(
    faults_command.run_faults
)


@bench.callback(
    invoke_without_command=True,
    help=say(
        "Measure what voice costs on this machine, and how late it is. Needs no hardware, broker "
        "or network: two brokers and two gateways run as processes, radios are simulated. Exit "
        "status 1 when a target is missed. Nothing else should run on the machine meanwhile.",
        "Mesurer ce que coûte la voix sur cette machine, et son retard. Sans matériel, courtier "
        "ni réseau : deux courtiers et deux passerelles tournent comme processus, les radios sont "
        "simulées. État 1 si une cible est manquée. Rien d'autre ne devrait tourner sur la "
        "machine pendant ce temps.",
    ),
    epilog=say("Example", "Exemple") + ": radiobridge bench --spurts 40 --radios usrp,usrp",
)
def run_bench(
    context: typer.Context,
    *,
    spurts: Annotated[
        int | None,
        typer.Option(
            "--spurts",
            min=1,
            max=1000,
            metavar="N",
            help=say(
                f"Spurts in each direction; {SPURTS} when left out.",
                f"Messages dans chaque sens; {SPURTS} par défaut.",
            ),
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=say(
                f"A first impression: {QUICK_SPURTS} spurts, less than a minute.",
                f"Une première impression : {QUICK_SPURTS} messages, moins d'une minute.",
            ),
        ),
    ] = False,
    only: Annotated[
        Part | None,
        typer.Option(
            "--only",
            help=say(
                "Costs of single calls, or the whole path.",
                "Coûts d'appels isolés, ou le trajet entier.",
            ),
        ),
    ] = None,
    radios: RadiosOption = RADIOS,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Measure; exit status 0 only if every target is met."""
    if context.invoked_subcommand is not None:
        return
    sides = stage.sides(radios)
    wanted = set(Part) if only is None else {only}
    count = spurts or (QUICK_SPURTS if quick else SPURTS)

    def measure(folder: Path, doing: Doing) -> list[Section]:
        sections: list[Section] = []
        if Part.MICRO in wanted:
            batches = QUICK_BATCHES if quick else BATCHES
            sections.append(micro_section(run_micro(folder, batches, doing)))
        if Part.PATH in wanted:
            sections += _path(World(folder, sides), count, doing)
        return sections

    run_measure(measure, lang, as_json=as_json)


def _path(world: World, spurts: int, doing: Doing) -> list[Section]:
    try:
        return path_sections(run_path(world, spurts, doing))
    finally:
        stage.ignore_signals()
        world.stop()


add_commands(bench)
