"""What the person sees while the story goes on, and the table at its end."""

from collections.abc import Sequence

from rich.console import Console
from rich.status import Status
from rich.table import Table

from radiobridge.text import Language, Text
from radiobridge_sim.demo.exchange import Exchange, Silence
from radiobridge_sim.demo.report import StepResult
from radiobridge_sim.measure import percentile
from radiobridge_sim.phrases import load_phrases


class Progress:
    """Tells the story on a terminal, in one language."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console = console
        self.language = language
        self._words = {name: phrase.words for name, phrase in load_phrases().items()}
        self._status: Status | None = None

    def doing(self, what: Text) -> None:
        """Show what is going on right now."""
        text = what.to(self.language)
        if not self.console.is_terminal:
            self.console.print(f"… {text}", highlight=False, markup=False)
        elif self._status is None:
            # Few refreshes: each takes the interpreter away from the thread of the air.
            self._status = self.console.status(text, refresh_per_second=4)
            self._status.start()
        else:
            self._status.update(text)

    def spoken(self, unit: str, phrase: str) -> None:
        """Show what somebody says."""
        self.console.print(f"  {unit}: «{self._words[phrase]}»", highlight=False, markup=False)

    def heard(self, entry: Exchange) -> None:
        """Show how it arrived."""
        measured, unit = entry.measured, entry.target.unit
        median = percentile(measured.lags_ms, 50)
        if median is None:
            text = Text(f"{unit} hears nothing", f"{unit} n'entend rien")
        elif measured.whole:
            text = Text(
                f"{unit} hears all of it, {median:.0f} ms later",
                f"{unit} entend tout, {median:.0f} ms plus tard",
            )
        else:
            text = Text(
                f"{unit} hears it damaged, {median:.0f} ms later",
                f"{unit} l'entend altéré, {median:.0f} ms plus tard",
            )
        colour = "green" if measured.whole else "red"
        self.console.print(f"    → {text.to(self.language)}", style=colour, highlight=False)

    def unheard(self, entry: Silence) -> None:
        """Show that nothing arrived, or that something did."""
        unit = entry.target.unit
        if entry.held:
            text = Text(f"{unit} hears nothing", f"{unit} n'entend rien")
        else:
            text = Text(f"{unit} hears something!", f"{unit} entend quelque chose!")
        colour = "green" if entry.held else "red"
        self.console.print(f"    → {text.to(self.language)}", style=colour, highlight=False)

    def note(self, text: Text, style: str = "") -> None:
        """Show one line."""
        words = text.to(self.language)
        self.console.print(words, style=style, highlight=False, markup=False, soft_wrap=True)

    def step(self, result: StepResult) -> None:
        """Show how a step ended."""
        mark, style = ("✔", "bold green") if result.ok else ("✘", "bold red")
        title = result.title.to(self.language)
        self.console.print(f"{mark} {title}", style=style, highlight=False, markup=False)

    def close(self) -> None:
        """Take the moving line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def table(self, steps: Sequence[StepResult]) -> None:
        """Show all steps."""
        language = self.language
        table = Table(show_lines=False, pad_edge=False)
        for head in (
            Text("", ""),
            Text("step", "étape"),
            Text("expected", "attendu"),
            Text("measured", "mesuré"),
        ):
            table.add_column(head.to(language), overflow="fold")
        for result in steps:
            mark = "[green]✔[/]" if result.ok else "[red]✘[/]"
            texts = (result.title, result.expected, result.measured)
            table.add_row(mark, *(text.to(language) for text in texts))
        self.console.print(table)
