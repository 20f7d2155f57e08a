"""The transition table of `core.transmit`, row by row."""

import pytest

from radiobridge.core.transmit import (
    BEGIN_VOICE,
    DISCARD,
    KEY,
    STALL_S,
    UNKEY,
    AbortReason,
    Effect,
    NotDelivered,
    NotDeliveredReason,
    Transmit,
    TransmitSettings,
    TransmitState,
)
from radiobridge.errors import LocalProtocolError
from radiobridge.model.interface import KeyAnswer, UnkeyCause

S = TransmitState
PLAIN = TransmitSettings(lead_in_s=0.1, tail_s=0.04, hold_s=0.8, time_out_s=60, cool_down_s=2)
TRUNKED = TransmitSettings(reports_grant=True, lead_in_s=0.0)


def ready(settings: TransmitSettings = PLAIN) -> Transmit:
    machine = Transmit(settings)
    assert machine.back(0.0) == ()
    assert state(machine) is S.IDLE
    return machine


def state(machine: Transmit) -> TransmitState:
    """Return the state, anew each time (a property would be narrowed by the type checker)."""
    return machine.state


def talking(settings: TransmitSettings = PLAIN) -> Transmit:
    """Return a machine in VOICE since 1.0, keyed at 1.0 − lead-in, last frame at 1.98."""
    machine = ready(settings)
    machine.start(1.0 - settings.lead_in_s)
    if settings.reports_grant:
        machine.answered(KeyAnswer.GRANTED, 1.0)
    machine.tick(1.0)
    assert state(machine) is S.VOICE
    machine.voice(1.98)
    return machine


def not_delivered(reason: NotDeliveredReason, detail: str = "") -> NotDelivered:
    return NotDelivered(reason=reason, detail=detail)


def test_nothing_keys_before_the_device_was_seen() -> None:
    machine = Transmit(PLAIN)
    assert state(machine) is S.LOST
    assert machine.start(1.0, emergency=True) == (not_delivered(NotDeliveredReason.LOST),)
    assert not machine.keyed


def test_plain_spurt_keys_waits_the_lead_in_talks_and_holds_the_tail() -> None:
    machine = ready()
    assert machine.start(1.0) == (KEY,)
    assert state(machine) is S.LEAD_IN
    assert machine.next_deadline() == pytest.approx(1.1)
    assert machine.tick(1.09) == ()
    assert machine.tick(1.1) == (BEGIN_VOICE,)
    assert machine.voice(1.12) == ()
    assert machine.end(1.14) == ()
    assert state(machine) is S.TAIL
    assert machine.tick(1.17) == ()
    assert machine.tick(1.14 + 0.04) == (UNKEY,)
    assert state(machine) is S.IDLE
    assert machine.next_deadline() is None
    assert machine.ended_by == "end"


def test_without_lead_in_voice_begins_with_the_key() -> None:
    machine = ready(TransmitSettings(lead_in_s=0.0))
    assert machine.start(1.0) == (KEY, BEGIN_VOICE)
    assert state(machine) is S.VOICE


def test_without_tail_the_end_unkeys_at_once() -> None:
    machine = talking(TransmitSettings(tail_s=0.0))
    assert machine.end(2.0) == (UNKEY,)


def test_a_grant_begins_voice_at_once_when_there_is_no_lead_in() -> None:
    machine = ready(TRUNKED)
    assert machine.start(1.0) == (KEY,)
    assert state(machine) is S.REQUESTED
    assert machine.answered(KeyAnswer.GRANTED, 1.6) == (BEGIN_VOICE,)
    assert state(machine) is S.VOICE


def test_a_lead_in_counts_from_the_grant() -> None:
    machine = ready(TransmitSettings(reports_grant=True, lead_in_s=0.2))
    machine.start(1.0)
    assert machine.answered(KeyAnswer.GRANTED, 1.6) == ()
    assert machine.tick(1.79) == ()
    assert machine.tick(1.8) == (BEGIN_VOICE,)


def test_a_queued_spurt_begins_when_it_is_granted_after_all() -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    assert machine.answered(KeyAnswer.QUEUED, 1.5) == ()
    assert state(machine) is S.QUEUED
    assert machine.answered(KeyAnswer.QUEUED, 2.5) == ()
    assert machine.next_deadline() == 3.5, "a second word of the queue does not extend the wait"
    assert machine.answered(KeyAnswer.GRANTED, 3.4) == (BEGIN_VOICE,)


