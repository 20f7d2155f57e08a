import asyncio
from typing import Any

import pytest

from radiobridge.services import voice as a_service
from radiobridge.services.timer import OneTimer
from tests.services.virtual_time import START_S, in_virtual_time, now


@in_virtual_time
async def test_time_passes_only_where_something_waits() -> None:
    assert now() == START_S
    await asyncio.sleep(3600)
    assert now() == pytest.approx(START_S + 3600)
    seen: Any = vars(a_service)["time"]
    assert seen.monotonic() == now()


def test_what_would_wait_for_ever_fails() -> None:
    @in_virtual_time
    async def waits() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="for ever"):
        waits()


def test_a_callback_that_raises_fails_its_test() -> None:
    @in_virtual_time
    async def raises() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        raises()


@in_virtual_time
async def test_work_for_threads_is_done_at_once() -> None:
    assert await asyncio.to_thread(lambda: 7) == 7
    assert now() == START_S


@in_virtual_time
async def test_a_timer_fires_in_virtual_time() -> None:
    fired: list[float] = []
    timer = OneTimer(asyncio.get_running_loop(), fired.append)
    timer.set(START_S + 5)
    await asyncio.sleep(10)
    assert fired == [pytest.approx(START_S + 5)]
