"""What is wrong in a configuration: where, what, and what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from radiobridge.errors import ConfigError
from radiobridge.text import Language, Text

Loc: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys and list positions from the top of its file."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, the first being 1. `file` is written as the operator named it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `path` is dotted (`radios.tac1.interface`), empty for the file."""

    place: Place
    path: str
    text: Text

    def to(self, language: Language) -> str:
        """Return `file:line: path: what is wrong, what would be right`."""
        parts = (str(self.place), self.path, self.text.to(language))
        return ": ".join(part for part in parts if part)


class ConfigErrors(ConfigError):  # noqa: N818 - it is many of them
    """The configuration cannot be used; `problems` are all that were found, in order of place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.place, p.path, p.text)))
        super().__init__(
            "\n".join(p.to(Language.EN) for p in self.problems),
            "\n".join(p.to(Language.FR) for p in self.problems),
        )


def dotted(loc: Loc) -> str:
    """Return a path as operators read it: `brokers[0].tls.ca`."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return "".join(parts).removeprefix(".")
