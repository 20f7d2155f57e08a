"""What others may try: who only hears the wire, who holds the key, who runs a broker.

A listener holds the sender's voice key, so it can make packets that decrypt. It cannot sign. A
broker can keep back, repeat, delay and reorder what it carries.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.bucket import MAX_LINKS
from radiobridge.core.reception import LossReason, ReceptionSettings, TopicReception
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import TalkClass
from radiobridge.wire.voice import parse_voice
from tests.core.voice_world import (
    CLAIM,
    EPOCH,
    FORGER,
    KEYS,
    SIGNER,
    T0,
    TAC1,
    WINDSOR,
    Listener,
    claim_at,
    forge,
    opus,
    spurt,
    writer,
)

PACKETS = spurt(60)
DROPPING = (LossReason.FORGED, LossReason.UNPROVEN)


def after(count: int) -> Listener:
    """A listener that has heard this many packets of the spurt."""
    listener = Listener()
    assert len(listener.hear_all(PACKETS[:count])) == count
    return listener


def reasons(listener: Listener) -> list[LossReason]:
    return [loss.reason for loss in listener.losses]


# Who has no key


@given(st.binary(max_size=2100))
def test_garbage_is_counted_and_never_raises(data: bytes) -> None:
    listener = after(1)
    for payload in (data, PACKETS[1][:12] + data, PACKETS[10][:21] + data):
        assert listener.hear(payload) is None
    assert listener.losses == []
    assert sum(listener.reception.counters.values()) == 4


@given(st.integers(0, 59), st.data())
def test_a_changed_packet_never_passes_and_uses_nothing_up(ctr: int, data: st.DataObject) -> None:
    listener = after(ctr)
    packet = PACKETS[ctr]
    broken = bytearray(packet)
    broken[data.draw(st.integers(0, len(packet) - 1))] ^= data.draw(st.integers(1, 255))
    assert listener.hear(bytes(broken)) is None
    heard = listener.hear(packet)
    assert heard is not None
    assert heard.opus == opus(ctr)


def test_garbage_costs_no_key_derivation_before_the_cheap_checks() -> None:
    asked: list[int] = []

    def keys(epoch: int) -> bytes | None:
        asked.append(epoch)
        return None

    reception = TopicReception(WINDSOR, TAC1)
    for payload in (b"", b"\x10", bytes(3000), b"\x20" + PACKETS[0][1:], PACKETS[0][:12]):
        assert reception.receive(payload, T0, 1.0, keys, SIGNER.public_key(), "b0") is None
    assert reception.receive(PACKETS[0], T0 + 9000, 1.0, keys, SIGNER.public_key(), "b0") is None
    assert asked == []
    assert reception.receive(PACKETS[0], T0, 1.0, keys, SIGNER.public_key(), "b0") is None
    assert asked == [EPOCH]


def test_garbage_under_new_kids_makes_none_live_and_is_limited_to_ten_a_second() -> None:
    listener = Listener()
    for i in range(50):
        garbage = bytearray(spurt(1, kid_random=1000 + i)[0])
        garbage[25] ^= 1
        assert listener.hear(bytes(garbage)) is None
    assert listener.count("bad-tag") == 10
    assert listener.count("kid-rate") == 40
    assert listener.reception._spurts == {}
    listener.wait(0.2)
    assert listener.hear(PACKETS[0]) is not None


def garbage(kid_random: int) -> bytes:
    """What looks like the first packet of a new spurt, to whoever has not tried to decrypt it."""
    packet = bytearray(spurt(1, kid_random=kid_random)[0])
    packet[25] ^= 1
    return bytes(packet)


def test_one_links_garbage_keeps_no_new_spurt_from_starting_by_another() -> None:
    listener = Listener()
    for i in range(50):
        assert listener.hear(garbage(1000 + i), "hostile") is None
    assert listener.hear(PACKETS[0], "hostile") is None
    assert listener.count("kid-rate") == 41
    assert listener.hear(PACKETS[0], "honest") is not None
    assert listener.hear(PACKETS[1], "hostile") is not None


def test_one_links_bad_proofs_keep_no_proof_of_another_from_counting() -> None:
    """Without any key: a proof that was overtaken is verified before it is decrypted."""
    listener = Listener()
    for packet in (*PACKETS[:9], PACKETS[30]):
        listener.hear(packet)
    broken = bytearray(PACKETS[10])
    broken[-2] ^= 1
    for _ in range(50):
        assert listener.hear(bytes(broken), "hostile") is None
    assert listener.count("bad-proof") == 20
    assert listener.hear(PACKETS[40], "hostile") is None
    assert listener.count("proof-rate") == 31
    assert listener.hear(PACKETS[40], "honest") is not None
    assert listener.losses == []


def test_what_all_links_together_may_cost_is_bounded() -> None:
    listener = Listener()
    for i in range(400):
        listener.hear(garbage(1000 + i), f"b{i % 40}")
    assert listener.count("bad-tag") == 10 * (MAX_LINKS + 1)
    assert len(listener.reception._new_kids._buckets) == MAX_LINKS + 1


# Replays


def test_no_packet_counts_twice_while_the_spurt_lives_or_after_its_end() -> None:
    listener = after(60)
    for packet in PACKETS:
        assert listener.hear(packet) is None
    assert listener.count("replay") == 60


def test_an_old_spurt_is_stale_for_whoever_missed_it() -> None:
    listener = Listener(now=100 + 1.2 + 2.1)
    assert listener.hear_all(PACKETS) == []
    assert listener.count("stale") == 60


def test_a_replay_within_two_seconds_is_refused_although_bridge_time_would_allow_it() -> None:
    listener = after(60)
    listener.wait(0.5)
    for packet in PACKETS:
        listener.hear(packet)
    assert listener.count("accepted") == 60
    assert listener.count("stale") < 60


def test_nothing_passes_on_another_topic() -> None:
    for sender, talkgroup in (
        ("ca.opp/sarnia", "ca.opp/TAC1"),
        ("ca.opp/windsor", "ca.opp/TAC2"),
        ("us.cbp/windsor", "us.cbp/TAC1"),
    ):
        reception = TopicReception(parse_gateway(sender), parse_talkgroup(talkgroup))
        for packet in PACKETS:
            reception.receive(packet, T0, 1.0, KEYS.get, SIGNER.public_key(), "b0")
        assert reception.counters["accepted"] == 0
        assert reception._spurts == {}


def test_nothing_passes_under_another_epoch_start_or_kid() -> None:
    same_key = dict.fromkeys(KEYS, KEYS[EPOCH])
    packet = PACKETS[0]
    kid_at = 13
    for place, value in ((kid_at, 8), (kid_at + 6, packet[kid_at + 6] ^ 1), (7, packet[7] ^ 1)):
        listener = Listener(keys=same_key)
        moved = bytearray(packet)
        moved[place] = value
        assert listener.hear(bytes(moved)) is None
        assert listener.count("bad-tag") == 1


def test_a_signature_of_another_kid_or_ctr_proves_nothing() -> None:
    listener = Listener()
    other = parse_voice(spurt(5, kid_random=2)[0])
    stolen = PACKETS[0][:-73] + parse_voice(PACKETS[0]).digest + other.signature + b"\x01"
    assert listener.hear(stolen) is None
    assert listener.count("bad-proof") == 1
    assert listener.hear(PACKETS[0]) is not None


# Who holds the key: forged spurts


@pytest.mark.parametrize("proof", [False, True])
@pytest.mark.parametrize("end", [False, True])
def test_a_forged_spurt_never_begins(proof: bool, end: bool) -> None:
    listener = Listener()
    for i in range(30):
        listener.hear(forge(i, kid=EPOCH << 48 | 99, proof=proof or end, end=end))
        listener.wait(0.02)
    assert listener.count("accepted") == 0
    assert listener.reception._spurts == {}
    assert listener.losses == []


def test_forged_kids_take_no_place_from_a_real_one() -> None:
    listener = Listener()
    for i in range(9):
        forged = forge(0, kid=EPOCH << 48 | 100 + i, claim=claim_at(T0 + i), proof=True)
        assert listener.hear(forged) is None
    assert listener.count("bad-proof") == 9
    assert listener.hear(PACKETS[0]) is not None


def test_a_real_proof_behind_a_forged_packet_proves_nothing() -> None:
    listener = Listener()
    forged = forge(0)
    proof = PACKETS[0][-73:]
    flagged = forge(0, proof=True)
    assert listener.hear(forged + proof) is None
    assert listener.hear(flagged[:-73] + proof) is None
    assert listener.hear(PACKETS[0]) is not None


def test_bad_proofs_are_verified_only_twenty_times_a_second() -> None:
    listener = after(5)
    for _ in range(100):
        listener.hear(forge(5, proof=True))
    assert listener.count("bad-proof") == 20
    assert listener.count("proof-rate") == 80
    listener.wait(0.1)
    assert [p.ctr for p in listener.hear_all(PACKETS[5:])] == list(range(5, 60))


def test_a_proof_that_does_not_name_its_own_packet_costs_no_verification() -> None:
    listener = after(5)
    forged = forge(5, proof=True)
    assert listener.hear(forged[:-73] + bytes(8) + forged[-65:]) is None
    assert listener.count("bad-proof") == 1
    assert listener.reception._bad_proofs.of("b0")._left == 20


# Who holds the key: packets slipped into a real spurt


def test_a_forged_packet_ahead_of_the_real_one_ends_the_spurt_with_the_next_proof() -> None:
    listener = after(53)
    assert listener.hear(forge(53)) is not None
    heard = listener.hear_all(PACKETS[53:])
    assert [p.ctr for p in heard] == list(range(54, 59))
    assert reasons(listener) == [LossReason.FORGED]
    assert listener.losses[0].alarm
    assert listener.losses[0].claim == CLAIM


def test_nothing_of_a_dropped_spurt_counts_any_more() -> None:
    listener = after(3)
    packets = spurt(200)
    listener.hear(forge(5))
    listener.hear_all(packets[3:11])
    assert reasons(listener) == [LossReason.FORGED]
    assert listener.hear_all(packets[11:]) == []
    assert reasons(listener) == [LossReason.FORGED]
    assert listener.reception.live == ()


def test_a_forged_packet_in_the_place_of_the_proof_is_found_by_that_proof() -> None:
    listener = after(20)
    assert listener.hear(forge(20)) is not None
    assert listener.hear(PACKETS[20]) is None
    assert reasons(listener) == [LossReason.FORGED]


def test_a_forged_packet_in_the_place_of_the_end_is_found_by_the_end() -> None:
    listener = after(59)
    assert listener.hear(forge(59)) is not None
    assert [listener.hear(PACKETS[59]) for _ in range(3)] == [None] * 3
    assert reasons(listener) == [LossReason.FORGED]


def test_forged_packets_after_the_end_are_found_by_the_end_or_refused() -> None:
    listener = after(59)
    assert listener.hear(forge(60)) is not None
    assert listener.hear(PACKETS[59]) is None
    assert reasons(listener) == [LossReason.FORGED]
    listener = after(60)
    assert listener.hear(forge(60)) is None
    assert listener.hear(forge(60, proof=True)) is None
    assert listener.count("ended") == 2
    assert listener.losses == []


def test_a_forged_packet_in_a_gap_that_a_proof_has_named_is_refused_without_harm() -> None:
    listener = Listener()
    listener.hear_all([*PACKETS[:15], *PACKETS[16:21]])
    assert listener.hear(forge(15)) is None
    assert listener.count("contradicted") == 1
    heard = listener.hear(PACKETS[15])
    assert heard is not None
    assert heard.opus == opus(15)
    assert listener.losses == []


def test_a_packet_before_all_that_proofs_named_is_refused() -> None:
    listener = Listener(now=100.6)
    assert listener.hear(PACKETS[30]) is not None
    assert listener.hear(forge(5)) is None
    assert listener.hear(PACKETS[5]) is None
    assert listener.count("unproven") == 2
    assert listener.hear(PACKETS[15]) is not None


@pytest.mark.parametrize(
    "changed",
    [
        replace(CLAIM, talk_class=TalkClass.EMERGENCY),
        replace(CLAIM, priority=15),
        replace(CLAIM, start_ms=T0 - 1),
    ],
)
def test_the_claim_of_a_kid_cannot_be_changed(changed: object) -> None:
    listener = after(5)
    assert listener.hear(forge(5, claim=changed)) is None
    assert listener.count("bad-claim") == 1
    assert listener.hear(PACKETS[5]) is not None


def test_media_time_cannot_be_turned_back() -> None:
    listener = after(5)
    assert listener.hear(forge(5, media_time=0)) is None
    assert listener.count("bad-media-time") == 1


# Ends


def test_a_forged_end_ends_nothing() -> None:
    listener = after(30)
    real = parse_voice(PACKETS[20])
    for proof in (False, True):
        forged = bytearray(forge(30, end=True, proof=True))
        if not proof:
            forged[0] &= ~0x02
        assert listener.hear(bytes(forged)) is None
    assert listener.hear(forge(30, end=True, proof=True, before=real.hashes[8:])) is None
    flipped = bytearray(PACKETS[30])
    flipped[0] |= 0x01
    assert listener.hear(bytes(flipped)) is None
    assert len(listener.hear_all(PACKETS[30:])) == 30
    assert listener.losses == []


# Who keeps proofs back


def without_proofs(count: int) -> list[bytes | None]:
    """A long spurt whose proofs somebody keeps back after the first one."""
    packets = spurt(count)
    return [packet if i == 0 or i % 10 else None for i, packet in enumerate(packets)]


def test_no_more_than_400_ms_play_without_a_proof_and_the_spurt_is_dropped_with_an_alarm() -> None:
    listener = Listener()
    heard = listener.hear_all(without_proofs(100))
    assert [p.ctr for p in heard] == [i for i in range(20) if i == 0 or i % 10]
    assert reasons(listener) == [LossReason.UNPROVEN]
    assert listener.losses[0].unproven == 18
    assert listener.losses[0].at < 100.5
    listener.wait(30)
    assert len(listener.losses) == 1


def test_forged_voice_after_the_last_proof_is_bounded_by_400_ms() -> None:
    listener = after(51)
    heard = listener.hear_all([forge(i) for i in range(51, 151)])
    assert [p.ctr for p in heard] == list(range(51, 71))
    assert reasons(listener) == [LossReason.UNPROVEN]


def test_forged_voice_far_ahead_moves_no_window() -> None:
    listener = after(5)
    for ctr in (1000, 2**40):
        assert listener.hear(forge(ctr, media_time=960 * 6)) is None
        assert listener.hear(forge(ctr, media_time=960 * 1000)) is None
    assert [p.ctr for p in listener.hear_all(PACKETS[5:])] == list(range(5, 60))


def test_two_brokers_that_both_lose_proofs_are_not_counted_double() -> None:
    listener = after(51)
    packets = spurt(120)
    for packet in packets[73:80]:
        assert listener.hear(packet) is None
        assert listener.hear(packet) is None
        assert listener.hear(packet) is None
    assert listener.hear(packets[80]) is not None
    assert listener.losses == []


def test_packets_on_credit_that_drip_in_are_dropped_when_no_proof_can_be_fresh() -> None:
    listener = after(51)
    for i in range(51, 55):
        assert listener.hear(forge(i, media_time=960 * (i + 40 * (i - 51)))) is not None
        listener.wait(0.79)
    assert reasons(listener) == [LossReason.UNPROVEN]


def test_losing_every_proof_but_one_in_three_is_dropped_at_last() -> None:
    listener = Listener()
    packets = [p if i % 10 or i % 30 == 0 else None for i, p in enumerate(spurt(400))]
    listener.hear_all(packets)
    assert reasons(listener) == [LossReason.UNPROVEN]


def test_more_than_400_ms_left_behind_by_proofs_drop_a_spurt() -> None:
    listener = Listener()
    packets = [p if i % 40 < 10 else None for i, p in enumerate(spurt(200))]
    heard = listener.hear_all(packets)
    assert [p.ctr for p in heard] == [*range(10), *range(40, 50), *range(80, 90)]
    assert reasons(listener) == [LossReason.UNPROVEN]
    assert listener.losses[0].unproven == 27


def test_a_new_key_does_not_revive_a_dropped_kid() -> None:
    listener = after(20)
    listener.hear(forge(20))
    listener.hear(PACKETS[20])
    assert reasons(listener) == [LossReason.FORGED]
    again = spurt(20, epoch=EPOCH + 1, kid_random=2, first=22)
    assert len(listener.hear_all(again[:10])) == 10
    assert listener.hear(PACKETS[21]) is None
    assert listener.hear(PACKETS[30]) is None
    assert listener.count("dropped") == 3


def test_a_spurt_held_back_and_released_late_does_not_replace_a_live_one() -> None:
    """The broker keeps the first KID back and releases it when the second one is live."""
    listener = Listener(now=100.4)
    first, second = spurt(60)[:21], spurt(40, epoch=EPOCH + 1, kid_random=2, first=21)
    listener.hear_all(second[:5])
    for packet in first:
        listener.hear(packet)
    assert listener.reception.live == (CLAIM,)
    assert len(listener.hear_all(second[5:])) == 35


def test_after_a_loss_credit_is_still_settled() -> None:
    """Forged packets, silence until the spurt counts as lost, then the sender's own proof."""
    listener = Listener(settings=ReceptionSettings(lost_s=0.1))
    source = writer()
    packets = [source.packet(opus(i), 960 * i) for i in range(30)]
    listener.hear_all(packets[:15])
    assert listener.hear(forge(15)) is not None
    listener.wait(0.2)
    assert reasons(listener) == [LossReason.LOST]
    assert listener.hear(packets[20]) is None
    assert reasons(listener) == [LossReason.LOST, LossReason.FORGED]


@given(st.data())
def test_no_forgery_passes_a_proof(data: st.DataObject) -> None:
    """Forged packets anywhere: each is refused, or the spurt is dropped before 400 ms are over."""
    listener = Listener()
    forged_at = data.draw(st.sets(st.integers(0, 59), max_size=8))
    real_kept = data.draw(st.sets(st.integers(0, 59), min_size=50))
    slipped = set()
    for i in range(60):
        if i in forged_at:
            proof = data.draw(st.booleans())
            if listener.hear(forge(i, proof=proof, signer=FORGER)) is not None:
                slipped.add(i)
        if i in real_kept:
            listener.hear(PACKETS[i])
        listener.wait(0.02)
    proofs = {i for i in real_kept if i % 10 == 0 or i == 59}
    if any(slip <= proof < slip + 20 for slip in slipped for proof in proofs):
        assert any(reason in DROPPING for reason in reasons(listener))
    assert len(slipped) <= 20
