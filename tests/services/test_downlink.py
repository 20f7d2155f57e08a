"""From the network to the transmitter: what keys, what is played, what unkeys."""

import pytest

from radiobridge.core.transmit import AbortReason, TransmitState
from radiobridge.media.tone import silence
from radiobridge.model.interface import KeyAnswer, UnkeyCause
from radiobridge.model.voice import FRAME_MEDIA_TIME, TalkClass
from tests.services.down_bench import DownBench, plain, without
from tests.services.voices import CLAIM, RATE, claim, spurt

S = TransmitState
LEASE_LIMIT_S = 0.06
"""spi.KeyerLine: renew at least this often."""


def test_voice_waits_for_grant_and_lead_in() -> None:
    bench = DownBench(grants=False)
    bench.hear(spurt(10, end=False))
    assert bench.line.changes() == ["key"]
    assert bench.audio.played == []
    bench.grant()
    granted_at = bench.now
    bench.wait(0.5)
    assert bench.audio.played[0].at == pytest.approx(granted_at + 0.1)
    assert bench.down.counters["played"] == 10


def test_the_receiver_is_deaf_from_the_request_until_the_radio_has_unkeyed() -> None:
    bench = DownBench(grants=False)
    bench.hear(spurt(1, end=False))
    assert bench.own == [True]
    bench.down.cut(CLAIM, AbortReason.WITHDRAWN, bench.now)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.own == [True]
    bench.down.unkeyed(UnkeyCause.COMMAND, bench.now)
    assert bench.own == [True, False]


def test_a_whole_spurt_is_played_in_one_piece_and_then_unkeyed_after_the_tail() -> None:
    bench = DownBench()
    bench.hear(spurt(50))
    bench.wait(2.0)
    played = bench.audio.played
    assert len(played) == 50
    starts = [frame.at for frame in played]
    assert starts == [pytest.approx(starts[0] + n * 0.02) for n in range(50)]
    assert len(bench.spoken()) >= 49
    assert bench.line.changes() == ["key", "unkey"]
    # Nothing of the last frame is cut off: drained, then the tail.
    assert bench.line.times("unkey") == [pytest.approx(starts[-1] + 0.02 + 0.04)]
    assert bench.failed == []


def test_what_the_device_has_still_to_play_is_heard_before_the_tail() -> None:
    bench = DownBench(plain())
    for _ in range(5):
        bench.audio.write(silence(RATE))
    bench.hear(spurt(10))
    bench.wait(1.0)
    last = bench.audio.played[-1].at + 0.02
    assert bench.line.times("unkey") == [pytest.approx(last + 0.04)]


def test_the_lease_is_renewed_while_keyed_and_never_after() -> None:
    bench = DownBench()
    bench.hear(spurt(100))
    bench.wait(5.0)
    assert bench.line.longest_without_renewal() <= LEASE_LIMIT_S
    unkeyed_at = bench.line.times("unkey")[0]
    assert max(bench.line.times("renew")) < unkeyed_at
    assert bench.down.next_deadline() is None


def test_the_lease_is_renewed_while_waiting_for_a_grant() -> None:
    bench = DownBench(grants=False)
    bench.hear(spurt(1, end=False))
    bench.wait(1.0)
    assert bench.state is S.REQUESTED
    assert bench.line.longest_without_renewal() <= LEASE_LIMIT_S


def test_a_stall_inside_a_spurt_plays_silence_and_keeps_the_key() -> None:
    bench = DownBench(plain())
    packets = spurt(40)
    bench.hear(packets[:20])
    bench.wait(0.5)
    bench.hear(packets[20:])
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.down.counters["played"] == 40
    assert bench.down.counters["concealed"] == 3
    assert bench.down.counters["gap"] > 15
    assert bench.failed == []


def test_a_stall_longer_than_hold_unkeys_and_the_rest_keys_again() -> None:
    bench = DownBench(plain())
    packets = spurt(40)
    bench.hear(packets[:20])
    bench.wait(1.5)
    assert bench.line.changes() == ["key", "unkey"]
    bench.hear(packets[20:])
    bench.wait(2.0)
    assert bench.line.changes() == ["key", "unkey"] * 2
    assert bench.down.counters["played"] == 40


def test_a_lost_packet_is_concealed_and_costs_no_time() -> None:
    bench = DownBench(plain())
    bench.hear(without(spurt(30), 10, 11))
    bench.wait(1.0)
    assert bench.down.counters["concealed"] == 2
    assert len(bench.audio.played) == 30
    assert bench.down.path()["lost"] == 2


