"""Loops that radio waves close, on the simulated air in virtual time."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from radiobridge.core.transmit import TransmitSettings
from radiobridge.services.holds import Hold
from radiobridge_sim.crossband import crossband
from radiobridge_sim.radio import DonorSettings, Keying
from radiobridge_sim.sound import RATE
from radiobridge_sim.trunked import TrunkedSettings
from tests.services.air_world import PHRASES, AirWorld, Post, assert_whole
from tests.services.virtual_time import in_virtual_time

HERE, THERE = 155_000_000, 151_000_000
OPENED_WITHIN_S = 5.0


def cut(world: AirWorld) -> list[str]:
    radios = {"tac1": world.tac1, "border": world.border}
    return [name for name, radio in radios.items() if radio.runner.cut_off]


@pytest.mark.parametrize(
    "phrase", ["radio-check-fr", "dont-shoot-en", "ne-tirez-pas-fr", "ne-tirez-pas-bref-fr"]
)
def test_two_donors_on_one_channel(phrase: str) -> None:
    """Without the guard, what was said goes round for ever."""

    @in_virtual_time
    async def run() -> None:
        world = AirWorld(Post(hz=HERE), Post(hz=HERE))
        await world.start()
        await asyncio.sleep(1.0)
        said = await world.say("tac1", phrase, 30.0)
        assert world.loops, "nobody noticed"
        _radio, at, why = world.loops[0]
        closed = min(on for radio in ("tac1", "border") for on, _ in world.keyed(radio))
        assert closed >= said.end / RATE, "nobody keys over who talks"
        assert at - closed <= OPENED_WITHIN_S
        assert why.startswith("heard again after")
        for radio in ("tac1", "border"):
            assert all(off - closed <= OPENED_WITHIN_S for _, off in world.keyed(radio))
        assert cut(world)
        await world.stop()

    run()


@pytest.mark.parametrize("lead_in_s", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("phrase", ["radio-check-fr", "dont-shoot-en"])
def test_two_donors_on_one_channel_one_of_which_is_slow_to_speak(
    phrase: str, lead_in_s: float
) -> None:
    @in_virtual_time
    async def run() -> None:
        slow = Post(hz=HERE, transmit=TransmitSettings(reports_grant=True, lead_in_s=lead_in_s))
        world = AirWorld(Post(hz=HERE), slow)
        await world.start()
        await asyncio.sleep(1.0)
        said = await world.say("tac1", phrase, 20.0)
        (closed, off) = world.keyed("border")[0]
        assert closed >= said.end / RATE
        assert off - closed <= OPENED_WITHIN_S
        assert cut(world) == ["tac1"]
        await world.stop()

    run()


@pytest.mark.parametrize("grant_s", [0.6, 1.5])
@pytest.mark.parametrize("phrase", ["radio-check-fr", "dont-shoot-en"])
def test_a_loop_by_a_radio_that_waits_for_its_grant_falls_when_we_let_go(
    phrase: str, grant_s: float
) -> None:
    """Words come back late, and then again and again under one carrier, which holds itself up."""

    @in_virtual_time
    async def run() -> None:
        trunked = TrunkedSettings(grant_s=(grant_s, grant_s), queued_share=0.0, denied_share=0.0)
        donor = DonorSettings(keying=Keying.SERIAL, trunked=trunked)
        world = AirWorld(Post(hz=HERE), Post(hz=HERE, donor=donor))
        await world.start()
        await asyncio.sleep(1.0)
        await world.say("tac1", phrase, 30.0)
        assert all(off - on <= 2 * OPENED_WITHIN_S for on, off in world.keyed("border"))
        assert len(world.keyed("border")) == 1, "and then nothing more goes round"
        assert world.tac1.runner.condition.alarms == {"loop-suspected"}
        await world.stop()

    run()


@pytest.mark.parametrize("delay_s", [0.05, 0.1, 0.2, 0.4, 1.0, 1.5])
def test_a_patch_elsewhere_closes_the_loop(delay_s: float) -> None:
    """Depending on its delay the words come back, or a piece of them again and again, or nothing
    but carriers that hold each other up. Some delays close no loop at all; none may stay closed.
    """

    @in_virtual_time
    async def run() -> None:
        ends = crossband(HERE, THERE, delay_s=delay_s)
        world = AirWorld(Post(hz=HERE), Post(hz=THERE), *ends)
        await world.start()
        await asyncio.sleep(1.0)
        said = await world.say("tac1", "dont-shoot-en", 30.0)
        keyed = [one for radio in ("tac1", "border") for one in world.keyed(radio)]
        length_s = (said.end - said.start) / RATE
        assert all(off - on <= OPENED_WITHIN_S + length_s for on, off in keyed), keyed
        assert max(off for _, off in keyed) < said.end / RATE + 2 * OPENED_WITHIN_S, keyed
        closed = [(on, off) for on, off in keyed if off > said.end / RATE + 1.0]
        alarms = {
            alarm for radio in (world.tac1, world.border) for alarm in radio.runner.condition.alarms
        }
        assert alarms or not closed, keyed
        assert alarms <= {"loop", "loop-suspected"}
        await world.stop()

    run()


@in_virtual_time
async def test_carriers_that_hold_each_other_up_twice_are_a_loop() -> None:
    world = AirWorld(Post(hz=HERE), Post(hz=THERE), *crossband(HERE, THERE, delay_s=0.1))
    await world.start()
    for expected in ({"loop-suspected"}, {"loop-suspected", "loop"}):
        await world.say("tac1", "dont-shoot-en", 8.0)
        assert world.tac1.runner.condition.alarms == expected
    assert cut(world) == ["tac1"]
    assert world.loops[-1][2] == "the carrier falls when we let go"
    world.tac1.runner.release(Hold.LOOP, "operator")
    assert world.tac1.runner.condition.alarms == frozenset()
    await world.stop()


@in_virtual_time
async def test_a_thumb_on_a_silent_key_is_no_loop_and_the_next_word_is_heard() -> None:
    world = AirWorld(Post(hz=HERE), Post(hz=THERE))
    await world.start()
    silence = np.zeros(round(5.0 * RATE), np.int16)
    words = PHRASES["radio-check-en"]
    start = world.air.step + 1
    samples = np.concatenate([silence, words])
    said = world.people["tac1"].say("silent key", samples, step=start)
    await asyncio.sleep(12.0)
    assert world.loops == []
    first, second = world.keyed("border")
    assert first[1] - first[0] == pytest.approx(2.0, abs=0.3)
    spoken = replace(said, start=said.end - len(words))
    assert second[0] == pytest.approx(spoken.start / RATE, abs=0.15)
    assert_whole(world.measure(spoken, "border"))
    await world.stop()


@in_virtual_time
async def test_a_siren_loses_a_moment_and_nothing_more() -> None:
    world = AirWorld(Post(hz=HERE), Post(hz=THERE))
    await world.start()
    at = np.arange(round(12.0 * RATE)) / RATE
    pitch = 900.0 + 500.0 * (at / 0.33 % 1.0)
    yelp = (6000.0 * np.sin(2.0 * np.pi * np.cumsum(pitch) / RATE)).astype(np.int16)
    world.people["tac1"].say("yelp", yelp, step=world.air.step + 1)
    await asyncio.sleep(15.0)
    assert world.loops == []
    keyed = world.keyed("border")
    assert len(keyed) <= 2
    assert sum(off - on for on, off in keyed) > 10.0
    await world.stop()


@in_virtual_time
async def test_a_radio_that_was_cut_is_back_when_it_is_allowed() -> None:
    world = AirWorld(Post(hz=HERE), Post(hz=THERE))
    await world.start()
    runner = world.tac1.runner
    runner.open_loop("heard again after 2.0 s")
    runner.open_loop("heard again after 2.0 s")
    assert [radio for radio, _, _ in world.loops] == ["tac1"]
    assert runner.status()["alarms"] == ["loop"]
    assert runner.status()["holds"] == {"loop": "heard again after 2.0 s"}
    await world.say("tac1", "radio-check-en", 1.0)
    await world.say("border", "radio-check-en", 3.0)
    assert world.keyed("border") == world.keyed("tac1") == []
    assert [why.reason.value for _, _, why in world.windsor.failed] == ["inhibited"]
    runner.release(Hold.LOOP, "operator")
    assert runner.status()["alarms"] == []
    await world.say("tac1", "radio-check-en", 1.0)
    await world.say("border", "radio-check-en", 1.0)
    assert len(world.keyed("border")) == len(world.keyed("tac1")) == 1
    await world.stop()


@in_virtual_time
async def test_people_who_repeat_themselves_and_each_other_are_no_loop() -> None:
    world = AirWorld(Post(hz=HERE), Post(hz=THERE))
    await world.start()
    for _ in range(6):
        await world.say("tac1", "dont-shoot-en", 0.5)
        await world.say("tac1", "dont-shoot-en", 1.0)
        await world.say("border", "dont-shoot-en", 1.0)
    for phrase in ("call-en", "still-there-en", "radio-check-en", "position-en", "reply-fr"):
        await world.say("tac1", phrase, 1.0)
        await world.say("border", phrase, 1.0)
    assert world.loops == []
    talked = len(world.said["tac1"]), len(world.said["border"])
    assert (len(world.keyed("border")), len(world.keyed("tac1"))) == talked, "cut in the middle"
    await world.stop()
