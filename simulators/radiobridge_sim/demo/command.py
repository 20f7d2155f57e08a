"""`radiobridge demo`: play the story, tell what held, leave nothing behind."""

import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from radiobridge.cli.words import language, say
from radiobridge.errors import ConfigError, RadioBridgeError, os_reason
from radiobridge.text import Text
from radiobridge_sim import stage
from radiobridge_sim.agencies import Side
from radiobridge_sim.demo.outcome import Told, write_outcome
from radiobridge_sim.demo.played import Played
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.realistic.run import MINUTES, run_realistic
from radiobridge_sim.demo.story import Story
from radiobridge_sim.options import RADIOS, LangOption, RadiosOption
from radiobridge_sim.world import World

DONE, FAILED = 0, 1

LEAST_MINUTES, MOST_MINUTES = 0.2, 120.0
"""All recordings stay in memory: 4 MB for each minute."""

demo = typer.Typer(add_completion=False)
"""The command, as the entry point group `radiobridge.commands` has it."""


@demo.command(
    help=say(
        "Bridge a Canadian and an American radio, all simulated, and show what is heard. Needs no "
        "hardware, broker or network. Makes keys for two agencies, starts two mosquitto brokers "
        "and two gateways, and has two handhelds talk. Without --once the bridge then stays up, "
        "with a call and a reply now and then, until Ctrl-C.",
        "Relier une radio canadienne et une radio américaine, toutes simulées, et montrer ce qui "
        "s'entend. Sans matériel, courtier ni réseau. Crée les clés de deux agences, démarre deux "
        "courtiers mosquitto et deux passerelles, et fait parler deux portatifs. Sans --once, le "
        "pont reste ensuite en service, avec un appel et une réponse de temps en temps, jusqu'à "
        "Ctrl-C.",
    ),
    epilog=say("Example", "Exemple") + ": radiobridge demo --once --out /tmp/demo",
)
def run_demo(
    *,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help=say(
                "End after the story; exit status 0 only if all of it held.",
                "Terminer après l'histoire; état 0 seulement si tout a tenu.",
            ),
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            file_okay=False,
            help=say(
                "Write report.json, recordings and logs there.",
                "Y écrire report.json, enregistrements et journaux.",
            ),
        ),
    ] = None,
    radios: RadiosOption = RADIOS,
    realistic: Annotated[
        bool,
        typer.Option(
            "--realistic",
            help=say(
                "A repeater with hang and tone, a trunked radio, a hundred calls, and faults at "
                "random; draws both carriers in DIR/trace.svg.",
                "Un répéteur avec maintien et tonalité, une radio à partage de canaux, cent "
                "appels, et des pannes au hasard; trace les deux porteuses dans DIR/trace.svg.",
            ),
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="N",
            min=LEAST_MINUTES,
            max=MOST_MINUTES,
            help=say(
                "With --realistic: how long calls and faults go on; 10 when left out.",
                "Avec --realistic : durée des appels et des pannes; 10 par défaut.",
            ),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help=say(
                "With --realistic: what happens when; drawn and printed when left out.",
                "Avec --realistic : ce qui arrive et quand; tirée et affichée par défaut.",
            ),
        ),
    ] = None,
    lang: LangOption = None,
) -> None:
    """Play the story; exit status 0 only if all of it held."""
    progress = Progress(Console(), lang or language())
    _check(radios, minutes, seed, realistic=realistic)
    try:
        with stage.signals_raise():
            if realistic:
                drawn = secrets.randbelow(1_000_000) if seed is None else seed
                status = _run_realistic(progress, _folder(out), minutes, drawn, once=once)
            else:
                status = _run(progress, _folder(out), stage.sides(radios), once=once)
    except stage.StoppedError as stopped:
        progress.note(Text("stopped", "arrêté"), "yellow")
        status = 128 + stopped.number
    raise typer.Exit(status)


def _check(radios: str, minutes: float | None, seed: int | None, *, realistic: bool) -> None:
    if realistic and radios != RADIOS:
        raise ConfigError(
            f"--radios {radios}: --realistic has radios of its own; leave it out",
            f"--radios {radios} : --realistic a ses propres radios; à omettre",
        )
    if not realistic and (minutes is not None or seed is not None):
        raise ConfigError(
            "--minutes and --seed need --realistic", "--minutes et --seed exigent --realistic"
        )


def _run_realistic(
    progress: Progress, out: Path | None, minutes: float | None, seed: int, *, once: bool
) -> int:
    story, failure = run_realistic(
        progress, out, minutes=MINUTES if minutes is None else minutes, seed=seed, once=once
    )
    return _tell(progress, story, failure, out)


def _folder(out: Path | None) -> Path | None:
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = os_reason(error)
            raise ConfigError(
                f"--out {out}: cannot be made: {reason.en}; choose a folder of yours",
                f"--out {out} : création impossible : {reason.fr}; choisissez un dossier à vous",
            ) from error
    return out


def _run(progress: Progress, out: Path | None, sides: tuple[Side, Side], *, once: bool) -> int:
    failure: RadioBridgeError | None = None
    told = Told.IN_PART
    with tempfile.TemporaryDirectory(
        prefix="radiobridge-demo-", dir=stage.short_folder()
    ) as folder:
        world = World(Path(folder), sides)
        story = Story(world, progress)
        try:
            world.start(progress.doing)
            story.play()
            if not once:
                told = Told.WHOLE
                _go_on(story)
            _end(story)
            told = Told.WHOLE
        except RadioBridgeError as error:
            failure = error
        finally:
            stage.ignore_signals()
            progress.close()
            world.stop()
            if out is not None:
                write_outcome(out, story, told, failure, progress.language)
    return _tell(progress, story, failure, out)


def _end(story: Story) -> None:
    """End the gateways while the air still runs, to see whether the radios stay unkeyed."""
    story.world.stop_gateways()
    story.world.pause(0.5)
    story.never_keyed_unasked()
    story.audit_verified()


def _go_on(story: Story) -> None:
    """Keep the bridge up, with a call and a reply now and then, until a signal ends it."""
    story.resume()
    while True:
        for side, phrase in story.small_talk():
            story.exchange(side, phrase)
            story.world.pause(3.0)


def _tell(
    progress: Progress, story: Played, failure: RadioBridgeError | None, out: Path | None
) -> int:
    if story.results:
        progress.table(story.results)
    if out is not None:
        progress.note(Text(f"written: {out}", f"écrit : {out}"))
    if failure is not None:
        progress.note(failure.text, "bold red")
        return FAILED
    return DONE if story.held else FAILED