def test_a_late_packet_of_an_ended_spurt_fills_a_gap() -> None:
    bench = DownBench(grants=False)
    packets = spurt(20)
    bench.hear(without(packets, 10))
    bench.down.fill(CLAIM, packets[10], bench.now)
    bench.grant()
    bench.wait(2.0)
    assert bench.down.counters["played"] == 20
    assert bench.down.counters["concealed"] == 0


def test_a_late_packet_of_an_ended_spurt_starts_nothing() -> None:
    bench = DownBench()
    bench.down.fill(CLAIM, spurt(1)[0], bench.now)
    bench.wait(1.0)
    assert bench.line.log == []


def test_an_end_alone_keys_nothing() -> None:
    bench = DownBench()
    bench.hear(spurt(1))
    bench.wait(1.0)
    assert bench.line.log == []


def test_copies_of_a_packet_cost_nothing() -> None:
    bench = DownBench(plain())
    bench.hear([packet for packet in spurt(20) for _ in range(2)], every_s=0.01)
    bench.wait(1.0)
    assert bench.down.counters["played"] == 20
    assert bench.down.path()["duplicate"] == 20


def test_what_opus_cannot_read_is_concealed_and_counted() -> None:
    bench = DownBench(plain())
    packets = spurt(20)
    packets[10] = packets[10]._replace(opus=b"\xff\xff\xff")
    bench.hear(packets)
    bench.wait(1.0)
    assert bench.down.counters["bad_opus"] == 1
    assert len(bench.audio.played) == 20
    assert bench.line.changes() == ["key", "unkey"]


def test_silence_before_the_first_word_adds_no_delay() -> None:
    bench = DownBench(plain())
    began = bench.now
    bench.hear(spurt(20, quiet=1))
    bench.wait(1.0)
    assert bench.down.path()["skipped"] == 1
    assert bench.spoken()[0].at - (began + 0.02) < 0.02


def test_what_waited_for_the_transmitter_is_caught_up_in_pauses() -> None:
    bench = DownBench(grants=False)
    bench.hear(spurt(60, end=False)[:10])
    bench.grant()
    quiet = spurt(200, quiet=200)
    follow = [p._replace(media_time=(10 + i) * FRAME_MEDIA_TIME) for i, p in enumerate(quiet)]
    bench.hear(follow)
    bench.wait(2.0)
    assert bench.down.path()["skipped"] > 5


@pytest.mark.parametrize(
    ("silent", "left_out"), [(3, range(1)), (5, range(1)), (20, range(12, 17))]
)
def test_a_word_keeps_its_silences_and_a_pause_does_not(silent: int, left_out: range) -> None:
    """The mouth closes for up to 100 ms in "don't shoot": left out, it is another word."""
    bench = DownBench(grants=False)
    said = (spurt(30), spurt(silent, quiet=silent), spurt(20))
    opus = [packet.opus for part in said for packet in part]
    bench.hear(
        [packet._replace(opus=part) for packet, part in zip(spurt(50 + silent), opus, strict=True)]
    )
    bench.grant()
    bench.wait(2.0)
    assert bench.down.path()["skipped"] in left_out


def test_withdrawn_unkeys_at_once_and_plays_nothing_more() -> None:
    bench = DownBench(plain())
    packets = spurt(40)
    bench.hear(packets[:30])
    bench.audio.write(bench.audio.played[0].samples)
    bench.audio.write(bench.audio.played[0].samples)
    bench.down.cut(CLAIM, AbortReason.WITHDRAWN, bench.now)
    assert bench.line.times("unkey") == [bench.now]
    assert bench.audio.queued_s() == 0.0
    assert max(frame.at for frame in bench.audio.played) <= bench.now
    assert bench.failed == []


def test_to_cut_what_does_not_play_changes_nothing() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(10, end=False))
    bench.down.cut(claim(start_ms=9), AbortReason.WITHDRAWN, bench.now)
    bench.wait(0.1)
    assert bench.line.changes() == ["key"]


def test_stop_unkeys_at_once_and_forgets_what_waits() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(10))
    bench.hear(spurt(10, of=claim(start_ms=500)))
    bench.down.stop(bench.now)
    assert bench.line.changes()[-1] == "unkey"
    assert bench.down.claims() == []
    bench.wait(5.0)
    assert bench.line.changes().count("key") == 1
    assert bench.failed == []


