"""Whole gateways: what people see and command, and what is left when one ends."""

import asyncio
import json
from dataclasses import replace
from math import inf

import pytest
from structlog.testing import capture_logs

from radiobridge.errors import CommandError
from radiobridge.model.interface import KeyAnswer
from radiobridge.model.patch import Access
from radiobridge.services.clock import BRIDGE_TIME_KEY, BridgeTime
from radiobridge.services.tasks import PATIENCE_S
from radiobridge.text import Text
from radiobridge.wire.documents import Document, read_document
from radiobridge.wire.topics import head_topic, spurt_topic
from radiobridge.wire.words import Head, SpurtNotice, SpurtState
from tests.services.gateway_world import RIVER, WINDSOR, GatewayWorld, Site
from tests.services.radios import Radio
from tests.services.virtual_time import START_S, in_virtual_time, now, turns
from tests.services.voices import TAC1
from tests.wire.people import NOW_MS, person


async def world(*, brokers: int = 1) -> GatewayWorld:
    return await GatewayWorld(brokers=brokers).start()


def said(site: Site, topic: str, raw: bytes) -> Document:
    now_ms = NOW_MS + round((now() - START_S) * 1000)
    return read_document(raw, topic, person(str(site.id)).public, now_ms)


def keyed(radio: Radio) -> bool:
    """Tell anew each time (a property would be narrowed by the type checker)."""
    return radio.line.keyed


# --- status ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_status_shows_the_whole_gateway_in_json() -> None:
    made = await world()
    made.windsor.gateway.process_status = lambda: {"timers": {"fired": 7}}
    status = json.loads(json.dumps(made.windsor.status))
    assert {
        "gateway", "boot", "version", "since", "clock", "timers", "links", "radios",
        "partners", "patches", "floor", "not_delivered", "counters",
    } <= status.keys()  # fmt: skip
    assert (status["gateway"], status["boot"], status["version"]) == (WINDSOR, "boot1", "1.2.3")
    assert status["since"] == NOW_MS
    assert status["clock"] == {"synchronised": True, "bridge_ms": NOW_MS + 2500, "offset_ms": 0}
    assert [(link["name"], link["up"]) for link in status["links"]] == [("b0", True)]
    assert [radio["name"] for radio in status["radios"]] == ["tac1"]
    assert [(p["id"], p["in_force"]) for p in status["patches"]] == [("river", True)]
    assert status["not_delivered"] == []


@in_virtual_time
async def test_a_link_that_is_down_says_since_when_and_why() -> None:
    made = await world()
    made.windsor.links[0].drop(Text("refused", "refusée"))
    await asyncio.sleep(5)
    made.windsor.gateway.link_down("b0", Text("no route", "aucune route"))
    (link,) = made.windsor.status["links"]
    assert (link["up"], link["since"]) == (False, NOW_MS + 2500)
    assert link["reason"] == {"en": "no route", "fr": "aucune route"}
    made.windsor.links[0].connect()
    (link,) = made.windsor.status["links"]
    assert (link["up"], link["since"]) == (True, NOW_MS + 7500)


@in_virtual_time
async def test_the_loop_that_turns_says_so_each_second() -> None:
    made = GatewayWorld()
    await made.windsor.start()
    beats: list[float] = []
    made.windsor.gateway.alive = lambda: beats.append(now())
    await asyncio.sleep(10.5)
    assert len(beats) == 10


@in_virtual_time
async def test_a_new_start_by_the_clock_waits_until_nobody_talks() -> None:
    made = await world()
    asked: list[float] = []
    made.windsor.gateway.misled = lambda: asked.append(now())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BridgeTime, "misled", property(lambda _: True))
        made.detroit.radio.cor(active=True)
        await made.detroit.radio.speak(5.0)
        assert asked == []
        made.detroit.radio.cor(active=False)
        await asyncio.sleep(3.0)
        assert asked


