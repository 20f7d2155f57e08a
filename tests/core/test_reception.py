from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.reception import LossReason, ReceptionSettings
from radiobridge.model.voice import TalkClass
from tests.core.voice_world import (
    CLAIM,
    EPOCH,
    FORGER,
    KEYS,
    SIGNER,
    T0,
    Listener,
    claim_at,
    opus,
    spurt,
    writer,
)


def test_a_whole_spurt_arrives_whole() -> None:
    listener = Listener()
    heard = listener.hear_all(spurt(57))
    assert [packet.opus for packet in heard] == [opus(i) for i in range(57)]
    assert [packet.ctr for packet in heard] == list(range(57))
    assert [packet.media_time for packet in heard] == [960 * i for i in range(57)]
    assert [packet.end for packet in heard] == [False] * 56 + [True]
    assert all(packet.proven and packet.claim == CLAIM for packet in heard)
    listener.wait(100)
    assert listener.losses == []


def test_all_packets_of_a_kid_share_one_claim_object() -> None:
    heard = Listener().hear_all(spurt(12))
    assert all(packet.claim is heard[0].claim for packet in heard)


def test_copies_from_a_second_broker_and_the_three_ends_count_once() -> None:
    listener = Listener()
    packets = spurt(15)
    doubled = [copy for packet in packets for copy in (packet, packet)]
    heard = listener.hear_all([*doubled, packets[-1], packets[-1]])
    assert [packet.ctr for packet in heard] == list(range(15))
    assert listener.count("replay") == 17
    assert listener.count("accepted") == 15


