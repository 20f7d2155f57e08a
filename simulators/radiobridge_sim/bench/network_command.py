"""`radiobridge bench networks`: what bad networks do to the voice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from radiobridge.cli.words import say
from radiobridge.errors import ConfigError
from radiobridge_sim import stage
from radiobridge_sim.bench.impairments import CASES, Case, impairment_sections, run_impairments
from radiobridge_sim.bench.report import Section
from radiobridge_sim.bench.running import Doing, run_measure
from radiobridge_sim.network import Network
from radiobridge_sim.options import RADIOS, JsonOption, LangOption, RadiosOption
from radiobridge_sim.world import World


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
    radios: RadiosOption = RADIOS,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Try bad networks; exit status 0 only if every target is met."""
    cases, sides = _chosen(only), stage.sides(radios)

    def measure(folder: Path, doing: Doing) -> list[Section]:
        world = World(folder, sides, network=Network(seed))
        try:
            return impairment_sections(run_impairments(world, doing, cases=cases))
        finally:
            stage.ignore_signals()
            world.stop()

    run_measure(measure, lang, as_json=as_json)


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
