"""Plans on demand and patches that go on: which new id and terms follow from those agreed before.

An on-demand plan is accepted in advance, but joins nothing. Each activation is a patch of its own,
`<plan>-1`, `<plan>-2`, ..., with the plan's terms and a window inside the plan's. A partner that
has the identical plan accepts an activation without being asked again, because it has agreed to
exactly that; not any more once it has withdrawn from one (docs/decisions/0006).

A patch is extended by a successor, `<patch>-2`, `<patch>-3`, ..., that starts when the old one
ends: the old one goes on whatever the others think of the new.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from radiobridge.errors import CommandError
from radiobridge.model.ids import PatchId
from radiobridge.model.patch import Terms

LONGEST_ID = 32
LONGEST_PLAN_ID = 27
"""Leaves room for `-` and a number of four digits."""

AHEAD_MS = 60_000
"""An activation that starts later than this needs an operator: nobody is surprised tomorrow."""

_NUMBERED = re.compile(r"(.+)-([1-9][0-9]{0,3})", re.ASCII)


def activation_id(plan: PatchId, taken: Collection[PatchId]) -> PatchId:
    """Return the id of the next activation of `plan`; ids in `taken` were used before."""
    return _next(plan, 1, taken)


def successor_id(patch: PatchId, taken: Collection[PatchId]) -> PatchId:
    """Return the id of the patch that goes on after `patch`: a successor is counted on."""
    found = _NUMBERED.fullmatch(patch)
    if found is not None and PatchId(found[1]) in taken:
        return _next(found[1], int(found[2]) + 1, taken)
    return _next(patch, 2, taken)


def activation_of(plan: Terms, patch: PatchId, start_ms: int, end_ms: int) -> Terms:
    """Return the terms of an activation of `plan`; the end is bounded by the plan's."""
    return replace(plan, patch=patch, start_ms=start_ms, end_ms=min(end_ms, plan.end_ms))


def is_activation(plan: Terms, terms: Terms) -> bool:
    """Tell whether `terms` are those of `plan`, under an id and in a window of an activation."""
    found = _NUMBERED.fullmatch(terms.patch)
    if found is None or found[1] != plan.patch:
        return False
    same = replace(terms, patch=plan.patch, start_ms=plan.start_ms, end_ms=plan.end_ms)
    inside = plan.start_ms <= terms.start_ms < terms.end_ms <= plan.end_ms
    return same == plan and inside


def activates(plan: PatchId, patch: PatchId) -> bool:
    """Tell whether `patch` has an id of an activation of `plan`."""
    found = _NUMBERED.fullmatch(patch)
    return found is not None and found[1] == plan


def _next(base: str, number: int, taken: Collection[PatchId]) -> PatchId:
    used = {patch.casefold() for patch in taken}
    while f"{base}-{number}".casefold() in used:
        number += 1
    name = f"{base}-{number}"
    if len(name) > LONGEST_ID:
        raise CommandError(
            f"the id {name} would be longer than {LONGEST_ID} characters; propose a new patch",
            f"l'identifiant {name} dépasserait {LONGEST_ID} caractères; proposez un nouveau "
            "jumelage",
        )
    return PatchId(name)