@in_virtual_time
async def test_a_disk_that_hangs_holds_up_neither_the_house_nor_the_end() -> None:
    made = await world()
    beats: list[float] = []
    made.windsor.gateway.alive = lambda: beats.append(now())
    made.windsor.store.takes_s = inf
    with capture_logs() as logs:
        await asyncio.sleep(30.5)
        assert len(beats) >= 30
        before = now()
        await made.windsor.gateway.stop()
    assert now() - before <= PATIENCE_S
    told = [(line["event"], line["error"]) for line in logs if "error" in line]
    silent = "the disk does not answer"
    assert {("bridge-time-not-stored", silent), ("not-all-stored", silent)} <= set(told)


@in_virtual_time
async def test_a_broker_and_a_disk_that_hang_share_one_patience() -> None:
    made = await world()

    async def slow() -> None:
        await asyncio.sleep(3.0)

    made.windsor.links[0].close = slow  # type: ignore[method-assign]
    made.windsor.store.takes_s = inf
    before = now()
    await made.windsor.gateway.stop()
    assert now() - before == pytest.approx(PATIENCE_S)


# --- voice through whole gateways -----------------------------------------------------------------


@in_virtual_time
async def test_a_plan_on_both_sides_carries_voice_both_ways() -> None:
    made = await world(brokers=2)
    for here, there in ((made.windsor, made.detroit), (made.detroit, made.windsor)):
        await here.radio.talk(0.5)
        await asyncio.sleep(2)
        assert there.radio.line.changes() == ["key", "unkey"]
        assert len(there.radio.spoken()) >= 24
    assert made.windsor.status["not_delivered"] == []


@in_virtual_time
async def test_a_plan_that_is_dropped_silences_both_at_once() -> None:
    made = await world()
    made.detroit.radio.cor(active=True)
    await made.detroit.radio.speak(0.4)
    assert keyed(made.windsor.radio)
    made.windsor.plan()
    assert not keyed(made.windsor.radio)
    await made.detroit.radio.speak(1.0)
    assert made.windsor.radio.line.changes() == ["key", "unkey"]
    sent = len(made.brokers[0].voice)
    await made.detroit.radio.speak(0.5)
    assert len(made.brokers[0].voice) == sent


@in_virtual_time
async def test_an_error_in_one_packet_does_not_end_the_gateway() -> None:
    made = await world()
    topic = spurt_topic(made.detroit.id, "BORDER")
    made.windsor.gateway.voice(topic, b"x", "b0")
    made.windsor.gateway.document(topic, b"x", "b0")
    made.windsor.voice.voice = lambda *_args: 1 // 0  # type: ignore[assignment]
    made.windsor.control.document = lambda *_args: 1 // 0  # type: ignore[assignment]
    made.windsor.gateway.voice(topic, b"x", "b0")
    made.windsor.gateway.document(topic, b"x", "b0")
    assert made.windsor.status["counters"]["errors"] == 1


# --- heads ----------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_head_is_said_at_the_start_and_each_thirty_seconds() -> None:
    made = await world()
    topic, said_at = head_topic(made.windsor.id), list[float]()
    made.brokers[0].when_published = lambda one: said_at.append(now()) if one == topic else None
    assert topic in made.brokers[0].retained
    await asyncio.sleep(92)
    assert len(said_at) == 3
    assert said_at[1] - said_at[0] == pytest.approx(30, abs=1)


@in_virtual_time
async def test_a_head_says_the_time_and_what_is_known() -> None:
    made = await world()
    await asyncio.sleep(31)
    topic = head_topic(made.windsor.id)
    document = said(made.windsor, topic, made.brokers[0].retained[topic])
    head = Head.from_body(document.body)
    assert head.bridge_ms == document.header.issued_ms
    assert f"rb/1/{made.detroit.id}/patch/river" in head.versions
    assert document.header.expires_ms - head.bridge_ms == 90_000


# --- who talks, and what was not heard ------------------------------------------------------------


def notices(made: GatewayWorld, site: Site) -> list[SpurtNotice]:
    topic = spurt_topic(site.id, site.talkgroup.name)
    raws = [raw for one, raw in made.brokers[0].notices if one == topic]
    return [SpurtNotice.from_body(said(site, topic, raw).body) for raw in raws]


