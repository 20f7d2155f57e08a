"""What gateways say about emergencies: read as written, and nothing that is not exactly that."""

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import RadioName, parse_gateway, parse_talkgroup
from radiobridge.wire.alarms import (
    MAX_RAISES,
    Acknowledgement,
    AckVerb,
    AckWord,
    Alarm,
    AlarmKind,
    Measure,
    Rank,
    Verdict,
    ack_from_body,
    parse_talker,
)
from radiobridge.wire.canonical import Body, dump, encode_bytes, parse

WINDSOR, SARNIA = parse_gateway("ca.opp/windsor"), parse_gateway("ca.opp/sarnia")
DETROIT = parse_gateway("us.cbp/detroit")
TAC1 = parse_talkgroup("ca.opp/TAC1")

FIELD = Alarm(
    alarm="5f3a9c01",
    raiser=WINDSOR,
    kind=AlarmKind.FIELD,
    talkgroup=TAC1,
    radio=RadioName("tac1"),
    talker="mdc:1234",
    alias="Unité 12",
    raised_ms=5,
    raises=2,
    token=bytes(range(16)),
    rank=Rank.HELD,
)
COMMANDED = replace(FIELD, radio=None, talker="", alias="", by="local:ann")
DONOR = replace(FIELD, kind=AlarmKind.DONOR, rank=Rank.SPENT, talker="radio:windsor/tac1")
CLEARED = replace(FIELD, verdict=Verdict.FALSE, reason="par erreur", by="local:ann")
ACK = Acknowledgement(alarm="5f3a9c01", raiser=WINDSOR, token=bytes(range(16)), by="local:bob")
MEASURES = [
    Measure(id="c0ffee", verb=verb, talkgroup=TAC1, talker="mdc:1234", by="local:ann")
    for verb in (AckVerb.DEMOTE, AckVerb.EXCLUDE, AckVerb.RESTORE)
]


def wire(body: Body) -> Body:
    return parse(dump(body))


def read(body: dict[str, Any], sender: Any = WINDSOR, name: str = "5f3a9c01") -> Alarm:
    return Alarm.from_body(body, name, sender)


@pytest.mark.parametrize("word", [FIELD, COMMANDED, DONOR, CLEARED])
def test_alarms_both_ways(word: Alarm) -> None:
    assert read(wire(word.to_body())) == word


@pytest.mark.parametrize("word", [ACK, *MEASURES])
def test_acknowledgements_both_ways(word: AckWord) -> None:
    assert ack_from_body(wire(word.to_body()), word.id) == word


@pytest.mark.parametrize("word", [CLEARED, FIELD.spent()])
def test_a_sibling_takes_away(word: Alarm) -> None:
    assert read(word.to_body(), SARNIA) == word


def test_and_never_gives() -> None:
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        read(FIELD.to_body(), SARNIA)


@pytest.mark.parametrize("word", [FIELD, CLEARED, FIELD.spent()])
def test_an_agency_speaks_of_its_own_people_only(word: Alarm) -> None:
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        read(word.to_body(), DETROIT)
    foreign = replace(word, talkgroup=parse_talkgroup("us.cbp/BORDER"))
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        read(foreign.to_body())


WRONG: list[dict[str, Any]] = [
    {"kind": "own"},
    {"kind": "donor"},
    {"rank": "lost"},
    {"raises": 0},
    {"raises": MAX_RAISES + 1},
    {"token": encode_bytes(b"short")},
    {"talker": "1234"},
    {"talker": "mdc:"},
    {"talker": "mdc:12\n34"},
    {"talker": "name:<b>"},
    {"talker": "radio:windsor"},
    {"talker": "radio:../tac1"},
    {"talker": "radio:windsor/tac1/tac2"},
    {"alias": "<b>"},
    {"talker": "mdc:" + "x" * 80},
    {"alias": "x" * 65},
    {"alias": "\u202eflipped"},
    {"radio": "../tac1"},
    {"state": "over"},
    {"verdict": "valid"},
    {"reason": "none"},
    {"by": "x" * 201},
    {"more": "x"},
    {"raised": -1},
    {"raised": "now"},
    {"alias": None},
]


@pytest.mark.parametrize("change", WRONG)
def test_what_is_no_alarm(change: dict[str, Any]) -> None:
    body = {**FIELD.to_body(), **change}
    with pytest.raises(RemoteProtocolError):
        read({name: value for name, value in body.items() if value is not None})


@pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"reason": " "}, {"reason": None}])
def test_what_clears_nothing(change: dict[str, Any]) -> None:
    body = {**CLEARED.to_body(), **change}
    with pytest.raises(RemoteProtocolError, match="bad-body"):
        read({name: value for name, value in body.items() if value is not None})


@pytest.mark.parametrize("word", [ACK, MEASURES[0]])
@pytest.mark.parametrize(
    "change", [{"verb": "forget"}, {"by": None}, {"more": 1}, {"id": "a/b"}, {"id": "other"}]
)
def test_what_is_no_acknowledgement(word: AckWord, change: dict[str, Any]) -> None:
    body = {**word.to_body(), **change}
    with pytest.raises(RemoteProtocolError):
        ack_from_body({name: v for name, v in body.items() if v is not None}, word.id)


def test_on_the_topic_of_something_else() -> None:
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        read(FIELD.to_body(), name="other")
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        ack_from_body(ACK.to_body(), "5f3a9c01")
    with pytest.raises(RemoteProtocolError, match="wrong-topic"):
        ack_from_body(MEASURES[0].to_body(), "other")


def test_tokens_stay_out_of_logs() -> None:
    assert "token" not in repr(FIELD)
    assert "token" not in repr(ACK)


@pytest.mark.parametrize("text", ["mdc:1234", "p25:BEE00.1F5.204", "name:Éric B.", "radio:w/tac1"])
def test_talkers(text: str) -> None:
    assert parse_talker(text) == text


JSON = st.recursive(
    st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(sorted({*CLEARED.to_body(), *ACK.to_body()}))


@given(st.sampled_from([FIELD, CLEARED]), st.dictionaries(NAMES, JSON, max_size=3))
def test_any_body_parses_or_is_refused(word: Alarm, changes: dict[str, Any]) -> None:
    body = {**word.to_body(), **changes}
    with contextlib.suppress(RemoteProtocolError):
        assert read(body).to_body() == body
    with contextlib.suppress(RemoteProtocolError):
        assert ack_from_body(body, "5f3a9c01").to_body() == body
