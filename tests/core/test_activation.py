"""Ids and terms of activations and successors."""

from dataclasses import replace

import pytest

from radiobridge.core.activation import (
    activates,
    activation_id,
    activation_of,
    is_activation,
    successor_id,
)
from radiobridge.errors import CommandError
from radiobridge.model.ids import PatchId
from radiobridge.model.patch import Terms
from tests.core.patch_world import BORDER, HOUR, MOUNTED, PAIR, T0, TAC1, terms

ONE = activation_of(PAIR, PatchId("pair-1"), T0 + 5, T0 + HOUR)


@pytest.mark.parametrize(
    ("patch", "taken", "successor"),
    [
        ("river", [], "river-2"),
        ("river", ["river", "RIVER-2"], "river-3"),
        ("river-2", ["river"], "river-3"),
        ("river-9", ["river", "river-10"], "river-11"),
        ("river-7", ["river-6", "river-8"], "river-7-2"),
        ("river-02", ["river"], "river-02-2"),
        ("a" * 30, [], "a" * 30 + "-2"),
    ],
)
def test_successor(patch: str, taken: list[str], successor: str) -> None:
    assert successor_id(PatchId(patch), [PatchId(one) for one in taken]) == successor


def test_an_id_too_long_is_not_cut() -> None:
    with pytest.raises(CommandError, match="longer than 32"):
        successor_id(PatchId("a" * 31), [])


def test_activations_count_from_one() -> None:
    assert activation_id(PatchId("pair"), []) == "pair-1"
    assert activation_id(PatchId("pair"), [PatchId("pair-1"), PatchId("pair-3")]) == "pair-2"


def test_the_end_is_bounded_by_the_plan() -> None:
    assert activation_of(PAIR, PatchId("pair-1"), T0, T0 + 9 * HOUR).end_ms == PAIR.end_ms


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, patch=PatchId("pair")),
        replace(ONE, patch=PatchId("pair-0")),
        replace(ONE, patch=PatchId("pair-x")),
        replace(ONE, patch=PatchId("other-1")),
        replace(ONE, patch=PatchId("pair-1-1")),
        replace(ONE, purpose="Pursuit."),
        replace(ONE, incident="x"),
        replace(ONE, start_ms=PAIR.start_ms - 1),
        replace(ONE, end_ms=PAIR.end_ms + 1),
        replace(ONE, members=terms("x", TAC1, BORDER, MOUNTED).members),
        replace(ONE, members=(replace(ONE.members[0], in_clear=True), ONE.members[1])),
    ],
)
def test_anything_else_is_no_activation(other: Terms) -> None:
    assert is_activation(PAIR, ONE)
    assert not is_activation(PAIR, other)


def test_an_id_tells_its_plan() -> None:
    assert activates(PatchId("pair"), PatchId("pair-12"))
    assert not activates(PatchId("pair"), PatchId("pair"))
    assert not activates(PatchId("pair"), PatchId("repair-1"))