@in_virtual_time
async def test_who_talks_is_told_when_others_may_hear_it() -> None:
    made = await world()
    await made.windsor.radio.talk(0.3)
    told = notices(made, made.windsor)
    assert [one.state for one in told] == [SpurtState.STARTED, SpurtState.ENDED]
    assert {(one.talkgroup, str(one.radio)) for one in told} == {(TAC1, "tac1")}


@in_virtual_time
async def test_who_talks_among_our_own_is_told_to_nobody() -> None:
    made = GatewayWorld()
    made.detroit.plans = ()
    await made.start()
    await made.windsor.radio.talk(0.3)
    assert made.brokers[0].notices == []


@in_virtual_time
async def test_what_was_not_delivered_is_shown_on_the_talkers_side() -> None:
    made = await world()
    made.windsor.radio.line.answer = KeyAnswer.DENIED
    await made.detroit.radio.talk(0.5)
    await asyncio.sleep(1)
    (refusal,) = made.detroit.status["not_delivered"]
    assert refusal["gateway"] == WINDSOR
    assert (refusal["radio"], refusal["talkgroup"]) == ("tac1", "us.cbp/BORDER")
    assert refusal["reason"] == "denied"
    assert made.windsor.status["counters"]["not-delivered-denied"] == 1
    assert made.windsor.status["not_delivered"] == []


@in_virtual_time
async def test_who_may_only_listen_says_too_what_was_not_delivered() -> None:
    listens = [
        replace(m, access=Access.LISTEN) if m.talkgroup == TAC1 else m for m in RIVER.members
    ]
    made = await GatewayWorld(plan=replace(RIVER, members=tuple(listens))).start()
    made.windsor.radio.line.answer = KeyAnswer.DENIED
    await made.detroit.radio.talk(0.5)
    await asyncio.sleep(1)
    assert [one["reason"] for one in made.detroit.status["not_delivered"]] == ["denied"]


@in_virtual_time
async def test_only_the_newest_refusals_are_kept() -> None:
    made = await world()
    made.windsor.radio.line.answer = KeyAnswer.DENIED
    for _ in range(25):
        await made.detroit.radio.talk(0.1)
        await asyncio.sleep(1)
    shown = made.detroit.status["not_delivered"]
    assert len(shown) == 20
    starts = [one["start_ms"] for one in shown]
    assert starts == sorted(starts)


# --- commands -------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_inhibit_unkeys_before_it_is_stored_and_holds_over_a_restart() -> None:
    made = await world()
    windsor = made.windsor
    made.detroit.radio.cor(active=True)
    await made.detroit.radio.speak(0.4)
    windsor.store.takes_s = 5.0
    command = asyncio.create_task(windsor.gateway.inhibit("tac1", "ann"))
    await turns()
    assert not keyed(windsor.radio)
    shown = await command
    assert (shown["inhibited"], shown["inhibited_by"]) == (True, "ann")
    windsor.store.takes_s = 0.01
    await windsor.gateway.stop()
    await windsor.start()
    assert windsor.status["radios"][0]["inhibited_by"] == "ann"
    await made.detroit.radio.talk(0.3)
    await asyncio.sleep(1)
    assert windsor.radio.line.log == []


@in_virtual_time
async def test_an_inhibit_that_cannot_be_stored_counts_and_says_so() -> None:
    made = await world()
    made.windsor.store.failing = True
    shown = await made.windsor.gateway.inhibit("tac1", "ann")
    assert shown["durable"] is False
    await made.detroit.radio.talk(0.3)
    await asyncio.sleep(1)
    assert made.windsor.radio.line.log == []
    assert made.windsor.status["radios"][0]["inhibited"] is True


