"""The state of a PatchBook is a function of what was said, not of the order in which it came."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.patches import PatchBook
from radiobridge.model.ids import AgencyId, GatewayId
from radiobridge.model.patch import Access, Recording, Terms
from radiobridge.model.voice import TalkClass
from radiobridge.wire.roster import Right, Roster
from radiobridge.wire.words import Limit, Verb
from tests.core.patch_world import (
    BORDER,
    BUFFALO,
    CBP,
    DETROIT,
    HOUR,
    MOUNTED,
    OPP,
    OTTAWA,
    RCMP,
    SARNIA,
    T0,
    TAC1,
    TAC2,
    WINDSOR,
    Says,
    Step,
    accepts,
    narrows,
    one_character_off,
    rosters,
    terms,
    withdraws,
)
from tests.wire.people import entry, roster

GATEWAYS = (WINDSOR, SARNIA, DETROIT, BUFFALO, OTTAWA)
TERMS = [
    terms("pair", TAC1, BORDER),
    one_character_off(terms("pair", TAC1, BORDER)),
    terms("trio", TAC1, BORDER, MOUNTED, start=T0 + 1),
    terms("other", TAC2, MOUNTED, start=T0 - HOUR, end=T0 + HOUR),
]
LIMITS = st.builds(
    Limit,
    talkgroup=st.sampled_from([TAC1, TAC2, BORDER, MOUNTED]),
    access=st.sampled_from([*Access, None]),
    max_class=st.sampled_from(TalkClass),
    max_priority=st.integers(0, 3),
)
WORDS: st.SearchStrategy[Says] = st.one_of(
    st.builds(accepts, st.sampled_from(GATEWAYS), st.sampled_from(TERMS), st.integers(1, 4)),
    st.builds(withdraws, st.sampled_from(GATEWAYS), st.sampled_from(TERMS), st.integers(1, 4)),
    st.builds(
        lambda gateway, what, limits, version, end, recording: narrows(
            gateway, what, *limits, version=version, end_ms=end, recording=recording
        ),
        st.sampled_from(GATEWAYS),
        st.sampled_from(TERMS),
        st.lists(LIMITS, min_size=1, max_size=2),
        st.integers(1, 4),
        st.none() | st.integers(T0, T0 + 3 * HOUR),
        st.none() | st.sampled_from(Recording),
    ),
)
NEWER_ROSTERS = [
    roster("us.cbp", entry("us.cbp/buffalo"), version=2),
    roster("us.cbp", entry("us.cbp/detroit", frozenset({Right.VOICE})), version=3),
    roster("ca.opp", entry("ca.opp/windsor"), entry("ca.opp/sarnia"), version=2),
]
MOMENTS = (T0 - 1, T0, T0 + 1, T0 + HOUR, T0 + 2 * HOUR)


def takes(one: Roster) -> Step:
    return lambda book: book.roster(one)


STEPS = st.lists(WORDS | st.sampled_from(NEWER_ROSTERS).map(takes), min_size=1, max_size=14)


def told(steps: list[Step], own: AgencyId = OPP, plans: tuple[Terms, ...] = ()) -> PatchBook:
    book = PatchBook(own)
    book.set_plans(plans, [frozenset({TAC1, TAC2})])
    for step in steps:
        step(book)
    return book


def all_told(book: PatchBook) -> list[object]:
    return [*(book.states(at) for at in MOMENTS), *(book.next_deadline_ms(at) for at in MOMENTS)]


PLANS = st.sampled_from([(), (TERMS[0],), (TERMS[1], TERMS[2]), (TERMS[0], TERMS[3])])


@settings(max_examples=200, deadline=None)
@given(STEPS, st.randoms(use_true_random=False), PLANS, st.sampled_from([OPP, CBP, RCMP]))
def test_order_of_arrival_does_not_matter(
    steps: list[Step], random: Random, plans: tuple[Terms, ...], own: AgencyId
) -> None:
    known: list[Step] = [takes(one) for one in rosters()] + steps
    shuffled = known * 2
    random.shuffle(shuffled)
    assert all_told(told(shuffled, own, plans)) == all_told(told(known, own, plans))


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from([DETROIT, BUFFALO]), st.integers(0, 14))
def test_a_withdrawal_wins_wherever_it_comes(
    steps: list[Step], gateway: GatewayId, at: int
) -> None:
    all_steps: list[Step] = [takes(one) for one in rosters()] + steps
    for what in TERMS[:2]:
        mixed: list[Step] = [*all_steps[:at], withdraws(gateway, what, 1), *all_steps[at:]]
        for moment in MOMENTS:
            in_force = told([*mixed, *all_steps]).in_force(moment)
            assert what.patch not in [one.patch for one in in_force]


@settings(max_examples=100, deadline=None)
@given(STEPS, PLANS, st.sampled_from(MOMENTS))
def test_what_is_in_force_was_accepted_by_all(
    steps: list[Step], plans: tuple[Terms, ...], moment: int
) -> None:
    book = told([takes(one) for one in rosters()] + steps, OPP, plans)
    words = [step for step in steps if isinstance(step, Says)]
    for state in book.states(moment):
        if not state.in_force:
            continue
        said = {
            word.gateway.agency
            for word in words
            if word.word.terms == state.terms and word.word.verb is not Verb.WITHDRAW
        }
        assert state.effective.agencies <= said
        assert state.effective.start_ms <= moment < state.effective.end_ms
        assert within(state.effective, state.terms)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(MOMENTS))
def test_a_talkgroup_is_in_one_foreign_patch_at_most(steps: list[Step], moment: int) -> None:
    book = told([takes(one) for one in rosters()] + steps)
    groups = [m.talkgroup for one in book.in_force(moment) for m in one.members]
    assert len(groups) == len(set(groups))
    # TAC1 and TAC2 are joined by their owner, so they count as one.
    joined = {TAC1, TAC2}
    ours = [one for one in book.in_force(moment) if joined & {m.talkgroup for m in one.members}]
    assert len(ours) < 2


@settings(max_examples=100, deadline=None)
@given(STEPS, WORDS, st.sampled_from(MOMENTS))
def test_narrowing_and_withdrawing_never_widen(steps: list[Step], more: Says, moment: int) -> None:
    known: list[Step] = [takes(one) for one in rosters()] + steps
    before = {one.patch: one for one in told(known).in_force(moment)}
    if more.word.verb is Verb.ACCEPT:
        more = withdraws(more.gateway, TERMS[0], 9)
    for one in told([*known, replace(more, version=0)]).in_force(moment):
        if one.patch in before:
            assert within(one, before[one.patch])


def within(inner: Terms, outer: Terms) -> bool:
    for member in inner.members:
        of = outer.member(member.talkgroup)
        if of is None or not allows(of.access, member.access):
            return False
        if (member.max_class, member.max_priority) > (of.max_class, of.max_priority):
            return False
    return inner.end_ms <= outer.end_ms and inner.start_ms >= outer.start_ms


def allows(outer: Access, inner: Access) -> bool:
    return outer is Access.BOTH or inner is outer
