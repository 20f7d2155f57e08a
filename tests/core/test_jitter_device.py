"""What the jitter buffer does for the device behind it: never dry, never full, no word made up."""

from collections.abc import Sequence

import pytest

from radiobridge.core.jitter import JitterBuffer, JitterSettings, PullKind
from tests.core.playout import FRAME_S, Arrival, Played, Playout, kinds, steady

AHEAD = JitterSettings(ahead_s=0.015)
GRACE = JitterSettings(grace_s=0.005)


def store_ms(played: Sequence[Played]) -> list[float]:
    """How much the device still had to play when it got each frame; below 0 it had run dry."""
    frames = [one for one in played if one.kind is not PullKind.END]
    start = frames[0].at
    return [round((start + n * FRAME_S - one.at) * 1000, 6) for n, one in enumerate(frames)]


def late_now_and_then(pull: int) -> float:
    return 0.012 if pull % 7 == 3 else 0.0


def one_late(by_s: float) -> list[Arrival]:
    """A hundred packets, the fiftieth later than the others."""
    return [Arrival(at + (by_s if n == 50 else 0.0), n) for at, n in steady(100)]


def test_a_frame_that_is_there_goes_to_the_device_before_its_time() -> None:
    run = Playout(buffer=JitterBuffer(AHEAD), arrivals=steady(100), last=99)
    assert kinds(run.run()) == "V" * 100 + "E"
    assert run.played[0].at == pytest.approx(0.010)
    assert [one.at for one in run.played[1:-1]] == pytest.approx([n * 0.02 for n in range(1, 100)])


@pytest.mark.parametrize(("settings", "dry"), [(AHEAD, False), (JitterSettings(), True)])
def test_what_was_handed_over_is_safe_from_a_late_event_loop(
    settings: JitterSettings, dry: bool
) -> None:
    run = Playout(
        buffer=JitterBuffer(settings), arrivals=steady(100), last=99, lateness=late_now_and_then
    )
    assert kinds(run.run()) == "V" * 100 + "E"
    assert (min(store_ms(run.played)) < 0.0) is dry


def test_a_burst_does_not_fill_the_device() -> None:
    burst = [Arrival(0.0, n) for n in range(13)]
    run = Playout(
        buffer=JitterBuffer(AHEAD), arrivals=burst + steady(87, start=FRAME_S, first=13), last=99
    )
    assert kinds(run.run()) == "V" * 100 + "E"
    assert max(store_ms(run.played)) == pytest.approx(15.0)


def test_the_first_frame_to_be_heard_is_never_early() -> None:
    run = Playout(buffer=JitterBuffer(AHEAD), arrivals=steady(50), last=49, silent={0})
    run.run()
    assert run.skipped == [0]
    assert run.played[0].at == pytest.approx(0.030)


def test_a_late_pull_of_an_early_frame_keeps_the_beat() -> None:
    buffer = JitterBuffer(AHEAD)
    lateness = {3: 0.034}
    run = Playout(
        buffer=buffer, arrivals=steady(100), last=99, lateness=lambda n: lateness.get(n, 0.0)
    )
    run.run()
    assert buffer.late_pulls == 0
    assert run.played[-1].at == pytest.approx(0.010 + 100 * FRAME_S)


@pytest.mark.parametrize(("by_s", "settings", "concealed"), [
    (0.014, GRACE, 0),
    (0.014, JitterSettings(), 1),
    (0.016, GRACE, 1),
])  # fmt: skip
def test_a_frame_a_little_late_is_played_and_nothing_made_up(
    by_s: float, settings: JitterSettings, concealed: int
) -> None:
    run = Playout(buffer=JitterBuffer(settings), arrivals=one_late(by_s), last=99)
    assert kinds(run.run()).count("C") == concealed