@in_virtual_time
async def test_a_radio_is_allowed_once_that_is_stored_and_not_before() -> None:
    made = await world()
    windsor = made.windsor
    await windsor.gateway.inhibit("tac1", "ann")
    windsor.store.takes_s = 1.5
    command = asyncio.create_task(windsor.gateway.allow("tac1", "bob"))
    await asyncio.sleep(1.4)
    assert windsor.status["radios"][0]["inhibited"] is True
    shown = await command
    assert shown["inhibited"] is False
    await made.detroit.radio.talk(0.3)
    await asyncio.sleep(1)
    assert windsor.radio.line.changes() == ["key", "unkey"]


@pytest.mark.parametrize("disk", ["store", "audit"])
def test_a_radio_stays_inhibited_when_that_cannot_be_stored_or_logged(disk: str) -> None:
    @in_virtual_time
    async def run() -> None:
        made = await world()
        await made.windsor.gateway.inhibit("tac1", "ann")
        getattr(made.windsor, disk).failing = True
        with pytest.raises(CommandError, match="stays off the air"):
            await made.windsor.gateway.allow("tac1", "bob")
        assert made.windsor.status["radios"][0]["inhibited_by"] == "ann"

    run()


@in_virtual_time
async def test_a_radio_that_is_not_there_names_those_that_are() -> None:
    made = await world()
    with pytest.raises(CommandError, match="no radio 'tac9' here; there are: tac1"):
        await made.windsor.gateway.inhibit("tac9", "ann")
    with pytest.raises(CommandError, match="tac9"):
        await made.windsor.gateway.allow("tac9", "ann")


# --- life -----------------------------------------------------------------------------------------


@in_virtual_time
async def test_stop_unkeys_at_once_says_goodbye_and_stores_the_time() -> None:
    made = await world(brokers=2)
    made.detroit.radio.cor(active=True)
    await made.detroit.radio.speak(0.4)
    unkeyed_when_said: list[bool] = []
    made.brokers[0].when_published = lambda topic: (
        unkeyed_when_said.append(not made.windsor.radio.line.keyed) if WINDSOR in topic else None
    )
    await made.windsor.gateway.stop()
    assert not keyed(made.windsor.radio)
    assert unkeyed_when_said == [True]
    assert all(link.closed for link in made.windsor.links)
    assert int(made.windsor.store.values[BRIDGE_TIME_KEY]) >= NOW_MS + 2500
    await turns()
    assert made.detroit.partner()["online"] is False
    await made.detroit.radio.speak(0.5)
    assert made.windsor.radio.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_stop_ends_although_the_disk_fails() -> None:
    made = await world()
    made.windsor.store.failing = made.windsor.audit.failing = True
    made.windsor.plan()
    await made.windsor.gateway.stop()
    assert made.windsor.links[0].closed


@in_virtual_time
async def test_a_restarted_gateway_carries_voice_again() -> None:
    made = await world()
    await made.windsor.gateway.stop()
    await made.windsor.start()
    await asyncio.sleep(2.5)
    await made.detroit.radio.talk(0.3)
    await asyncio.sleep(1)
    assert made.windsor.radio.line.changes() == ["key", "unkey"]
    await made.windsor.radio.talk(0.3)
    await asyncio.sleep(1)
    assert made.detroit.radio.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_a_clock_that_loses_its_source_parts_from_the_partner_within_a_second() -> None:
    made = await world()
    made.windsor.clock.is_synchronised = False
    await asyncio.sleep(1.1)
    (patch,) = made.windsor.status["patches"]
    assert patch["reason"] == "clock-unsynchronised"
    await made.detroit.radio.talk(0.3)
    await asyncio.sleep(1)
    assert made.windsor.radio.line.log == []
    made.windsor.clock.is_synchronised = True
    await asyncio.sleep(1.1)
    (patch,) = made.windsor.status["patches"]
    assert patch["in_force"] is True


@in_virtual_time
async def test_a_disk_that_fails_does_not_stop_the_house_keeping() -> None:
    made = await world()
    made.windsor.store.failing = True
    await asyncio.sleep(56)
    assert made.windsor.status["patches"][0]["in_force"] is True
    heads: list[str] = []
    made.brokers[0].when_published = heads.append
    made.windsor.store.failing = False
    await asyncio.sleep(31)
    assert head_topic(made.windsor.id) in heads
