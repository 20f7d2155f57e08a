"""One alarm from its raising to its end, and what it is worth on the floor meanwhile."""

from dataclasses import replace

import pytest

from radiobridge.core.emergency import (
    ESCALATE_MS,
    MAX_ACKS,
    MAX_ALARMS,
    RANK_MEDIA_TIME,
    AlarmBook,
    AlarmChange,
    Stage,
    ranked,
)
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import GatewayId
from radiobridge.model.patch import Member
from radiobridge.model.voice import MEDIA_RATE, Claim, TalkClass
from radiobridge.wire.alarms import AlarmKind, Verdict
from tests.core.alarm_world import (
    LIFE,
    SECOND,
    Says,
    acks,
    alarm,
    book,
    cleared,
    only,
    raises,
)
from tests.core.patch_world import BORDER, BUFFALO, DETROIT, OTTAWA, SARNIA, T0, TAC1, WINDSOR

FIELD = alarm()
AGAIN = alarm(SECOND, at=T0 + 60_000)


def changes(made: AlarmBook, at: int = T0) -> list[AlarmChange]:
    return [event.change for event in made.tick(at)]


def test_from_raised_to_cleared() -> None:
    made = book(raises(FIELD))
    assert only(made).stage is Stage.RAISED
    assert changes(made) == [AlarmChange.RAISED]
    acks(DETROIT, FIELD)(made)
    assert only(made).stage is Stage.ACKNOWLEDGED
    assert only(made).acknowledged_by == ((DETROIT, "bob"),)
    assert changes(made) == [AlarmChange.ACKNOWLEDGED]
    raises(cleared(FIELD, Verdict.FALSE), 2)(made)
    state = only(made)
    assert (state.stage, state.open, state.verdict) == (Stage.CLEARED, False, Verdict.FALSE)
    assert (state.reason, state.cleared_by) == ("over", (WINDSOR, "ann"))
    assert changes(made) == [AlarmChange.CLEARED]
    assert changes(made) == []


def test_a_clear_counts_once_somebody_has_acknowledged() -> None:
    made = book(raises(cleared(FIELD)))
    state = only(made)
    assert (state.stage, state.verdict) == (Stage.RAISED, Verdict.VALID)
    assert state.rank
    assert changes(made) == [AlarmChange.RAISED, AlarmChange.CLEAR_WAITS]
    acks(WINDSOR, FIELD)(made)
    assert only(made).stage is Stage.CLEARED
    assert changes(made) == [AlarmChange.ACKNOWLEDGED, AlarmChange.CLEARED]


def test_a_sibling_may_clear_and_its_raiser_goes_first() -> None:
    made = book(raises(FIELD), acks(DETROIT, FIELD), Says(SARNIA, cleared(FIELD, by="sam")))
    assert only(made).cleared_by == (SARNIA, "sam")
    raises(cleared(FIELD, Verdict.FALSE), 2)(made)
    assert only(made).cleared_by == (WINDSOR, "ann")
    assert only(made).verdict is Verdict.FALSE


def test_nobody_answers() -> None:
    made = book(raises(FIELD))
    assert changes(made, T0 + ESCALATE_MS - 1) == [AlarmChange.RAISED]
    assert made.next_deadline_ms(T0) == T0 + ESCALATE_MS
    assert changes(made, T0 + ESCALATE_MS) == [AlarmChange.ESCALATED]
    assert only(made, T0 + ESCALATE_MS).escalated
    assert made.next_deadline_ms(T0 + ESCALATE_MS) == T0 + LIFE
    acks(DETROIT, FIELD)(made)
    assert not only(made, T0 + ESCALATE_MS).escalated
    assert changes(made, T0 + ESCALATE_MS) == [AlarmChange.ACKNOWLEDGED]


def test_an_answer_in_time_escalates_nothing() -> None:
    made = book(raises(FIELD), acks(OTTAWA, FIELD))
    made.tick(T0)
    assert made.next_deadline_ms(T0) == T0 + LIFE
    assert changes(made, T0 + ESCALATE_MS) == []


def test_a_clear_alone_is_no_answer() -> None:
    made = book(raises(cleared(FIELD)))
    assert only(made, T0 + ESCALATE_MS).escalated


def test_raising_again_is_a_new_raising_of_the_same_alarm() -> None:
    made = book(raises(cleared(FIELD)), acks(DETROIT, FIELD))
    made.tick(T0)
    raises(AGAIN, 2)(made)
    state = only(made, AGAIN.raised_ms)
    assert (state.stage, state.verdict, state.alarm.raises) == (Stage.RAISED, None, 2)
    assert state.rank
    assert changes(made, AGAIN.raised_ms) == [AlarmChange.RAISED]
    assert made.next_deadline_ms(AGAIN.raised_ms) == AGAIN.raised_ms + ESCALATE_MS


def test_what_was_said_about_the_last_time_says_nothing_about_this_time() -> None:
    late = (Says(SARNIA, cleared(FIELD)), Says(SARNIA, FIELD.spent(), 2), acks(DETROIT, FIELD, 9))
    made = book(raises(AGAIN, 2), *late)
    state = only(made, AGAIN.raised_ms)
    assert (state.stage, state.rank, state.verdict) == (Stage.RAISED, True, None)


