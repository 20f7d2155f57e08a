"""The jitter buffer's rules, one by one, in virtual time."""

import pytest

from radiobridge.core.jitter import JitterBuffer, JitterSettings, PullKind
from radiobridge.errors import LocalProtocolError
from tests.core.playout import FRAME_S, Arrival, Played, Playout, kinds, steady, voices


def waits(played: list[Played], arrivals: list[Arrival]) -> list[float]:
    """How long each played frame waited in the buffer, in ms."""
    came = {index: at for at, index in arrivals}
    return [(p.at - came[p.frame]) * 1000 for p in played if p.kind is PullKind.VOICE]


def test_quiet_network_starts_and_stays_ten_milliseconds_deep() -> None:
    arrivals = steady(100)
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=99)
    assert kinds(run.run()) == "V" * 100 + "E"
    assert waits(run.played, arrivals) == pytest.approx([10.0] * 100)


def test_nothing_plays_before_the_transmitter_is_ready() -> None:
    buffer = JitterBuffer()
    buffer.put(0, b"0", 1.0)
    assert buffer.next_deadline() is None
    assert buffer.pull(5.0).kind is PullKind.NOT_YET
    buffer.begin(5.0)
    assert buffer.next_deadline() == 5.0
    assert buffer.pull(5.0).payload == b"0"


def test_nothing_is_due_before_the_first_packet() -> None:
    buffer = JitterBuffer()
    buffer.begin(0.0)
    assert buffer.next_deadline() is None
    assert buffer.pull(1.0).kind is PullKind.NOT_YET


def test_late_entry_starts_with_what_came_first() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(5, first=700), last=704)
    assert voices(run.run()) == [700, 701, 702, 703, 704]


def test_preroll_burst_plays_at_once_and_loses_nothing() -> None:
    burst = [Arrival(0.0, n) for n in range(13)]
    arrivals = burst + steady(87, start=FRAME_S, first=13)
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=99)
    assert kinds(run.run()) == "V" * 100 + "E"
    assert run.played[0].at == 0.0
    assert run.buffer.target_s == pytest.approx(0.005)


def test_delay_of_a_preroll_is_given_back_in_silence() -> None:
    burst = [Arrival(0.0, n) for n in range(13)]
    arrivals = burst + steady(87, start=FRAME_S, first=13)
    pause = range(30, 45)
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=99, silent=pause)
    run.run()
    assert voices(run.played) == [n for n in range(100) if n not in run.skipped]
    assert len(run.skipped) == 11
    before, after = waits(run.played[:30], arrivals), waits(run.played[50:], arrivals)
    assert before[-1] == pytest.approx(240.0)
    assert after == pytest.approx([20.0] * len(after))


@pytest.mark.parametrize("head_start_ms", [1, 5, 10, 15, 19])
def test_newest_frame_of_a_quiet_preroll_costs_no_delay(head_start_ms: int) -> None:
    """Packet 0 goes out when COR tells; packet 1 when its 20 ms are over."""
    arrivals = [Arrival(0.0, 0), *steady(60, start=head_start_ms / 1000, first=1)]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=60, silent=[0])
    run.run()
    assert run.skipped == [0]
    assert waits(run.played, arrivals) == pytest.approx([10.0] * 60)


def test_leading_silence_is_left_out_twice_at_most() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(50), last=49, silent=range(50))
    run.run()
    assert run.skipped == [0, 1]
    assert len(voices(run.played)) == 48


def test_a_loss_after_leading_silence_starts_the_beat() -> None:
    """Concealing is playing: from then on, no frame may come sooner than 20 ms after another."""
    burst = [Arrival(0.0, 1), Arrival(0.0, 3), Arrival(0.001, 5)]
    run = Playout(buffer=JitterBuffer(), arrivals=burst, finish_at=0.001, last=5, silent=[1, 3])
    run.run()
    assert [p.at for p in run.played] == pytest.approx([n * FRAME_S for n in range(4)])
    assert (kinds(run.played), run.skipped) == ("CCVE", [1, 3])
    assert run.buffer.late_pulls == 0


def test_leading_silence_before_a_stall_is_no_burst() -> None:
    arrivals = [Arrival(0.0, 0), *[Arrival(0.2, n) for n in range(1, 11)]]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=10, silent=[0])
    run.run()
    steps = [b.at - a.at for a, b in zip(run.played, run.played[1:], strict=False)]
    assert steps == pytest.approx([FRAME_S] * len(steps))
    assert voices(run.played) == list(range(1, 11))


