import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.replay import WINDOW, ReplayWindow
from radiobridge.errors import LocalProtocolError


@given(st.lists(st.integers(0, 400) | st.integers(0, 2**64 - 1), max_size=200))
def test_like_a_set_that_forgets_what_is_too_old(ctrs: list[int]) -> None:
    window = ReplayWindow()
    taken: set[int] = set()
    for ctr in ctrs:
        new = ctr not in taken and ctr > max(taken, default=-1) - WINDOW
        assert window.look(ctr) is new
        if new:
            window.commit(ctr)
            taken.add(ctr)
            assert window.highest == max(taken)


def test_looking_uses_nothing_up() -> None:
    window = ReplayWindow()
    assert window.look(5)
    assert window.look(5)
    window.commit(5)
    assert not window.look(5)


def test_committing_twice_is_our_own_error() -> None:
    window = ReplayWindow()
    window.commit(5)
    with pytest.raises(LocalProtocolError):
        window.commit(5)


def test_a_jump_to_the_last_number_costs_no_memory() -> None:
    window = ReplayWindow()
    window.commit(0)
    window.commit(2**64 - 1)
    assert window._seen == 1
