"""Patches in force: by the consent of each owner, inside the time, and not a moment longer."""

from dataclasses import replace

import pytest

from radiobridge.core.patch_state import PatchState, Reason
from radiobridge.core.patches import DAY_MS, MAX_PATCHES, PatchBook
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import PatchId
from radiobridge.model.patch import Access, Recording, Terms
from radiobridge.model.voice import TalkClass
from radiobridge.text import Language
from radiobridge.wire.roster import Right
from radiobridge.wire.words import Limit, PatchWord, Verb
from tests.core.patch_world import (
    BORDER,
    BUFFALO,
    CBP,
    DETROIT,
    HOUR,
    MOUNTED,
    OPP,
    OTTAWA,
    PAIR,
    RCMP,
    RIVER,
    SARNIA,
    T0,
    TAC1,
    TAC2,
    TRIO,
    WINDSOR,
    accepts,
    book,
    narrows,
    one_character_off,
    rosters,
    terms,
    withdraws,
)
from tests.wire.people import entry, roster

BOTH = (accepts(WINDSOR, PAIR), accepts(DETROIT, PAIR))
ALL_THREE = (accepts(WINDSOR, TRIO), accepts(DETROIT, TRIO), accepts(OTTAWA, TRIO))


def state(of: PatchBook, patch: str = "pair", now_ms: int = T0) -> PatchState:
    found = {one.patch: one for one in of.states(now_ms)}
    return found[PatchId(patch)]


def reason(of: PatchBook, patch: str = "pair", now_ms: int = T0) -> Reason:
    return state(of, patch, now_ms).reason


def in_force(of: PatchBook, now_ms: int = T0) -> list[Terms]:
    return list(of.in_force(now_ms))


# Consent


def test_in_force_when_each_owner_accepts_these_terms() -> None:
    patches = book(*BOTH, plans=[PAIR])
    assert in_force(patches) == [PAIR]
    assert reason(patches) is Reason.IN_FORCE


def test_a_plan_that_only_one_side_has_joins_nothing() -> None:
    ours = book(accepts(WINDSOR, PAIR), plans=[PAIR])
    assert in_force(ours) == []
    assert state(ours).reason is Reason.WAITING_FOR
    assert state(ours).agencies == (CBP,)
    theirs = book(accepts(WINDSOR, PAIR), own=CBP)
    assert in_force(theirs) == []
    assert state(theirs).agencies == (CBP,)


def test_our_own_plan_is_not_our_signed_word() -> None:
    patches = book(accepts(DETROIT, PAIR), plans=[PAIR])
    assert state(patches).reason is Reason.WAITING_FOR
    assert state(patches).agencies == (OPP,)


def test_terms_that_differ_in_one_character_join_nothing_and_say_which() -> None:
    other = one_character_off(PAIR)
    patches = book(accepts(WINDSOR, PAIR), accepts(DETROIT, other), plans=[PAIR])
    assert in_force(patches) == []
    found = state(patches)
    assert found.reason is Reason.TERMS_DIFFER
    assert found.difference is not None
    assert found.difference.agency == CBP
    assert found.difference.field == "purpose"
    assert (found.difference.ours, found.difference.theirs) == ("Pursuit", "Pursuit.")
    assert "us.cbp" in found.why.en
    assert "purpose" in found.why.en
    assert "'Pursuit.'" in found.why.to(Language.FR)


def test_letters_that_look_alike_are_spelled_out() -> None:
    other = replace(PAIR, purpose="Pursu\u0456t")
    patches = book(accepts(WINDSOR, PAIR), accepts(DETROIT, other), plans=[PAIR])
    assert "'Pursu\\u0456t'" in state(patches).why.en


def test_a_differing_letter_of_french_is_shown_as_it_is() -> None:
    ours, theirs = replace(PAIR, purpose="Rivière"), replace(PAIR, purpose="Riviére")
    patches = book(accepts(WINDSOR, ours), accepts(DETROIT, theirs), plans=[ours])
    assert "Rivi\\xe8re" in state(patches).why.en


def test_a_gateway_without_the_right_to_consent_accepts_nothing() -> None:
    patches = book(accepts(SARNIA, PAIR), accepts(DETROIT, PAIR), plans=[PAIR])
    assert state(patches).agencies == (OPP,)


