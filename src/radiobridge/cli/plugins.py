"""Commands that are imported only when they are called.

A third party's command registers under the entry-point group `radiobridge.commands`: a function, or
a Typer application. A name that a built-in command has is an error, never a replacement.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import Context

from radiobridge.cli.words import say
from radiobridge.errors import ConfigError


class LazyCommand(TyperCommand):
    """A line of the help that becomes a command when it is called."""

    def __init__(self, name: str, help_: str, load: Callable[[], Any]) -> None:
        super().__init__(name, help=help_)
        self.load = load

    def real(self) -> Any:  # noqa: ANN401 - Typer's command type is private
        """Import and return the command itself."""
        loaded = self.load()
        if not isinstance(loaded, typer.Typer):
            function, loaded = loaded, typer.Typer(add_completion=False)
            loaded.command(name=self.name)(function)
        command = typer.main.get_command(loaded)
        command.name = self.name
        return command


class LazyGroup(TyperGroup):
    """A group that swaps a LazyCommand for the real one before it runs."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:  # type: ignore[override]  # noqa: ANN401 - Typer's command type is private
        """Return name, command and remaining arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.real() if isinstance(command, LazyCommand) else command, rest


def add_plugins(group: TyperGroup) -> None:
    """Add the commands that are registered; raise ConfigError for a name that is taken."""
    from radiobridge.drivers.registry import Group, load, names

    for name in names(Group.COMMANDS):
        if name in group.commands:
            raise ConfigError(
                f"a plug-in registers the command '{name}', which radiobridge has itself; "
                "uninstall it",
                f"un module enregistre la commande « {name} », que radiobridge a déjà; "
                "désinstallez-le",
            )
        help_ = _HELP.get(name) or say("(from a plug-in)", "(d'un module)")
        group.add_command(LazyCommand(name, help_, partial(load, Group.COMMANDS, name)))


_HELP = {
    "demo": say(
        "Play a story with two agencies: no hardware, broker or network needed.",
        "Jouer une histoire entre deux agences, sans matériel, courtier ni réseau.",
    ),
    "bench": say("Measure what this machine can carry.", "Mesurer ce que porte cette machine."),
}
"""What is said of commands of the simulators, without importing them."""
