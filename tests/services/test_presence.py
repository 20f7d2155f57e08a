"""What whole gateways show of themselves, and what others make of it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from radiobridge.core.presence import SILENT_S
from radiobridge.wire.documents import read_document
from radiobridge.wire.topics import presence_topic
from radiobridge.wire.words import WILL_SEQUENCE, Presence
from tests.services.gateway_world import WINDSOR
from tests.services.test_gateway import said, world
from tests.services.virtual_time import in_virtual_time, turns
from tests.wire.people import HOUR_MS, NOW_MS, person


@in_virtual_time
async def test_partners_see_each_other_by_every_link() -> None:
    made = await world(brokers=2)
    partner = made.windsor.partner()
    assert (partner["agency"], partner["gateway"]) == ("us.cbp", "us.cbp/detroit")
    assert (partner["online"], partner["links"]) == (True, ["b0", "b1"])


@in_virtual_time
async def test_a_partner_is_lost_when_it_is_lost_on_every_link() -> None:
    made = await world(brokers=2)
    made.detroit.links[0].drop()
    await turns()
    assert made.windsor.partner()["online"] is True
    with capture_logs() as logs:
        made.detroit.links[1].drop()
        await turns()
    assert made.windsor.partner()["online"] is False
    lost = [line["partner"] for line in logs if line["event"] == "partner-lost"]
    # Both log here: detroit has lost windsor as well.
    assert sorted(lost) == [WINDSOR, "us.cbp/detroit"]
    made.detroit.links[0].connect()
    await turns()
    assert made.windsor.partner()["links"] == ["b0"]


@in_virtual_time
async def test_a_partner_is_not_known_while_our_own_links_are_down() -> None:
    made = await world()
    made.windsor.links[0].drop()
    assert made.windsor.partner()["online"] is False
    made.windsor.links[0].connect()
    await turns()
    assert made.windsor.partner()["online"] is True


@in_virtual_time
async def test_a_will_comes_after_all_of_its_connection_and_before_the_next() -> None:
    made = await world()
    gateway, topic = made.windsor.gateway, presence_topic(made.windsor.id, "b0")

    def version(connection: int, *, online: bool) -> int:
        where, raw = gateway.presence("b0", connection, online=online)
        assert where == topic
        return said(made.windsor, topic, raw).header.version

    will = version(7, online=False)
    first, second = version(7, online=True), version(7, online=True)
    next_will, next_first = version(8, online=False), version(8, online=True)
    assert first < second < will < next_first < next_will
    assert will % (WILL_SEQUENCE + 1) == WILL_SEQUENCE


@in_virtual_time
async def test_a_will_is_valid_when_its_connection_ends_long_after() -> None:
    made = await world()
    topic, raw = made.windsor.gateway.presence("b0", 9, online=False)
    in_a_year = NOW_MS + 365 * 24 * HOUR_MS
    document = read_document(raw, topic, person(WINDSOR).public, in_a_year)
    assert Presence.from_body(document.body).online is False


@in_virtual_time
@pytest.mark.parametrize("after_s", [0, 1])
async def test_versions_of_presence_grow_over_a_restart(after_s: int) -> None:
    """Also within the second that a connection takes its number from."""
    made = await world()
    topic = presence_topic(made.windsor.id, "b0")
    await made.windsor.gateway.stop()
    await made.windsor.start()
    await made.windsor.gateway.stop()
    before = said(made.windsor, topic, made.brokers[0].retained[topic]).header.version
    await asyncio.sleep(after_s)
    await made.windsor.start()
    after = said(made.windsor, topic, made.brokers[0].retained[topic]).header.version
    assert after > before
    await turns()
    assert made.detroit.partner()["online"] is True


@in_virtual_time
async def test_what_the_radios_do_is_shown_within_a_second() -> None:
    made = await world()
    topic = presence_topic(made.windsor.id, "b0")

    def shown() -> str:
        body = said(made.windsor, topic, made.brokers[0].retained[topic]).body
        (radio,) = Presence.from_body(body).radios
        assert (str(radio.radio), radio.talkgroup) == ("tac1", "TAC1")
        return radio.state.value

    assert shown() == "ready"
    made.windsor.radio.cor(active=True)
    await asyncio.sleep(1)
    assert shown() == "receiving"
    made.windsor.radio.cor(active=False)
    await made.windsor.gateway.inhibit("tac1", "ann")
    await asyncio.sleep(1)
    assert shown() == "inhibited"
    made.windsor.radio.lose_interface()
    await asyncio.sleep(1)
    assert shown() == "lost"


@in_virtual_time
async def test_presence_is_repeated_each_thirty_seconds_while_nothing_changes() -> None:
    made = await world()
    published: list[str] = []
    made.brokers[0].when_published = published.append
    await asyncio.sleep(2 * SILENT_S)
    assert len([topic for topic in published if "/presence/" in topic]) == 12
    assert made.detroit.partner()["online"] is True


@in_virtual_time
async def test_a_gateway_that_says_nothing_more_is_lost_though_no_will_came() -> None:
    made = await world()
    link = made.windsor.links[0]
    link.publish_document = lambda *_: None  # type: ignore[method-assign]
    await asyncio.sleep(SILENT_S + 2.0)
    assert made.detroit.partner()["online"] is False
    assert made.windsor.partner()["online"] is True
