import asyncio

import pytest

from radiobridge.services.timer import OneTimer, earliest
from tests.services.virtual_time import START_S, in_virtual_time


def timer(fired: list[float]) -> OneTimer:
    return OneTimer(asyncio.get_running_loop(), fired.append)


@in_virtual_time
async def test_setting_it_again_moves_it() -> None:
    fired: list[float] = []
    one = timer(fired)
    one.set(START_S + 5)
    one.set(START_S + 2)
    await asyncio.sleep(3)
    assert fired == [pytest.approx(START_S + 2)]
    await asyncio.sleep(10)
    assert len(fired) == 1


@in_virtual_time
async def test_none_stops_it() -> None:
    fired: list[float] = []
    one = timer(fired)
    one.set(START_S + 5)
    one.set(None)
    await asyncio.sleep(10)
    assert fired == []


@in_virtual_time
async def test_what_is_overdue_fires_in_the_next_turn() -> None:
    fired: list[float] = []
    timer(fired).set(START_S - 100)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert fired == [START_S]


@in_virtual_time
async def test_it_may_be_set_again_while_it_fires() -> None:
    fired: list[float] = []

    def fire(now: float) -> None:
        fired.append(now)
        one.set(now + 1)

    one = OneTimer(asyncio.get_running_loop(), fire)
    one.set(START_S + 1)
    await asyncio.sleep(3.5)
    assert fired == [pytest.approx(START_S + n) for n in (1, 2, 3)]
    one.set(None)


@in_virtual_time
async def test_called_early_it_gives_the_time_that_was_asked_for() -> None:
    fired: list[float] = []
    one = timer(fired)
    one.set(START_S + 1)
    # What uvloop does: it rounds a delay down to a millisecond.
    one._call()
    assert fired == [START_S + 1]
    one.set(None)


@pytest.mark.parametrize(
    ("deadlines", "first"),
    [((), None), ((None,), None), ((2.0, None, 1.0), 1.0), ((0.0, 5.0), 0.0)],
)
def test_earliest(deadlines: tuple[float | None, ...], first: float | None) -> None:
    assert earliest(*deadlines) == first