def test_who_was_not_told_cannot_acknowledge() -> None:
    """The token is sealed to whom the alarm concerns; its id alone can be read off a topic."""
    guess = acks(OTTAWA, replace(FIELD, token=b"?" * 16))
    assert only(book(raises(FIELD), guess)).stage is Stage.RAISED


def test_rank_while_it_is_open() -> None:
    made = book(raises(FIELD))
    assert made.has_rank(TAC1, T0)
    assert not made.has_rank(BORDER, T0)
    acks(DETROIT, FIELD)(made)
    assert made.has_rank(TAC1, T0)
    raises(cleared(FIELD), 2)(made)
    assert not made.has_rank(TAC1, T0)


@pytest.mark.parametrize("who", [WINDSOR, SARNIA])
def test_an_open_microphone_spends_the_rank_until_raised_again(who: GatewayId) -> None:
    said = raises(FIELD.spent(), 2) if who is WINDSOR else Says(SARNIA, FIELD.spent())
    made = book(raises(FIELD))
    made.tick(T0)
    said(made)
    state = only(made)
    assert (state.stage, state.rank) == (Stage.RAISED, False)
    assert changes(made) == [AlarmChange.RANK_SPENT]
    raises(AGAIN, 3)(made)
    assert made.has_rank(TAC1, AGAIN.raised_ms)


def test_a_donor_radio_never_gives_rank() -> None:
    made = book(raises(alarm(kind=AlarmKind.DONOR)))
    assert not made.has_rank(TAC1, T0)
    assert changes(made) == [AlarmChange.RAISED]
    assert only(made, T0 + ESCALATE_MS).escalated


def test_alarms_of_others_concern_us_in_a_patch_only() -> None:
    theirs = alarm(raiser=DETROIT, talkgroup=BORDER)
    made = book(raises(theirs), raises(FIELD), members=())
    assert [state.alarm for state in made.states(T0)] == [FIELD]
    assert not made.has_rank(BORDER, T0)
    made.tick(T0)
    made.set_members(frozenset({BORDER}))
    assert made.has_rank(BORDER, T0)
    assert changes(made) == [AlarmChange.RAISED]


def test_two_contents_under_one_version_count_neither() -> None:
    made = book(raises(FIELD), raises(FIELD.spent()))
    assert made.states(T0) == ()
    raises(FIELD, 2)(made)
    assert only(made).rank


def test_it_ends_with_its_document() -> None:
    made = book(raises(FIELD))
    assert made.states(T0 + LIFE - 1) != ()
    assert made.states(T0 + LIFE) == ()


def test_a_gateway_fills_its_own_share_only() -> None:
    made = book(*(raises(alarm(name=f"a{n}")) for n in range(MAX_ALARMS)))
    with pytest.raises(RemoteProtocolError, match="too-many-alarms"):
        raises(alarm(name="more"))(made)
    raises(alarm(raiser=SARNIA))(made)
    # What is over makes room.
    raises(cleared(alarm(name="a7")), 2)(made)
    raises(alarm(name="more"))(made)
    assert {"more", "a8"} <= {state.alarm.alarm for state in made.states(T0)}
    assert len(made.states(T0)) == MAX_ALARMS + 1


def test_acknowledgements_of_anything_push_out_the_oldest() -> None:
    words = [acks(BUFFALO, alarm(name=f"a{n}"), n + 1) for n in range(MAX_ACKS + 1)]
    first, last = alarm(name="a0"), alarm(name=f"a{MAX_ACKS}")
    made = book(*words, raises(first), raises(last))
    stages = {state.alarm.alarm: state.stage for state in made.states(T0)}
    assert stages == {first.alarm: Stage.RAISED, last.alarm: Stage.ACKNOWLEDGED}


CLAIM = Claim(WINDSOR, TAC1, T0, TalkClass.EMERGENCY, 3)
HIGH = Member(talkgroup=TAC1, max_class=TalkClass.EMERGENCY, max_priority=3)


def counted(
    claim: Claim = CLAIM,
    member: Member = HIGH,
    *,
    alarm_open: bool = True,
    media_time: int = 0,
    demoted: bool = False,
) -> TalkClass:
    return ranked(
        claim, member, alarm_open=alarm_open, media_time=media_time, demoted=demoted
    ).talk_class


def test_what_an_emergency_counts_for() -> None:
    assert ranked(CLAIM, HIGH, alarm_open=True) is CLAIM
    assert counted(alarm_open=False) is TalkClass.IMMINENT_PERIL
    assert counted(member=Member(talkgroup=TAC1)) is TalkClass.NORMAL
    assert counted(demoted=True) is TalkClass.NORMAL
    assert RANK_MEDIA_TIME == 30 * MEDIA_RATE
    assert counted(media_time=RANK_MEDIA_TIME) is TalkClass.EMERGENCY
    assert counted(media_time=RANK_MEDIA_TIME + 1) is TalkClass.NORMAL


def test_the_open_microphone_is_no_matter_of_lower_classes() -> None:
    peril = replace(CLAIM, talk_class=TalkClass.IMMINENT_PERIL)
    assert ranked(peril, HIGH, alarm_open=False, media_time=RANK_MEDIA_TIME + 1) is peril
    assert counted(peril, demoted=True) is TalkClass.NORMAL
