"""A spurt that becomes an emergency, or is none any more, while its transmitter waits or plays."""

from collections.abc import Callable

import pytest

from radiobridge.core.transmit import (
    BEGIN_VOICE,
    KEY,
    NotDelivered,
    Transmit,
    TransmitSettings,
    TransmitState,
)


def waiting(*, emergency: bool = False) -> Transmit:
    """Return a transmitter whose own channel is busy, with a spurt that began at 0.0."""
    made = Transmit(TransmitSettings())
    made.back(0.0)
    made.cor(active=True, now=0.0)
    made.start(0.0, emergency=emergency)
    return made


def test_it_keys_over_a_busy_channel_once_it_is_an_emergency() -> None:
    made = waiting()
    assert made.rank(0.5, emergency=False) == ()
    assert made.state is TransmitState.WAITING_CLEAR
    assert made.rank(0.6, emergency=True) == (KEY, BEGIN_VOICE)
    assert made.rank(0.7, emergency=True) == ()


def test_what_is_none_any_more_waits_again_for_the_next_key() -> None:
    made = waiting(emergency=True)
    assert made.keyed
    made.voice(0.1)
    assert made.rank(0.2, emergency=False) == ()
    assert made.keyed, "what is on the air stays there"


def test_too_late_is_too_late() -> None:
    made = waiting()
    (given_up,) = (e for e in made.tick(2.5) if isinstance(e, NotDelivered))
    assert given_up.reason.value == "busy"
    assert made.rank(2.6, emergency=True) == ()
    assert made.state is TransmitState.IDLE


@pytest.mark.parametrize("forbid", [Transmit.inhibit, Transmit.lost])
def test_it_passes_over_nothing_else(forbid: Callable[[Transmit, float], object]) -> None:
    made = waiting()
    forbid(made, 0.1)
    assert made.rank(0.2, emergency=True) == ()
    assert not made.keyed


def test_without_a_spurt_it_means_nothing() -> None:
    made = Transmit(TransmitSettings())
    made.back(0.0)
    made.cor(active=True, now=0.0)
    assert made.rank(0.1, emergency=True) == ()
    made.start(1.0)
    assert made.state is TransmitState.WAITING_CLEAR
