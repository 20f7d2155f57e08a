import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId
from radiobridge.wire import topics
from radiobridge.wire.topics import Topic, TopicKind, parse_topic
from tests.wire.vectors import load

VECTORS = load("voice.json")
WINDSOR = GatewayId(AgencyId("ca.opp"), "windsor")
IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")

WRITTEN = {
    "voice": topics.voice_topic(WINDSOR, "TAC1"),
    "spurt": topics.spurt_topic(WINDSOR, "TAC1"),
    "presence": topics.presence_topic(WINDSOR, "main"),
    "head": topics.head_topic(WINDSOR),
    "patch": topics.patch_topic(WINDSOR, PatchId("border-tac.1")),
    "alarm": topics.alarm_topic(WINDSOR, "a-17"),
    "ack": topics.ack_topic(WINDSOR, "a-17"),
    "probe": topics.probe_topic(WINDSOR, PatchId("river")),
    "key": topics.key_topic(WINDSOR, "TAC1", AgencyId("us.cbp")),
    "roster": topics.roster_topic(WINDSOR),
}


@pytest.mark.parametrize("row", VECTORS["topics"], ids=lambda row: str(row["kind"]))
def test_writer_and_reader_agree_with_the_table(row: dict[str, str]) -> None:
    topic = parse_topic(row["topic"])
    assert topic == Topic(
        kind=TopicKind(row["kind"]),
        gateway=GatewayId(AgencyId(row["agency"]), row["gateway"]),
        name=row["name"],
        recipient=row["recipient"],
    )
    assert WRITTEN[row["kind"]] == row["topic"]


def test_the_table_has_every_kind() -> None:
    assert {row["kind"] for row in VECTORS["topics"]} == {kind.value for kind in TopicKind}


@pytest.mark.parametrize("text", VECTORS["bad_topics"])
def test_what_is_no_topic_of_ours_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_topic(text)


@given(st.text() | st.lists(st.text(max_size=8), max_size=8).map("/".join))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for candidate in (text, f"rb/1/{text}", f"rb/1/ca.opp/windsor/{text}"):
        try:
            topic = parse_topic(candidate)
        except RemoteProtocolError:
            continue
        assert candidate.startswith(f"rb/1/{topic.gateway}/{topic.kind}")


@given(IDS, IDS, IDS)
def test_a_topic_built_from_ids_comes_back(agency: str, gateway: str, name: str) -> None:
    sender = GatewayId(AgencyId(agency), gateway)
    topic = parse_topic(topics.key_topic(sender, name, AgencyId(agency)))
    assert (topic.gateway, topic.name, topic.recipient) == (sender, name, agency)
    assert (topic.talkgroup.agency, topic.talkgroup.name) == (agency, name)


@pytest.mark.parametrize("name", ["", "+", "#", "TAC/1", "../x", "TAC1\x00"])
def test_a_name_that_is_no_id_never_becomes_a_topic(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        topics.voice_topic(WINDSOR, name)
    with pytest.raises(RemoteProtocolError):
        topics.voice_filter(AgencyId("ca.opp"), name)
    with pytest.raises(RemoteProtocolError):
        topics.document_filters(AgencyId(name))


def test_a_voice_filter_takes_the_talkgroup_from_any_gateway_of_the_agency() -> None:
    assert topics.voice_filter(AgencyId("ca.opp"), "TAC1") == "rb/1/ca.opp/+/voice/TAC1"


def test_document_filters_take_everything_of_an_agency_except_voice() -> None:
    filters = topics.document_filters(AgencyId("ca.opp"))
    expressions = [re.compile(f.replace(".", r"\.").replace("+", "[^/]+")) for f in filters]
    for kind, topic in WRITTEN.items():
        matches = sum(expression.fullmatch(topic) is not None for expression in expressions)
        assert matches == (kind != "voice"), kind
