"""The floor of one group at work: who is cut, who is muted and for how long, who may come in."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from radiobridge.core.floor import FloorChange, FloorEvent, FloorSettings, Verdict
from radiobridge.core.squelch import Squelch
from radiobridge.core.transmit import AbortReason
from radiobridge.model.ids import RadioName, TalkgroupId, parse_gateway
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.groups import MUTE_AFTER_S, MUTE_LONGEST_S, SIBLING_S, GroupFloor
from radiobridge.services.radio import RadioRunner
from tests.services.radios import COR, make_timer
from tests.services.virtual_time import START_S, in_virtual_time, now
from tests.services.voices import BORDER, SARNIA, TAC1, TAC2, WINDSOR, claim

SILENCE_S = FloorSettings().silence_s
URGENT = replace(
    claim(start_ms=500, talk_class=TalkClass.IMMINENT_PERIL), sender=parse_gateway("us.cbp/buffalo")
)


class NotingRunner(RadioRunner):
    """A radio that writes down what its group asks."""

    def __init__(self, name: str, talkgroup: TalkgroupId) -> None:
        super().__init__(
            RadioName(name),
            talkgroup,
            squelch=Squelch(COR),
            by_cor=True,
            make_timer=make_timer,
            audio_failed=lambda: None,
        )
        self.muted = False
        self.mutes: list[tuple[float, bool]] = []
        self.cuts: list[tuple[Claim, AbortReason]] = []
        self.freed: list[float] = []
        self.forgone = 0
        self.when_free: Callable[[], Any] = lambda: None

    def mute(self, *, on: bool, now: float, by: object = None) -> None:
        del by
        self.muted = on
        self.mutes.append((round(now - START_S, 3), on))

    def cut(self, claim: Claim, reason: AbortReason, now: float) -> None:
        del now
        self.cuts.append((claim, reason))

    def floor_free(self, now: float) -> None:
        self.freed.append(round(now - START_S, 3))
        self.when_free()

    def forgo(self) -> None:
        self.forgone += 1


class Group:
    """Two radios of this gateway in a group with a partner's talkgroup."""

    def __init__(self) -> None:
        self.events: list[FloorEvent] = []
        self.one, self.two = NotingRunner("tac1", TAC1), NotingRunner("tac2", TAC2)
        self.floor = GroupFloor(
            frozenset({TAC1, TAC2, BORDER}), make_timer, lambda _group, event: self._told(event)
        )
        self.floor.runners = (self.one, self.two)
        self.floor.mutes = {BORDER: (self.one, self.two), TAC1: (self.two,), TAC2: (self.one,)}

    def _told(self, event: FloorEvent) -> None:
        self.events.append(event)

    async def say(self, who: Claim, seconds: float) -> list[Verdict]:
        verdicts = []
        for n in range(round(seconds / 0.02)):
            verdicts.append(self.hear(who, n))
            await asyncio.sleep(0.02)
        return verdicts

    def hear(self, who: Claim, frame: int = 0) -> Verdict:
        verdict = self.floor.heard(who, frame * 960, now())
        self.floor.settle(now())
        return verdict

    def changes(self) -> list[FloorChange]:
        return [event.change for event in self.events]


def own(start_ms: int = 0, talkgroup: TalkgroupId = TAC1) -> Claim:
    return Claim(WINDSOR, talkgroup, claim().start_ms + start_ms, TalkClass.NORMAL, 0)


@in_virtual_time
async def test_while_a_spurt_plays_its_echo_is_muted_and_a_little_longer() -> None:
    group = Group()
    await group.say(claim(), 1.0)
    assert group.one.muted
    assert group.two.muted
    group.floor.released(claim(), now())
    await asyncio.sleep(1)
    assert group.one.mutes == [(0.0, True), (pytest.approx(1.0 + MUTE_AFTER_S), False)]
    assert group.two.mutes == group.one.mutes


@in_virtual_time
async def test_only_receivers_that_would_hear_the_echo_are_muted() -> None:
    group = Group()
    assert group.floor.request(own(), now()) is Verdict.PLAY
    assert not group.one.muted
    assert group.two.muted