def test_a_lost_device_leaves_the_receiver_open() -> None:
    # Nobody confirms an unkeying there, and the next carrier must be heard all the same.
    bench = DownBench(plain(), grants=False)
    bench.hear(spurt(5, end=False))
    bench.down.lost(bench.now)
    assert bench.own == [True, False]


def test_nothing_keys_before_the_device_was_seen() -> None:
    bench = DownBench()
    bench.down.lost(bench.now)
    bench.hear(spurt(20, of=claim(talk_class=TalkClass.EMERGENCY)))
    bench.wait(5.0)
    assert bench.line.log == []
    assert bench.reasons() == ["lost"]


def test_a_denial_is_told_once_and_the_rest_of_the_spurt_ignored() -> None:
    bench = DownBench(grants=False)
    packets = spurt(100)
    bench.hear(packets[:5])
    bench.grant(KeyAnswer.DENIED, "bonk")
    assert bench.reasons() == ["denied"]
    assert bench.failed[0][0] == CLAIM
    bench.down.unkeyed(UnkeyCause.COMMAND, bench.now)
    bench.hear(packets[5:])
    bench.wait(5.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.reasons() == ["denied"]
    assert bench.down.counters["not_delivered"] == 1
    # Only that spurt: the next one is tried.
    bench.grants = True
    bench._answered = 2
    bench.hear(spurt(10, of=claim(start_ms=9000)))
    bench.wait(1.0)
    assert bench.line.changes() == ["key", "unkey"] * 2
    assert bench.down.counters["played"] == 10


def test_a_radio_that_never_answers_is_given_up() -> None:
    bench = DownBench(grants=False)
    bench.hear(spurt(5, end=False))
    bench.wait(3.0)
    assert bench.reasons() == ["failed"]
    assert bench.line.changes() == ["key", "unkey"]


def test_a_busy_channel_is_waited_for_and_then_the_talker_is_told() -> None:
    bench = DownBench()
    bench.down.cor(active=True, now=bench.now)
    bench.hear(spurt(150))
    bench.wait(3.0)
    assert bench.line.log == []
    assert bench.reasons() == ["busy"]


def test_a_channel_that_becomes_free_in_time_loses_no_word() -> None:
    bench = DownBench()
    bench.down.cor(active=True, now=bench.now)
    packets = spurt(100)
    bench.hear(packets[:75])
    bench.down.cor(active=False, now=bench.now)
    bench.hear(packets[75:])
    bench.wait(5.0)
    assert bench.failed == []
    assert bench.down.counters["played"] == 100
    assert bench.line.changes() == ["key", "unkey"]


def test_an_emergency_passes_over_a_busy_channel() -> None:
    bench = DownBench()
    bench.down.cor(active=True, now=bench.now)
    bench.hear(spurt(10, of=claim(talk_class=TalkClass.EMERGENCY)))
    assert bench.line.changes()[0] == "key"


def test_an_inhibited_radio_is_silent_until_allowed() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20, end=False))
    bench.down.inhibit(bench.now)
    assert bench.line.times("unkey") == [bench.now]
    bench.wait(1.0)
    bench.hear(spurt(20, of=claim(start_ms=2000)))
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.reasons() == ["inhibited", "inhibited"]
    bench.down.allow(bench.now)
    bench.hear(spurt(20, of=claim(start_ms=4000)))
    bench.wait(1.0)
    assert bench.line.changes() == ["key", "unkey"] * 2


def test_a_radio_that_drops_the_key_itself_is_not_keyed_again_for_that_spurt() -> None:
    bench = DownBench(plain())
    packets = spurt(60)
    bench.hear(packets[:20])
    bench.grants = False
    bench.down.unkeyed(UnkeyCause.RADIO, bench.now)
    bench.hear(packets[20:])
    bench.wait(2.0)
    assert bench.line.changes().count("key") == 1
    assert bench.reasons() == ["failed"]
    assert bench.own[-1] is False


def test_a_spurt_longer_than_the_time_out_is_cut_once_and_cools_down() -> None:
    bench = DownBench(plain(time_out_s=1.0, cool_down_s=2.0))
    bench.hear(spurt(100))
    assert bench.line.changes() == ["key", "unkey"]
    assert bench.reasons() == ["time-out"]
    keyed, unkeyed = bench.line.times("key")[0], bench.line.times("unkey")[0]
    assert unkeyed - keyed == pytest.approx(1.0)
    bench.hear(spurt(10, of=claim(start_ms=5000)))
    bench.wait(3.0)
    assert bench.line.times("key")[1] == pytest.approx(unkeyed + 2.0)
