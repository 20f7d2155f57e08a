"""The floor, rule by rule."""

import pytest

from radiobridge.core.floor import (
    FORGET_S,
    Floor,
    FloorChange,
    FloorSettings,
    Verdict,
    clamp,
)
from radiobridge.core.transmit import TransmitSettings
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.patch import Member
from radiobridge.model.voice import FRAME_MEDIA_TIME, MEDIA_RATE, Claim, TalkClass

WINDSOR = parse_gateway("ca.opp/windsor")
DETROIT = parse_gateway("us.cbp/detroit")
TAC1 = parse_talkgroup("ca.opp/TAC1")
BP1 = parse_talkgroup("us.cbp/BP1")


def opp(start_ms: int, talk_class: TalkClass = TalkClass.NORMAL, priority: int = 0) -> Claim:
    return Claim(WINDSOR, TAC1, start_ms, talk_class, priority)


def cbp(start_ms: int, talk_class: TalkClass = TalkClass.NORMAL, priority: int = 0) -> Claim:
    return Claim(DETROIT, BP1, start_ms, talk_class, priority)


def changes(floor: Floor, now: float) -> list[tuple[FloorChange, Claim]]:
    return [(event.change, event.claim) for event in floor.tick(now)]


def test_the_first_packet_takes_a_free_floor() -> None:
    floor = Floor()
    assert floor.heard(opp(1000), 0, 1.0) is Verdict.PLAY
    assert floor.holder == opp(1000)
    assert changes(floor, 1.0) == [(FloorChange.TAKEN, opp(1000))]


def test_a_change_is_due_to_be_told_at_once_and_then_the_silence_is_next() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    assert floor.next_deadline() == 1.0
    floor.tick(1.0)
    assert floor.next_deadline() == 1.4
    floor.heard(opp(1000), FRAME_MEDIA_TIME, 1.02)
    assert floor.next_deadline() == pytest.approx(1.42)


def test_equal_rank_does_not_cut_off() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    assert floor.heard(cbp(1500), 0, 1.1) is Verdict.REFUSE_LOWER
    assert floor.holder == opp(1000)


@pytest.mark.parametrize(
    "better",
    [cbp(1500, priority=1), cbp(1500, TalkClass.IMMINENT_PERIL), cbp(1500, TalkClass.EMERGENCY)],
)
def test_strictly_higher_rank_cuts_off(better: Claim) -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.tick(1.0)
    assert floor.heard(better, 0, 1.1) is Verdict.PLAY
    assert changes(floor, 1.1) == [
        (FloorChange.CUT_OFF, opp(1000)),
        (FloorChange.TAKEN, better),
    ]
    assert floor.heard(opp(1000), 4800, 1.12) is Verdict.REFUSE_LOWER


def test_class_goes_before_priority() -> None:
    floor = Floor()
    floor.heard(opp(1000, TalkClass.IMMINENT_PERIL, 0), 0, 1.0)
    assert floor.heard(cbp(1000, TalkClass.NORMAL, 15), 0, 1.1) is Verdict.REFUSE_LOWER


def test_the_earlier_start_settles_a_race_whoever_was_heard_first() -> None:
    floor = Floor()
    floor.heard(cbp(1010), 0, 1.0)
    assert floor.heard(opp(1000), 0, 1.01) is Verdict.PLAY
    assert floor.holder == opp(1000)


def test_a_healed_partition_goes_to_the_earlier_start() -> None:
    floor = Floor()
    for n in range(100):
        floor.heard(cbp(5000), n * FRAME_MEDIA_TIME, 5 + n * 0.02)
    assert floor.heard(opp(1000), 6 * MEDIA_RATE, 7.0) is Verdict.PLAY


def test_a_local_start_is_refused_while_equal_rank_is_heard_even_with_an_earlier_start() -> None:
    floor = Floor()
    floor.heard(cbp(1000), 0, 1.0)
    assert floor.request(opp(900), 1.1) is Verdict.REFUSE_LOWER
    assert floor.holder == cbp(1000)
    assert floor.request(opp(900, priority=1), 1.1) is Verdict.PLAY


def test_who_was_refused_may_come_in_when_the_holder_has_ended() -> None:
    floor = Floor()
    floor.heard(cbp(1000), 0, 1.0)
    floor.request(opp(1100), 1.1)
    floor.released(cbp(1000), 1.2)
    assert (FloorChange.ENDED, cbp(1000)) in changes(floor, 1.2)
    assert floor.holder is None
    assert floor.request(opp(1200), 1.2) is Verdict.PLAY