@in_virtual_time
async def test_an_answer_before_the_mute_is_over_keeps_who_must_be_muted() -> None:
    group = Group()
    group.floor.request(own(), now())
    group.floor.released(own(), now())
    await asyncio.sleep(MUTE_AFTER_S / 2)
    await group.say(claim(), 0.5)
    assert group.one.muted
    # The mute of before runs on; its end does not end this one.
    assert group.two.mutes == [(0.0, True)]
    group.floor.request(own(2000, TAC2), now())
    assert group.two.muted


@in_virtual_time
async def test_the_next_holder_on_another_talkgroup_mutes_its_echo_and_frees_the_other() -> None:
    group = Group()
    group.floor.request(own(), now())
    group.floor.released(own(), now())
    group.floor.request(own(1000, TAC2), now())
    assert group.one.muted
    # The other one's transmitter may still be on the air.
    assert group.two.muted
    await asyncio.sleep(MUTE_AFTER_S + 0.001)
    assert (group.one.muted, group.two.muted) == (True, False)


@in_virtual_time
async def test_a_receiver_whose_radio_does_not_transmit_waits_until_the_channel_is_quiet() -> None:
    group = Group()
    group.floor.transmitters = frozenset({group.one})
    for radio in (group.one, group.two):
        radio.condition = replace(radio.condition, cor=True)
    await group.say(claim(), 0.1)
    group.floor.released(claim(), now())
    over_at = now()
    await asyncio.sleep(1)
    assert (group.one.muted, group.two.muted) == (False, True)
    group.two.condition = replace(group.two.condition, cor=False)
    await asyncio.sleep(0.1)
    assert (group.one.muted, group.two.muted) == (False, False)
    assert now() - over_at < MUTE_LONGEST_S


@in_virtual_time
async def test_a_receiver_that_never_falls_silent_is_heard_again_all_the_same() -> None:
    group = Group()
    group.two.condition = replace(group.two.condition, cor=True)
    await group.say(claim(), 0.1)
    group.floor.released(claim(), now())
    muted = []
    for seconds in (MUTE_LONGEST_S - 0.01, 0.02):
        await asyncio.sleep(seconds)
        muted.append(group.two.muted)
    assert muted == [True, False]


@in_virtual_time
async def test_a_silent_holder_loses_the_floor_without_another_packet() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    last_at = now() - 0.02
    await asyncio.sleep(2)
    assert group.changes() == [FloorChange.TAKEN, FloorChange.SILENT]
    assert group.events[-1].at == pytest.approx(last_at + SILENCE_S)
    assert group.floor.holder is None
    assert len(group.one.freed) == 1
    # Nothing is cut: a gap inside a spurt is the transmitter's to bridge.
    assert group.one.cuts == []


@in_virtual_time
async def test_a_holder_that_goes_on_keeps_the_floor() -> None:
    group = Group()
    verdicts = await group.say(claim(), 20.0)
    assert set(verdicts) == {Verdict.PLAY}
    assert group.changes() == [FloorChange.TAKEN]


@in_virtual_time
async def test_a_higher_claim_cuts_the_holder_on_every_radio() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    assert group.hear(URGENT) is Verdict.PLAY
    assert group.changes() == [FloorChange.TAKEN, FloorChange.CUT_OFF, FloorChange.TAKEN]
    cut = (claim(), AbortReason.FLOOR_LOST)
    assert group.one.cuts == group.two.cuts == [cut]
    assert group.one.muted
    assert group.hear(claim(), 10) is Verdict.REFUSE_LOWER


@in_virtual_time
async def test_who_talks_just_after_another_is_muted_for_at_once() -> None:
    group = Group()
    group.floor.request(own(), now())
    await asyncio.sleep(0.2)
    group.floor.released(own(), now())
    group.hear(claim(1000))
    assert group.one.muted
    assert group.changes()[-1] is FloorChange.TAKEN


@in_virtual_time
async def test_the_talk_limit_cuts_and_frees_the_floor() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    limit = round(FloorSettings().talk_limit_s / 0.02)
    assert group.hear(claim(), limit + 1) is Verdict.REFUSE_TALK_LIMIT
    assert group.one.cuts == [(claim(), AbortReason.FLOOR_LOST)]
    assert group.floor.holder is None
    assert len(group.one.freed) == 1