@pytest.mark.parametrize("missed", range(1, 31))
def test_late_entry_begins_with_the_first_proof_seen(missed: int) -> None:
    listener = Listener(now=100 + 0.02 * missed)
    heard = listener.hear_all(spurt(60)[missed:])
    first = -(-missed // 10) * 10
    assert [packet.ctr for packet in heard] == list(range(first, 60))
    assert listener.count("unproven") == first - missed


def test_before_a_proof_nothing_is_kept() -> None:
    listener = Listener()
    listener.hear_all(spurt(60)[1:10])
    assert listener.reception._spurts == {}
    assert listener.reception.next_deadline() is None


def test_one_lost_proof_costs_nothing_but_itself() -> None:
    listener = Listener()
    packets = spurt(100)
    del packets[50]
    heard = listener.hear_all(packets)
    assert [packet.ctr for packet in heard] == [i for i in range(100) if i != 50]
    assert listener.losses == []


def test_after_a_stall_of_800_ms_everything_kept_is_taken() -> None:
    listener = Listener()
    packets = spurt(100)
    heard = listener.hear_all(packets[:56])
    listener.wait(0.8)
    heard += [p for p in map(listener.hear, packets[56:96]) if p]
    heard += listener.hear_all(packets[96:])
    assert [packet.ctr for packet in heard] == list(range(100))
    assert listener.losses == []


@pytest.mark.parametrize("lost", [15, 25, 40, 60])
def test_after_a_burst_of_loss_the_spurt_goes_on_with_the_next_proof(lost: int) -> None:
    listener = Listener()
    packets = spurt(200)
    heard = listener.hear_all(packets[:56])
    listener.wait(lost * 0.02)
    heard += listener.hear_all(packets[56 + lost :])
    missing = sorted(set(range(200)) - {packet.ctr for packet in heard})
    assert missing[:lost] == list(range(56, 56 + lost))
    assert len(missing) - lost <= 9
    assert [loss for loss in listener.losses if loss.alarm] == []


def test_a_packet_older_than_two_or_newer_than_one_second_does_not_count() -> None:
    packets = spurt(5)
    for now, reason in ((102.0, None), (102.001, "stale"), (99.0, None), (98.999, "future")):
        listener = Listener(now=now)
        packet = listener.hear(packets[0])
        assert (packet is None) == (reason is not None)
        assert reason is None or listener.count(reason) == 1


def test_media_time_counts_for_freshness() -> None:
    listener = Listener(now=100 + 60)
    source = writer()
    source.packet(opus(0), 0)
    late = source.packet(opus(1), 57 * 48_000, prove=True)
    fresh = source.packet(opus(2), 59 * 48_000, prove=True)
    assert listener.hear(late) is None
    assert listener.hear(fresh) is not None
    assert listener.count("stale") == 1


def test_without_the_epochs_key_nothing_is_heard_and_a_withdrawn_key_ends_it_at_once() -> None:
    listener = Listener(keys={})
    packets = spurt(60)
    assert listener.hear_all(packets[:20]) == []
    assert listener.count("unknown-epoch") == 20
    listener.keys = {EPOCH: KEYS[EPOCH]}
    assert [p.ctr for p in listener.hear_all(packets[20:40])] == list(range(20, 40))
    listener.keys = {}
    assert listener.hear_all(packets[40:]) == []


def test_a_live_spurt_goes_on_under_a_new_epoch() -> None:
    listener = Listener()
    old = writer()
    new = writer(epoch=EPOCH + 1, kid_random=2)
    packets = [old.packet(opus(i), 960 * i, prove=i == 16) for i in range(17)]
    packets += [new.packet(opus(i), 960 * i, end=i == 39) for i in range(17, 40)]
    heard = listener.hear_all(packets)
    assert [packet.opus for packet in heard] == [opus(i) for i in range(40)]
    assert [packet.ctr for packet in heard] == [*range(17), *range(23)]
    assert all(packet.claim is heard[0].claim for packet in heard)
    assert listener.count("unproven-tail") == 0
    listener.wait(10)
    assert listener.losses == []


def test_a_tail_left_unproven_by_a_change_of_key_is_counted() -> None:
    listener = Listener()
    packets = spurt(40)[:15] + spurt(20, epoch=EPOCH + 1, kid_random=2, first=15)
    assert len(listener.hear_all(packets)) == 35
    assert listener.count("unproven-tail") == 4
    assert listener.losses == []


def test_late_packets_of_the_old_kid_neither_end_nor_replace_the_new_one() -> None:
    listener = Listener()
    old, new = spurt(60)[:21], spurt(40, epoch=EPOCH + 1, kid_random=2, first=21)
    heard = listener.hear_all([*old[:18], *new[:5], old[18], old[20], old[19], *new[5:]])
    assert [p.opus for p in heard if p.kid >> 48 == EPOCH + 1] == [opus(i) for i in range(21, 61)]
    assert listener.count("ended") == 3
    assert listener.losses == []


def test_an_old_kid_first_seen_after_the_new_one_is_over_already() -> None:
    listener = Listener(now=100.4)
    old, new = spurt(60)[:21], spurt(40, epoch=EPOCH + 1, kid_random=2, first=21)
    assert listener.hear(new[0]) is not None
    assert listener.hear(old[20]) is not None
    assert listener.reception.live == (CLAIM,)
    assert len(listener.hear_all(new[1:])) == 39


def test_packets_overtaken_by_the_end_still_count() -> None:
    listener = Listener()
    packets = spurt(30)
    heard = listener.hear_all([*packets[:27], packets[29], packets[28], packets[27]])
    assert [packet.ctr for packet in heard] == [*range(27), 29, 28, 27]


def test_a_sender_that_falls_silent_is_reported_lost_once_and_may_come_back() -> None:
    listener = Listener()
    packets = spurt(400)
    listener.hear_all(packets[:51])
    listener.wait(1.9)
    assert listener.losses == []
    listener.wait(0.2)
    listener.wait(0.2)
    (loss,) = listener.losses
    assert (loss.claim, loss.reason, loss.alarm) == (CLAIM, LossReason.LOST, False)
    assert listener.reception.live == ()
    resumed = round((listener.now - 100) / 0.02)
    heard = listener.hear_all(packets[resumed:])
    assert heard[0].ctr % 10 == 0
    assert heard[-1].end
    assert len(listener.losses) == 1


def test_a_lost_spurt_comes_back_with_a_proof_only_and_when_there_is_a_place() -> None:
    listener = Listener(settings=ReceptionSettings(lost_s=0.1, live_kids=1))
    packets = spurt(60)
    listener.hear_all(packets[:5])
    listener.wait(0.2)
    assert [loss.reason for loss in listener.losses] == [LossReason.LOST]
    assert listener.hear(packets[7]) is None
    other = spurt(30, claim=claim_at(T0 + 1), kid_random=2)
    assert listener.hear(other[0]) is not None
    assert listener.hear(packets[10]) is None
    assert listener.count("too-many-kids") == 1
    assert listener.hear(other[29]) is not None
    assert listener.hear(packets[10]) is not None
    assert listener.hear(packets[11]) is not None
    assert listener.reception.live == (CLAIM,)


def test_packets_beyond_credit_show_that_the_sender_is_still_there() -> None:
    listener = Listener(settings=ReceptionSettings(lost_s=0.3))
    packets = spurt(100)
    listener.hear_all(packets[:51])
    listener.wait(0.2)
    assert listener.hear(packets[71]) is None
    listener.wait(0.2)
    assert listener.losses == []


def test_bursts_of_loss_do_not_add_up() -> None:
    listener = Listener()
    packets = [p if i % 60 < 31 or i % 60 > 55 else None for i, p in enumerate(spurt(391))]
    heard = listener.hear_all(packets)
    assert listener.count("unproven") == 6 * 4
    assert heard[-1].end
    assert listener.losses == []


def test_a_proof_always_overtaken_by_the_next_packet_is_in_time() -> None:
    listener = Listener()
    packets = spurt(301)
    for i in range(20, 300, 10):
        packets[i], packets[i + 1] = packets[i + 1], packets[i]
    assert len(listener.hear_all(packets)) == 301
    assert listener.losses == []


def test_the_deadline_says_when_a_spurt_is_lost_and_forgotten() -> None:
    listener = Listener()
    listener.hear(spurt(5)[0])
    lost_at = listener.reception.next_deadline()
    assert lost_at == pytest.approx(102.0)
    listener.wait(2.0)
    assert [loss.reason for loss in listener.losses] == [LossReason.LOST]
    assert listener.reception.next_deadline() == pytest.approx(160.0)
    listener.wait(58.0)
    assert listener.reception.next_deadline() is None
    assert listener.reception._spurts == {}


def test_four_live_kids_and_no_more_until_one_is_over() -> None:
    listener = Listener()
    talks = [spurt(5, claim=claim_at(T0 + i), kid_random=i) for i in range(6)]
    assert [listener.hear(talk[0]) is not None for talk in talks] == [True] * 4 + [False] * 2
    assert listener.count("too-many-kids") == 2
    assert listener.hear(talks[0][4]) is not None
    assert listener.hear(talks[4][0]) is not None
    assert listener.hear(talks[5][0]) is None


def test_a_new_key_for_a_live_spurt_needs_no_free_place() -> None:
    listener = Listener()
    for i in range(4):
        listener.hear(spurt(5, claim=claim_at(T0 + i), kid_random=i)[0])
    again = spurt(5, claim=claim_at(T0 + 2), kid_random=9, epoch=EPOCH + 1, first=1)
    assert listener.hear(again[0]) is not None
    assert len(listener.reception.live) == 4


def test_lost_kids_give_their_place_without_a_tick() -> None:
    listener = Listener()
    for i in range(4):
        listener.hear(spurt(5, claim=claim_at(T0 + i), kid_random=i)[0])
    late = spurt(5, claim=claim_at(T0 + 3000), kid_random=9)[0]
    signer = SIGNER.public_key()
    assert listener.reception.receive(late, T0 + 3000, 103.0, KEYS.get, signer, "b0") is not None
    assert len(listener.reception.tick(103.0)) == 4


def test_ten_new_kids_a_second() -> None:
    listener = Listener(settings=ReceptionSettings(live_kids=1000))
    talks = [spurt(1, claim=claim_at(T0 + i), kid_random=i)[0] for i in range(30)]
    assert sum(listener.hear(talk) is not None for talk in talks[:15]) == 10
    assert listener.count("kid-rate") == 5
    listener.wait(0.5)
    assert sum(listener.hear(talk) is not None for talk in talks[15:]) == 5


def test_class_and_priority_come_from_the_proven_header() -> None:
    claim = replace(CLAIM, talk_class=TalkClass.EMERGENCY, priority=15)
    (packet,) = Listener().hear_all(spurt(1, claim=claim))
    assert packet.claim == claim


def test_the_proof_is_checked_with_the_key_that_the_roster_has_now() -> None:
    listener = Listener()
    first = spurt(2)[0]
    other = FORGER.public_key()
    assert listener.reception.receive(first, T0, 100.0, KEYS.get, other, "b0") is None
    assert listener.count("bad-proof") == 1
    assert listener.hear(first) is not None


@given(
    st.lists(st.integers(0, 59), max_size=120),
    st.sets(st.integers(0, 59)),
    st.randoms(use_true_random=False),
)
def test_any_loss_order_and_repetition(again: list[int], lost: set[int], random: Random) -> None:
    """Whatever the network does, no packet counts twice and nobody is accused of forgery."""
    packets = spurt(60)
    sent = [i for i in [*range(60), *again] if i not in lost]
    random.shuffle(sent)
    listener = Listener(now=100.5)
    heard = [p for p in (listener.hear(packets[i]) for i in sent) if p]
    assert len({packet.ctr for packet in heard}) == len(heard)
    assert {packet.ctr for packet in heard} <= set(sent)
    assert all(packet.opus == opus(packet.ctr) for packet in heard)
    assert all(loss.reason is not LossReason.FORGED for loss in listener.losses)


@given(st.sets(st.integers(0, 199), max_size=10), st.data())
def test_ten_losses_and_two_brokers_out_of_step_lose_nothing_more(
    lost: set[int], data: st.DataObject
) -> None:
    """A second broker that lags by 0 to 5 packets fills what the first one lost, after a proof."""
    lag = data.draw(st.integers(0, 5))
    packets = spurt(200)
    listener = Listener()
    heard: set[int] = set()
    for i in range(200 + lag):
        copies = [i] if i < 200 and i not in lost else []
        copies += [i - lag] if i >= lag else []
        heard |= {p.ctr for p in map(listener.hear, (packets[c] for c in copies)) if p}
        listener.wait(0.02)
    assert heard >= set(range(lag, 200))
    assert listener.losses == []


def test_the_first_packet_counts_although_the_next_proof_has_overtaken_it() -> None:
    """The fast broker lost the first packet and the slow one brings it after the tenth."""
    packets = spurt(30)
    listener = Listener()
    assert len(listener.hear_all(packets[1:11])) == 1
    late = [listener.hear(packet) for packet in packets[:10]]
    assert [p.ctr for p in late if p] == list(range(10))
    assert len(listener.hear_all(packets[11:])) == 19


def test_a_proof_too_late_to_be_played_still_proves() -> None:
    """A delay that crosses two seconds now and then: what counted was proven after all."""
    listener = Listener(now=101.97)
    packets = spurt(2000)
    heard = []
    for n in range(2000):
        late = 0.02 if n and n % 10 == 0 else 0.0
        listener.wait(0.02)
        listener.now += late
        heard.append(listener.hear(packets[n]))
        listener.now -= late
    assert sum(p is not None for p in heard) == 1 + 1800
    assert listener.count("stale") == 199
    assert listener.losses == []


def test_a_late_proof_neither_plays_nor_revives_nor_ends() -> None:
    listener = Listener()
    packets = spurt(31)
    listener.hear_all(packets[:15])
    listener.wait(3.0)
    assert [loss.reason for loss in listener.losses] == [LossReason.LOST]
    assert listener.hear(packets[20]) is None
    assert listener.hear(packets[30]) is None
    assert listener.reception.live == ()
    assert listener.count("stale") == 2


@given(st.lists(st.tuples(st.integers(1, 299), st.integers(1, 60)), max_size=3), st.integers(0, 40))
def test_what_a_fast_broker_loses_a_slow_one_brings(
    outages: list[tuple[int, int]], lag: int
) -> None:
    """The slow one brings everything, up to 800 ms later; the fast one has its outages."""
    packets = spurt(300)
    lost = {n for first, length in outages for n in range(first, first + length)}
    listener = Listener()
    heard: set[int] = set()
    for i in range(300 + lag):
        copies = [i] if i < 300 and i not in lost else []
        copies += [i - lag] if i >= lag else []
        heard |= {p.ctr for p in map(listener.hear, (packets[c] for c in copies)) if p}
        listener.wait(0.02)
    assert heard == set(range(300))
    assert listener.losses == []


def test_no_key_in_any_repr() -> None:
    listener = Listener()
    listener.hear_all(spurt(12)[:11])
    shown = [listener.reception, *listener.reception._spurts.values()]
    assert not any(repr(KEYS[EPOCH]) in repr(one) for one in shown)
