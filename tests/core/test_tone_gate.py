"""COR and tone: what of both the squelch gets to see."""

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.tone_gate import ToneGate


def test_without_a_tone_to_wait_for_cor_is_cor() -> None:
    gate = ToneGate(waits=False)
    assert gate.cor(active=True, deaf=False)
    assert gate.cor(active=True, deaf=True)
    assert not gate.cor(active=False, deaf=False)
    assert gate.heard


def test_cor_alone_does_not_count_and_neither_does_the_tone() -> None:
    gate = ToneGate(waits=True)
    assert not gate.cor(active=True, deaf=False)
    assert not gate.heard
    assert gate.tone(there=True, deaf=False)
    assert not gate.cor(active=False, deaf=False)
    assert not gate.tone(there=True, deaf=False)


def test_it_ends_with_either() -> None:
    for end in ("cor", "tone"):
        gate = ToneGate(waits=True)
        gate.cor(active=True, deaf=False)
        assert gate.tone(there=True, deaf=False)
        if end == "cor":
            assert not gate.cor(active=False, deaf=False)
        else:
            assert not gate.tone(there=False, deaf=False)


def test_the_hang_of_our_own_repeater_counts_as_cor_until_it_ends() -> None:
    """So the squelch waits for voice in it, and does not open when the tone is heard."""
    gate = ToneGate(waits=True)
    assert gate.cor(active=True, deaf=True)
    assert gate.tone(there=False, deaf=False)
    assert not gate.heard
    assert gate.tone(there=True, deaf=False)
    assert gate.tone(there=False, deaf=False)
    assert not gate.cor(active=False, deaf=False)
    assert not gate.cor(active=True, deaf=False)


def test_while_deaf_what_counted_still_does() -> None:
    gate = ToneGate(waits=True)
    gate.cor(active=True, deaf=False)
    assert gate.tone(there=True, deaf=False)
    assert gate.tone(there=False, deaf=True)
    stranger = ToneGate(waits=True)
    assert not stranger.cor(active=True, deaf=False)
    assert not stranger.tone(there=True, deaf=True)


events = st.lists(st.tuples(st.sampled_from(["cor", "tone"]), st.booleans(), st.booleans()))


@given(events)
def test_never_active_without_cor(history: list[tuple[str, bool, bool]]) -> None:
    gate, cor = ToneGate(waits=True), False
    for what, on, deaf in history:
        if what == "cor":
            cor = on
            gate.cor(active=on, deaf=deaf)
        else:
            gate.tone(there=on, deaf=deaf)
        assert cor or not gate.active


@given(events)
def test_never_deaf_never_active_without_tone(history: list[tuple[str, bool, bool]]) -> None:
    gate, state = ToneGate(waits=True), {"cor": False, "tone": False}
    for what, on, _ in history:
        state[what] = on
        if what == "cor":
            gate.cor(active=on, deaf=False)
        else:
            gate.tone(there=on, deaf=False)
        assert gate.active is (state["cor"] and state["tone"])