def test_a_gateway_in_no_roster_accepts_nothing() -> None:
    stranger = PatchBook(OPP)
    stranger.set_plans([PAIR])
    for word in BOTH:
        word(stranger)
    assert state(stranger).agencies == (OPP, CBP)
    for one in rosters():
        stranger.roster(one)
    assert in_force(stranger) == [PAIR]


def test_one_gateway_of_an_agency_is_enough_also_for_its_siblings() -> None:
    without_a_plan = book(*BOTH)
    assert in_force(without_a_plan) == [PAIR]
    assert in_force(book(accepts(WINDSOR, PAIR), accepts(BUFFALO, PAIR), own=CBP)) == [PAIR]


def test_a_gateway_with_a_plan_joins_by_no_other_terms() -> None:
    other = one_character_off(PAIR)
    agreed = (accepts(WINDSOR, other), accepts(DETROIT, other))
    assert in_force(book(*agreed)) == [other]
    assert reason(book(*agreed, plans=[PAIR])) is Reason.TERMS_DIFFER


def test_two_terms_that_all_accept_under_one_id_cancel_out() -> None:
    other = one_character_off(PAIR)
    members = roster("ca.opp", entry("ca.opp/windsor"), entry("ca.opp/sarnia"), version=2)
    patches = book(*BOTH, accepts(SARNIA, other), accepts(BUFFALO, other))
    patches.roster(members)
    assert reason(patches) is Reason.TERMS_DIFFER
    assert in_force(patches) == []


def test_who_owns_no_member_takes_no_part() -> None:
    patches = book(*BOTH, own=RCMP, plans=[PAIR])
    assert reason(patches) is Reason.NOT_OURS
    assert in_force(patches) == []


# Time


def test_expiry_needs_nobody() -> None:
    patches = book(*BOTH, plans=[PAIR])
    assert reason(patches, now_ms=T0 - 1) is Reason.NOT_YET
    assert in_force(patches, T0) == [PAIR]
    assert in_force(patches, PAIR.end_ms - 1) == [PAIR]
    assert in_force(patches, PAIR.end_ms) == []
    assert reason(patches, now_ms=PAIR.end_ms) is Reason.EXPIRED


def test_a_word_that_expires_takes_consent_with_it() -> None:
    short = replace(accepts(DETROIT, PAIR), expires_ms=T0 + 10)
    patches = book(accepts(WINDSOR, PAIR), short, plans=[PAIR])
    assert in_force(patches, T0 + 9) == [PAIR]
    assert reason(patches, now_ms=T0 + 10) is Reason.WAITING_FOR


def test_a_roster_entry_that_ends_takes_consent_with_it() -> None:
    patches = book(*BOTH, plans=[PAIR])
    patches.roster(roster("us.cbp", entry("us.cbp/detroit", end_ms=T0 + 10), version=2))
    assert in_force(patches, T0 + 9) == [PAIR]
    assert reason(patches, now_ms=T0 + 10) is Reason.WAITING_FOR


def test_a_roster_without_the_right_takes_consent_with_it() -> None:
    patches = book(*BOTH, plans=[PAIR])
    voice = frozenset({Right.VOICE})
    patches.roster(roster("us.cbp", entry("us.cbp/detroit", voice), version=2))
    assert reason(patches) is Reason.WAITING_FOR
    patches.roster(rosters(version=1)[1])
    assert reason(patches) is Reason.WAITING_FOR, "an old roster gives nothing back"


def test_a_partner_that_is_none_any_more() -> None:
    patches = book(*BOTH, plans=[PAIR])
    patches.drop_roster(CBP)
    assert reason(patches) is Reason.WAITING_FOR


def test_each_moment_is_announced() -> None:
    patches = book(*BOTH, plans=[PAIR])
    moments, now_ms = [], T0 - HOUR
    while (at := patches.next_deadline_ms(now_ms)) is not None:
        moments.append(at)
        now_ms = at
    assert PAIR.start_ms in moments
    assert PAIR.end_ms in moments
    assert BOTH[0].expires_ms in moments
    assert moments == sorted(set(moments))


# Taking away


def test_a_withdrawal_ends_it_at_once() -> None:
    patches = book(*BOTH, withdraws(DETROIT, PAIR), plans=[PAIR])
    assert in_force(patches) == []
    assert state(patches).reason is Reason.WITHDRAWN
    assert state(patches).agencies == (CBP,)
    assert "us.cbp" in state(patches).why.en


