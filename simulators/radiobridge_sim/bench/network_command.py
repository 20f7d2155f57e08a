"""`radiobridge bench networks`: what bad networks do to the voice."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from radiobridge.cli.words import language, say
from radiobridge.errors import ConfigError
from radiobridge.text import Language, Text
from radiobridge_sim import stage
from radiobridge_sim.bench.impairments import CASES, Case, impairment_sections, run_impairments
from radiobridge_sim.bench.report import all_ok
from radiobridge_sim.bench.tell import tell
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.network import Network
from radiobridge_sim.world import World

DONE, FAILED = 0, 1


def networks(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ID",
            help=say(
                "A network by its name; may be repeated.", "Un réseau par son nom; répétable."
            ),
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help=say("Of what is chance.", "De ce qui est hasard."))
    ] = 1,
    radios: Annotated[
        str,
        typer.Option(
            "--radios",
            metavar="CA,US",
            help=say(
                "What keys the Canadian and the American radio: ccdi, lines or usrp.",
                "Ce qui active la radio canadienne et l'américaine : ccdi, lines ou usrp.",
            ),
        ),
    ] = "ccdi,usrp",
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print JSON.", "Afficher en JSON."))
    ] = False,
    lang: Annotated[
        Language | None,
        typer.Option("--lang", help=say("By locale when left out.", "Selon la locale par défaut.")),
    ] = None,
) -> None:
    """Try bad networks; exit status 0 only if every target is met."""
    cases, sides = _chosen(only), stage.sides(radios)
    progress = Progress(Console(stderr=True), lang or language())
    try:
        with (
            stage.signals_raise(),
            tempfile.TemporaryDirectory(
                prefix="radiobridge-bench-", dir=stage.short_folder()
            ) as folder,
        ):
            world = World(Path(folder), sides, network=Network(seed))
            try:
                results = run_impairments(world, progress.doing, cases=cases)
            finally:
                stage.ignore_signals()
                world.stop()
    except stage.StoppedError as stopped:
        progress.note(Text("stopped", "arrêté"), "yellow")
        raise typer.Exit(128 + stopped.number) from None
    finally:
        progress.close()
    sections = impairment_sections(results)
    tell(sections, progress.language, as_json=as_json)
    raise typer.Exit(DONE if all_ok(sections) else FAILED)


HELP = say(
    "Have two real gateways talk over two real brokers behind bad networks, one after the other: "
    "delay, jitter, loss, stalls, narrow places, a black hole, a cut. For each: what was delivered "
    "and concealed, the longest gap, the delay from mouth to ear. Exit status 1 when a target is "
    "missed. Nothing else should run on the machine meanwhile.",
    "Faire parler deux vraies passerelles par deux vrais courtiers derrière de mauvais réseaux, "
    "l'un après l'autre : délai, gigue, pertes, arrêts, passages étroits, trou noir, coupure. Pour "
    "chacun : ce qui fut livré et masqué, le plus long trou, le délai de bouche à oreille. État 1 "
    "si une cible est manquée. Rien d'autre ne devrait tourner sur la machine pendant ce temps.",
)
EXAMPLE = say("Example", "Exemple") + ": radiobridge bench networks --only stalls --only loss"


def _chosen(only: Sequence[str] | None) -> list[Case]:
    if not only:
        return list(CASES)
    names = ", ".join(case.id for case in CASES)
    unknown = set(only) - {case.id for case in CASES}
    if unknown:
        raise ConfigError(
            f"--only {min(unknown)}: right would be one of {names}",
            f"--only {min(unknown)} : il faudrait l'un de {names}",
        )
    return [case for case in CASES if case.id in only]
