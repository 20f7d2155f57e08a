"""When a receiver counts, in virtual time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.squelch import (
    REFUSED_S,
    Squelch,
    SquelchEvent,
    SquelchMode,
    SquelchSettings,
    SquelchState,
)
from radiobridge.media.vox import VoxSettings

OPENED, CLOSED = SquelchEvent.OPENED, SquelchEvent.CLOSED
STUCK, CLEARED = SquelchEvent.STUCK, SquelchEvent.CLEARED
LOUD, SOFT = -20.0, -70.0


def cor_squelch(
    *, hang_s: float = 0.2, cor_debounce_s: float = 0.0, cor_limit_s: float = 120.0
) -> Squelch:
    return Squelch(
        SquelchSettings(hang_s=hang_s, cor_debounce_s=cor_debounce_s, cor_limit_s=cor_limit_s)
    )


def vox_squelch(*, cor_limit_s: float = 120.0) -> Squelch:
    return Squelch(SquelchSettings(mode=SquelchMode.VOX, hang_s=0.2, cor_limit_s=cor_limit_s))


def speak(squelch: Squelch, level: float, start: float, frames: int) -> list[SquelchEvent | None]:
    return [squelch.audio(level, start + n * 0.02) for n in range(frames)]


def test_cor_opens_at_once_without_debounce() -> None:
    squelch = cor_squelch()
    assert squelch.cor(True, 1.0) is OPENED
    assert squelch.is_open
    assert not squelch.listens


def test_cor_is_told_once() -> None:
    squelch = cor_squelch()
    squelch.cor(True, 1.0)
    assert squelch.cor(True, 1.1) is None


def test_hang_bridges_a_fade() -> None:
    squelch = cor_squelch()
    squelch.cor(True, 1.0)
    assert squelch.cor(False, 2.0) is None
    assert squelch.next_deadline() == pytest.approx(2.2)
    assert squelch.is_open
    assert squelch.cor(True, 2.1) is None
    assert squelch.tick(2.3) is None
    assert squelch.is_open


def test_hang_ends_the_spurt() -> None:
    squelch = cor_squelch()
    squelch.cor(True, 1.0)
    squelch.cor(False, 2.0)
    assert squelch.tick(2.19) is None
    assert squelch.tick(2.2) is CLOSED
    assert squelch.next_deadline() is None
    assert squelch.listens


def test_without_hang_the_spurt_ends_with_cor() -> None:
    squelch = cor_squelch(hang_s=0.0)
    squelch.cor(True, 1.0)
    assert squelch.cor(False, 2.0) is CLOSED


def test_debounce_keeps_a_short_pulse_out() -> None:
    squelch = cor_squelch(cor_debounce_s=0.03)
    assert squelch.cor(True, 1.0) is None
    assert squelch.listens, "voice meanwhile belongs into the preroll"
    assert squelch.cor(False, 1.02) is None
    assert squelch.tick(2.0) is None
    assert not squelch.is_open


def test_debounce_opens_when_it_is_over() -> None:
    squelch = cor_squelch(cor_debounce_s=0.03)
    squelch.cor(True, 1.0)
    assert squelch.next_deadline() == pytest.approx(1.03)
    assert squelch.tick(1.03) is OPENED


def test_audio_brings_time_along() -> None:
    squelch = cor_squelch(cor_debounce_s=0.03)
    squelch.cor(True, 1.0)
    assert squelch.audio(SOFT, 1.04) is OPENED


def test_level_alone_never_opens_a_cor_squelch() -> None:
    assert set(speak(cor_squelch(), LOUD, 1.0, 50)) == {None}


def test_vox_opens_on_the_second_loud_frame_and_closes_after_the_hang() -> None:
    squelch = vox_squelch()
    assert speak(squelch, LOUD, 1.0, 3) == [None, OPENED, None]
    events = speak(squelch, SOFT, 1.06, 12)
    assert events.index(CLOSED) == 10
    assert events.count(CLOSED) == 1


def test_cor_means_nothing_to_a_vox_squelch() -> None:
    squelch = vox_squelch()
    assert squelch.cor(True, 1.0) is None
    assert not squelch.is_open


@pytest.mark.parametrize("block", [Squelch.own_transmission, Squelch.mute])
def test_nothing_counts_while_we_transmit_or_play(block: object) -> None:
    squelch = cor_squelch()
    squelch.cor(True, 1.0)
    assert callable(block)
    assert block(squelch, True, 2.0) is CLOSED
    assert not squelch.is_open
    assert not squelch.listens
    assert squelch.cor(False, 2.1) is None
    assert squelch.cor(True, 2.2) is None
    assert set(speak(squelch, LOUD, 2.3, 20)) == {None}
    assert squelch.next_deadline() is None


def test_a_repeaters_hang_is_not_a_spurt() -> None:
    squelch = cor_squelch()
    squelch.own_transmission(True, 1.0)
    squelch.cor(True, 1.1)
    assert squelch.own_transmission(False, 3.0) is None
    assert squelch.next_deadline() == pytest.approx(3.15)
    assert squelch.tick(3.15) is None
    assert squelch.state is SquelchState.WAITING
    assert set(speak(squelch, SOFT, 3.2, 100)) == {None}
    assert squelch.cor(False, 6.0) is None
    assert squelch.cor(True, 7.0) is OPENED


def test_an_answer_inside_the_hang_is_a_spurt() -> None:
    squelch = cor_squelch()
    squelch.own_transmission(True, 1.0)
    squelch.cor(True, 1.1)
    squelch.own_transmission(False, 3.0)
    speak(squelch, SOFT, 3.2, 10)
    assert squelch.listens, "its first syllable belongs into the preroll"
    assert speak(squelch, LOUD, 3.4, 3) == [None, None, OPENED]
    squelch.cor(False, 5.0)
    assert squelch.tick(5.2) is CLOSED


def test_cor_during_settling_does_not_count() -> None:
    squelch = cor_squelch()
    squelch.own_transmission(True, 1.0)
    squelch.own_transmission(False, 3.0)
    assert squelch.cor(True, 3.05) is None
    assert not squelch.listens
    assert squelch.tick(3.2) is None
    assert not squelch.is_open


def test_cor_after_settling_counts_even_if_nobody_ticked() -> None:
    squelch = cor_squelch()
    squelch.own_transmission(True, 1.0)
    squelch.own_transmission(False, 3.0)
    assert squelch.cor(True, 3.2) is OPENED


def test_settling_starts_when_others_have_ended() -> None:
    squelch = cor_squelch()
    squelch.mute(True, 1.0)
    squelch.mute(False, 3.0)
    assert squelch.next_deadline() == pytest.approx(3.15)


@pytest.mark.parametrize(("unkeyed", "settled"), [(2.0, 3.0), (2.95, 3.1)])
def test_settling_after_our_own_transmission_goes_on_under_a_longer_mute(
    unkeyed: float, settled: float
) -> None:
    squelch = cor_squelch()
    squelch.mute(True, 1.0)
    squelch.own_transmission(True, 1.0)
    squelch.cor(True, 1.2)
    squelch.own_transmission(False, unkeyed)
    assert not squelch.listens
    squelch.mute(False, 3.0)
    if settled > 3.0:
        assert squelch.next_deadline() == pytest.approx(settled)
    squelch.tick(settled)
    assert squelch.state is SquelchState.WAITING


def test_a_denial_makes_settling_longer_once() -> None:
    squelch = cor_squelch()
    for refused, over in ((True, 3.0 + REFUSED_S), (False, 3.15)):
        squelch.own_transmission(True, 2.0)
        if refused:
            squelch.refused()
        squelch.own_transmission(False, 3.0)
        assert squelch.next_deadline() == pytest.approx(over)
        squelch.tick(over)


def repeater_squelch(*, cor_limit_s: float = 60.0) -> Squelch:
    return Squelch(SquelchSettings(hang_s=0.2, quiet_s=0.7, cor_limit_s=cor_limit_s))


def test_a_spurt_ends_when_nobody_is_heard_under_the_carrier() -> None:
    squelch = repeater_squelch()
    assert squelch.cor(True, 1.0) is OPENED
    assert speak(squelch, LOUD, 1.02, 49) == [None] * 49
    assert squelch.next_deadline() == pytest.approx(1.98 + 0.7)
    events = speak(squelch, SOFT, 2.0, 40)
    assert events.index(CLOSED) == 36
    assert squelch.state is SquelchState.WAITING
    assert squelch.listens
    assert speak(squelch, LOUD, 3.0, 3) == [None, None, OPENED]
    assert squelch.cor(False, 3.5) is None
    assert squelch.tick(3.7) is CLOSED


def test_without_sound_the_spurt_ends_as_well() -> None:
    squelch = repeater_squelch()
    squelch.cor(True, 1.0)
    assert squelch.tick(1.7) is CLOSED


def test_a_pause_shorter_than_that_ends_nothing() -> None:
    squelch = repeater_squelch()
    squelch.cor(True, 1.0)
    for turn in range(5):
        assert speak(squelch, LOUD, 1.02 + turn, 20) == [None] * 20
        assert speak(squelch, SOFT, 1.42 + turn, 30) == [None] * 30
    assert squelch.is_open


def test_tails_and_tones_neither_open_nor_hold() -> None:
    squelch = repeater_squelch()
    squelch.cor(True, 1.0)
    speak(squelch, LOUD, 1.02, 10)
    events = [squelch.audio(LOUD, 1.22 + n * 0.02, lambda: False) for n in range(100)]
    assert events.count(CLOSED) == 1
    assert events.count(None) == 99
    edges = [squelch.audio(LOUD, 4.0 + n * 0.02, lambda n=n: n % 6 == 0) for n in range(100)]  # type: ignore[misc]
    assert edges == [None] * 100
    assert squelch.state is SquelchState.WAITING


def test_a_repeater_that_never_drops_its_carrier_is_not_stuck_while_people_talk() -> None:
    squelch = repeater_squelch(cor_limit_s=10.0)
    squelch.cor(True, 1.0)
    told = []
    for turn in range(20):
        told += speak(squelch, LOUD, 1.02 + turn * 4, 50)
        told += speak(squelch, SOFT, 2.02 + turn * 4, 150)
    assert STUCK not in told
    assert told.count(OPENED) == 19
    assert squelch.tick(100.0) is STUCK


def test_two_hundred_exchanges_over_a_repeater_open_once_for_each() -> None:
    """Its carrier never drops: the next one speaks while it hangs."""
    squelch, now = repeater_squelch(), 1.0
    squelch.cor(True, now)
    opened = 1
    draw = random.Random(5)
    for _ in range(200):
        for level, voiced, length_s in (
            (LOUD, True, draw.uniform(0.5, 4.0)),
            (LOUD, False, 0.15),
            (SOFT, True, 0.3),
            (LOUD, False, 0.12),
            (SOFT, True, draw.uniform(0.8, 5.0)),
        ):
            for _ in range(round(length_s / 0.02)):
                now += 0.02
                opened += squelch.audio(level, now, lambda v=voiced: v) is OPENED  # type: ignore[misc]
        assert not squelch.is_open
        squelch.own_transmission(True, now)
        now += draw.uniform(0.5, 4.0)
        squelch.own_transmission(False, now)
        now += 0.16
        squelch.tick(now)
    assert opened == 200


def test_vox_needs_fresh_voice_after_settling() -> None:
    squelch = vox_squelch()
    speak(squelch, LOUD, 1.0, 5)
    squelch.own_transmission(True, 2.0)
    squelch.own_transmission(False, 3.0)
    assert set(speak(squelch, LOUD, 3.0, 7)) == {None}
    assert speak(squelch, LOUD, 3.2, 2) == [None, OPENED]


@pytest.mark.parametrize("cor_limit_s", [30.0, 120.0])
def test_a_receiver_open_for_too_long_is_stuck_until_it_closes(cor_limit_s: float) -> None:
    squelch = cor_squelch(cor_limit_s=cor_limit_s)
    squelch.cor(True, 1.0)
    assert squelch.next_deadline() == 1.0 + cor_limit_s
    assert squelch.tick(1.0 + cor_limit_s) is STUCK
    assert squelch.is_stuck
    assert not squelch.is_open
    assert not squelch.listens
    assert squelch.next_deadline() is None
    assert set(speak(squelch, LOUD, 200.0, 5)) == {None}
    assert squelch.cor(False, 300.0) is None
    assert squelch.next_deadline() == 301.0
    assert squelch.tick(301.0) is CLEARED
    assert squelch.cor(True, 301.1) is OPENED


def test_a_receiver_that_flutters_for_too_long_is_stuck_and_stays_so() -> None:
    squelch = cor_squelch(cor_limit_s=10.0)
    events = []
    for n in range(300):
        events += [squelch.cor(n % 2 == 0, n * 0.1), squelch.audio(SOFT, n * 0.1 + 0.05)]
    assert [event for event in events if event] == [OPENED, STUCK]


def test_a_stuck_receiver_stays_stuck_through_own_transmissions() -> None:
    """A half-duplex radio has no COR while it transmits: that clears nothing."""
    squelch = cor_squelch(cor_limit_s=10.0)
    squelch.cor(True, 1.0)
    assert squelch.tick(11.0) is STUCK
    squelch.own_transmission(True, 12.0)
    assert squelch.cor(False, 12.1) is None
    squelch.own_transmission(False, 14.0)
    assert squelch.cor(True, 14.05) is None
    assert squelch.tick(14.2) is None
    assert squelch.is_stuck
    squelch.cor(False, 15.0)
    assert squelch.tick(16.0) is CLEARED


def test_a_stuck_receiver_that_closed_meanwhile_clears_after_settling() -> None:
    squelch = cor_squelch(cor_limit_s=10.0)
    squelch.cor(True, 1.0)
    squelch.tick(11.0)
    squelch.own_transmission(True, 12.0)
    squelch.cor(False, 12.1)
    squelch.own_transmission(False, 14.0)
    assert squelch.tick(14.15) is None
    assert squelch.next_deadline() == pytest.approx(15.15)
    assert squelch.tick(15.15) is CLEARED


def test_the_limit_does_not_count_own_transmissions() -> None:
    squelch = cor_squelch(cor_limit_s=10.0)
    squelch.cor(True, 1.0)
    squelch.own_transmission(True, 5.0)
    squelch.own_transmission(False, 20.0)
    assert squelch.tick(20.15) is None
    assert squelch.next_deadline() == pytest.approx(30.15)
    assert squelch.tick(30.15) is STUCK


def test_noise_that_never_ends_makes_a_vox_stuck() -> None:
    squelch = vox_squelch(cor_limit_s=1.0)
    events = speak(squelch, LOUD, 0.0, 100)
    assert [e for e in events if e] == [OPENED, STUCK]
    assert CLEARED not in speak(squelch, SOFT, 3.0, 50)
    assert squelch.audio(SOFT, 4.0) is CLEARED


def test_a_vox_opens_at_its_own_thresholds() -> None:
    squelch = Squelch(
        SquelchSettings(
            mode=SquelchMode.VOX, vox=VoxSettings(open_dbfs=-30, close_dbfs=-33, attack_frames=1)
        )
    )
    assert squelch.audio(-31.0, 1.0) is None
    assert squelch.audio(-29.0, 1.02) is OPENED


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cor", "key", "mute", "audio", "tick"]),
        st.booleans(),
        st.integers(1, 400),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from(SquelchMode), st.sampled_from([0.0, 0.05]))
def test_events_alternate_and_nothing_opens_while_blocked(
    steps: list[tuple[str, bool, int]],
    mode: SquelchMode,
    debounce_s: float,
) -> None:
    squelch = Squelch(
        SquelchSettings(mode=mode, cor_debounce_s=debounce_s, hang_s=0.1, cor_limit_s=2.0)
    )
    now, opened, keyed, muted = 0.0, False, False, False
    for kind, on, wait_ms in steps:
        now += wait_ms / 1000
        if kind == "cor":
            event = squelch.cor(on, now)
        elif kind == "key":
            keyed, event = on, squelch.own_transmission(on, now)
        elif kind == "mute":
            muted, event = on, squelch.mute(on, now)
        elif kind == "audio":
            event = squelch.audio(LOUD if on else SOFT, now)
        else:
            event = squelch.tick(now)
        assert not (opened and event is OPENED)
        assert not (not opened and event is CLOSED)
        if event is not None:
            opened = event is OPENED
        assert squelch.is_open is opened
        assert not (opened and (keyed or muted))


@given(STEPS)
def test_ticking_at_each_deadline_always_makes_progress(
    steps: list[tuple[str, bool, int]],
) -> None:
    squelch = cor_squelch(cor_limit_s=2.0, cor_debounce_s=0.05)
    now = 0.0
    for kind, on, wait_ms in steps:
        until = now + wait_ms / 1000
        for _ in range(6):
            deadline = squelch.next_deadline()
            if deadline is None or deadline > until:
                break
            now = max(now, deadline)
            squelch.tick(now)
        else:
            pytest.fail("tick does not move the deadline")
        now = until
        if kind == "key":
            squelch.own_transmission(on, now)
        elif kind != "tick":
            squelch.cor(on, now)