def test_a_withdrawal_is_for_good() -> None:
    again = (accepts(DETROIT, PAIR, 3), accepts(BUFFALO, PAIR, 9))
    patches = book(*BOTH, withdraws(DETROIT, PAIR), *again, plans=[PAIR])
    assert reason(patches) is Reason.WITHDRAWN


def test_a_withdrawal_wins_over_siblings() -> None:
    patches = book(*BOTH, accepts(BUFFALO, PAIR), withdraws(BUFFALO, PAIR, 1), plans=[PAIR])
    assert reason(patches) is Reason.WITHDRAWN


def test_a_withdrawal_outlives_the_gateway_that_said_it() -> None:
    patches = book(*BOTH, withdraws(BUFFALO, PAIR), plans=[PAIR])
    patches.roster(roster("us.cbp", entry("us.cbp/detroit"), version=2))
    assert reason(patches) is Reason.WITHDRAWN


def test_who_may_not_consent_withdraws_nothing() -> None:
    assert in_force(book(*BOTH, withdraws(SARNIA, PAIR), plans=[PAIR])) == [PAIR]


def test_a_third_partys_withdrawal_is_not_theirs_to_give() -> None:
    assert in_force(book(*BOTH, withdraws(OTTAWA, PAIR), plans=[PAIR])) == [PAIR]


def test_the_rest_goes_on_while_two_remain() -> None:
    patches = book(*ALL_THREE, withdraws(OTTAWA, TRIO), plans=[TRIO])
    (left,) = in_force(patches)
    assert left.agencies == {OPP, CBP}
    assert state(patches, "trio").agencies == (RCMP,)
    assert "ca.rcmp" in state(patches, "trio").why.en
    withdraws(DETROIT, TRIO)(patches)
    assert reason(patches, "trio") is Reason.WITHDRAWN


def test_who_withdrew_hears_of_nothing() -> None:
    patches = book(*ALL_THREE, withdraws(OTTAWA, TRIO), own=RCMP)
    assert in_force(patches) == []
    assert reason(patches, "trio") is Reason.WITHDRAWN


def test_narrowing() -> None:
    limit = Limit(
        talkgroup=BORDER, access=Access.LISTEN, max_class=TalkClass.NORMAL, max_priority=0
    )
    word = narrows(DETROIT, PAIR, limit, end_ms=T0 + HOUR, recording=Recording.NONE)
    patches = book(*BOTH, word, plans=[PAIR])
    (left,) = in_force(patches)
    member = left.member(BORDER)
    assert member is not None
    assert member.access is Access.LISTEN
    assert (left.end_ms, left.recording) == (T0 + HOUR, Recording.NONE)
    assert left.member(TAC1) == PAIR.member(TAC1)
    assert reason(patches, now_ms=T0 + HOUR) is Reason.EXPIRED
    assert patches.next_deadline_ms(T0) == T0 + HOUR


def test_what_was_narrowed_does_not_widen_again() -> None:
    listen = Limit(talkgroup=BORDER, access=Access.LISTEN)
    patches = book(*BOTH, narrows(DETROIT, PAIR, listen), accepts(DETROIT, PAIR, 3), plans=[PAIR])
    member = in_force(patches)[0].member(BORDER)
    assert member is not None
    assert member.access is Access.LISTEN


def test_nobody_narrows_what_another_owns() -> None:
    gone = Limit(talkgroup=TAC1)
    assert in_force(book(*BOTH, narrows(DETROIT, PAIR, gone), plans=[PAIR])) == [PAIR]


def test_narrowed_to_nothing() -> None:
    gone = Limit(talkgroup=BORDER)
    assert reason(book(*BOTH, narrows(DETROIT, PAIR, gone), plans=[PAIR])) is Reason.TOO_FEW
    talk = narrows(DETROIT, PAIR, Limit(talkgroup=BORDER, access=Access.TALK))
    listen = narrows(BUFFALO, PAIR, Limit(talkgroup=BORDER, access=Access.LISTEN))
    assert reason(book(*BOTH, talk, listen, plans=[PAIR])) is Reason.TOO_FEW


# One patch for a talkgroup