def test_a_queue_that_lasts_too_long_is_reported_as_busy() -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    machine.answered(KeyAnswer.QUEUED, 1.5)
    busy = not_delivered(NotDeliveredReason.BUSY, "queued")
    assert machine.tick(3.5) == (UNKEY, DISCARD, busy)
    assert state(machine) is S.IDLE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (KeyAnswer.DENIED, NotDeliveredReason.DENIED),
        (KeyAnswer.FAILED, NotDeliveredReason.FAILED),
    ],
)
def test_a_refusal_unkeys_and_is_reported(answer: KeyAnswer, reason: NotDeliveredReason) -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    effects = machine.answered(answer, 1.2, "bonk")
    assert effects == (UNKEY, DISCARD, not_delivered(reason, "bonk"))
    assert state(machine) is S.IDLE


def test_a_refusal_in_mid_speech_ends_it() -> None:
    machine = talking()
    denied = not_delivered(NotDeliveredReason.DENIED)
    assert machine.answered(KeyAnswer.DENIED, 2.0) == (UNKEY, DISCARD, denied)


def test_a_refusal_in_the_tail_is_nobodys_loss() -> None:
    machine = talking()
    machine.end(2.0)
    assert machine.answered(KeyAnswer.FAILED, 2.01) == (UNKEY,)


def test_no_answer_is_a_failure() -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    failed = not_delivered(NotDeliveredReason.FAILED, "no-answer")
    assert machine.tick(3.0) == (UNKEY, DISCARD, failed)


def test_a_grant_after_it_was_given_up_is_taken_back() -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    machine.tick(3.0)
    assert machine.answered(KeyAnswer.GRANTED, 3.1) == (UNKEY,)
    assert machine.answered(KeyAnswer.DENIED, 3.2) == ()


def test_a_busy_channel_is_waited_for() -> None:
    machine = ready()
    machine.cor(True, 0.5)
    assert machine.start(1.0) == ()
    assert state(machine) is S.WAITING_CLEAR
    assert machine.next_deadline() == 3.0
    assert machine.tick(2.9) == ()
    assert machine.cor(False, 2.95) == (KEY,)
    assert state(machine) is S.LEAD_IN


def test_a_channel_that_stays_busy_is_reported() -> None:
    machine = ready()
    machine.cor(True, 0.5)
    machine.start(1.0)
    busy = not_delivered(NotDeliveredReason.BUSY, "channel-busy")
    assert machine.tick(3.0) == (DISCARD, busy)
    assert state(machine) is S.IDLE
    assert machine.cor(False, 3.1) == ()


def test_an_emergency_passes_over_a_busy_channel() -> None:
    machine = ready()
    machine.cor(True, 0.5)
    machine.start(1.0)
    assert machine.start(1.5, emergency=True) == (DISCARD, KEY)


def test_a_busy_channel_while_keyed_changes_nothing() -> None:
    machine = talking()
    assert machine.cor(True, 2.0) == ()
    assert state(machine) is S.VOICE


def test_a_gap_keeps_the_transmitter_for_hold_and_the_timer_is_not_restarted() -> None:
    machine = talking()
    assert machine.gap(2.0) == ()
    assert state(machine) is S.HOLD
    assert machine.gap(2.5) == ()
    assert machine.voice(2.7) == ()
    assert state(machine) is S.VOICE
    machine.gap(3.0)
    machine.gap(3.7)
    assert machine.tick(3.8) == ()
    assert state(machine) is S.TAIL
    assert machine.tick(3.84) == (UNKEY,)
    assert machine.ended_by == "gap"


def test_without_hold_a_gap_goes_to_the_tail() -> None:
    machine = talking(TransmitSettings(hold_s=0.0))
    assert machine.gap(2.0) == ()
    assert state(machine) is S.TAIL


def test_voice_in_the_tail_after_a_gap_goes_on() -> None:
    machine = talking()
    machine.gap(2.0)
    machine.tick(2.8)
    assert state(machine) is S.TAIL
    assert machine.voice(2.82) == ()
    assert state(machine) is S.VOICE


