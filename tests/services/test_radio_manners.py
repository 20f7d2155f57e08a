"""Repeaters and trunked systems on both sides, with people who talk through them; virtual time."""

import asyncio
import os
import random
from dataclasses import replace

import numpy as np
import pytest

from radiobridge.core.squelch import SquelchSettings
from radiobridge.core.transmit import TransmitSettings
from radiobridge.model.voice import TalkClass
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.radio import DonorSettings, Keying
from radiobridge_sim.repeater import RepeaterSettings
from radiobridge_sim.sound import RATE
from radiobridge_sim.trunked import Trunk, TrunkedSettings
from tests.services.air_world import PHRASES, AirLine, AirWorld, Post, assert_whole
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import CLAIM, spurt

NIGHTLY = os.environ.get("RADIOBRIDGE_NIGHTLY") == "1"
EXCHANGES = 200 if NIGHTLY else 30
REQUESTS = 200 if NIGHTLY else 40

pytestmark = pytest.mark.timeout(1800 if NIGHTLY else 300)

TONE = 100.0
HANG_S = 5.0
OVER = {"tac1": "border", "border": "tac1"}


def behind_a_repeater(hz: int, *, tone_in_hang: bool, gated: bool, courtesy: bool) -> Post:
    """Return a radio behind a repeater whose tail is all that a receiver can fall for."""
    return Post(
        hz=hz,
        input_hz=hz + 5_000_000,
        repeater=RepeaterSettings(
            hang_s=HANG_S,
            tail_s=0.15,
            courtesy_hz=800.0 if courtesy else None,
            ctcss_hz=TONE,
            tone_in_hang=tone_in_hang,
            input_ctcss_hz=TONE,
        ),
        donor=DonorSettings(keying=Keying.SERIAL, flat=True, tail_s=0.15, ctcss_hz=TONE),
        squelch=SquelchSettings(quiet_s=0.7, settling_s=0.25),
        ctcss_hz=TONE if gated else None,
    )


async def exchange(world: AirWorld, count: int) -> None:
    """Let both sides answer each other, some at once and some when the hang is over."""
    draw = random.Random(count)
    await asyncio.sleep(1.0)
    for turn in range(count):
        who = ("tac1", "border")[turn % 2]
        await world.say(who, "radio-check-en", 0.3)
        await world.unkeyed(OVER[who])
        at_once = draw.random() < 0.85
        await asyncio.sleep(draw.uniform(0.3, 2.0) if at_once else draw.uniform(2.0, HANG_S + 2.0))
    await asyncio.sleep(HANG_S + 3.0)