def test_a_second_patch_is_refused_naming_the_first() -> None:
    second = terms("second", TAC1, MOUNTED, start=T0 + 1, end=T0 + 3 * HOUR)
    words = (*BOTH, accepts(WINDSOR, second), accepts(OTTAWA, second))
    patches = book(*words, plans=[PAIR, second])
    assert in_force(patches, T0 + 1) == [PAIR]
    found = state(patches, "second", T0 + 1)
    assert found.reason is Reason.TALKGROUP_TAKEN
    assert found.taken == (TAC1, PAIR.patch)
    assert "pair" in found.why.en
    assert in_force(patches, PAIR.end_ms) == [second]


def test_a_local_join_does_not_bridge_two_partners() -> None:
    second = terms("second", TAC2, MOUNTED, start=T0 + 1)
    words = (*BOTH, accepts(WINDSOR, second), accepts(OTTAWA, second))
    apart = book(*words, plans=[PAIR, second])
    assert in_force(apart, T0 + 1) == [PAIR, second]
    joined = book(*words, plans=[PAIR, second], joins=[frozenset({TAC1, TAC2})])
    assert in_force(joined, T0 + 1) == [PAIR]
    assert state(joined, "second", T0 + 1).reason is Reason.TALKGROUP_TAKEN


def test_what_is_refused_holds_no_talkgroup() -> None:
    second = terms("second", TAC1, RIVER, start=T0 + 1)
    third = terms("third", TAC2, RIVER, start=T0 + 2)
    words = [accepts(g, t) for t in (second, third) for g in (WINDSOR, DETROIT)]
    patches = book(*BOTH, *words)
    assert in_force(patches, T0 + 2) == [PAIR, third]


def test_we_do_not_accept_what_would_be_refused() -> None:
    second = terms("second", TAC1, MOUNTED)
    patches = book(*BOTH, accepts(OTTAWA, second), plans=[PAIR, second])
    assert reason(patches, "second") is Reason.TALKGROUP_TAKEN
    assert patches.words_to_say(WINDSOR, T0) == ()
    assert [word.patch for word in patches.words_to_say(WINDSOR, PAIR.end_ms - 1)] == []
    withdraws(DETROIT, PAIR)(patches)
    assert [word.patch for word in patches.words_to_say(WINDSOR, T0)] == ["second"]


# Closed


@pytest.mark.parametrize("why", [Reason.CLOCK_UNSYNCHRONISED, Reason.STATE_UNCONFIRMED])
def test_closed(why: Reason) -> None:
    patches = book(*BOTH, plans=[PAIR])
    patches.set_closed(why)
    assert in_force(patches) == []
    assert reason(patches) is why
    patches.set_closed(None)
    assert in_force(patches) == [PAIR]


# What this gateway has to say


def tell(patches: PatchBook, version: int, now_ms: int = T0) -> list[PatchWord]:
    words = list(patches.words_to_say(WINDSOR, now_ms))
    for word in words:
        expires_ms = patches.word_expires_ms(word, now_ms)
        patches.word(WINDSOR, word, version=version, expires_ms=expires_ms)
    return words


def test_a_plan_is_accepted_once_and_withdrawn_when_it_is_gone() -> None:
    patches = book(accepts(DETROIT, PAIR), plans=[PAIR])
    assert [word.verb for word in tell(patches, 1)] == [Verb.ACCEPT]
    assert in_force(patches) == [PAIR]
    assert tell(patches, 2) == []
    patches.set_plans([])
    assert in_force(patches) == [PAIR]
    assert [word.verb for word in tell(patches, 3)] == [Verb.WITHDRAW]
    assert in_force(patches) == []
    patches.set_plans([PAIR])
    assert tell(patches, 4) == []
    assert reason(patches) is Reason.WITHDRAWN


def test_a_plan_that_changed_is_accepted_anew() -> None:
    patches = book(accepts(DETROIT, PAIR), plans=[PAIR])
    tell(patches, 1)
    other = one_character_off(PAIR)
    patches.set_plans([other])
    assert [word.terms for word in tell(patches, 2)] == [other]
    assert reason(patches) is Reason.TERMS_DIFFER
    accepts(DETROIT, other, 2)(patches)
    assert in_force(patches) == [other]