def test_a_lost_frame_is_concealed_that_much_later_and_the_beat_stays() -> None:
    arrivals = [one for one in steady(100) if one.frame != 50]
    run = Playout(buffer=JitterBuffer(GRACE), arrivals=arrivals, last=99)
    assert kinds(run.run()) == "V" * 50 + "C" + "V" * 49 + "E"
    due = [0.010 + n * FRAME_S for n in range(100)]
    due[50] += 0.005
    assert [one.at for one in run.played[:-1]] == pytest.approx(due)


def test_the_end_is_not_waited_for() -> None:
    run = Playout(buffer=JitterBuffer(GRACE), arrivals=steady(10), last=9)
    assert run.run()[-1].at == pytest.approx(0.010 + 10 * FRAME_S)


def test_a_known_quiet_path_starts_sooner_than_an_unknown_one() -> None:
    buffer = JitterBuffer()
    first = Playout(buffer=buffer, arrivals=steady(70), last=69).run()
    buffer.reset()
    second = Playout(buffer=buffer, arrivals=steady(10), last=9).run()
    assert first[0].at == pytest.approx(0.010)
    assert second[0].at == pytest.approx(0.005)


@pytest.mark.parametrize(("settings", "target_s"), [(JitterSettings(), 0.017), (GRACE, 0.012)])
def test_the_margin_above_the_lateness_seen_is_spent_once(
    settings: JitterSettings, target_s: float
) -> None:
    buffer = JitterBuffer(settings)
    shaky = [Arrival(at + (index % 4) * 0.004, index) for at, index in steady(200)]
    run = Playout(buffer=buffer, arrivals=shaky, last=199)
    run.run()
    assert buffer.target_s == pytest.approx(target_s)
    buffer.reset()
    assert "C" not in kinds(Playout(buffer=buffer, arrivals=shaky, last=199).run())


@pytest.mark.parametrize(("awaits_second", "first_s"), [(False, 0.012), (True, 0.017)])
def test_the_first_frame_may_wait_longer_for_the_second(
    awaits_second: bool, first_s: float
) -> None:
    buffer = JitterBuffer(JitterSettings(grace_s=0.005, awaits_second=awaits_second))
    shaky = [Arrival(at + (index % 4) * 0.004, index) for at, index in steady(200)]
    Playout(buffer=buffer, arrivals=shaky, last=199).run()
    buffer.reset()
    assert Playout(buffer=buffer, arrivals=steady(9), last=8).run()[0].at == pytest.approx(first_s)


def test_a_few_packets_do_not_make_a_path_known() -> None:
    buffer = JitterBuffer()
    Playout(buffer=buffer, arrivals=steady(60), last=59).run()
    buffer.reset()
    assert Playout(buffer=buffer, arrivals=steady(10), last=9).run()[0].at == pytest.approx(0.010)


def test_the_first_frame_is_alone_when_nothing_has_come_after_it() -> None:
    buffer = JitterBuffer()
    buffer.begin(0.0)
    buffer.put(0, b"0", 0.0)
    buffer.pull(0.010)
    assert buffer.alone


def test_the_first_frame_is_not_alone_once_another_one_is_there() -> None:
    buffer = JitterBuffer()
    buffer.begin(0.0)
    buffer.put(0, b"0", 0.0)
    buffer.pull(0.010)
    buffer.put(1, b"1", 0.012)
    assert not buffer.alone


def test_the_second_frame_is_not_the_first_one() -> None:
    buffer = JitterBuffer()
    buffer.begin(0.0)
    for index in range(2):
        buffer.put(index, b"x", index * FRAME_S)
        buffer.pull(index * FRAME_S + 0.010)
    assert not buffer.alone


def test_a_frame_after_one_left_out_is_the_first() -> None:
    buffer = JitterBuffer()
    buffer.begin(0.0)
    for index in range(2):
        buffer.put(index, str(index).encode(), 0.0)
    buffer.pull(0.0)
    buffer.skip_head()
    assert buffer.pull(0.010).payload == b"1"
    assert buffer.alone
