"""Every command there is, with its help, as the whole command has it."""

from dataclasses import dataclass
from typing import Any

from radiobridge.cli.main import command
from radiobridge.cli.plugins import LazyCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One command that does something."""

    path: tuple[str, ...]
    command: Any
    """Typer's object."""

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def options(self) -> set[str]:
        return {option for parameter in self.command.params for option in parameter.opts}


def leaves() -> list[Leaf]:
    """Return all commands, those of built-in plug-ins too."""
    return list(_below(command(), ()))


def _below(found: Any, path: tuple[str, ...]) -> list[Leaf]:
    if isinstance(found, LazyCommand):
        found = found.real()
    if not hasattr(found, "commands"):
        return [Leaf(path=path, command=found)]
    return [
        leaf
        for name, below in sorted(found.commands.items())
        for leaf in _below(below, (*path, name))
    ]
