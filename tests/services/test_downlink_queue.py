"""Spurts that follow each other on one transmitter."""

import pytest

from radiobridge.core.transmit import AbortReason, TransmitState
from radiobridge.model.interface import KeyAnswer
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.downlink import WAITING_SPURTS
from tests.services.down_bench import DownBench, plain
from tests.services.voices import CLAIM, claim, spurt

S = TransmitState


def later(number: int) -> Claim:
    return claim(start_ms=1000 * number)


def test_a_spurt_that_follows_while_the_one_before_drains_needs_no_new_key() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20))
    bench.hear(spurt(20, of=later(1)))
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.down.counters["played"] == 40
    starts = [frame.at for frame in bench.audio.played]
    assert starts == sorted(starts)


def test_spurts_that_came_during_the_grant_are_played_one_after_the_other() -> None:
    bench = DownBench(plain(), grants=False)
    for number in range(3):
        bench.hear(spurt(5, of=later(number)))
    assert bench.line.changes() == ["key"]
    bench.grant()
    bench.wait(3.0)
    assert bench.down.counters["played"] == 15
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.failed == []


def test_only_so_many_spurts_wait_and_the_oldest_goes() -> None:
    bench = DownBench(plain(), grants=False)
    for number in range(WAITING_SPURTS + 3):
        bench.hear(spurt(3, of=later(number)))
    assert bench.down.counters["waiting_dropped"] == 2
    waiting = [one.start_ms for one in bench.down.claims()]
    assert waiting == [later(n).start_ms for n in (0, 3, 4, 5, 6)]
    bench.grant()
    bench.wait(5.0)
    assert bench.down.counters["played"] == 15
    assert bench.down.claims() == []


def test_buffers_come_back_whatever_becomes_of_their_spurts() -> None:
    bench = DownBench(plain())
    for number in range(100):
        bench.hear(spurt(3, of=later(number)))
        if number % 3 == 0:
            bench.down.cut(later(number), AbortReason.WITHDRAWN, bench.now)
        if number % 7 == 0:
            bench.down.stop(bench.now)
        bench.wait(0.3)
    assert bench.down.counters["waiting_dropped"] == 0
    assert bench.down.claims() == []


def test_losing_the_floor_to_a_waiting_spurt_keeps_the_key() -> None:
    bench = DownBench(plain())
    urgent = claim(start_ms=300, talk_class=TalkClass.IMMINENT_PERIL)
    bench.hear(spurt(20, end=False))
    packets = spurt(20, of=urgent)
    bench.down.play(urgent, packets[0], bench.now)
    bench.down.cut(CLAIM, AbortReason.FLOOR_LOST, bench.now)
    bench.hear(packets[1:])
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.down.counters["played"] >= 35
    assert bench.failed == []


def test_losing_the_floor_before_the_grant_gives_it_to_the_waiting_spurt() -> None:
    bench = DownBench(plain(), grants=False)
    urgent = claim(start_ms=300, talk_class=TalkClass.IMMINENT_PERIL)
    bench.hear(spurt(5, end=False))
    packets = spurt(20, of=urgent)
    bench.down.play(urgent, packets[0], bench.now)
    bench.down.cut(CLAIM, AbortReason.FLOOR_LOST, bench.now)
    bench.hear(packets[1:5])
    bench.grant()
    bench.hear(packets[5:])
    bench.wait(2.0)
    assert bench.line.changes()[:2] == ["key", "unkey"]
    assert bench.down.counters["played"] == 20


def test_losing_the_floor_to_nobody_here_unkeys_at_once() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20, end=False))
    bench.down.cut(CLAIM, AbortReason.FLOOR_LOST, bench.now)
    assert bench.line.times("unkey") == [bench.now]


def test_a_withdrawn_spurt_unkeys_even_with_another_waiting() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20, end=False))
    packets = spurt(20, of=later(1))
    bench.down.play(later(1), packets[0], bench.now)
    bench.down.cut(CLAIM, AbortReason.WITHDRAWN, bench.now)
    assert bench.line.times("unkey") == [bench.now]
    bench.hear(packets[1:])
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"] * 2


def test_a_withdrawn_spurt_is_not_followed_by_its_tail() -> None:
    bench = DownBench(plain(tail_s=1.0))
    bench.hear(spurt(20))
    bench.wait(0.5)
    assert bench.state is S.TAIL
    assert bench.down.claims() == [CLAIM]
    bench.down.cut(later(1), AbortReason.WITHDRAWN, bench.now)
    bench.down.cut(CLAIM, AbortReason.FLOOR_LOST, bench.now)
    assert bench.line.changes() == ["key"]
    bench.down.cut(CLAIM, AbortReason.WITHDRAWN, bench.now)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.down.claims() == []


def test_a_spurt_whose_end_was_lost_does_not_hold_up_the_next_one() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20, end=False))
    next_at = bench.now
    bench.hear(spurt(20, of=later(1)))
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.down.counters["played"] == 40
    # Three frames made up, then the next one: not the whole of a gap.
    assert bench.spoken()[-1].at < next_at + 0.4 + 0.1


def test_a_waiting_spurt_is_played_though_nothing_follows_it() -> None:
    bench = DownBench(plain(), grants=False)
    bench.hear(spurt(5, end=False))
    bench.hear(spurt(5, of=later(1)))
    bench.grant()
    bench.wait(3.0)
    assert bench.down.claims() == []
    assert bench.down.counters["played"] == 10


def test_a_waiting_spurt_that_is_cut_is_not_played() -> None:
    bench = DownBench(plain(), grants=False)
    bench.hear(spurt(5))
    bench.hear(spurt(5, of=later(1)))
    bench.down.cut(later(1), AbortReason.WITHDRAWN, bench.now)
    bench.grant()
    bench.wait(2.0)
    assert bench.down.counters["played"] == 5


def test_after_a_denial_the_waiting_spurt_is_tried() -> None:
    bench = DownBench(plain(), grants=False)
    bench.hear(spurt(5))
    bench.hear(spurt(5, of=later(1)))
    bench.grant(KeyAnswer.DENIED)
    assert [one.start_ms for one in bench.down.claims()] == [later(1).start_ms]
    assert bench.reasons() == ["denied"]
    bench.wait(0.6)
    assert bench.line.changes() == ["key", "unkey", "key"]


def test_an_inhibit_tells_of_each_waiting_spurt() -> None:
    bench = DownBench(plain(), grants=False)
    for number in range(3):
        bench.hear(spurt(3, of=later(number)))
    bench.down.inhibit(bench.now)
    assert bench.reasons() == ["inhibited"] * 3
    assert bench.down.claims() == []
    assert bench.line.changes() == ["key", "unkey"]


def test_the_same_spurt_under_a_clamped_claim_is_one_spurt() -> None:
    bench = DownBench(plain())
    for packet in spurt(20):
        as_seen = claim(priority=packet.ctr % 2)
        bench.down.play(as_seen, packet, bench.now)
        bench.wait(0.02)
    bench.wait(1.0)
    assert bench.down.counters["played"] == 20
    assert bench.line.changes() == ["key", "unkey"]


@pytest.mark.parametrize("late_s", [0.0, 0.02, 0.06])
def test_a_late_timer_does_not_end_a_transmission(late_s: float) -> None:
    bench = DownBench(plain())
    packets = spurt(50)
    for packet in packets:
        bench.down.play(packet.claim, packet, bench.now)
        bench.now += late_s
        bench.wait(0.02)
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.failed == []
