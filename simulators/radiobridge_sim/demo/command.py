"""`radiobridge demo`: play the story, tell what held, leave nothing behind."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from radiobridge.errors import ConfigError, RadioBridgeError
from radiobridge.text import Language, Text, language_of
from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.cables import INTERFACES
from radiobridge_sim.demo.outcome import write_outcome
from radiobridge_sim.demo.progress import Progress
from radiobridge_sim.demo.story import Story
from radiobridge_sim.world import World

DONE, FAILED = 0, 1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(BaseException):
    """A signal asks us to end. Not an Exception, so that nothing but the end catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the story; exit 0 only if all of it held.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write report.json, line logs and WAVs there."),
    ] = None,
    radios: Annotated[
        str,
        typer.Option(
            "--radios",
            metavar="CA,US",
            help="What keys the Canadian and the American radio: ccdi, lines or usrp.",
        ),
    ] = "ccdi,usrp",
    lang: Annotated[
        Language | None, typer.Option("--lang", help="en or fr; by locale when left out.")
    ] = None,
) -> None:
    """Bridge a Canadian and an American radio, all simulated, and show what is heard.

    Needs no hardware, no broker and no network. Makes keys for two agencies, starts two mosquitto
    brokers and two gateways, and has two handhelds talk. Without --once the bridge then stays up,
    with a call and a reply now and then, until Ctrl-C.

    Example: radiobridge demo --once --out /tmp/demo
    """
    language = lang or language_of(os.environ.get("LC_ALL") or os.environ.get("LANG"))
    progress = Progress(Console(), language)
    try:
        with _signals_raise():
            status = _run(progress, out, _sides(radios), once=once)
    except StoppedError as stopped:
        progress.note(Text("stopped", "arrêté"), "yellow")
        status = 128 + stopped.number
    raise typer.Exit(status)


def _sides(radios: str) -> tuple[Side, Side]:
    canadian, comma, american = radios.partition(",")
    if not comma or not {canadian, american} <= set(INTERFACES):
        raise ConfigError(
            f"--radios {radios}: right would be two of {', '.join(INTERFACES)}, as in ccdi,usrp",
            f"--radios {radios} : il faudrait deux de {', '.join(INTERFACES)}, comme ccdi,usrp",
        )
    return replace(OPP, interface=canadian), replace(CBP, interface=american)


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into StoppedError; the first counts, the rest is ignored."""

    def stop(number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise StoppedError(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """Let nothing interrupt the end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _run(progress: Progress, out: Path | None, sides: tuple[Side, Side], *, once: bool) -> int:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    failure: RadioBridgeError | None = None
    with tempfile.TemporaryDirectory(prefix="radiobridge-demo-") as folder:
        world = World(Path(folder), sides)
        story = Story(world, progress)
        try:
            world.start(progress.doing)
            story.play()
            if not once:
                _go_on(story)
            _end(story)
        except RadioBridgeError as error:
            failure = error
        finally:
            _ignore_signals()
            progress.close()
            world.stop()
            if out is not None:
                write_outcome(out, story, failure, progress.language)
    return _tell(progress, story, failure, out)


def _end(story: Story) -> None:
    """End the gateways while the air still runs, to see whether the radios stay unkeyed."""
    story.world.stop_gateways()
    story.world.pause(0.5)
    story.never_keyed_unasked()


def _go_on(story: Story) -> None:
    """Keep the bridge up, with a call and a reply now and then, until a signal ends it."""
    story.resume()
    while True:
        for side, phrase in story.small_talk():
            story.exchange(side, phrase)
            story.world.pause(3.0)


def _tell(
    progress: Progress, story: Story, failure: RadioBridgeError | None, out: Path | None
) -> int:
    if story.results:
        progress.table(story.results)
    if out is not None:
        progress.note(Text(f"written: {out}", f"écrit : {out}"))
    if failure is not None:
        progress.note(failure.text, "bold red")
        return FAILED
    return DONE if all(result.ok for result in story.results) else FAILED
