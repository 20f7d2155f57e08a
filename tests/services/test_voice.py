"""The voice of gateways that hear each other, or must not."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from radiobridge.core.floor import FloorChange
from radiobridge.model.ids import RadioName, parse_talkgroup
from radiobridge.model.patch import Member
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, TalkClass
from radiobridge.services.voice import VoiceMap
from radiobridge.wire.topics import voice_topic
from tests.services.fakes import FakeBroker
from tests.services.radios import TRANSMIT, Radio
from tests.services.virtual_time import in_virtual_time, now, turns
from tests.services.voice_world import River, Stranger, alone, joined, two_talkgroups
from tests.services.voices import BORDER, DETROIT, TAC1, TAC2, WINDSOR, encoded, speech

HOLD_S = TRANSMIT.hold_s


def whole(radio: Radio, seconds: float) -> bool:
    """Tell whether somebody was heard for about so long, without a hole inside."""
    spoken = radio.spoken()
    expected = round(seconds / 0.02)
    gaps = [after.at - before.at for before, after in pairwise(spoken)]
    return abs(len(spoken) - expected) <= 2 and max(gaps) < 0.03


# --- who is heard ---------------------------------------------------------------------------------


@in_virtual_time
async def test_nobody_is_heard_who_is_not_on_the_map() -> None:
    river = River()
    await river.start(join=False)
    river.detroit.give_key(BORDER, river.windsor)
    await river.border.talk(1.0)
    await asyncio.sleep(1)
    assert river.tac1.line.log == []
    assert river.brokers[0].voice == []


@in_virtual_time
async def test_what_is_said_on_one_side_is_heard_whole_on_the_other() -> None:
    river = River()
    await river.start()
    await river.border.talk(1.0)
    await asyncio.sleep(2)
    assert river.tac1.line.changes() == ["key", "unkey"]
    assert whole(river.tac1, 1.0)
    await river.tac1.talk(0.5)
    await asyncio.sleep(2)
    assert river.border.line.changes() == ["key", "unkey"]
    assert whole(river.border, 0.5)
    assert river.windsor.failed == river.detroit.failed == []


@in_virtual_time
async def test_a_map_of_one_side_alone_joins_nothing() -> None:
    river = River()
    await river.start(join=False)
    river.windsor.plane.apply(joined(TAC1, BORDER, "tac1"))
    river.windsor.give_key(TAC1, river.detroit)
    river.detroit.give_key(BORDER, river.windsor)
    await river.tac1.talk(0.5)
    await river.border.talk(0.5)
    await asyncio.sleep(2)
    assert river.border.line.log == []
    # detroit does not publish what windsor would like to hear.
    assert {topic for topic, _raw in river.brokers[0].voice} == {voice_topic(WINDSOR, "TAC1")}
    assert river.tac1.line.log == []


@in_virtual_time
async def test_a_key_without_a_route_keys_nobody() -> None:
    river = River()
    await river.start()
    # windsor still publishes, and has detroit's key; detroit's map has lost it.
    river.detroit.plane.apply(alone(BORDER, "border"))
    await river.tac1.talk(0.5)
    await asyncio.sleep(1)
    assert river.border.line.log == []


@in_virtual_time
async def test_without_a_key_nothing_leaves() -> None:
    river = River()
    await river.start(join=False)
    river.windsor.plane.apply(joined(TAC1, BORDER, "tac1"))
    await river.tac1.talk(0.5)
    await asyncio.sleep(1)
    assert river.brokers[0].voice == []


@in_virtual_time
async def test_who_is_not_in_a_roster_is_not_heard() -> None:
    river = River()
    await river.start()
    del river.windsor.signers[DETROIT]
    await river.border.talk(0.5)
    await asyncio.sleep(1)
    assert river.tac1.line.log == []


@in_virtual_time
async def test_radios_of_one_gateway_hear_each_other_without_any_broker() -> None:
    side, one, two = await two_talkgroups()
    await one.talk(1.0)
    ended_at = now()
    await asyncio.sleep(2)
    assert one.line.log == []
    assert two.line.changes() == ["key", "unkey"]
    assert whole(two, 1.0)
    # The end is heard as an end: the key is not held over a gap.
    assert two.line.times("unkey")[0] - ended_at < HOLD_S / 4
    assert side.failed == []


@in_virtual_time
async def test_a_radio_that_the_map_does_not_let_receive_starts_nothing() -> None:
    river = River()
    await river.start()
    deaf = replace(joined(TAC1, BORDER, "tac1"), receivers=frozenset[RadioName]())
    river.windsor.plane.apply(deaf)
    await river.tac1.talk(0.5)
    assert river.brokers[0].voice == []


@in_virtual_time
async def test_own_voice_that_comes_back_by_a_broker_is_an_echo() -> None:
    side, one, two = await two_talkgroups()
    await one.talk(0.2)
    await asyncio.sleep(2)
    played = two.runner.status()["counters"]["played"]
    topic, raw = side.loopback.broker.voice[0]
    side.plane.voice(topic, raw, "link0")
    await asyncio.sleep(1)
    assert side.count("echo") == 1
    assert two.runner.status()["counters"]["played"] == played


# --- copies, strangers, late voice ----------------------------------------------------------------


@in_virtual_time
async def test_a_second_broker_costs_nothing_and_saves_everything() -> None:
    brokers = (FakeBroker(), FakeBroker())
    river = River(brokers)
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.5)
    brokers[0].fate = lambda _topic: ()
    await river.border.speak(0.5)
    river.border.cor(active=False)
    await asyncio.sleep(2)
    assert whole(river.tac1, 1.0)
    assert river.tac1.line.changes() == ["key", "unkey"]
    counters = river.tac1.runner.status()["counters"]
    assert counters["duplicate"] == 0
    assert river.windsor.count("voice-replay") > 20


@in_virtual_time
async def test_a_broker_that_holds_voice_back_is_told_to_start_anew() -> None:
    brokers = (FakeBroker(), FakeBroker())
    river = River(brokers)
    await river.start()
    brokers[1].fate = lambda _topic: (2.5,)
    await river.border.talk(0.5)
    await asyncio.sleep(3)
    assert [link.voice_restarts > 0 for link in river.windsor.links] == [False, True]
    assert whole(river.tac1, 0.5)


@pytest.mark.parametrize("delay_s", [1.5, 2.5])
def test_late_voice_restarts_its_link_whether_it_counts_or_not(delay_s: float) -> None:
    @in_virtual_time
    async def run() -> None:
        river = River()
        await river.start()
        river.brokers[0].fate = lambda _topic: (delay_s,)
        await river.border.talk(0.3)
        await asyncio.sleep(4)
        assert river.windsor.links[0].voice_restarts > 0
        assert (river.tac1.line.log == []) is (delay_s > 2)

    run()


@in_virtual_time
async def test_a_link_that_is_choked_loses_packets_and_says_so() -> None:
    river = River()
    await river.start()
    river.windsor.links[0].choked = True
    await river.tac1.talk(0.5)
    await asyncio.sleep(1)
    assert river.windsor.count("dropped-at-sender") > 20
    assert river.border.line.log == []


@in_virtual_time
async def test_topics_that_nobody_wants_cost_no_memory() -> None:
    river = River()
    await river.start()
    plane = river.windsor.plane
    for n in range(3000):
        plane.voice(f"rb/1/us.cbp/g{n}/voice/BORDER", b"x", "link0")
        plane.voice(f"rb/1/us.cbp/detroit/voice/t{n}", b"x", "link0")
        plane.voice(f"nonsense {n}", b"x", "link0")
    assert river.windsor.count("not-wanted") == 9000
    assert len(plane._strangers) <= 256
    assert len(plane._receptions) <= 1
    assert len(plane._heard) <= 1
    await river.border.talk(0.3)
    await asyncio.sleep(1)
    assert river.tac1.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_garbage_on_a_wanted_topic_is_counted_and_nothing_else() -> None:
    river = River()
    await river.start()
    for raw in (b"", b"x", b"\x10" * 40, b"\xff" * 3000):
        river.windsor.plane.voice(voice_topic(DETROIT, "BORDER"), raw, "link0")
    assert river.tac1.line.log == []
    assert sum(n for name, n in river.windsor.plane.status()["counters"].items()) >= 4


@in_virtual_time
async def test_who_joins_the_map_later_is_heard_though_it_was_a_stranger_before() -> None:
    river = River()
    await river.start(join=False)
    river.windsor.plane.voice(voice_topic(DETROIT, "BORDER"), b"x", "link0")
    river.join()
    await river.border.talk(0.3)
    await asyncio.sleep(1)
    assert river.tac1.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_a_spurt_whose_proofs_stop_is_dropped_and_unkeyed() -> None:
    river = River()
    await river.start()
    stranger = Stranger(river.brokers[0], river.windsor)
    claim = Claim(stranger.gateway, BORDER, river.windsor.bridge.now_ms(), TalkClass.NORMAL, 0)
    writer = stranger.writer(claim)
    for n, opus in enumerate(encoded(speech(100))):
        packet = writer.packet(opus, n * FRAME_MEDIA_TIME)
        if n % 10 or n == 0:
            stranger.publish(packet)
        await asyncio.sleep(0.02)
    assert river.tac1.line.changes() == ["key", "unkey"]
    assert len(river.tac1.spoken()) <= 25
    assert river.windsor.count("alarm-unproven") == 1


# --- rank -----------------------------------------------------------------------------------------

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


def _keyed(radio: Radio) -> bool:
    """Tell anew each time (a property would be narrowed by the type checker)."""
    return radio.line.keyed


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
    for _ in range(5):
        river.tac1.cor(active=True)
        river.tac1.runner.up.drop(now())
        river.tac1.cor(active=False)
        await asyncio.sleep(0.11)
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


# --- taking away ----------------------------------------------------------------------------------


@in_virtual_time
async def test_what_is_no_longer_on_the_map_is_silent_before_anything_else() -> None:
    river = River()
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.5)
    assert _keyed(river.tac1)
    keyed_when_told: list[bool] = []
    for link in (river.windsor.loopback, *river.windsor.links):
        link.when_asked = lambda: keyed_when_told.append(river.tac1.line.keyed)
    river.windsor.plane.apply(alone(TAC1, "tac1"))
    assert not _keyed(river.tac1)
    assert keyed_when_told == [False, False]
    assert river.tac1.audio.queued_s() == 0
    await river.border.speak(0.5)
    assert not river.tac1.line.keyed
    assert river.windsor.plane.status()["floor"] == [
        {"talkgroups": ["ca.opp/TAC1"], "holder": None}
    ]


@in_virtual_time
async def test_own_voice_stops_leaving_when_nobody_may_hear_it_any_more() -> None:
    river = River()
    await river.start()
    river.tac1.cor(active=True)
    await river.tac1.speak(0.3)
    sent = len(river.brokers[0].voice)
    river.windsor.plane.apply(alone(TAC1, "tac1"))
    await river.tac1.speak(0.3)
    river.tac1.cor(active=False)
    await asyncio.sleep(1)
    assert len(river.brokers[0].voice) == sent


@in_virtual_time
async def test_what_stays_on_the_map_is_not_disturbed() -> None:
    river = River()
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.3)
    wider = joined(TAC1, BORDER, "tac1")
    wider = replace(wider, groups=(wider.groups[0] | {TAC2},), hears=wider.hears | {TAC2})
    river.windsor.plane.apply(wider)
    await river.border.talk(0.3)
    await asyncio.sleep(1)
    assert river.tac1.line.changes() == ["key", "unkey"]
    assert whole(river.tac1, 0.6)


@in_virtual_time
async def test_stop_unkeys_ends_and_hears_nothing_more() -> None:
    river = River()
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.3)
    river.windsor.plane.stop()
    assert not river.tac1.line.keyed
    await river.border.speak(0.5)
    await turns()
    assert not river.tac1.line.keyed
    assert river.windsor.links[0].voice_filters == frozenset()


@in_virtual_time
async def test_links_are_asked_for_exactly_what_may_be_heard() -> None:
    river = River()
    await river.start()
    assert river.windsor.links[0].voice_filters == {"rb/1/us.cbp/+/voice/BORDER"}
    river.windsor.plane.apply(VoiceMap())
    assert river.windsor.links[0].voice_filters == frozenset()


# --- for people -----------------------------------------------------------------------------------


@in_virtual_time
async def test_status_says_who_has_the_floor() -> None:
    river = River()
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(0.1)
    assert river.windsor.plane.status()["floor"] == [
        {
            "talkgroups": ["ca.opp/TAC1", "us.cbp/BORDER"],
            "holder": {
                "sender": "us.cbp/detroit",
                "talkgroup": "us.cbp/BORDER",
                "class": "normal",
                "priority": 0,
                "start_ms": river.detroit.told[0].claim.start_ms,
            },
        }
    ]
    assert river.windsor.plane.leaves(TAC1)
    assert not river.windsor.plane.leaves(parse_talkgroup("ca.opp/TAC9"))