@in_virtual_time
async def test_who_was_refused_comes_in_when_the_holder_ends() -> None:
    group = Group()
    group.hear(claim())
    assert group.floor.request(own(), now()) is Verdict.REFUSE_LOWER
    answers: list[Verdict] = []
    later, other = own(3000), own(3000, TAC2)
    group.one.when_free = lambda: answers.append(group.floor.request(later, now()))
    group.two.when_free = lambda: answers.append(group.floor.request(other, now()))
    group.floor.released(claim(), now())
    assert answers == [Verdict.PLAY, Verdict.REFUSE_LOWER]
    assert group.floor.holder == later
    assert group.changes() == [FloorChange.TAKEN, FloorChange.ENDED, FloorChange.TAKEN]
    await asyncio.sleep(0.35)
    assert group.two.muted


@in_virtual_time
async def test_a_talkgroup_that_leaves_the_group_is_withdrawn() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    group.floor.change_members(frozenset({TAC1, TAC2}), now())
    assert group.one.cuts == [(claim(), AbortReason.WITHDRAWN)]
    assert group.floor.holder is None
    assert group.floor.talkgroups == {TAC1, TAC2}


@in_virtual_time
async def test_new_members_do_not_disturb_the_holder() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    group.floor.change_members(group.floor.talkgroups | {TalkgroupId(SARNIA.agency, "X")}, now())
    assert group.floor.holder == claim()
    assert group.one.cuts == []


@in_virtual_time
async def test_nobody_stays_muted_for_a_group_that_is_no_more() -> None:
    group = Group()
    await group.say(claim(), 0.2)
    group.floor.close(now())
    assert not group.one.muted
    told = len(group.events)
    await asyncio.sleep(5)
    assert len(group.events) == told
    assert group.one.mutes[-1][1] is False


@in_virtual_time
async def test_another_receiver_of_the_talker_waits_for_the_squelch_tail_to_be_over() -> None:
    group = Group()
    group.floor.request(own(), now())
    await asyncio.sleep(0.1)
    group.floor.released(own(), now())
    assert (group.one.freed, group.two.freed) == ([], [0.1])
    await asyncio.sleep(1)
    # Should somebody still be heard then, only this receiver hears him.
    assert group.one.freed == [pytest.approx(0.1 + SIBLING_S)]


@in_virtual_time
async def test_another_receiver_does_not_come_in_over_who_has_taken_the_floor() -> None:
    group = Group()
    group.floor.request(own(), now())
    group.floor.released(own(), now())
    await asyncio.sleep(0.1)
    await group.say(claim(), 0.6)
    assert group.one.freed == []


@in_virtual_time
async def test_a_receiver_whose_sibling_fell_silent_takes_over_at_once() -> None:
    group = Group()
    group.floor.request(own(), now())
    await asyncio.sleep(SILENCE_S + 0.001)
    assert group.one.freed == [SILENCE_S]


@in_virtual_time
async def test_the_talk_limit_binds_all_receivers_of_the_talker() -> None:
    group = Group()
    limit = round(FloorSettings().talk_limit_s / 0.02)
    near = round((FloorSettings().talk_limit_s - FloorSettings().warning_s) / 0.02)
    warned = []
    for media_frame in (near, near + 1, limit + 1):
        group.hear(own(), media_frame)
        warned.append(group.floor.near_limit)
    assert warned == [False, True, False]
    assert group.changes() == [FloorChange.TAKEN, FloorChange.NEAR_LIMIT, FloorChange.TALK_LIMIT]
    assert (group.one.forgone, group.two.forgone) == (1, 0)


@in_virtual_time
async def test_a_talkgroup_that_may_only_listen_blocks_nobody() -> None:
    group = Group()
    group.floor.change_members(frozenset({TAC1, TAC2, BORDER}), now(), listeners=frozenset({TAC1}))
    group.floor.request(own(), now())
    assert group.hear(claim(start_ms=500)) is Verdict.PLAY
    assert group.changes() == [FloorChange.TAKEN, FloorChange.CUT_OFF, FloorChange.TAKEN]


@in_virtual_time
async def test_talkers_who_cut_each_other_off_are_no_loop() -> None:
    group = Group()
    for start_ms in range(0, 8000, 1000):
        group.floor.request(own(start_ms), now())
        group.hear(claim(start_ms, TalkClass.IMMINENT_PERIL))
        await asyncio.sleep(0.1)
        group.floor.released(claim(start_ms, TalkClass.IMMINENT_PERIL), now())
    assert FloorChange.CUT_OFF in group.changes()
    assert not group.one.cut_off
