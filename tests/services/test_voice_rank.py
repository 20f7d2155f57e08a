"""Who goes first among gateways that hear each other, and what becomes of the others' voice."""

import asyncio
from dataclasses import replace

import pytest

from radiobridge.core.floor import FloorChange
from radiobridge.model.patch import Member
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, TalkClass
from radiobridge.wire.topics import voice_topic
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voice_world import River, Stranger, joined
from tests.services.voices import BORDER, TAC1, WINDSOR, encoded, speech

PERIL = Member(talkgroup=BORDER, max_class=TalkClass.EMERGENCY, max_priority=3)
PLAIN = Member(talkgroup=BORDER)


@pytest.mark.parametrize(
    ("member", "counts"), [(PERIL, TalkClass.IMMINENT_PERIL), (PLAIN, TalkClass.NORMAL)]
)
def test_an_emergency_without_an_alarm_is_clamped(member: Member, counts: TalkClass) -> None:
    @in_virtual_time
    async def run() -> None:
        river = River(members=(member, Member(talkgroup=TAC1)))
        await river.start()
        await _shouts(river, TalkClass.EMERGENCY)
        holder = river.windsor.told[0].claim
        assert (holder.talk_class, holder.priority) == (counts, member.max_priority)

    run()


@in_virtual_time
async def test_an_emergency_without_an_alarm_keys_nobody_over() -> None:
    river = River(members=(PERIL, Member(talkgroup=TAC1)))
    await river.start()
    river.tac1.cor(active=True)
    await _shouts(river, TalkClass.EMERGENCY)
    assert river.tac1.line.log == []


@in_virtual_time
async def test_an_emergency_without_an_alarm_keys_nobody_over_among_own_gateways_either() -> None:
    river = River()
    await river.start()
    river.tac1.cor(active=True)
    await _shouts(river, TalkClass.EMERGENCY)
    assert river.tac1.line.log == []


async def _shouts(river: River, talk_class: TalkClass, frames: int = 20) -> None:
    """Let another gateway of the partner speak with a rank of its choice."""
    stranger = Stranger(river.brokers[0], river.windsor)
    start_ms = river.windsor.bridge.now_ms()
    claim = Claim(stranger.gateway, BORDER, start_ms, talk_class, 3)
    writer = stranger.writer(claim)
    for n, opus in enumerate(encoded(speech(frames))):
        end = n == frames - 1
        stranger.publish(writer.packet(opus, n * FRAME_MEDIA_TIME, end=end))
        await asyncio.sleep(0.02)


@in_virtual_time
async def test_who_hears_a_live_holder_does_not_start_and_comes_in_once_after_it() -> None:
    river = River()
    tower = river.windsor.add_radio("tower", TAC1)
    await river.start()
    # A receiver far away from the transmitter: nothing deafens it while another talks.
    far = joined(TAC1, BORDER, "tac1")
    receivers = far.receivers | {tower.runner.name}
    river.windsor.plane.apply(replace(far, receivers=receivers, mutes={}))
    river.border.cor(active=True)
    await river.border.speak(0.4)
    tower.cor(active=True)
    holder = asyncio.create_task(river.border.speak(0.2))
    await tower.speak(0.2)
    await holder
    assert _from_windsor(river) == 0
    assert river.windsor.count("start-refuse-lower") == 1
    river.border.cor(active=False)
    await river.border.quiet(0.2)
    freed_at = now()
    await tower.speak(0.5)
    tower.cor(active=False)
    await tower.quiet(0.5)
    assert 20 < _from_windsor(river) < 45
    assert [event.change.value for event in river.windsor.told[-2:]] == ["taken", "ended"]
    assert river.windsor.told[-2].at <= freed_at
    assert len(river.border.spoken()) >= 24


@in_virtual_time
async def test_who_loses_the_floor_stops_publishing_at_once() -> None:
    river = River(members=(PERIL, Member(talkgroup=TAC1)))
    await river.start()
    river.tac1.cor(active=True)
    await river.tac1.speak(0.3)
    shout = asyncio.create_task(_shouts(river, TalkClass.IMMINENT_PERIL, frames=50))
    await river.tac1.speak(0.1)
    sent = _from_windsor(river)
    await river.tac1.speak(0.5)
    assert _from_windsor(river) == sent
    assert river.windsor.told[-1].claim.talk_class is TalkClass.IMMINENT_PERIL
    await shout


def _from_windsor(river: River) -> int:
    topics = [topic for topic, _raw in river.brokers[0].voice]
    return topics.count(voice_topic(WINDSOR, "TAC1"))


@in_virtual_time
async def test_a_higher_claim_takes_over_on_the_air_without_unkeying() -> None:
    river = River(members=(PERIL, Member(talkgroup=TAC1)))
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.5)
    began = now()
    await _shouts(river, TalkClass.IMMINENT_PERIL, frames=25)
    await asyncio.sleep(0.5)
    assert river.tac1.line.changes() == ["key", "unkey"]
    urgent = [frame for frame in river.tac1.spoken() if frame.at > began + 0.1]
    assert len(urgent) >= 20


@in_virtual_time
async def test_starts_of_one_talkgroup_grow_even_within_a_millisecond() -> None:
    river = River()
    await river.start()
    plane = river.windsor.plane
    for _ in range(5):
        spurt = plane.begin(river.tac1.runner, now(), now())
        assert spurt is not None
        plane.ended(spurt, now())
    taken = [e.claim.start_ms for e in river.windsor.told if e.change is FloorChange.TAKEN]
    assert taken == sorted(set(taken))
    assert len(taken) == 5


@in_virtual_time
async def test_what_comes_late_of_a_spurt_that_its_talker_has_followed_up_is_played() -> None:
    river = River()
    await river.start()
    stranger = Stranger(river.brokers[0], river.windsor)
    start_ms = river.windsor.bridge.now_ms()
    claims = [Claim(stranger.gateway, BORDER, start_ms + n, TalkClass.NORMAL, 0) for n in (0, 400)]
    first, second = (stranger.writer(claim) for claim in claims)
    sounds = encoded(speech(20))
    packets = [first.packet(o, n * FRAME_MEDIA_TIME, end=n == 19) for n, o in enumerate(sounds)]
    for packet in packets[:15]:
        stranger.publish(packet)
        await asyncio.sleep(0.02)
    stranger.publish(second.packet(sounds[0], 0))
    for packet in packets[15:]:
        stranger.publish(packet)
    await asyncio.sleep(0.02)
    for n, opus in enumerate(sounds[1:], 1):
        stranger.publish(second.packet(opus, n * FRAME_MEDIA_TIME, end=n == 19))
        await asyncio.sleep(0.02)
    await asyncio.sleep(2)
    assert river.tac1.runner.status()["counters"]["played"] == 40
    assert river.tac1.line.changes() == ["key", "unkey"]