def test_a_lost_frame_is_concealed_and_costs_no_delay() -> None:
    arrivals = [a for a in steady(50) if a.frame != 20]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=49)
    assert kinds(run.run()) == "V" * 20 + "C" + "V" * 29 + "E"
    assert waits(run.played, arrivals) == pytest.approx([10.0] * 49)
    assert (run.buffer.lost, run.buffer.late, run.buffer.bridged) == (1, 0, 1)


def test_three_lost_frames_are_concealed_then_there_is_a_gap() -> None:
    arrivals = [a for a in steady(50) if not 20 <= a.frame < 26]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=49)
    assert kinds(run.run()) == "V" * 20 + "CCCGGG" + "V" * 24 + "E"
    assert run.buffer.lost == 6
    assert run.buffer.bridged == 6


def test_what_is_made_up_after_the_last_word_is_missed_by_nobody() -> None:
    arrivals = [a for a in steady(50) if a.frame < 40]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=49)
    assert kinds(run.run()) == "V" * 40 + "CCCE"
    assert (run.buffer.concealed, run.buffer.bridged) == (3, 0)


def test_a_frame_that_was_given_up_is_late_once_and_never_played() -> None:
    arrivals = [a for a in steady(50) if a.frame != 20] + [Arrival(0.6, 20), Arrival(0.6, 19)]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=49)
    assert 20 not in voices(run.run())
    assert (run.buffer.late, run.buffer.duplicate) == (1, 1)


def test_reordered_packets_play_in_order() -> None:
    arrivals = [Arrival(at, index ^ 1 if index > 1 else index) for at, index in steady(50)]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=49)
    assert voices(run.run()) == list(range(50))
    assert run.buffer.lost == 0


def test_duplicates_play_once() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(50) * 3, last=49)
    assert voices(run.run()) == list(range(50))
    assert run.buffer.duplicate == 100
    assert run.buffer.late == 0


@pytest.mark.parametrize("stall_ms", [200, 400, 800])
def test_after_a_stall_of_tcp_everything_is_played_later(stall_ms: int) -> None:
    stall_end = 0.5 + stall_ms / 1000
    arrivals = [
        Arrival(stall_end if 0.5 <= at < stall_end else at, index) for at, index in steady(150)
    ]
    run = Playout(buffer=JitterBuffer(), arrivals=arrivals, last=149)
    run.run()
    assert voices(run.played) == list(range(150))
    assert run.buffer.lost == 0
    assert "VCCCG" in kinds(run.played)
    assert run.buffer.target_s < 0.02, "one stall teaches nothing about the path"


def test_the_delay_of_a_stall_is_given_back_in_the_next_pause() -> None:
    arrivals = [Arrival(1.0 if 0.5 <= at < 1.0 else at, index) for at, index in steady(200)]
    run = Playout(
        buffer=JitterBuffer(),
        arrivals=arrivals,
        last=199,
        silent=range(100, 140),
    )
    run.run()
    tail = waits(run.played, arrivals)[-50:]
    assert max(tail) < 35.0
    assert set(range(200)) - set(voices(run.played)) <= set(range(100, 140))


def test_silence_is_not_left_out_while_the_buffer_runs_dry() -> None:
    """During a stall the depth looks large, but there is nothing to play instead."""
    buffer = JitterBuffer()
    for at, index in steady(10):
        buffer.put(index, b"x", at)
    buffer.begin(0.19)
    for n in range(10):
        assert buffer.pull(0.19 + n * FRAME_S).kind is PullKind.VOICE
    assert not buffer.can_skip
    with pytest.raises(LocalProtocolError):
        buffer.skip_head()


def test_silent_holes_of_a_deep_buffer_may_be_left_out_too() -> None:
    buffer = JitterBuffer()
    for at, index in [*steady(5), *steady(20, start=1.0, first=50)]:
        buffer.put(index, b"x", at)
    buffer.begin(1.4)
    got = ""
    while len(got) < 15:
        kind = buffer.pull(buffer.next_deadline() or 0.0).kind
        if kind is PullKind.GAP and buffer.can_skip:
            buffer.skip_head()
            continue
        got += kind.name[0]
    assert got == "VVVVVCCC" + "V" * 7
    assert buffer.lost == 45
    assert buffer.depth_s == pytest.approx(1.4 - 42 * FRAME_S)


@pytest.mark.parametrize(("begin_at", "expected"), [(0.022, 0), (0.03, 1)])
def test_a_hole_is_shortened_only_as_far_as_the_depth_allows(
    begin_at: float, expected: int
) -> None:
    buffer = JitterBuffer()
    for at, index in steady(10):
        buffer.put(index, b"x", at)
    buffer.begin(begin_at)
    for n in range(21):
        buffer.pull(begin_at + n * FRAME_S)
    buffer.put(22, b"x", 0.44)
    assert buffer.pull(begin_at + 21 * FRAME_S).kind is PullKind.GAP
    assert buffer.can_skip is bool(expected)
    assert buffer.depth_s == pytest.approx(begin_at)


