"""File handles held back for the day on which there are none."""

import contextlib
import os
import resource
from collections.abc import Iterator

import pytest

from radiobridge.drivers.spare_files import SPARE, SpareFiles, no_file_handles

ROOM = 40
"""Handles that a test leaves to this process beyond those that it has."""


@pytest.fixture
def limit() -> Iterator[None]:
    """Few handles are left, so that a test can use them up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open(os.devnull, os.O_RDONLY)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def none_left() -> Iterator[list[int]]:
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield taken
    finally:
        for handle in taken:
            os.close(handle)


def empty(spare: SpareFiles) -> bool:
    return spare.none_left


def free() -> int:
    with none_left() as taken:
        return len(taken)


@pytest.mark.usefixtures("limit")
def test_the_spare_ones_are_let_go_when_there_are_no_others_and_taken_back() -> None:
    before = free()
    spare = SpareFiles()
    assert free() == before - SPARE
    with none_left():
        spare.look()
        assert empty(spare)
        assert free() == SPARE
        spare.look()
        assert empty(spare)
        assert free() == SPARE, "looking costs none"
    spare.look()
    assert not empty(spare)
    assert free() == before - SPARE
    spare.close()
    assert free() == before


@pytest.mark.usefixtures("limit")
def test_looking_while_there_are_enough_changes_nothing() -> None:
    spare = SpareFiles()
    before = free()
    for _ in range(100):
        spare.look()
    assert free() == before
    assert not empty(spare)
    spare.close()


@pytest.mark.usefixtures("limit")
def test_it_can_begin_without_any() -> None:
    with none_left():
        spare = SpareFiles()
        assert empty(spare)
    spare.look()
    assert not empty(spare)
    spare.close()


def test_it_is_said_in_both_languages() -> None:
    said = no_file_handles()
    assert "LimitNOFILE" in said.en
    assert "LimitNOFILE" in said.fr
    assert said.en != said.fr
