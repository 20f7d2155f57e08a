"""When old voice means a link that holds it back, and when a clock that is behind."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.backlog import HELD_S, LATE_MS, Age, Backlog

HERE, THERE = "here", "there"
MINUTE_PACKETS = 3000
FRESH, OLD, LATE = Age.FRESH, Age.OLD, Age.LATE


class Ear:
    """Hears a packet every 20 ms, and has a link start anew when that is asked for."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.now = 100.0
        self.starts: list[float] = []

    def hear(self, age_ms: int, link: str = HERE, *, every_s: float = 0.02) -> Age:
        age = self.backlog.take(age_ms, link)
        if age is not FRESH:
            self.late(link)
        self.now += every_s
        return age

    def stale(self, link: str = HERE) -> None:
        self.late(link)
        self.now += 0.02

    def copy(self, age_ms: int, link: str) -> None:
        if self.backlog.copied(age_ms, link):
            self.late(link)

    def late(self, link: str) -> None:
        if self.backlog.held_back(link, self.now):
            self.starts.append(self.now)
            self.backlog.started_anew(link, asked=True)

    def all(self, ages_ms: Iterable[int], link: str = HERE) -> list[Age]:
        return [self.hear(age_ms, link) for age_ms in ages_ms]


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_fresh_voice_is_played_and_asks_for_nothing(ear: Ear) -> None:
    assert set(ear.all([0, 50, 999, 400] * 20)) == {FRESH}
    assert ear.starts == []


def test_what_waited_for_a_second_longer_than_the_youngest_is_not_played(ear: Ear) -> None:
    assert ear.all([30, 40, 1030, 1031, 30]) == [FRESH, FRESH, FRESH, LATE, FRESH]


def test_a_burst_after_a_stall_is_no_backlog(ear: Ear) -> None:
    ear.hear(30)
    burst = [ear.hear(age_ms, every_s=0.0005) for age_ms in range(1500, 20, -20)]
    assert burst.count(LATE) == 24
    assert burst[24:] == [FRESH] * 50
    assert ear.starts == []


def test_a_link_by_which_all_comes_late_starts_anew(ear: Ear) -> None:
    ear.hear(30)
    began = ear.now
    assert set(ear.all([1200] * 12)) == {LATE}
    assert len(ear.starts) == 1
    assert ear.starts[0] - began == pytest.approx(HELD_S, abs=0.021)
    assert ear.hear(30) is FRESH


def test_a_clock_that_is_behind_costs_one_new_start_and_no_voice(ear: Ear) -> None:
    assert set(ear.all([1500] * 500)) == {FRESH, OLD}
    assert len(ear.starts) == 1
    assert set(ear.all([1500 + LATE_MS, 1400, 1900])) == {FRESH}


def test_a_clock_that_is_so_far_behind_that_nothing_counts_costs_one_new_start(ear: Ear) -> None:
    for _ in range(3000):
        ear.stale()
    assert len(ear.starts) == 1


def test_a_clock_at_the_limit_of_what_counts_costs_one_new_start(ear: Ear) -> None:
    for n in range(3000):
        if n % 3:
            ear.stale()
        else:
            ear.hear(1990)
    assert len(ear.starts) == 1


def test_voice_of_a_clock_that_is_behind_is_held_back_too(ear: Ear) -> None:
    ear.all([1200] * 50)
    assert set(ear.all([2250] * 5)) == {LATE}
    assert ear.all([1200] * 10) == [FRESH] * 10
    ear.all([2250] * 20)
    assert len(ear.starts) == 2


def test_of_two_links_only_the_one_that_holds_back_starts_anew(ear: Ear) -> None:
    asked: list[str] = []
    for _ in range(30):
        assert ear.hear(30, HERE) is FRESH
        if ear.backlog.copied(1500, THERE) and ear.backlog.held_back(THERE, ear.now):
            asked.append(THERE)
            ear.backlog.started_anew(THERE, asked=True)
    assert asked
    assert set(asked) == {THERE}
    assert ear.starts == []


def test_copies_that_are_not_late_clear_their_link(ear: Ear) -> None:
    for _ in range(30):
        ear.hear(30, HERE)
        ear.copy(1500, THERE)
        ear.copy(300, THERE)
    assert ear.starts == []


def test_lone_late_packets_far_apart_are_no_backlog(ear: Ear) -> None:
    ear.hear(30)
    for _ in range(20):
        assert ear.hear(1500, every_s=1.5) is LATE
    assert ear.starts == []


def test_a_clock_that_is_ahead_gives_no_leave_to_be_later(ear: Ear) -> None:
    assert ear.all([-900, LATE_MS - 900, LATE_MS - 899]) == [FRESH, FRESH, LATE]


def test_a_clock_that_was_ahead_leaves_its_sender_the_whole_second_again(ear: Ear) -> None:
    ear.hear(-850)
    assert ear.hear(151) is LATE
    assert set(ear.all([40] * MINUTE_PACKETS)) == {FRESH}
    assert ear.hear(LATE_MS) is FRESH
    assert ear.hear(LATE_MS + 1) is LATE
    assert ear.starts == []


def test_a_clock_that_stays_ahead_gives_no_leave_to_be_later_however_long(ear: Ear) -> None:
    for _ in range(10):
        assert set(ear.all([-850, -600, -400] * (MINUTE_PACKETS // 3))) == {FRESH}
        assert ear.hear(LATE_MS - 849) is LATE
    assert ear.starts == []


@given(
    st.integers(-900, 900),
    st.lists(st.tuples(st.integers(-900, 2000), st.integers(1, 2000)), min_size=1, max_size=8),
)
def test_without_a_new_start_nothing_is_played_later_than_the_youngest_or_0_allows(
    first_ms: int, later: list[tuple[int, int]]
) -> None:
    backlog = Backlog()
    backlog.take(first_ms, HERE)
    youngest_ms = first_ms
    for age_ms, packets in later:
        youngest_ms = min(youngest_ms, age_ms)
        ages = {backlog.take(age_ms, HERE) for _ in range(packets)}
        if age_ms > LATE_MS + max(0, youngest_ms):
            assert ages == {LATE}
        elif age_ms <= LATE_MS + youngest_ms:
            assert ages == {FRESH}


def test_delay_that_grows_slowly_never_adds_up(ear: Ear) -> None:
    """A millisecond more every second, for half an hour: what is too late then stays so."""
    played = [
        age_ms
        for age_ms in range(30, 1900)
        for _ in range(50)
        if ear.backlog.take(age_ms, HERE) is FRESH
    ]
    assert max(played) == LATE_MS + 30


def test_a_clock_that_falls_back_is_learnt_again(ear: Ear) -> None:
    ear.all([30] * 10)
    ages = ear.all([1300] * 60)
    assert ages[:10] == [LATE] * 10
    assert ages[-40:] == [FRESH] * 40
    assert len(ear.starts) == 1


def test_another_senders_new_start_takes_nothing_from_what_is_known(ear: Ear) -> None:
    ear.all([30] * 5)
    ear.all([1200] * 5)
    ear.backlog.started_anew(HERE, asked=False)
    assert ear.all([1200] * 5) == [LATE] * 5
    assert ear.starts == []