def test_what_a_slow_key_up_costs_is_given_back_below_the_start_depth() -> None:
    arrivals = steady(60)
    run = Playout(
        buffer=JitterBuffer(), arrivals=arrivals, begin_at=0.027, last=59, silent=[20, 21]
    )
    run.run()
    assert run.skipped == [20]
    assert waits(run.played, arrivals)[-1] == pytest.approx(7.0)


def test_skip_needs_a_frame_just_pulled() -> None:
    buffer = JitterBuffer()
    buffer.put(0, b"0", 0.0)
    buffer.begin(0.0)
    buffer.pull(0.01)
    assert buffer.pull(0.011).kind is PullKind.NOT_YET
    assert not buffer.can_skip


def test_a_frame_is_skipped_once() -> None:
    buffer = JitterBuffer()
    for index in range(5):
        buffer.put(index, b"x", 0.0)
    buffer.begin(0.0)
    buffer.pull(0.0)
    buffer.skip_head()
    with pytest.raises(LocalProtocolError):
        buffer.skip_head()


def test_jitter_that_repeats_is_learnt_and_forgotten() -> None:
    buffer = JitterBuffer()
    shaky = [Arrival(at + (index % 4) * 0.015, index) for at, index in steady(200)]
    Playout(buffer=buffer, arrivals=shaky, last=199).run()
    assert buffer.target_s == pytest.approx(0.05)
    buffer.reset()
    arrivals = steady(300)
    run = Playout(buffer=buffer, arrivals=arrivals, last=299)
    run.run()
    assert waits(run.played, arrivals)[0] == pytest.approx(50.0)
    assert buffer.target_s == pytest.approx(0.005)


def test_depth_learnt_on_a_shaky_path_prevents_concealment() -> None:
    buffer = JitterBuffer()
    shaky = [Arrival(at + (index % 4) * 0.015, index) for at, index in steady(200)]
    Playout(buffer=buffer, arrivals=shaky, last=199).run()
    buffer.reset()
    run = Playout(buffer=buffer, arrivals=shaky, last=199)
    assert kinds(run.run()) == "V" * 200 + "E"


def test_target_is_bounded() -> None:
    buffer = JitterBuffer()
    awful = [Arrival(at + (index % 2) * 1.5, index) for at, index in steady(300)]
    Playout(buffer=buffer, arrivals=awful, last=299).run()
    assert buffer.target_s == 0.4


@pytest.mark.parametrize("ppm", [-300, 300])
def test_drift_between_the_clocks_neither_starves_nor_grows(ppm: int) -> None:
    arrivals = [Arrival(at * (1 + ppm * 1e-6), index) for at, index in steady(3000)]
    run = Playout(
        buffer=JitterBuffer(),
        arrivals=arrivals,
        last=2999,
        silent=range(0, 3000, 25),
        until=70.0,
    )
    run.run()
    assert max(waits(run.played, arrivals)) < 35.0
    assert run.buffer.concealed <= 2
    assert run.buffer.lost == 0


def test_offset_between_the_clocks_does_not_matter() -> None:
    near = Playout(buffer=JitterBuffer(), arrivals=steady(50), last=49)
    far = Playout(
        buffer=JitterBuffer(),
        arrivals=steady(50, start=36_000.0, first=90_000),
        begin_at=36_000.0,
        last=90_049,
        until=40_000.0,
    )
    near.run()
    far.run()
    assert [p.at + 36_000.0 for p in near.played] == pytest.approx([p.at for p in far.played])


def test_a_spurt_shorter_than_the_start_depth_plays_whole() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=[Arrival(0.0, 0)], finish_at=0.0, last=0)
    run.run()
    assert kinds(run.played) == "VE"
    assert run.played[0].at == 0.0


def test_a_spurt_that_was_over_before_the_transmitter_was_ready_plays_whole() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(30), begin_at=1.5, finish_at=0.6, last=29)
    assert kinds(run.run()) == "V" * 30 + "E"
    assert run.played[0].at == 1.5


@pytest.mark.parametrize("last", [0, 5, 10**9])
def test_a_spurt_of_which_nothing_came_ends(last: int) -> None:
    buffer = JitterBuffer()
    buffer.finish(last)
    buffer.begin(1.0)
    assert buffer.next_deadline() == 1.0
    assert buffer.pull(1.0).kind is PullKind.END
    assert buffer.next_deadline() is None
    assert buffer.pull(9.0).kind is PullKind.END


