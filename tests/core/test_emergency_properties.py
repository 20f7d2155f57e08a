"""The state of an AlarmBook is a function of what was said, not of the order in which it came."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.emergency import ESCALATE_MS, AlarmBook, Stage
from radiobridge.model.ids import TalkgroupId
from radiobridge.wire.alarms import AlarmKind, Verdict
from tests.core.alarm_world import (
    FIRST,
    LIFE,
    SECOND,
    Says,
    Step,
    acks,
    alarm,
    cleared,
    raises,
)
from tests.core.patch_world import BORDER, DETROIT, OPP, OTTAWA, SARNIA, T0, TAC1, WINDSOR

ALARMS = [
    alarm(FIRST),
    alarm(SECOND, at=T0 + 20_000),
    alarm(name="a2", kind=AlarmKind.DONOR),
    alarm(raiser=DETROIT, talkgroup=BORDER),
    alarm(raiser=SARNIA),
]
VERSIONS = st.integers(1, 3)
OWN_WORDS = st.builds(
    lambda word, how, version: raises(how(word), version),
    st.sampled_from(ALARMS),
    st.sampled_from([lambda w: w, lambda w: w.spent(), cleared]),
    VERSIONS,
)
SIBLINGS = st.builds(
    lambda word, verdict, version: Says(
        SARNIA, cleared(word, verdict) if verdict else word.spent(), version
    ),
    st.sampled_from([word for word in ALARMS if word.raiser == WINDSOR]),
    st.sampled_from([None, *Verdict]),
    VERSIONS,
)
ACKS = st.builds(
    acks, st.sampled_from([WINDSOR, DETROIT, OTTAWA]), st.sampled_from(ALARMS), VERSIONS
)
WORDS: st.SearchStrategy[Says] = OWN_WORDS | SIBLINGS | ACKS
STEPS = st.lists(WORDS, min_size=1, max_size=12)
MEMBERS = st.frozensets(st.sampled_from([TAC1, BORDER]))
MOMENTS = (T0, T0 + ESCALATE_MS, T0 + 20_000 + ESCALATE_MS, T0 + LIFE)


def told(steps: list[Step], members: frozenset[TalkgroupId]) -> AlarmBook:
    book = AlarmBook(OPP)
    book.set_members(members)
    for step in steps:
        step(book)
    return book


@settings(max_examples=300, deadline=None)
@given(STEPS, MEMBERS, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(
    steps: list[Says], members: frozenset[TalkgroupId], random: Random
) -> None:
    shuffled: list[Step] = [*steps, *steps]
    random.shuffle(shuffled)
    at = random.randrange(len(shuffled))
    shuffled.insert(at, lambda book: book.set_members(members))
    one, other = told(list(steps), members), told(shuffled, frozenset())
    for moment in MOMENTS:
        assert one.states(moment) == other.states(moment)
        assert one.next_deadline_ms(moment) == other.next_deadline_ms(moment)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_cleared_is_what_was_acknowledged_and_cleared(steps: list[Says]) -> None:
    newest: dict[object, Says] = {}
    for step in steps:
        key = step.gateway, getattr(step.word, "id", None), step.word.alarm, step.word.raiser
        known = newest.get(key)
        if known is not None and known.version == step.version and known != step:
            return  # contradictions have a test of their own
        if known is None or step.version > known.version:
            newest[key] = step
    words = [step.word for step in newest.values()]
    for state in told(list(steps), frozenset({TAC1, BORDER})).states(T0):
        about = [word for word in words if word.token == state.alarm.token]
        about = [word for word in about if (word.raiser, word.alarm) == state.key]
        acknowledged = any(not hasattr(word, "verdict") for word in about)
        over = any(getattr(word, "verdict", None) is not None for word in about)
        assert (state.stage is Stage.CLEARED) is (acknowledged and over)
        assert not (state.rank and state.alarm.kind is AlarmKind.DONOR)
        assert not (state.rank and state.stage is Stage.CLEARED)


@settings(max_examples=100, deadline=None)
@given(STEPS, WORDS)
def test_events_tell_of_every_change_once(steps: list[Says], more: Says) -> None:
    book = told(list(steps), frozenset({TAC1, BORDER}))
    book.tick(T0)
    before = book.states(T0)
    more(book)
    events = book.tick(T0)
    assert book.tick(T0) == []
    if book.states(T0) == before:
        assert events == []
    for event in events:
        assert event.state in book.states(T0)
