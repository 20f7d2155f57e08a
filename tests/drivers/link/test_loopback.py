"""The link inside the process."""

import asyncio
from pathlib import Path

from radiobridge.drivers.link.loopback import Hub, LoopbackLink
from tests.drivers.link.sink import Sink

VOICE = "rb/1/ca.opp/windsor/voice/TAC1"
VOICES = frozenset({"rb/1/ca.opp/+/voice/TAC1"})


async def test_a_gateway_hears_itself_in_order_and_never_inside_its_own_call() -> None:
    link, sink = LoopbackLink.from_settings("local", {}, Path()), Sink()
    link.want_voice(VOICES)
    await link.open(sink)
    for n in range(5):
        assert link.publish_voice(VOICE, bytes([n]))
    assert link.publish_voice("rb/1/ca.opp/windsor/voice/TAC2", b"unwanted")
    assert sink.voices == []
    await sink.until(lambda: len(sink.voices) == 5)
    await asyncio.sleep(0)
    assert sink.voices == [(VOICE, bytes([n]), "local") for n in range(5)]
    assert sink.ups == 1
    assert link.stats() == {"voice_sent": 6, "voice_received": 5}


async def test_gateways_on_one_hub_hear_each_other_also_what_was_said_before() -> None:
    hub = Hub()
    first, here = LoopbackLink("a", hub), Sink("ca.opp/windsor")
    second, there = LoopbackLink("b", hub), Sink("us.cbp/detroit")
    first.publish_document(here.topic("patch/p1"), b"word")
    first.want_documents(frozenset({there.topic("#")}))
    await first.open(here)
    await second.open(there)
    second.want_documents(frozenset({here.topic("#")}))
    first.publish_notice(here.topic("spurt/TAC1"), b"talks")
    await here.until(lambda: here.newest(there.topic("presence/b")) == b"online 1")
    await there.until(lambda: there.newest(here.topic("spurt/TAC1")) == b"talks")
    assert there.newest(here.topic("patch/p1")) == b"word"
    assert there.newest(here.topic("presence/a")) == b"online 1"
    await first.close()
    await there.until(lambda: there.newest(here.topic("presence/a")) == b"offline 1")


async def test_closed_it_carries_nothing_and_opens_again() -> None:
    link, sink = LoopbackLink("local"), Sink()
    link.want_voice(VOICES)
    assert not link.publish_voice(VOICE, b"early")
    await link.open(sink)
    await link.close()
    await link.close()
    assert not link.publish_voice(VOICE, b"late")
    await link.open(sink)
    assert link.publish_voice(VOICE, b"again")
    await sink.until(lambda: bool(sink.voices))
    assert sink.heard() == [b"again"]
    assert len(sink.downs) == 1
