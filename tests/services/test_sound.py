"""A sound device that is opened again and again until it works, and again when it is lost."""

import asyncio
from itertools import pairwise

from radiobridge.services.sound import FIRST_WAIT_S, LONGEST_WAIT_S, SoundKeeper
from tests.services.fakes import device_error
from tests.services.radios import Ports, Radio, make_radio
from tests.services.virtual_time import in_virtual_time, turns
from tests.services.voices import TAC1

JITTER = 0.2


def radio() -> Radio:
    ports = Ports(lambda _runner, _started, _now: None, lambda _spurt, _now: None, _nobody)
    return make_radio("tac1", TAC1, ports)


def _nobody(*_args: object) -> None:
    pass


def keeper_of(one: Radio) -> SoundKeeper:
    keeper = SoundKeeper(one.runner, one.audio)
    one.runner._audio_failed = keeper.failed
    return keeper


@in_virtual_time
async def test_a_device_that_works_is_opened_once() -> None:
    one = radio()
    keeper = keeper_of(one)
    keeper.start()
    await asyncio.sleep(60)
    assert len(one.audio.opened) == 1
    assert one.runner.status()["audio"] == "up"
    await keeper.close()
    assert one.audio.closes == 1


@in_virtual_time
async def test_a_device_that_fails_is_tried_again_at_growing_intervals() -> None:
    one = radio()
    one.audio.failures.extend(device_error() for _ in range(12))
    keeper = keeper_of(one)
    keeper.start()
    await asyncio.sleep(1)
    assert one.runner.status()["audio_reason"] == {"en": "broken", "fr": "cassé"}
    await asyncio.sleep(120)
    waits = [after - before for before, after in pairwise(one.audio.opened)]
    assert len(waits) == 12
    expected = FIRST_WAIT_S
    for wait in waits:
        assert expected * (1 - JITTER) <= wait <= expected * (1 + JITTER)
        expected = min(2 * expected, LONGEST_WAIT_S)
    # Each attempt that failed is closed, so that nothing is held while waiting.
    assert one.audio.closes == 12
    assert one.runner.status()["audio"] == "up"
    await keeper.close()


@in_virtual_time
async def test_a_lost_device_is_closed_and_opened_again_soon() -> None:
    one = radio()
    keeper = keeper_of(one)
    keeper.start()
    await asyncio.sleep(1)
    one.audio.lose()
    await turns()
    assert one.audio.closes == 1
    assert one.runner.status()["audio"] == "lost"
    await asyncio.sleep(FIRST_WAIT_S * (1 + JITTER))
    assert len(one.audio.opened) == 2
    assert one.runner.status()["audio"] == "up"
    await keeper.close()


@in_virtual_time
async def test_an_error_of_our_own_does_not_end_the_attempts() -> None:
    one = radio()
    one.audio.failures.append(RuntimeError("a bug"))
    keeper = keeper_of(one)
    keeper.start()
    await asyncio.sleep(1)
    assert one.runner.status()["audio"] == "up"
    await keeper.close()


@in_virtual_time
async def test_close_ends_the_attempts() -> None:
    one = radio()
    one.audio.failures.extend(device_error() for _ in range(100))
    keeper = keeper_of(one)
    keeper.start()
    await asyncio.sleep(3)
    await keeper.close()
    tried = len(one.audio.opened)
    await asyncio.sleep(60)
    assert len(one.audio.opened) == tried


@in_virtual_time
async def test_closing_what_was_never_started_closes_the_device() -> None:
    one = radio()
    await keeper_of(one).close()
    assert one.audio.closes == 1
