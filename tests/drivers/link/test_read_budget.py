"""How many documents a connection may bring."""

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.drivers.link.read_budget import (
    BURST,
    FLOODED_S,
    PAUSE_S,
    PER_S,
    SLICE,
    SLICE_S,
    ReadBudget,
)


class Reader:
    """Reads as the connection does, for as long as there is something to read."""

    def __init__(self) -> None:
        self.now = 0.0
        self.read = 0
        self.budget = ReadBudget(self.now)
        self.longest_run = 0

    def take(self, documents: int, until: float) -> None:
        run = 0
        while documents and self.now < until and not self.budget.flooded(self.now):
            self.budget.take()
            documents -= 1
            self.read += 1
            run += 1
            self.longest_run = max(self.longest_run, run)
            pause_s = self.budget.pause_s(self.now)
            if pause_s > 0.0:
                run = 0
            self.now += pause_s


def test_what_stands_at_a_broker_is_read_at_once_and_voice_goes_on_meanwhile() -> None:
    reader = Reader()
    reader.take(1000, until=60.0)
    assert reader.read == 1000
    assert reader.now <= 1000 / SLICE * SLICE_S + SLICE_S
    assert reader.longest_run <= SLICE
    assert not reader.budget.flooded(reader.now)


def test_a_flood_is_found_and_costs_little_until_then() -> None:
    reader = Reader()
    reader.take(10_000_000, until=600.0)
    assert reader.budget.flooded(reader.now)
    assert reader.read <= BURST + (reader.now + PAUSE_S) * PER_S
    assert reader.now < 20.0


def test_what_comes_steadily_is_never_a_flood() -> None:
    reader = Reader()
    for second in range(600):
        reader.now = max(reader.now, float(second))
        reader.take(PER_S - 10, until=second + 1.0)
    assert reader.read == 600 * (PER_S - 10)
    assert not reader.budget.flooded(reader.now)


def test_a_burst_that_was_too_long_is_forgotten_in_time() -> None:
    reader = Reader()
    reader.take(BURST + PER_S, until=60.0)
    assert reader.budget.pause_s(reader.now) >= 0.0
    later = reader.now + BURST / PER_S
    assert reader.budget.pause_s(later) == 0.0
    assert not reader.budget.flooded(later + FLOODED_S)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 3000)), max_size=20))
def test_whatever_comes_no_more_is_read_than_may(arrivals: list[tuple[float, int]]) -> None:
    reader = Reader()
    for wait_s, documents in arrivals:
        reader.now += wait_s
        reader.take(documents, until=reader.now + 5.0)
        assert reader.read <= BURST + SLICE + reader.now * PER_S
        assert reader.longest_run <= SLICE
