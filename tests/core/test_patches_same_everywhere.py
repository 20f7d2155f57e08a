"""The state of a patch is the same on all gateways, whatever the order in which words arrive.

Three agencies with two gateways each say what they like, also two gateways of one agency at the
same time and against each other. Each word reaches the gateways that it is sealed to, in an order
of its own for each of them, some of it twice. Then all that have a part in a patch see the same.
"""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.patch_state import PatchState
from radiobridge.core.patches import PatchBook
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, parse_gateway
from radiobridge.model.patch import Access, Recording, Terms
from radiobridge.wire.roster import Roster
from radiobridge.wire.words import Limit
from tests.core.patch_world import (
    BORDER,
    BUFFALO,
    DETROIT,
    HOUR,
    MOUNTED,
    OTTAWA,
    RIVER,
    SARNIA,
    T0,
    TAC1,
    TAC2,
    WINDSOR,
    Says,
    accepts,
    narrows,
    one_character_off,
    terms,
    withdraws,
)
from tests.wire.people import entry, roster

REGINA = parse_gateway("ca.rcmp/regina")
GATEWAYS = (WINDSOR, SARNIA, DETROIT, BUFFALO, OTTAWA, REGINA)
ROSTERS: tuple[Roster, ...] = (
    roster("ca.opp", entry("ca.opp/windsor"), entry("ca.opp/sarnia")),
    roster("us.cbp", entry("us.cbp/detroit"), entry("us.cbp/buffalo")),
    roster("ca.rcmp", entry("ca.rcmp/ottawa"), entry("ca.rcmp/regina")),
)
PAIR = terms("pair", TAC1, BORDER)
TRIO = terms("trio", TAC2, RIVER, MOUNTED)
TERMS = (PAIR, one_character_off(PAIR), TRIO, one_character_off(TRIO))
MOMENTS = (T0 - 1, T0, T0 + HOUR, T0 + 2 * HOUR - 1, T0 + 2 * HOUR)

LIMITS = st.builds(
    Limit,
    talkgroup=st.sampled_from([TAC1, TAC2, BORDER, RIVER, MOUNTED]),
    access=st.sampled_from([*Access, None]),
)


@st.composite
def words(draw: st.DrawFn) -> Says:
    """Return a word of a gateway of an agency that has a part in the patch."""
    what = draw(st.sampled_from(TERMS))
    gateway = draw(st.sampled_from([one for one in GATEWAYS if one.agency in what.agencies]))
    version = draw(st.integers(1, 6))
    verb = draw(st.sampled_from(["accept", "accept", "accept", "narrow", "withdraw"]))
    if verb == "accept":
        return accepts(gateway, what, version)
    if verb == "withdraw":
        return withdraws(gateway, what, version)
    limits = draw(st.lists(LIMITS, min_size=1, max_size=2))
    end_ms = draw(st.none() | st.integers(T0, T0 + 2 * HOUR))
    recording = draw(st.none() | st.sampled_from(Recording))
    return narrows(gateway, what, *limits, version=version, end_ms=end_ms, recording=recording)


def distinct(said: list[Says]) -> list[Says]:
    """Give each gateway's words versions of their own: honest gateways never repeat one."""
    return [replace(one, version=n + 1) for n, one in enumerate(said)]


def told(gateway: GatewayId, said: list[Says], random: Random) -> PatchBook:
    """Return what one gateway knows: its share of the words, in some order, some of it twice."""
    share = [one for one in said if gateway.agency in agencies(one.word.patch)]
    order = share + [one for one in share if random.random() < 0.3]
    random.shuffle(order)
    book = PatchBook(gateway.agency)
    rosters = list(ROSTERS)
    random.shuffle(rosters)
    at = [random.randrange(len(order) + 1) for _ in rosters]
    for place, one in enumerate((*order, None)):
        for when, known in zip(at, rosters, strict=True):
            if when == place:
                book.roster(known)
        if one is not None:
            one(book)
    return book


def agencies(patch: PatchId) -> frozenset[AgencyId]:
    return PAIR.agencies if patch == PAIR.patch else TRIO.agencies


def seen(state: PatchState, own: AgencyId) -> tuple[object, ...]:
    """Return what must be the same for all. Who has taken itself out sees that it has."""
    if own not in state.effective.agencies:
        assert not state.in_force
        return ("left", state.withdrawn_by)
    return (
        state.reason,
        state.terms,
        state.effective,
        state.agencies,
        state.withdrawn_by,
        state.narrowed_by,
    )


@settings(deadline=None)
@given(st.lists(words(), min_size=1, max_size=16), st.randoms(use_true_random=False))
def test_all_that_have_a_part_in_a_patch_see_the_same(said: list[Says], random: Random) -> None:
    said = distinct(said)
    books = {gateway: told(gateway, said, random) for gateway in GATEWAYS}
    for moment in MOMENTS:
        for patch in (PAIR.patch, TRIO.patch):
            views: dict[object, list[str]] = {}
            for gateway, book in books.items():
                if gateway.agency in agencies(patch):
                    states = {one.patch: one for one in book.states(moment)}
                    found = states.get(patch)
                    view = None if found is None else seen(found, gateway.agency)
                    views.setdefault(view, []).append(str(gateway))
            staying = [
                view for view in views if not (isinstance(view, tuple) and view[0] == "left")
            ]
            assert len(staying) <= 1, (moment, patch, views)
            left = [view for view in views if view not in staying]
            assert len(left) <= 1, (moment, patch, views)


@settings(deadline=None)
@given(st.lists(words(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_what_is_remembered_over_a_restart_says_the_same(said: list[Says], random: Random) -> None:
    said = distinct(said)
    for gateway in (WINDSOR, OTTAWA):
        before = told(gateway, said, random)
        after = PatchBook(gateway.agency)
        for one in ROSTERS:
            after.roster(one)
        for patch in before.known:
            for sender, record in before.records(patch).items():
                for word, version, expires_ms in record.words():
                    after.word(sender, word, version=version, expires_ms=expires_ms)
        for moment in MOMENTS:
            assert after.states(moment) == before.states(moment)


def test_terms_that_differ_are_named_by_each_side_as_its_own() -> None:
    other = one_character_off(PAIR)
    said = [accepts(WINDSOR, PAIR, 1), accepts(DETROIT, other, 2)]
    random = Random(1)
    (ours,) = told(WINDSOR, said, random).states(T0)
    (theirs,) = told(DETROIT, said, random).states(T0)
    assert ours.difference is not None
    assert theirs.difference is not None
    assert (ours.difference.agency, ours.difference.ours) == ("us.cbp", PAIR.purpose)
    assert (theirs.difference.agency, theirs.difference.ours) == ("ca.opp", other.purpose)


def in_force(said: list[Says]) -> list[Terms]:
    return list(told(WINDSOR, said, Random(1)).in_force(T0))


def test_two_gateways_of_one_agency_that_accept_different_terms_at_once_do_no_harm() -> None:
    other = one_character_off(PAIR)
    both = [accepts(WINDSOR, PAIR, 1), accepts(SARNIA, other, 2)]
    assert in_force(both) == []
    assert in_force([*both, accepts(DETROIT, PAIR, 3)]) == [PAIR]
    assert in_force([*both, accepts(DETROIT, PAIR, 3), accepts(BUFFALO, other, 4)]) == []
