"""What a gateway remembers of documents stays bounded, whatever its partners send."""

import sys

import pytest
from structlog.testing import capture_logs

from radiobridge.core.documents import MAX_TOPICS
from radiobridge.services import intake
from radiobridge.wire.topics import presence_topic, spurt_topic
from tests.services.test_control_documents import DETROIT, Reader, reader
from tests.services.virtual_time import in_virtual_time


def remembered(one: Reader) -> dict[str, tuple[int, bytes, int]]:
    return dict(one.control.intake._last)


@in_virtual_time
async def test_a_partner_that_fills_its_topics_takes_no_more_memory() -> None:
    one = await reader()
    before = len(remembered(one))
    with capture_logs() as logs:
        for n in range(MAX_TOPICS + 100):
            topic = spurt_topic(DETROIT.gateway, f"t{n}")
            one.takes(topic, DETROIT.sign(topic, {"x": "x" * 30_000}))
    assert len(remembered(one)) - before == MAX_TOPICS
    assert one.refused() == {"too-many-topics": 100}
    assert any(e.get("reason") == "too-many-topics" for e in logs)
    # None of their bytes are kept here: a topic and a digest for each.
    sizes = [sys.getsizeof(part) for last in remembered(one).values() for part in last]
    assert max(sizes) < 100


@in_virtual_time
async def test_presences_need_no_memory_of_what_came_last() -> None:
    one = await reader()
    before = remembered(one)
    for n in range(20):
        topic = presence_topic(DETROIT.gateway, f"b{n}")
        one.takes(topic, DETROIT.sign(topic, {"n": n}))
    assert len(one.read) == 20
    assert remembered(one) == before


@in_virtual_time
async def test_the_topic_heard_of_longest_ago_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_LAST", 4)
    one = await reader()
    topics = [spurt_topic(DETROIT.gateway, f"t{n}") for n in range(6)]
    documents = [DETROIT.sign(topic, {"n": n}) for n, topic in enumerate(topics)]
    for n in (0, 1, 2, 3):
        one.takes(topics[n], documents[n])
    one.takes(topics[0], documents[0])
    for n in (4, 5):
        one.takes(topics[n], documents[n])
    assert list(remembered(one)) == [topics[n] for n in (3, 0, 4, 5)]
    # What comes again from before that is read anew, and nothing new.
    one.takes(topics[1], documents[1])
    assert one.read == topics


@in_virtual_time
async def test_what_a_broker_has_cleared_is_not_remembered() -> None:
    one = await reader()
    before = remembered(one)
    topic = spurt_topic(DETROIT.gateway, "TAC1")
    raw = DETROIT.sign(topic, {"n": 1})
    one.takes(topic, raw)
    assert len(remembered(one)) == len(before) + 1
    one.takes(topic, b"")
    assert remembered(one) == before
    # It changes nothing for whoever has read it.
    one.takes(topic, raw)
    assert one.read == [topic]