def test_asking_twice_for_the_own_spurt_is_granted_twice() -> None:
    floor = Floor()
    assert floor.request(opp(1000), 1.0) is Verdict.PLAY
    assert floor.request(opp(1000), 1.1) is Verdict.PLAY


def test_400_ms_of_silence_lose_the_floor() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.tick(1.0)
    assert floor.tick(1.39) == []
    assert changes(floor, 1.4) == [(FloorChange.SILENT, opp(1000))]
    assert floor.holder is None
    assert floor.next_deadline() is None


def test_a_silent_holder_loses_without_a_tick_too() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    assert floor.request(cbp(1500), 1.4) is Verdict.PLAY


def test_a_spurt_comes_back_after_a_stall_when_nobody_took_the_floor() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.tick(1.4)
    assert floor.heard(opp(1000), 38400, 1.8) is Verdict.PLAY


def test_a_holder_heard_again_too_late_is_told_as_silent_tick_or_no_tick() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.tick(1.0)
    assert floor.heard(opp(1000), 38400, 1.8) is Verdict.PLAY
    assert changes(floor, 1.8) == [
        (FloorChange.SILENT, opp(1000)),
        (FloorChange.TAKEN, opp(1000)),
    ]


def test_a_talk_limit_comes_before_the_usual_time_out_of_a_transmitter() -> None:
    transmit = TransmitSettings()
    slack = transmit.queue_wait_s + transmit.hold_s
    assert FloorSettings().talk_limit_s + slack < transmit.time_out_s


def test_who_could_not_hear_the_holder_takes_over_when_it_goes() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.heard(cbp(1200), 0, 1.3)
    floor.tick(1.3)
    assert changes(floor, 1.4) == [
        (FloorChange.SILENT, opp(1000)),
        (FloorChange.TAKEN, cbp(1200)),
    ]


def test_the_talk_limit_counts_media_time_not_arrival() -> None:
    floor = Floor(FloorSettings(talk_limit_s=30.0))
    limit = 30 * MEDIA_RATE
    floor.heard(opp(1000), limit - FRAME_MEDIA_TIME, 1.0)
    assert floor.heard(opp(1000), limit, 1.02) is Verdict.PLAY
    assert floor.heard(cbp(2000), 0, 1.03) is Verdict.REFUSE_LOWER
    assert floor.heard(opp(1000), limit + FRAME_MEDIA_TIME, 1.04) is Verdict.REFUSE_TALK_LIMIT
    assert floor.holder == cbp(2000)
    assert (FloorChange.TALK_LIMIT, opp(1000)) in changes(floor, 1.04)
    late = floor.heard(opp(1000), limit - 2 * FRAME_MEDIA_TIME, 1.05)
    assert late is Verdict.REFUSE_TALK_LIMIT


def test_the_holder_is_warned_once_before_its_limit() -> None:
    floor = Floor(FloorSettings(talk_limit_s=10.0, warning_s=5.0))
    warned = []
    for frame in range(600):
        now = 1.0 + frame * 0.02
        floor.heard(opp(1000), frame * FRAME_MEDIA_TIME, now)
        warned += [(e.change, frame) for e in floor.tick(now) if e.change is not FloorChange.TAKEN]
    assert warned == [(FloorChange.NEAR_LIMIT, 251), (FloorChange.TALK_LIMIT, 501)]


def test_who_holds_the_floor_late_is_warned_with_its_next_packet() -> None:
    floor = Floor(FloorSettings(talk_limit_s=10.0, warning_s=5.0))
    floor.heard(cbp(500), 0, 1.0)
    floor.heard(opp(1000), 7 * MEDIA_RATE, 1.0)
    floor.released(cbp(500), 1.1)
    assert floor.holder == opp(1000)
    floor.tick(1.1)
    floor.heard(opp(1000), 7 * MEDIA_RATE + FRAME_MEDIA_TIME, 1.12)
    assert changes(floor, 1.12) == [(FloorChange.NEAR_LIMIT, opp(1000))]


URGENT = opp(500, TalkClass.EMERGENCY, 15)


def test_who_may_only_listen_holds_while_nobody_who_may_speak_is_live() -> None:
    floor = Floor(listeners=frozenset({TAC1}))
    assert floor.request(URGENT, 1.0) is Verdict.PLAY
    assert floor.request(cbp(1000), 1.1) is Verdict.PLAY
    assert floor.heard(URGENT, FRAME_MEDIA_TIME, 1.1) is Verdict.REFUSE_LOWER
    assert changes(floor, 1.1) == [
        (FloorChange.TAKEN, URGENT),
        (FloorChange.CUT_OFF, URGENT),
        (FloorChange.TAKEN, cbp(1000)),
    ]
    again = opp(2000, TalkClass.EMERGENCY)
    assert floor.request(again, 1.2) is Verdict.REFUSE_LOWER
    floor.heard(cbp(1000), FRAME_MEDIA_TIME, 1.45)
    floor.released(cbp(1000), 1.6)
    assert floor.request(again, 1.6) is Verdict.PLAY


