"""What a link is deaf to: the voice topics in use that the broker refuses, each once."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.drivers.link.settings import MqttSettings
from radiobridge.drivers.link.voice_connection import VoiceConnection

TAC1, TAC2, TAC3 = (f"rb/1/us.cbp/+/voice/TAC{n}" for n in (1, 2, 3))
GRANTED, REFUSED = 0x00, 0x87


class Broker:
    """In gmqtt's place: notes what it is asked for; the test says when it answers, and what."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def subscribe(self, wanted: Iterable[Any]) -> int:
        self.asked.append([one.topic for one in wanted])
        return len(self.asked)

    def unsubscribe(self, _gone: list[str]) -> None:
        pass


class Line:
    """A link whose voice connection stands."""

    def __init__(self) -> None:
        settings = MqttSettings.from_mapping({"url": "mqtt://broker.example"}, Path())
        self.link, self.broker = MqttLink("main", settings), Broker()
        self.voice = VoiceConnection(settings, "voice", self.link._voice_refused)
        client: Any = SimpleNamespace(
            subscribe=self.broker.subscribe, unsubscribe=self.broker.unsubscribe
        )
        self.voice._client = client
        self.link._voice = self.link._last_voice = self.voice

    def want(self, *topics: str) -> None:
        self.link.want_voice(frozenset(topics))

    def answer(self, number: int, *refused: str) -> None:
        """Answer the packet of this number, the first being 1."""
        codes = [REFUSED if one in refused else GRANTED for one in self.broker.asked[number - 1]]
        self.voice._on_subscribe(None, number, codes, None)

    def deaf(self) -> int:
        return self.link.stats()["voice_filters_refused"]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_patch_that_ends_takes_its_refused_topic_along(line: Line) -> None:
    line.want(TAC1)
    line.answer(1)
    with capture_logs() as logs:
        for number in (2, 3, 4):
            line.want(TAC1, TAC2)
            line.answer(number, TAC2)
            assert line.deaf() == 1
            line.want(TAC1)
            assert line.deaf() == 0
    # Each refusal is told and counted all the same.
    assert [one["filters"] for one in logs] == [1, 1, 1]
    assert line.link.stats()["filters_refused"] == 3


def test_of_many_that_are_asked_for_at_once_the_refused_ones_are_known(line: Line) -> None:
    line.want(TAC1, TAC2, TAC3)
    line.answer(1, TAC1, TAC3)
    assert line.voice.refused == {TAC1, TAC3}
    line.want(TAC1, TAC2)
    assert line.deaf() == 1
    line.want(TAC2)
    assert line.deaf() == 0


def test_a_refusal_of_what_is_not_wanted_any_more_does_not_count(line: Line) -> None:
    line.want(TAC1)
    line.want()
    line.answer(1, TAC1)
    assert line.deaf() == line.link.stats()["filters_refused"] == 0


def test_the_answer_to_what_was_asked_last_counts(line: Line) -> None:
    line.want(TAC1)
    line.want()
    line.want(TAC1)
    line.answer(1, TAC1)
    assert line.deaf() == 0
    line.answer(2, TAC1)
    assert line.deaf() == 1


def test_a_topic_that_is_granted_at_last_is_heard(line: Line) -> None:
    line.want(TAC1)
    line.answer(1, TAC1)
    line.want()
    line.want(TAC1)
    line.answer(2)
    assert line.deaf() == 0


def test_an_answer_to_nothing_says_nothing(line: Line) -> None:
    line.want(TAC1)
    line.voice._on_subscribe(None, 7, [REFUSED], None)
    line.answer(1)
    line.voice._on_subscribe(None, 1, [REFUSED] * 9, None)
    assert line.deaf() == line.link.stats()["filters_refused"] == 0


def test_while_the_connection_is_lost_what_is_no_longer_wanted_does_not_count(line: Line) -> None:
    line.want(TAC1, TAC2)
    line.answer(1, TAC1, TAC2)
    line.link._voice = None
    line.voice.lost.set()
    assert line.deaf() == 2
    line.want(TAC2)
    assert line.deaf() == 1
    assert len(line.broker.asked) == 1