def test_a_caller_that_stalls_does_not_keep_the_carrier() -> None:
    machine = talking()
    machine.voice(2.0)
    assert machine.next_deadline() == pytest.approx(2.0 + 0.8 + STALL_S)
    assert machine.tick(2.0 + 0.8 + STALL_S) == ()
    assert state(machine) is S.TAIL


def test_the_next_spurt_in_hold_or_tail_goes_on_without_unkeying() -> None:
    machine = talking()
    machine.gap(2.0)
    assert machine.start(2.5) == (BEGIN_VOICE,)
    machine.end(3.0)
    assert machine.start(3.02) == (BEGIN_VOICE,)
    assert state(machine) is S.VOICE


def test_the_time_out_runs_on_from_the_key_through_every_spurt() -> None:
    machine = talking()
    now = 2.0
    while now < 60.8:
        assert machine.voice(now) == ()
        now += 0.02
    assert machine.end(60.81) == ()
    assert machine.start(60.82) == (BEGIN_VOICE,)
    time_out = not_delivered(NotDeliveredReason.TIME_OUT, "time-out")
    assert machine.next_deadline() == pytest.approx(60.9)
    assert machine.voice(60.9) == (UNKEY, DISCARD, time_out)
    assert state(machine) is S.COOL_DOWN
    assert machine.tick(62.89) == ()
    assert machine.tick(62.9) == ()
    assert state(machine) is S.IDLE


def test_a_late_tick_unkeys_before_anything_else() -> None:
    machine = ready()
    machine.start(1.0)
    time_out = not_delivered(NotDeliveredReason.TIME_OUT, "time-out")
    assert machine.tick(100.0) == (UNKEY, DISCARD, time_out)


def test_a_spurt_waits_for_the_end_of_the_cool_down() -> None:
    machine = ready()
    machine.start(1.0)
    machine.tick(61.0)
    assert machine.start(61.5) == ()
    assert state(machine) is S.COOL_DOWN
    assert machine.tick(63.0) == (KEY,)


def test_a_spurt_is_given_up_when_the_cool_down_takes_too_long() -> None:
    machine = ready(TransmitSettings(cool_down_s=10, lead_in_s=0.1))
    machine.start(1.0)
    machine.tick(61.0)
    machine.start(62.0, emergency=True)
    assert machine.next_deadline() == 64.0
    given_up = not_delivered(NotDeliveredReason.TIME_OUT, "cool-down")
    assert machine.tick(64.0) == (DISCARD, given_up)
    assert state(machine) is S.COOL_DOWN
    assert machine.next_deadline() == 71.0


def test_the_next_key_waits_for_the_confirmation_of_the_last_unkey() -> None:
    machine = talking()
    machine.end(2.0)
    assert machine.tick(2.04) == (UNKEY,)
    assert machine.start(2.05) == ()
    assert state(machine) is S.WAITING_CLEAR
    assert machine.unkeyed(UnkeyCause.RADIO, 2.06) == (), "its own doing, crossing our word"
    assert machine.unkeyed(UnkeyCause.COMMAND, 2.07) == (KEY,)


def test_an_unkey_that_is_never_confirmed_does_not_block_for_long() -> None:
    machine = talking()
    machine.end(2.0)
    machine.tick(2.04)
    machine.start(2.05)
    assert machine.next_deadline() == pytest.approx(2.54)
    assert machine.tick(2.54) == (KEY,)


def test_a_lapsed_confirmation_on_a_busy_channel_waits_for_the_channel() -> None:
    machine = talking()
    machine.end(2.0)
    machine.tick(2.04)
    machine.cor(True, 2.045)
    machine.start(2.05)
    assert machine.tick(2.54) == ()
    assert machine.next_deadline() == 4.05


@pytest.mark.parametrize("cause", [c for c in UnkeyCause if c is not UnkeyCause.TIME_OUT])
def test_a_transmitter_that_drops_by_itself_ends_the_spurt(cause: UnkeyCause) -> None:
    machine = talking()
    failed = not_delivered(NotDeliveredReason.FAILED, f"unkeyed-{cause.value}")
    assert machine.unkeyed(cause, 2.0) == (UNKEY, DISCARD, failed)
    assert state(machine) is S.IDLE


