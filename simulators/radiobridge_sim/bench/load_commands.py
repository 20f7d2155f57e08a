"""`radiobridge bench soak` and `bench flood`: a crowd that talks for long, and garbage."""

from pathlib import Path
from typing import Annotated

import typer

from radiobridge.cli.words import say
from radiobridge_sim import stage
from radiobridge_sim.bench.crowd import Crowd
from radiobridge_sim.bench.flood import PAIRS, RATE, Target, run_calm, run_flood
from radiobridge_sim.bench.load_sections import calm_section, flood_section, soak_sections
from radiobridge_sim.bench.report import Section
from radiobridge_sim.bench.running import Doing, run_measure
from radiobridge_sim.bench.soak import run_soak
from radiobridge_sim.options import JsonOption, LangOption

SOAK_PAIRS = 8
MINUTES = 30.0
WARM_UP_S = 70.0
"""A gateway remembers ended spurts for 60 s: by then that has settled."""

FLOOD_S = 20.0


def soak(
    *,
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes",
            min=0.1,
            metavar="M",
            help=say("How long is measured.", "Durée de la mesure."),
        ),
    ] = MINUTES,
    warm_up: Annotated[
        float,
        typer.Option(
            "--warm-up",
            min=0.0,
            metavar="S",
            help=say("Seconds of talk before that.", "Secondes de conversation avant cela."),
        ),
    ] = WARM_UP_S,
    radios: Annotated[
        int,
        typer.Option(
            "--radios",
            min=2,
            max=64,
            metavar="N",
            help=say("Radios, half of them on each gateway.", "Radios, une moitié par passerelle."),
        ),
    ] = 2 * SOAK_PAIRS,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Let a crowd talk for long; exit status 0 only if every target is met."""

    def measure(folder: Path, doing: Doing) -> list[Section]:
        crowd = Crowd(folder, radios // 2)
        try:
            return soak_sections(run_soak(crowd, 60.0 * minutes, warm_up, doing))
        finally:
            stage.ignore_signals()
            crowd.stop()

    run_measure(measure, lang, as_json=as_json)


def flood(
    *,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds",
            min=1.0,
            metavar="S",
            help=say("How long each flood lasts.", "Durée de chaque inondation."),
        ),
    ] = FLOOD_S,
    only: Annotated[
        Target | None,
        typer.Option(
            "--only",
            help=say("Flood one kind of topic.", "Inonder un seul genre de sujet."),
        ),
    ] = None,
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Flood a broker while people talk; exit status 0 only if every target is met."""

    def measure(folder: Path, doing: Doing) -> list[Section]:
        crowd = Crowd(folder, PAIRS)
        try:
            crowd.start(doing)
            crowd.agree()
            targets = list(Target) if only is None else [only]
            calm = calm_section(run_calm(crowd, seconds, doing))
            floods = [run_flood(crowd, one, seconds, doing) for one in targets]
            return [calm, *map(flood_section, floods)]
        finally:
            stage.ignore_signals()
            crowd.stop()

    run_measure(measure, lang, as_json=as_json)


def add_commands(app: typer.Typer) -> None:
    """Add both to `radiobridge bench`."""
    app.command(
        "soak",
        help=say(
            "A crowd talks for long by two gateways with many radios: memory, tasks, threads and "
            "file handles must not grow, and nothing may be late. Needs no hardware, broker or "
            "network. Exit status 1 when a target is missed.",
            "Une foule parle longtemps par deux passerelles à nombreuses radios : mémoire, tâches, "
            "fils et descripteurs ne doivent pas croître, et rien ne doit être en retard. Sans "
            "matériel, courtier ni réseau. État 1 si une cible est manquée.",
        ),
        epilog=say("Example", "Exemple") + ": radiobridge bench soak --minutes 5",
    )(soak)
    app.command(
        "flood",
        help=say(
            f"A broker delivers {RATE} garbage packets a second on a topic in use while people "
            "talk: less than 1 % of the frames may be concealed. Exit status 1 when more are.",
            f"Un courtier livre {RATE} paquets parasites par seconde sur un sujet utilisé pendant "
            "que l'on parle : moins de 1 % des trames peut manquer. État 1 sinon.",
        ),
        epilog=say("Example", "Exemple") + ": radiobridge bench flood --only voice",
    )(flood)