def test_an_acceptance_found_after_a_restart_without_its_plan_is_withdrawn() -> None:
    assert [word.verb for word in tell(book(*BOTH), 2)] == [Verb.WITHDRAW]


def test_restrictions_are_said_again_with_each_acceptance() -> None:
    limit = Limit(talkgroup=TAC1, access=Access.TALK)
    patches = book(*BOTH, narrows(WINDSOR, PAIR, limit), plans=[PAIR])
    assert tell(patches, 3) == []
    other = one_character_off(PAIR)
    patches.set_plans([other])
    (word,) = tell(patches, 4)
    assert (word.verb, word.terms, word.limits) == (Verb.NARROW, other, (limit,))
    assert tell(patches, 5) == []


def test_who_may_not_consent_says_nothing() -> None:
    assert book(plans=[PAIR]).words_to_say(SARNIA, T0) == ()
    assert book(plans=[PAIR]).words_to_say(DETROIT, T0) != ()


def test_a_plan_that_is_over_or_not_ours_is_not_accepted() -> None:
    theirs = terms("theirs", BORDER, MOUNTED)
    assert book(plans=[PAIR, theirs]).words_to_say(WINDSOR, PAIR.end_ms) == ()


def test_a_withdrawal_counts_longer_than_what_it_withdraws() -> None:
    patches = book(*BOTH)
    (word,) = patches.words_to_say(WINDSOR, T0)
    assert patches.word_expires_ms(word, T0) == PAIR.end_ms + DAY_MS


# Hostile or careless partners


def test_two_words_under_one_version_are_none() -> None:
    for pair in (BOTH, BOTH[::-1]):
        other = accepts(DETROIT, one_character_off(PAIR))
        patches = book(*pair, other, plans=[PAIR])
        assert reason(patches) is Reason.WAITING_FOR
        accepts(DETROIT, PAIR)(patches)
        assert reason(patches) is Reason.WAITING_FOR
        accepts(DETROIT, PAIR, 2)(patches)
        assert in_force(patches) == [PAIR]


def test_a_gateway_fills_its_own_share_only() -> None:
    patches = book(*BOTH, plans=[PAIR])
    for n in range(MAX_PATCHES - 1):
        accepts(DETROIT, terms(f"p{n}", TAC1, BORDER))(patches)
    with pytest.raises(RemoteProtocolError, match="too-many-patches"):
        accepts(DETROIT, terms("more", TAC1, BORDER))(patches)
    withdraws(DETROIT, PAIR)(patches)
    accepts(OTTAWA, TRIO)(patches)
    assert reason(patches) is Reason.WITHDRAWN


def test_what_has_ended_is_forgotten_but_no_sooner() -> None:
    patches = book(*BOTH, withdraws(DETROIT, PAIR))
    patches.forget_ended(BOTH[0].expires_ms + DAY_MS - 1)
    assert state(patches).reason is Reason.WITHDRAWN
    patches.forget_ended(BOTH[0].expires_ms + DAY_MS)
    assert patches.states(T0) == ()


def test_every_state_says_why_in_both_languages() -> None:
    seen: dict[Reason, PatchState] = {}
    second = terms("second", TAC1, MOUNTED)
    taken = [accepts(g, second) for g in (WINDSOR, OTTAWA)]
    for patches, now_ms in [
        (book(*BOTH), T0),
        (book(*BOTH), T0 - 1),
        (book(*BOTH, plans=[PAIR]), PAIR.end_ms),
        (book(accepts(WINDSOR, PAIR)), T0),
        (book(*BOTH, withdraws(DETROIT, PAIR)), T0),
        (book(*BOTH, narrows(DETROIT, PAIR, Limit(talkgroup=BORDER))), T0),
        (book(accepts(DETROIT, one_character_off(PAIR)), plans=[PAIR]), T0),
        (book(*BOTH, *taken), T0),
        (book(own=RCMP, plans=[PAIR]), T0),
    ]:
        seen.update({one.reason: one for one in patches.states(now_ms)})
    closed = {Reason.CLOCK_UNSYNCHRONISED, Reason.STARTING, Reason.STATE_UNCONFIRMED}
    assert set(seen) == set(Reason) - closed
    for one in seen.values():
        assert one.why.en
        assert one.why.en != one.why.fr
        assert "{}" not in one.why.en + one.why.fr