@pytest.mark.parametrize(
    ("tone_in_hang", "gated", "courtesy"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_repeaters_on_both_sides(*, tone_in_hang: bool, gated: bool, courtesy: bool) -> None:
    """No spurious key, no clipped reply: one PTT for each phrase, each whole."""
    count = EXCHANGES if tone_in_hang and gated else 10

    @in_virtual_time
    async def run() -> None:
        here, there = (
            behind_a_repeater(hz, tone_in_hang=tone_in_hang, gated=gated, courtesy=courtesy)
            for hz in (150_000_000, 160_000_000)
        )
        world = AirWorld(here, there)
        await world.start()
        await exchange(world, count)
        for who, ear in OVER.items():
            assert len(world.said[who]) == count // 2
            keyed = world.keyed(ear)
            assert len(keyed) == count // 2, keyed
            for said, (on, off) in zip(world.said[who], keyed, strict=True):
                assert said.start / RATE < on < said.end / RATE < off
                assert_whole(world.measure(said, ear, 2.0))
        assert world.windsor.failed == world.detroit.failed == []
        await world.stop()

    run()


def trunked(seed: int) -> Post:
    return Post(
        hz=151_000_000,
        donor=DonorSettings(
            keying=Keying.SERIAL, trunked=TrunkedSettings(seed=seed, tones_open_cor=True)
        ),
        squelch=SquelchSettings(settling_s=0.2),
        transmit=TransmitSettings(reports_grant=True, lead_in_s=0.05),
    )


SIMPLEX = Post(hz=155_000_000)


@in_virtual_time
async def test_what_is_granted_is_whole_and_what_is_denied_is_told_at_once() -> None:
    """And no tone crosses: the radio's own beeps open its COR here, the worst case."""
    world = AirWorld(SIMPLEX, trunked(5))
    await world.start()
    told: list[tuple[float, str]] = []
    note = world.detroit.failed

    for _ in range(REQUESTS):
        before = len(note)
        await world.say("tac1", "radio-check-en", 0.5)
        await world.unkeyed("border")
        await asyncio.sleep(1.5)
        told += [(now(), why.reason.value) for _runner, _claim, why in note[before:]]
    trunking = world.donors["border"].trunking
    assert trunking is not None
    fates = [fate.answer for fate in trunking.fates]
    assert len(fates) == REQUESTS
    assert {Trunk.GRANTED, Trunk.DENIED, Trunk.QUEUED} == set(fates)
    for said, fate in zip(world.said["tac1"], fates, strict=True):
        if fate is Trunk.DENIED:
            listener = world.people["border"]
            assert listener.carrier_between(said.start, said.end + RATE) == 0.0
        else:
            assert_whole(world.measure(said, "border", 3.5))
    assert [why for _, why in told] == ["denied"] * fates.count(Trunk.DENIED)
    assert world.keyed("tac1") == [], "a tone has crossed"
    assert world.people["tac1"].heard_carrier == []
    await world.stop()


@in_virtual_time
async def test_a_denial_is_told_in_the_moment_it_is_known() -> None:
    world = AirWorld(SIMPLEX, trunked(5))
    await world.start()
    line = world.border.line
    assert isinstance(line, AirLine)
    while not world.detroit.failed:
        world.begin("tac1", "radio-check-en")
        for _ in range(400):
            await asyncio.sleep(0.01)
            if world.detroit.failed:
                break
        await asyncio.sleep(2.0)
    (denied,) = line.denied
    unkeyed = next(at for at in line.times("unkey") if at >= denied)
    assert unkeyed - denied < 0.02
    ((_, claim, why),) = world.detroit.failed
    assert why.reason.value == "denied"
    assert claim is not None
    assert claim.talkgroup == world.tac1.runner.talkgroup
    await world.stop()


@pytest.mark.parametrize(("tone_hz", "loud"), [(141.3, True), (None, True), (141.3, False)])
def test_who_is_off_tone_is_not_heard_and_not_keyed_over(
    tone_hz: float | None, *, loud: bool
) -> None:
    """A stranger's carrier without a voice is as good as a repeater's hang."""

    @in_virtual_time
    async def run() -> None:
        post = behind_a_repeater(150_000_000, tone_in_hang=True, gated=True, courtesy=False)
        stranger = Handheld("stranger", hz=post.hz, ctcss_hz=tone_hz)
        world = AirWorld(post, SIMPLEX, stranger)
        await world.start()
        await asyncio.sleep(1.0)
        words = PHRASES["long-en"] if loud else np.zeros(len(PHRASES["long-en"]), np.int16)
        stranger.say("off tone", words, step=world.air.step + 1)
        await asyncio.sleep(2.0)
        assert world.keyed("border") == [], "off-tone traffic has crossed"
        await world.say("border", "radio-check-en", 1.0)
        if loud:
            assert world.keyed("tac1") == []
            assert [why.reason.value for _, _, why in world.windsor.failed] == ["busy"]
        else:
            assert len(world.keyed("tac1")) == 1
        await asyncio.sleep(8.0)
        assert world.keyed("border") == []
        await world.say("border", "radio-check-en", 1.0)
        assert len(world.keyed("tac1")) == (1 if loud else 2)
        await world.stop()

    run()


@in_virtual_time
async def test_an_emergency_goes_out_over_a_busy_channel() -> None:
    world = AirWorld(SIMPLEX, Post(hz=151_000_000))
    await world.start()
    talker = Handheld("local", hz=SIMPLEX.hz)
    world.air.units.append(talker)
    talker.say("local", PHRASES["long-en"], step=world.air.step + 1)
    await asyncio.sleep(1.0)
    urgent = replace(CLAIM, talk_class=TalkClass.EMERGENCY)
    world.tac1.runner.play(urgent, spurt(20, of=urgent)[0], now())
    await asyncio.sleep(0.1)
    assert len(world.keyed("tac1")) == 1
    await world.stop()


@pytest.mark.parametrize("after_s", [0.1, 0.38, 0.43, 0.6])
def test_the_tone_of_who_talked_before_lets_nobody_in(after_s: float) -> None:
    """Who calls just after the repeater has dropped waits for his own tone: one spurt, whole."""

    async def call_again() -> None:
        hill = behind_a_repeater(100, tone_in_hang=True, gated=True, courtesy=False)
        donor = DonorSettings(keying=Keying.SERIAL, flat=True, ctcss_hz=TONE)
        world = AirWorld(replace(hill, donor=donor), Post(hz=200))
        await world.start()
        await asyncio.sleep(1.0)
        await world.say("tac1", "ne-tirez-pas-bref-fr", HANG_S + 0.15 + after_s)
        said = await world.say("tac1", "ne-tirez-pas-bref-fr", 2.0)
        assert_whole(world.measure(said, "border"))
        assert world.tac1.runner.up.spurts == 2
        await world.stop()

    in_virtual_time(call_again)()
