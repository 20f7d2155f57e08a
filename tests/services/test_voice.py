"""The voice of gateways that hear each other, or must not: routes, copies, what is taken away."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from radiobridge.model.ids import RadioName, parse_talkgroup
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, TalkClass
from radiobridge.services.voice import VoiceMap
from radiobridge.wire.topics import voice_topic
from tests.services.fakes import FakeBroker
from tests.services.radios import TRANSMIT, Radio
from tests.services.virtual_time import in_virtual_time, now, turns
from tests.services.voice_world import River, Side, Stranger, alone, joined, two_talkgroups
from tests.services.voices import BORDER, DETROIT, TAC1, TAC2, WINDSOR, encoded, speech

HOLD_S = TRANSMIT.hold_s


def whole(radio: Radio, seconds: float) -> bool:
    """Tell whether somebody was heard for about so long, without a hole inside."""
    spoken = radio.spoken()
    expected = round(seconds / 0.02)
    gaps = [after.at - before.at for before, after in pairwise(spoken)]
    return abs(len(spoken) - expected) <= 2 and max(gaps) < 0.03


def _keyed(radio: Radio) -> bool:
    """Tell anew each time (a property would be narrowed by the type checker)."""
    return radio.line.keyed


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
async def test_a_spurt_is_repeated_by_the_other_radios_of_its_talkgroup_only() -> None:
    side = Side(WINDSOR)
    north, south = side.add_radio("north", TAC1), side.add_radio("south", TAC1)
    names = frozenset(side.radios)
    await side.start()
    # Two hills that do not hear each other: separate coverage.
    side.plane.apply(
        VoiceMap(
            groups=(frozenset({TAC1}),),
            plays={TAC1: names},
            receivers=names,
            hears=frozenset({TAC1}),
        )
    )
    side.give_key(TAC1)
    await north.talk(0.5)
    await asyncio.sleep(1)
    assert north.line.log == []
    assert south.line.changes() == ["key", "unkey"]
    assert whole(south, 0.5)


@in_virtual_time
async def test_what_is_said_among_our_own_does_not_leave_the_gateway() -> None:
    river = River()
    await river.start()
    own = joined(TAC1, BORDER, "tac1")
    river.windsor.plane.apply(replace(own, remote=frozenset(), plays={TAC1: own.receivers}))
    await river.tac1.talk(0.3)
    assert river.brokers[0].voice == []
    assert river.windsor.loopback.broker.voice != []


@in_virtual_time
async def test_what_nobody_is_to_hear_is_not_even_written() -> None:
    river = River()
    await river.start()
    river.windsor.plane.apply(alone(TAC1, "tac1"))
    assert river.windsor.keys.sending(TAC1) is not None
    await river.tac1.talk(0.3)
    assert river.windsor.loopback.broker.voice == []


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
    # At once, and not after the length of a gap.
    assert river.tac1.line.times("unkey")[0] - river.tac1.line.times("key")[0] < 0.7
    assert river.windsor.count("alarm-unproven") == 1


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
        {"talkgroups": ["ca.opp/TAC1"], "holder": None, "near_limit": False}
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
    (floor,) = river.windsor.plane.status()["floor"]
    assert floor["talkgroups"] == ["ca.opp/TAC1", "us.cbp/BORDER"]
    assert (
        floor["holder"].items()
        >= {
            "sender": "us.cbp/detroit",
            "talkgroup": "us.cbp/BORDER",
            "class": "normal",
            "priority": 0,
            "start_ms": river.detroit.told[0].claim.start_ms,
        }.items()
    )
    assert river.windsor.plane.leaves(TAC1)
    assert not river.windsor.plane.leaves(parse_talkgroup("ca.opp/TAC9"))
