"""A tree to a model, and all that is wrong with it.

To report everything at once, what is wrong is taken out after it has been noted, and the rest is
checked again; so one wrong unit does not hide a wrong talkgroup further down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from radiobridge.config.explain import SILENT, explain, real_loc
from radiobridge.config.problems import Loc, Problem, dotted
from radiobridge.config.tree import Entry, Node
from radiobridge.text import Text

M = TypeVar("M", bound=BaseModel)

_ROUNDS = 8


@dataclass(slots=True)
class Report:
    """What has been found so far: errors, and remarks that stop nothing."""

    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def wrong(self, node: Node, loc: Loc, en: str, fr: str, *, prefix: Loc = ()) -> None:
        """Note an error at `loc` inside `node`; `prefix` is the way to `node`."""
        self.problems.append(_problem(node, loc, Text(en, fr), prefix))

    def remark(self, node: Node, loc: Loc, en: str, fr: str) -> None:
        """Note something that an operator should look at."""
        self.remarks.append(_problem(node, loc, Text(en, fr), ()))


def _problem(node: Node, loc: Loc, text: Text, prefix: Loc) -> Problem:
    return Problem(place=node.place_of(loc), path=dotted((*prefix, *loc)), text=text)


def validate(
    node: Node, model: type[M], report: Report, base: Path, *, prefix: Loc = ()
) -> M | None:
    """Return the settings in `node`, without what is wrong, which is noted in `report`.

    `base` is where relative paths start. None when nothing usable is left.
    """
    for round_ in range(_ROUNDS):
        try:
            return model.model_validate(node.plain(), context={"base": base})
        except ValidationError as error:
            every = [d for d in error.errors(include_url=False) if d["type"] not in SILENT]
            # What is missing after the first round has been taken out here.
            new = [d for d in every if round_ == 0 or d["type"] != "missing"]
            report.problems += explain(new, node, model, prefix)
            culprits = {_culprit(details, node) for details in every}
            if not every or () in culprits:
                return None
            node = without(node, culprits)
    return None


def _culprit(details: ErrorDetails, node: Node) -> Loc:
    """Return what to take out: the wrong value, or what holds a missing key."""
    loc = real_loc(details["loc"], node)
    return loc[:-1] if details["type"] == "missing" else loc


def without(node: Node, locs: Iterable[Loc]) -> Node:
    """Return `node` without the values at `locs`; places stay."""
    gone = {loc[0] for loc in locs if len(loc) == 1}
    deeper = {step: [loc[1:] for loc in locs if loc[:1] == (step,)] for step in _firsts(locs)}
    value = node.value
    if isinstance(value, Mapping):
        kept = {
            key: Entry(entry.place, without(entry.node, deeper[key])) if key in deeper else entry
            for key, entry in value.items()
            if key not in gone
        }
        return Node(kept, node.place)
    if isinstance(value, list):
        items = [
            without(item, deeper[index]) if index in deeper else item
            for index, item in enumerate(value)
            if index not in gone
        ]
        return Node(items, node.place)
    return node


def _firsts(locs: Iterable[Loc]) -> set[str | int]:
    return {loc[0] for loc in locs if len(loc) > 1}


def names_in(node: Node, *loc: str) -> frozenset[str]:
    """Return the keys of the mapping at `loc`, whether what they name is right or wrong."""
    holder: Node | None = node
    for step in loc:
        holder = holder.child(step) if holder else None
    return frozenset(holder.entries() if holder else ())


def same_but_for_case(report: Report, node: Node, loc: Loc, *, prefix: Loc = ()) -> None:
    """Note the names in the mapping at `loc` that differ from an earlier one in case only."""
    holder: Node | None = node
    for step in loc:
        holder = holder.child(str(step)) if holder else None
    first: dict[str, str] = {}
    for name in holder.entries() if holder else ():
        other = first.setdefault(name.casefold(), name)
        if other != name:
            report.wrong(
                node,
                (*loc, name),
                f"`{name}` and `{other}` differ in case only; give one of them another name",
                f"`{name}` et `{other}` ne diffèrent que par la casse; renommez l'un des deux",
                prefix=prefix,
            )
