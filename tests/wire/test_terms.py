"""Terms: one spelling, and the first place where two of them differ."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, PatchId, parse_talkgroup
from radiobridge.model.patch import Access, Air, Member, Recording, Terms
from radiobridge.model.voice import TalkClass
from radiobridge.wire.canonical import Body, dump, parse
from radiobridge.wire.terms import (
    class_from_word,
    first_difference,
    terms_from_body,
    terms_hash,
    terms_to_body,
)

TERMS = Terms(
    patch=PatchId("river"),
    purpose="Pursuit over the bridge",
    incident="2026-114",
    host=AgencyId("ca.opp"),
    start_ms=1000,
    end_ms=2000,
    recording=Recording.OWN,
    members=(
        Member(talkgroup=parse_talkgroup("ca.opp/TAC1"), max_class=TalkClass.EMERGENCY),
        Member(talkgroup=parse_talkgroup("us.cbp/BORDER"), access=Access.LISTEN, max_priority=3),
    ),
)


def changed(member: int, **changes: Any) -> Terms:
    members = list(TERMS.members)
    members[member] = replace(members[member], **changes)
    return replace(TERMS, members=tuple(members))


def test_spelling() -> None:
    assert dump(terms_to_body(TERMS)) == (
        b'{"end":2000,"host":"ca.opp","incident":"2026-114","members":['
        b'{"access":"both","air":"clear","in_clear":"no","max_class":"emergency","max_priority":0,'
        b'"signalling":"no","talkgroup":"ca.opp/TAC1"},'
        b'{"access":"listen","air":"clear","in_clear":"no","max_class":"normal","max_priority":3,'
        b'"signalling":"no","talkgroup":"us.cbp/BORDER"}],'
        b'"patch":"river","purpose":"Pursuit over the bridge","recording":"own","start":1000}'
    )


def test_both_ways() -> None:
    assert terms_from_body(parse(dump(terms_to_body(TERMS)))) == TERMS


def test_order_of_members_makes_no_difference() -> None:
    turned = replace(TERMS, members=TERMS.members[::-1])
    assert terms_hash(turned) == terms_hash(TERMS)
    assert first_difference(turned, TERMS) is None


DIFFERENCES = [
    (replace(TERMS, purpose="Pursuit over the bridgE"), "purpose"),
    (replace(TERMS, incident="2026-115"), "incident"),
    (replace(TERMS, host=AgencyId("us.cbp")), "host"),
    (replace(TERMS, start_ms=1001), "start"),
    (replace(TERMS, end_ms=2001), "end"),
    (replace(TERMS, recording=Recording.ALL), "recording"),
    (replace(TERMS, patch=PatchId("lake")), "patch"),
    (changed(0, access=Access.TALK), "members[ca.opp/TAC1].access"),
    (changed(0, max_class=TalkClass.NORMAL), "members[ca.opp/TAC1].max_class"),
    (changed(1, max_priority=4), "members[us.cbp/BORDER].max_priority"),
    (changed(1, air=Air.ENCRYPTED), "members[us.cbp/BORDER].air"),
    (changed(1, signalling=True), "members[us.cbp/BORDER].signalling"),
    (changed(1, in_clear=True), "members[us.cbp/BORDER].in_clear"),
    (changed(1, talkgroup=parse_talkgroup("us.cbp/BORDER2")), "members[us.cbp/BORDER]"),
    (replace(TERMS, members=TERMS.members[:1]), "members[us.cbp/BORDER]"),
]


@pytest.mark.parametrize(("other", "field"), DIFFERENCES)
def test_the_field_that_differs_is_named(other: Terms, field: str) -> None:
    found, back = first_difference(TERMS, other), first_difference(other, TERMS)
    assert found is not None
    assert back is not None
    assert found[0] == back[0] == field
    assert found[1:] == back[:0:-1]
    assert found[1] != found[2]
    assert terms_hash(other) != terms_hash(TERMS)


def test_a_member_of_one_side_only() -> None:
    assert first_difference(TERMS, replace(TERMS, members=TERMS.members[:1])) == (
        "members[us.cbp/BORDER]",
        "present",
        "absent",
    )


def body(**changes: Any) -> Body:
    return {**terms_to_body(TERMS), **changes}


def member(**changes: Any) -> Body:
    members = terms_to_body(TERMS)["members"]
    assert isinstance(members, list)
    assert isinstance(members[1], dict)
    return body(members=[members[0], {**members[1], **changes}])


@pytest.mark.parametrize(
    "bad",
    [
        body(patch="../etc"),
        body(patch=1),
        body(purpose=5),
        body(purpose="x" * 201),
        body(purpose="\x1b[2Jall clear"),
        body(purpose="two\nlines"),
        body(purpose="right\u202eto left"),
        body(incident="\u200b"),
        body(host="ca.opp/windsor"),
        body(start=2000),
        body(start=-1),
        body(end="2000"),
        body(recording="some"),
        body(members=[]),
        body(members="ca.opp/TAC1"),
        body(members=[{}]),
        body(members=[terms_to_body(TERMS)["members"]] * 40),
        body(more=1),
        member(talkgroup="ca.opp/TAC1"),
        member(talkgroup="ca.opp/tac1"),
        member(talkgroup="ca.opp/ZULU"),
        member(talkgroup="ca.opp/AAA"),
        member(talkgroup="BORDER"),
        member(access="all"),
        member(access=["both"]),
        member(max_class="2"),
        member(max_class=2),
        member(max_priority=16),
        member(max_priority=-1),
        member(air="ether"),
        member(signalling="maybe"),
        member(signalling=0),
        member(in_clear=1),
        member(more="x"),
        {},
    ],
)
def test_refused(bad: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        terms_from_body(bad)


def test_unsorted_members_are_refused() -> None:
    members = terms_to_body(TERMS)["members"]
    assert isinstance(members, list)
    with pytest.raises(RemoteProtocolError, match="sorted"):
        terms_from_body(body(members=members[::-1]))


def test_french_spaces_are_text() -> None:
    assert terms_from_body(body(purpose="Qui\u00a0? «\u202fNous\u202f»")).purpose.startswith("Qui")


@pytest.mark.parametrize("word", ["", "NORMAL", "imminent_peril"])
def test_class_words(word: str) -> None:
    with pytest.raises(RemoteProtocolError):
        class_from_word(word)


@given(st.dictionaries(st.sampled_from(list(terms_to_body(TERMS))), st.integers() | st.text()))
def test_any_body_parses_or_is_refused(changes: dict[str, Any]) -> None:
    try:
        terms = terms_from_body({**terms_to_body(TERMS), **changes})
    except RemoteProtocolError:
        return
    assert terms_from_body(terms_to_body(terms)) == terms
