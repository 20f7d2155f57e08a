"""Loops that show by their rhythm alone."""

from dataclasses import replace

import pytest

from radiobridge.core.ping_pong import PingPong
from radiobridge.model.voice import Claim
from tests.services.voices import BORDER, TAC1, claim


def spurts(
    count: int, *, length_s: float = 0.4, gap_s: float = 0.3, same: bool = False
) -> list[tuple[Claim, ...]]:
    """Return what is found at the end of each of `count` spurts to and fro."""
    watch, now, found = PingPong(), 10.0, []
    for number in range(count):
        talkgroup = TAC1 if same or number % 2 else BORDER
        one = replace(claim(number), talkgroup=talkgroup)
        watch.took(one, now)
        found.append(watch.left(one, now + length_s))
        now += length_s + gap_s
    return found


def test_four_short_spurts_to_and_fro_are_a_loop() -> None:
    found = spurts(4)
    assert found[:3] == [(), (), ()]
    assert [one.talkgroup for one in found[3]] == [BORDER, TAC1, BORDER, TAC1]


def test_it_is_told_once_for_each_four() -> None:
    assert [len(one) for one in spurts(8)] == [0, 0, 0, 4, 0, 0, 0, 4]


@pytest.mark.parametrize(
    "changes", [{"length_s": 1.0}, {"gap_s": 0.6}, {"same": True}], ids=lambda c: next(iter(c))
)
def test_longer_later_or_one_sided_is_none(changes: dict[str, float]) -> None:
    assert not any(spurts(20, **changes))  # type: ignore[arg-type]  # test shorthand


def test_a_long_spurt_between_starts_the_count_anew() -> None:
    watch, now = PingPong(), 0.0
    for number, length_s in enumerate((0.4, 0.4, 0.4, 3.0, 0.4, 0.4)):
        one = replace(claim(number), talkgroup=(TAC1, BORDER)[number % 2])
        watch.took(one, now)
        assert watch.left(one, now + length_s) == ()
        now += length_s + 0.3


def test_the_end_of_another_spurt_means_nothing() -> None:
    watch = PingPong()
    watch.took(claim(1), 1.0)
    assert watch.left(claim(2), 1.2) == ()


def test_who_was_cut_off_has_set_off_nobody() -> None:
    watch, now, found = PingPong(), 10.0, []
    for number in range(8):
        one = replace(claim(number), talkgroup=TAC1 if number % 2 else BORDER)
        watch.took(one, now)
        now += 0.3
        if number % 2:
            watch.broken()
        else:
            found.append(watch.left(one, now))
    assert not any(found)