def test_the_keyers_own_time_out_cools_down_too() -> None:
    machine = talking()
    time_out = not_delivered(NotDeliveredReason.TIME_OUT, "keyer-time-out")
    assert machine.unkeyed(UnkeyCause.TIME_OUT, 2.0) == (UNKEY, DISCARD, time_out)
    assert state(machine) is S.COOL_DOWN


def test_inhibit_unkeys_at_once_and_stays_until_allowed() -> None:
    machine = talking()
    inhibited = not_delivered(NotDeliveredReason.INHIBITED)
    assert machine.inhibit(2.0) == (UNKEY, DISCARD, inhibited)
    assert state(machine) is S.INHIBITED
    assert machine.start(2.1, emergency=True) == (inhibited,)
    assert machine.inhibit(2.2) == ()
    assert machine.back(2.3) == ()
    assert state(machine) is S.INHIBITED
    machine.unkeyed(UnkeyCause.COMMAND, 2.35)
    assert machine.allow(2.4) == ()
    assert state(machine) is S.IDLE
    assert machine.start(2.5) == (KEY,)


def test_allow_does_not_overlook_a_lost_device_or_a_cool_down() -> None:
    machine = ready()
    machine.start(1.0)
    machine.tick(61.0)
    machine.inhibit(61.1)
    machine.lost(61.2)
    machine.allow(61.3)
    assert state(machine) is S.LOST
    machine.back(61.4)
    assert state(machine) is S.COOL_DOWN
    machine.tick(63.0)
    assert state(machine) is S.IDLE


def test_allow_and_back_while_keyed_change_nothing() -> None:
    machine = talking()
    machine.end(2.0)
    assert machine.allow(2.01) == ()
    assert machine.back(2.02) == ()
    assert state(machine) is S.TAIL
    assert machine.keyed


def test_a_lost_device_ends_the_spurt_until_it_is_back() -> None:
    machine = talking()
    lost = not_delivered(NotDeliveredReason.LOST)
    assert machine.lost(2.0) == (UNKEY, DISCARD, lost)
    assert machine.start(2.1) == (lost,)
    machine.back(2.6)
    assert machine.start(2.7) == (KEY,)


def test_abort_unkeys_without_a_tail_and_tells_nobody() -> None:
    machine = talking()
    assert machine.abort(AbortReason.WITHDRAWN, 2.0) == (UNKEY, DISCARD)
    assert state(machine) is S.IDLE
    assert machine.ended_by == "withdrawn"
    assert machine.abort(AbortReason.WITHDRAWN, 2.1) == ()


def test_abort_never_keys_first() -> None:
    machine = talking()
    machine.end(2.0)
    machine.tick(2.04)
    machine.start(2.05)
    assert machine.abort(AbortReason.FLOOR_LOST, 2.6) == (DISCARD,), "the wait had just lapsed"


def test_a_better_spurt_takes_the_place_of_the_one_that_talks_or_waits() -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    assert machine.start(1.1) == (DISCARD,)
    machine.answered(KeyAnswer.GRANTED, 1.2)
    assert machine.start(1.3) == (DISCARD, BEGIN_VOICE)


@pytest.mark.parametrize("what", ["voice", "gap", "end"])
def test_voice_before_it_has_begun_is_our_own_bug(what: str) -> None:
    machine = ready(TRUNKED)
    machine.start(1.0)
    with pytest.raises(LocalProtocolError, match=f"{what} before"):
        getattr(machine, what)(1.1)
    assert state(machine) is S.REQUESTED


@pytest.mark.parametrize("what", ["voice", "gap", "end"])
def test_after_a_spurt_is_over_its_voice_means_nothing(what: str) -> None:
    machine = talking()
    machine.inhibit(2.0)
    assert getattr(machine, what)(2.1) == ()
    assert state(machine) is S.INHIBITED


@pytest.mark.parametrize(
    "settings",
    [{"time_out_s": 0.0}, {"time_out_s": float("inf")}, {"hold_s": -1}, {"tail_s": float("nan")}],
)
def test_settings_that_could_never_unkey_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(LocalProtocolError):
        TransmitSettings(**settings)  # type: ignore[arg-type]  # reports_grant is not among them


def test_effects_are_told_apart_by_type() -> None:
    effects: tuple[Effect, ...] = (KEY, not_delivered(NotDeliveredReason.BUSY))
    assert [isinstance(e, NotDelivered) for e in effects] == [False, True]
