"""What all measuring commands do: say what goes on, work in a folder that goes, end cleanly."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import typer
from rich.console import Console

from radiobridge.cli.words import language
from radiobridge.text import Language, Text
from radiobridge_sim import stage
from radiobridge_sim.bench.report import Section, all_ok
from radiobridge_sim.bench.tell import tell
from radiobridge_sim.demo.progress import Progress

DONE, FAILED = 0, 1

Doing: TypeAlias = Callable[[Text], None]


@contextlib.contextmanager
def progress_told(lang: Language | None) -> Iterator[Progress]:
    """Tell on stderr what goes on, so that the result can be piped; end the command on a signal."""
    progress = Progress(Console(stderr=True), lang or language())
    try:
        yield progress
    except stage.StoppedError as stopped:
        progress.note(Text("stopped", "arrêté"), "yellow")
        raise typer.Exit(128 + stopped.number) from None
    finally:
        progress.close()


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end, also when a signal brings it (StoppedError)."""
    with (
        stage.signals_raise(),
        tempfile.TemporaryDirectory(
            prefix="radiobridge-bench-", dir=stage.short_folder()
        ) as folder,
    ):
        yield Path(folder)


def run_measure(
    measure: Callable[[Path, Doing], Sequence[Section]], lang: Language | None, *, as_json: bool
) -> None:
    """Measure, tell the figures and exit: status 0 only if every target is met."""
    with progress_told(lang) as progress, work_folder() as folder:
        sections = measure(folder, progress.doing)
    tell(sections, progress.language, as_json=as_json)
    raise typer.Exit(DONE if all_ok(sections) else FAILED)
