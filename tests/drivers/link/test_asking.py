"""What a link asks its broker for: rosters first, all again once it was forgotten; refusals."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from radiobridge.drivers.link import control_connection as control
from radiobridge.drivers.link.voice_connection import VoiceConnection
from radiobridge.errors import DriverError
from tests.drivers.link.conftest import MakeLink
from tests.drivers.link.sink import Sink

WINDSOR, DETROIT = "ca.opp/windsor", "us.cbp/detroit"
WORD, HEAD = f"rb/1/{WINDSOR}/patch/p1", f"rb/1/{WINDSOR}/head"
ALARM, ROSTER = f"rb/1/{WINDSOR}/alarm/a1", f"rb/1/{WINDSOR}/roster"
VOICES = frozenset({"rb/1/ca.opp/+/voice/TAC1"})


class Broker:
    """Grants what it is asked for, and notes it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def subscribe(self, wanted: Iterable[tuple[str, Any]]) -> list[Any]:
        self.asked.append([topic for topic, _ in wanted])
        return [SimpleNamespace(is_failure=False)]


async def test_rosters_are_asked_for_before_anything_else() -> None:
    broker: Any = Broker()
    others = {f"rb/1/{agency}/+/{kind}" for agency in ("ca.opp", "us.cbp") for kind in ("head",)}
    rosters = {"rb/1/ca.opp/+/roster", "rb/1/us.cbp/+/roster"}
    assert await control.subscribe(broker, frozenset(others | rosters)) == 0
    assert broker.asked == [sorted(rosters), sorted(others)]
    await control.subscribe(broker, frozenset(others))
    await control.subscribe(broker, frozenset(rosters))
    await control.subscribe(broker, frozenset())
    assert broker.asked[2:] == [sorted(others), sorted(rosters)]


async def speaker(make_link: MakeLink) -> None:
    """Have a gateway say something of each kind, and stay."""
    talker, here = make_link(WINDSOR), Sink(WINDSOR)
    topics = [ALARM, *(f"{WORD}-{n}" for n in range(300)), WORD, ROSTER]
    for topic in topics:
        talker.publish_document(topic, b"said")
    await talker.open(here)
    await here.until(lambda: talker.stats()["documents_sent"] == len(topics) + 1)


@pytest.mark.real
async def test_a_broker_that_keeps_many_documents_sends_the_rosters_first(
    make_link: MakeLink,
) -> None:
    await speaker(make_link)
    listener, there = make_link(DETROIT), Sink(DETROIT)
    listener.want_documents(
        frozenset(f"rb/1/ca.opp/+/{rest}" for rest in ("alarm/+", "patch/+", "head", "roster"))
    )
    await listener.open(there)
    await there.until(lambda: len(there.documents) == 303)
    assert there.documents[0][0] == ROSTER


class LateVoice(VoiceConnection):
    """A voice connection whose first attempt fails, when the test says so."""

    fail: ClassVar[asyncio.Event]
    attempts = 0

    async def connect(self, *args: Any) -> None:
        LateVoice.attempts += 1
        if LateVoice.attempts == 1:
            await LateVoice.fail.wait()
            raise DriverError("no voice yet", "pas encore de voix")
        await super().connect(*args)


def times(sink: Sink, topic: str) -> int:
    return sum(one == topic for one, _, _ in sink.documents)


async def all_that_was_asked_for(listener: Any, sink: Sink) -> None:
    """Wait for what stands behind everything that the broker was asked for until now."""
    listener.want_documents(frozenset({WORD, ALARM}))
    await sink.until(lambda: times(sink, ALARM) == 1)


@pytest.mark.real
async def test_what_came_before_the_first_voice_attempt_failed_is_asked_for_again(
    make_link: MakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    LateVoice.fail, LateVoice.attempts = asyncio.Event(), 0
    await speaker(make_link)
    monkeypatch.setattr("radiobridge.drivers.link.mqtt.VoiceConnection", LateVoice)
    listener, there = make_link(DETROIT), Sink(DETROIT)
    listener.want_documents(frozenset({WORD}))
    await listener.open(there)
    await there.until(lambda: times(there, WORD) == 1)
    LateVoice.fail.set()
    await there.until(lambda: there.ups == 1)
    assert len(there.downs) == 1
    await there.until(lambda: times(there, WORD) == 2)
    await all_that_was_asked_for(listener, there)
    assert times(there, WORD) == 2
    assert listener.stats()["losses"] == 0


@pytest.mark.real
async def test_an_ordinary_start_asks_once(make_link: MakeLink) -> None:
    await speaker(make_link)
    listener, there = make_link(DETROIT), Sink(DETROIT)
    listener.want_documents(frozenset({WORD}))
    await listener.open(there)
    await there.until(lambda: there.ups == 1)
    await all_that_was_asked_for(listener, there)
    assert times(there, WORD) == 1


class Refused(VoiceConnection):
    """A voice connection to a broker that does not let us read voice."""

    def _on_subscribe(
        self, client: object, number: int, granted: Iterable[int], more: object
    ) -> None:
        super()._on_subscribe(client, number, [0x87 for _ in granted], more)


@pytest.mark.real
async def test_voice_that_a_broker_refuses_is_counted_and_logged_at_once(
    make_link: MakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radiobridge.drivers.link.mqtt.VoiceConnection", Refused)
    link, sink = make_link(WINDSOR), Sink(WINDSOR)
    link.want_voice(VOICES)
    with capture_logs() as logs:
        await link.open(sink)
        await sink.until(lambda: sink.ups == 1)
    assert link.stats()["voice_filters_refused"] == link.stats()["filters_refused"] == 1
    told = [one for one in logs if one["event"] == "voice-subscription-refused"]
    assert [(one["log_level"], one["filters"]) for one in told] == [("warning", 1)]