def test_among_those_who_may_only_listen_rank_decides() -> None:
    floor = Floor(listeners=frozenset({TAC1, BP1}))
    floor.request(opp(1000), 1.0)
    assert floor.request(cbp(2000), 1.1) is Verdict.REFUSE_LOWER
    assert floor.request(cbp(2000, priority=1), 1.1) is Verdict.PLAY


def test_who_is_narrowed_to_listening_loses_the_floor_to_who_may_speak() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.heard(cbp(2000), 0, 1.1)
    floor.restrict(frozenset({TAC1, BP1}), 1.2, listeners=frozenset({TAC1}))
    assert floor.holder == cbp(2000)
    assert changes(floor, 1.2)[1:] == [
        (FloorChange.CUT_OFF, opp(1000)),
        (FloorChange.TAKEN, cbp(2000)),
    ]


def test_an_ended_spurt_stays_ended() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.released(opp(1000), 1.1)
    assert floor.heard(opp(1000), FRAME_MEDIA_TIME, 1.2) is Verdict.REFUSE_ENDED
    assert floor.holder is None


def test_an_end_that_comes_before_its_spurt_counts() -> None:
    floor = Floor()
    floor.released(opp(1000), 1.0)
    assert floor.heard(opp(1000), 0, 1.1) is Verdict.REFUSE_ENDED


def test_the_next_spurt_of_a_sender_replaces_one_whose_end_was_lost() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    assert floor.heard(opp(1300), 0, 1.3) is Verdict.PLAY
    assert changes(floor, 1.3) == [
        (FloorChange.TAKEN, opp(1000)),
        (FloorChange.ENDED, opp(1000)),
        (FloorChange.TAKEN, opp(1300)),
    ]
    assert floor.heard(opp(1000), FRAME_MEDIA_TIME, 1.31) is Verdict.REFUSE_REPLACED


def test_the_rank_of_a_spurt_is_what_its_latest_part_says() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.heard(cbp(1100), 0, 1.0)
    assert floor.heard(cbp(1100, TalkClass.EMERGENCY), 9600, 1.1) is Verdict.PLAY
    assert floor.heard(cbp(1100), FRAME_MEDIA_TIME, 1.12) is Verdict.PLAY, "an older part, late"
    assert floor.holder == cbp(1100, TalkClass.EMERGENCY)
    assert floor.heard(cbp(1100), 19200, 1.14) is Verdict.REFUSE_LOWER


def test_a_talkgroup_that_leaves_the_group_loses_at_once() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.tick(1.0)
    floor.restrict(frozenset({BP1}), 1.1)
    assert changes(floor, 1.1) == [(FloorChange.WITHDRAWN, opp(1000))]
    assert floor.holder is None


def test_what_was_not_heard_for_long_is_forgotten() -> None:
    floor = Floor()
    floor.heard(opp(1000), 0, 1.0)
    floor.released(opp(1000), 1.1)
    floor.tick(1.0 + FORGET_S)
    assert floor.heard(opp(1000), 0, 7.0) is Verdict.PLAY


@pytest.mark.parametrize(
    ("claim", "member", "expected"),
    [
        (opp(1), Member(talkgroup=TAC1), opp(1)),
        (opp(1, priority=9), Member(talkgroup=TAC1, max_priority=3), opp(1, priority=3)),
        (
            opp(1, TalkClass.EMERGENCY, 2),
            Member(talkgroup=TAC1, max_priority=2),
            opp(1, TalkClass.NORMAL, 2),
        ),
        (
            opp(1, TalkClass.EMERGENCY),
            Member(talkgroup=TAC1, max_class=TalkClass.EMERGENCY),
            opp(1, TalkClass.IMMINENT_PERIL),
        ),
    ],
)
def test_clamp(claim: Claim, member: Member, expected: Claim) -> None:
    assert clamp(claim, member) == expected


def test_clamp_lets_an_emergency_pass_with_an_open_alarm() -> None:
    claim = opp(1, TalkClass.EMERGENCY)
    member = Member(talkgroup=TAC1, max_class=TalkClass.EMERGENCY)
    assert clamp(claim, member, alarm_open=True) is claim
