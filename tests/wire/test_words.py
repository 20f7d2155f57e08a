"""What gateways say: read as written, and nothing that is not exactly such a word."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import RadioName, TalkgroupId, parse_gateway, parse_talkgroup
from radiobridge.model.patch import Access, Recording
from radiobridge.model.voice import TalkClass
from radiobridge.wire.canonical import Body, Json, dump, encode_bytes, parse
from radiobridge.wire.topics import key_topic
from radiobridge.wire.words import (
    MAX_EPOCH,
    MAX_RADIOS,
    MAX_VERSIONS,
    WILL_SEQUENCE,
    Head,
    KeyGrant,
    Limit,
    PatchWord,
    Presence,
    RadioPresence,
    RadioState,
    SpurtNotice,
    SpurtState,
    Verb,
    presence_version,
)
from tests.wire.people import person
from tests.wire.test_terms import TERMS

TAC1 = parse_talkgroup("ca.opp/TAC1")
ACCEPT = PatchWord(patch=TERMS.patch, verb=Verb.ACCEPT, terms=TERMS)
NARROW = PatchWord(
    patch=TERMS.patch,
    verb=Verb.NARROW,
    terms=TERMS,
    limits=(
        Limit(talkgroup=TAC1, access=Access.TALK, max_class=TalkClass.NORMAL, max_priority=2),
        Limit(talkgroup=TalkgroupId(TAC1.agency, "TAC2")),
    ),
    end_ms=1500,
    recording=Recording.NONE,
)
WITHDRAW = PatchWord(patch=TERMS.patch, verb=Verb.WITHDRAW)
GRANT = KeyGrant(talkgroup=TAC1, epoch=7, key=bytes(range(32)), since_ms=99)
PRESENCE = Presence(
    boot="b00t",
    connection=3,
    online=True,
    radios=(RadioPresence(radio=RadioName("tac1"), talkgroup="TAC1", state=RadioState.KEYED),),
)
HEAD = Head(
    bridge_ms=5,
    versions={"rb/1/ca.opp/windsor/patch/river": 3, "rb/1/us.cbp/roster": 1},
    audit="ab12",
)
NOTICE = SpurtNotice(
    talkgroup=TAC1,
    start_ms=5,
    talk_class=TalkClass.IMMINENT_PERIL,
    priority=4,
    radio=RadioName("tac1"),
    state=SpurtState.REFUSED,
    reason="busy",
)


def wire(body: Body) -> Body:
    return parse(dump(body))


@pytest.mark.parametrize("word", [ACCEPT, NARROW, WITHDRAW])
def test_patch_words_both_ways(word: PatchWord) -> None:
    assert PatchWord.from_body(wire(word.to_body()), "river") == word


def test_other_words_both_ways() -> None:
    assert KeyGrant.from_body(wire(GRANT.to_body()), TAC1) == GRANT
    assert Presence.from_body(wire(PRESENCE.to_body())) == PRESENCE
    assert Head.from_body(wire(HEAD.to_body())) == HEAD
    named = replace(NOTICE, talker="mdc:1234")
    known = replace(NOTICE, talker="p25:BEE00.2D1.1234567", alias="Unité 12 – Tremblay")
    for notice in (NOTICE, named, known):
        assert SpurtNotice.from_body(wire(notice.to_body())) == notice


def test_a_talker_that_is_not_known_is_not_said() -> None:
    assert {"talker", "alias"}.isdisjoint(NOTICE.to_body())


def test_a_word_of_another_patch() -> None:
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        PatchWord.from_body(ACCEPT.to_body(), "lake")
    inside = {**ACCEPT.to_body(), "patch": "lake"}
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        PatchWord.from_body(inside, "lake")


def changed(word: PatchWord, **changes: Any) -> Body:
    body: dict[str, Any] = {**word.to_body(), **changes}
    return {name: value for name, value in body.items() if value is not None}


@pytest.mark.parametrize(
    "bad",
    [
        {},
        changed(ACCEPT, verb="agree"),
        changed(ACCEPT, verb=["accept"]),
        changed(ACCEPT, terms=None),
        changed(ACCEPT, terms="river"),
        changed(ACCEPT, terms=[]),
        changed(ACCEPT, end=1),
        changed(ACCEPT, recording="none"),
        changed(ACCEPT, more=1),
        changed(WITHDRAW, terms=ACCEPT.to_body()["terms"]),
        changed(WITHDRAW, limits=NARROW.to_body()["limits"]),
        changed(NARROW, limits=None, end=None, recording=None),
        changed(NARROW, limits=[], end=None, recording=None),
        changed(NARROW, limits={}),
        changed(NARROW, limits=[{"talkgroup": "ca.opp/TAC1"}]),
        changed(NARROW, limits=["x"] * 100),
        changed(NARROW, end=-1),
        changed(NARROW, recording="maybe"),
    ],
)
def test_bad_patch_words(bad: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        PatchWord.from_body(bad, "river")


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 0},
        {"epoch": MAX_EPOCH + 1},
        {"epoch": "7"},
        {"key": encode_bytes(bytes(31))},
        {"key": encode_bytes(bytes(33))},
        {"key": "!" * 43},
        {"key": [1]},
        {"since": -1},
        {"talkgroup": "TAC1"},
        {"talkgroup": "us.cbp/TAC1"},
        {"more": 1},
    ],
)
def test_bad_grants(change: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        KeyGrant.from_body({**GRANT.to_body(), **change}, TAC1)


def test_no_repr_or_error_shows_a_key() -> None:
    text = encode_bytes(GRANT.key)
    assert "key" not in repr(GRANT)
    with pytest.raises(RemoteProtocolError) as caught:
        KeyGrant.from_body({**GRANT.to_body(), "key": text + "A"}, TAC1)
    assert text[:6] not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "on"},
        {"state": 1},
        {"boot": ""},
        {"boot": "../x"},
        {"connection": -1},
        {"radios": {}},
        {"radios": [{}]},
        {"radios": [{"radio": "a", "talkgroup": "b", "state": "happy"}]},
        {"radios": [{"radio": "a\x1b", "talkgroup": "b", "state": "ready"}]},
        {"radios": ["x"] * (MAX_RADIOS + 1)},
        {"more": 1},
    ],
)
def test_bad_presence(change: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        Presence.from_body({**PRESENCE.to_body(), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"bridge": "5"},
        {"versions": []},
        {"versions": {"rb/1/ca.opp/windsor/patch/river": 0}},
        {"versions": {"rb/1/ca.opp/windsor/patch/river": "3"}},
        {"versions": {"no/topic": 1}},
        {"versions": {"rb/1/ca.opp/windsor/voice/TAC1": 1}},
        {"versions": {f"rb/1/ca.opp/windsor/patch/p{n}": 1 for n in range(MAX_VERSIONS + 1)}},
        {"audit": "x" * 129},
        {"more": 1},
    ],
)
def test_bad_head(change: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        Head.from_body({**HEAD.to_body(), **change})


def test_a_full_head_fits_into_a_document() -> None:
    gateway = parse_gateway(f"{'a' * 32}/{'g' * 32}")
    topics = [key_topic(gateway, f"{n:032d}", gateway.agency) for n in range(MAX_VERSIONS + 5)]
    body = Head(bridge_ms=5, versions=dict.fromkeys(topics, 2**53 - 1), audit="f" * 128).to_body()
    assert len(Head.from_body(body).versions) == MAX_VERSIONS
    assert person("ca.opp/windsor").sign("rb/1/ca.opp/windsor/head", body)


@pytest.mark.parametrize(
    "change",
    [{"class": "high"}, {"priority": 16}, {"state": "over"}, {"reason": "x\ny"}, {"radio": ""}],
)
def test_bad_notice(change: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        SpurtNotice.from_body({**NOTICE.to_body(), **change})


HOSTILE: list[Json] = [
    "", " ", "a\nb", "\x1b[31m", "\u202eetirw", "a\u200bb", "<b>Unit</b>", "[red]Unit", "a&b",
    "a/b", "../../etc/passwd", "a\\b", "a..b", "a  b", "$(x)", "x" * 65, "x" * 1_000_000,
    "e\u0301", 12, [], {},
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:24])
def test_names_that_could_act_are_refused(text: Json) -> None:
    body = {**NOTICE.to_body(), "talker": "mdc:1234"}
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        SpurtNotice.from_body({**body, "alias": text})
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        SpurtNotice.from_body({**body, "talker": text})
    if isinstance(text, str):
        with pytest.raises(RemoteProtocolError, match="bad-body"):
            SpurtNotice.from_body({**body, "talker": f"name:{text}"})


def test_an_alias_of_nobody() -> None:
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        SpurtNotice.from_body({**NOTICE.to_body(), "alias": "Unit 12"})


@given(st.integers(0, 2**32), st.integers(1, 2**21))
def test_a_will_comes_after_its_connection_and_before_the_next(connection: int, seq: int) -> None:
    will = presence_version(connection, WILL_SEQUENCE)
    assert presence_version(connection, seq) <= will < presence_version(connection + 1, 1)


@given(
    st.dictionaries(
        st.sampled_from(["patch", "verb", "terms", "limits", "end", "recording"]),
        st.sampled_from(["river", "accept", "narrow", "withdraw", 5, [], {}, "none"]),
    )
)
def test_any_body_is_a_word_or_refused(body: Body) -> None:
    try:
        word = PatchWord.from_body(body, "river")
    except RemoteProtocolError:
        return
    assert PatchWord.from_body(wire(word.to_body()), "river") == word