@pytest.mark.parametrize(("last", "expected"), [(10, "CE"), (12, "CCCE"), (10**9, "CCCE")])
def test_what_is_missing_at_the_end_is_not_waited_for(last: int, expected: str) -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(10), finish_at=0.19, last=last)
    assert kinds(run.run()) == "V" * 10 + expected


def test_what_comes_after_the_end_is_late() -> None:
    run = Playout(buffer=JitterBuffer(), arrivals=steady(20), finish_at=0.1, last=9)
    assert voices(run.run()) == list(range(10))
    assert run.buffer.late > 0


def test_finish_drops_what_lies_beyond_and_its_first_word_counts() -> None:
    buffer = JitterBuffer()
    for at, index in steady(10):
        buffer.put(index, str(index).encode(), at)
    buffer.finish(4)
    buffer.finish(9)
    run = Playout(buffer=buffer, arrivals=[], begin_at=1.0)
    assert voices(run.run()) == [0, 1, 2, 3, 4]
    assert buffer.late == 5


def test_two_seconds_are_kept_and_the_oldest_go() -> None:
    run = Playout(
        buffer=JitterBuffer(), arrivals=steady(130), begin_at=2.6, finish_at=2.6, last=129
    )
    run.run()
    assert voices(run.played) == list(range(30, 130))
    assert run.buffer.overflow == 30
    assert run.deepest == pytest.approx(2.0)


def test_an_index_far_ahead_costs_neither_time_nor_memory() -> None:
    buffer = JitterBuffer()
    buffer.put(0, b"0", 0.0)
    buffer.put(4_000_000_000, b"far", 0.0)
    buffer.begin(0.0)
    assert buffer.pull(0.02).payload == b"far"
    assert buffer.overflow == 1
    assert buffer.lost == 3_999_999_999


def test_an_index_far_behind_is_late() -> None:
    buffer = JitterBuffer()
    buffer.put(1000, b"x", 0.0)
    buffer.put(10, b"y", 0.0)
    assert (buffer.late, len(buffer._frames)) == (1, 1)


@pytest.mark.parametrize(("late_ms", "catches_up"), [(5, True), (19, True), (21, False)])
def test_a_late_pull_keeps_the_beat_within_one_frame(late_ms: int, *, catches_up: bool) -> None:
    run = Playout(
        buffer=JitterBuffer(),
        arrivals=steady(30),
        last=29,
        lateness=lambda n: late_ms / 1000 if n == 10 else 0.0,
    )
    run.run()
    steps = [b.at - a.at for a, b in zip(run.played, run.played[1:], strict=False)]
    assert steps[9] == pytest.approx(FRAME_S + late_ms / 1000)
    assert steps[10] == pytest.approx(FRAME_S - late_ms / 1000 if catches_up else FRAME_S)
    assert run.buffer.late_pulls == int(not catches_up)
    assert voices(run.played) == list(range(30))


def test_a_device_with_a_store_lets_later_pulls_catch_up() -> None:
    settings = JitterSettings(catch_up_s=0.06)
    run = Playout(
        buffer=JitterBuffer(settings),
        arrivals=steady(30),
        last=29,
        lateness=lambda n: 0.05 if n == 10 else 0.0,
    )
    run.run()
    assert run.played[20].at == pytest.approx(0.010 + 20 * FRAME_S)
    assert run.buffer.late_pulls == 0


def test_time_lost_by_the_event_loop_counts_for_a_missing_frame() -> None:
    """Frames 10 to 14 are lost while the loop sleeps: no further waiting for them."""
    arrivals = [a for a in steady(60) if not 10 <= a.frame < 15]
    run = Playout(
        buffer=JitterBuffer(),
        arrivals=arrivals,
        last=59,
        lateness=lambda n: 0.11 if n == 10 else 0.0,
    )
    run.run()
    assert run.buffer.lost == 5
    assert waits(run.played, arrivals)[-1] < 50.0


def test_counters_and_what_was_learnt_survive_a_reset() -> None:
    buffer = JitterBuffer()
    Playout(buffer=buffer, arrivals=[a for a in steady(50) if a.frame != 20], last=49).run()
    buffer.reset()
    assert buffer.lost == 1
    assert buffer.next_deadline() is None
    run = Playout(buffer=buffer, arrivals=steady(5, start=50.0), last=4)
    assert kinds(run.run()) == "VVVVVE"
    assert run.played[0].at == pytest.approx(50.010)
