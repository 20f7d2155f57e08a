"""What a gateway says in documents: versions that grow, seals that only the named can open."""

import pytest

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.ids import GatewayId
from radiobridge.services.clock import BridgeTime
from radiobridge.services.papers import Papers, subscribe
from radiobridge.wire.documents import Document, read_document
from radiobridge.wire.seal import MAX_RECIPIENTS, MLKEM_PUBLIC
from radiobridge.wire.topics import head_topic, patch_topic, spurt_topic
from tests.services.fakes import FakeClock, FakeLink, FakeStore
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import HOUR_MS, NOW_MS, Person, person

WINDSOR, DETROIT = person("ca.opp/windsor"), person("us.cbp/detroit")
HEAD = head_topic(WINDSOR.gateway)
EXPIRES = NOW_MS + HOUR_MS


def papers(who: Person = WINDSOR, *, clock: FakeClock | None = None) -> Papers:
    bridge = BridgeTime(clock or FakeClock(), FakeStore())
    made = Papers(who.gateway, signing_key=who.signing, hpke_key=who.hpke, bridge=bridge)
    made.links = (FakeLink("one"), FakeLink("two"))
    for link in made.links:
        link.up = True
    return made


def said(made: Papers, topic: str, link: int = 0) -> Document:
    one = made.links[link]
    assert isinstance(one, FakeLink)
    return read_document(one.broker.retained[topic], topic, WINDSOR.public, NOW_MS)


@in_virtual_time
async def test_what_is_published_goes_on_every_link_and_is_signed() -> None:
    made = papers()
    made.publish(HEAD, {"bridge": 1}, expires_ms=EXPIRES)
    assert said(made, HEAD).body == {"bridge": 1}
    assert said(made, HEAD, link=1) == said(made, HEAD)
    assert said(made, HEAD).header.expires_ms == EXPIRES


@in_virtual_time
async def test_versions_grow_within_a_millisecond_and_with_time() -> None:
    made = papers()
    versions = [made.next_version() for _ in range(3)]
    assert versions == [NOW_MS, NOW_MS + 1, NOW_MS + 2]


@in_virtual_time
async def test_versions_of_a_restarted_gateway_are_higher() -> None:
    before = papers()
    last = [before.next_version() for _ in range(5)][-1]
    assert papers(clock=FakeClock(ahead_ms=1000)).next_version() > last


@in_virtual_time
async def test_a_document_that_expires_now_is_still_one() -> None:
    raw = papers().signed(HEAD, {}, expires_ms=NOW_MS)
    with pytest.raises(RemoteProtocolError, match="expired"):
        read_document(raw, HEAD, WINDSOR.public, NOW_MS)


@in_virtual_time
async def test_what_is_sealed_opens_for_the_named_only() -> None:
    ours, theirs = papers(), papers(DETROIT)
    stranger = papers(person("us.cbp/buffalo"))
    topic = patch_topic(WINDSOR.gateway, "pair")  # type: ignore[arg-type]  # any id will do
    recipients = {DETROIT.gateway: DETROIT.hpke_public}
    ours.publish_sealed(topic, {"purpose": "secret"}, recipients, expires_ms=EXPIRES)
    document = said(ours, topic)
    assert "secret" not in str(document.body)
    assert theirs.opened(document, WINDSOR.gateway) == {"purpose": "secret"}
    with pytest.raises(RemoteProtocolError, match="not-for-us"):
        stranger.opened(document, WINDSOR.gateway)
    # Bound to its sender: nobody can pass it on as his own.
    with pytest.raises(RemoteProtocolError, match="bad-seal"):
        theirs.opened(document, person("us.cbp/buffalo").gateway)


@in_virtual_time
async def test_nothing_is_sealed_to_nobody() -> None:
    made = papers()
    topic = patch_topic(WINDSOR.gateway, "pair")  # type: ignore[arg-type]  # any id will do
    with pytest.raises(LocalProtocolError):
        made.publish_sealed(topic, {"purpose": "secret"}, {}, expires_ms=EXPIRES)
    assert all(isinstance(one, FakeLink) and not one.broker.retained for one in made.links)


@in_virtual_time
async def test_a_key_that_is_none_keeps_nobody_else_from_reading() -> None:
    made = papers()
    topic = patch_topic(WINDSOR.gateway, "pair")  # type: ignore[arg-type]  # any id will do
    weak = DETROIT.hpke_public[:MLKEM_PUBLIC] + bytes(32)
    recipients = {
        person("us.cbp/buffalo").gateway: weak,
        DETROIT.gateway: DETROIT.hpke_public,
        person("us.cbp/erie").gateway: b"",
    }
    made.publish_sealed(topic, {"purpose": "secret"}, recipients, expires_ms=EXPIRES)
    assert papers(DETROIT).opened(said(made, topic), WINDSOR.gateway) == {"purpose": "secret"}


@in_virtual_time
async def test_of_more_than_a_document_takes_the_first_can_read_it() -> None:
    made = papers()
    topic = patch_topic(WINDSOR.gateway, "pair")  # type: ignore[arg-type]  # any id will do
    gateways = [GatewayId(DETROIT.gateway.agency, f"g{n}") for n in range(MAX_RECIPIENTS + 5)]
    recipients = dict.fromkeys(gateways, DETROIT.hpke_public)
    for length, fit in ((1, MAX_RECIPIENTS), (4096, 25)):
        made.publish_sealed(topic, {"purpose": "x" * length}, recipients, expires_ms=EXPIRES)
        keys = said(made, topic).body["keys"]
        assert isinstance(keys, dict)
        assert set(keys) >= set(map(str, gateways[:fit]))
        assert len(keys) <= MAX_RECIPIENTS


@in_virtual_time
async def test_a_notice_is_not_kept() -> None:
    made = papers()
    topic = spurt_topic(WINDSOR.gateway, "TAC1")
    made.notice(topic, {"state": "started"}, expires_ms=EXPIRES)
    for link in made.links:
        assert isinstance(link, FakeLink)
        assert [one for one, _raw in link.broker.notices] == [topic]
        assert link.broker.retained == {}


@in_virtual_time
async def test_every_link_is_asked_for_documents() -> None:
    links = (FakeLink("one"), FakeLink("two"))
    subscribe(links, frozenset({"rb/1/us.cbp/+/head"}))
    assert [link.document_filters for link in links] == [{"rb/1/us.cbp/+/head"}] * 2


@in_virtual_time
async def test_nothing_is_kept_of_what_was_cleared_or_never_stood_anywhere() -> None:
    made = papers()
    made.publish(HEAD, {}, expires_ms=EXPIRES)
    made.notice(spurt_topic(WINDSOR.gateway, "TAC1"), {}, expires_ms=EXPIRES)
    for n in range(20):
        topic = patch_topic(WINDSOR.gateway, f"p{n}")  # type: ignore[arg-type]  # any id will do
        to = {DETROIT.gateway: DETROIT.hpke_public}
        if n % 2:
            made.notice_sealed(topic, {}, to, expires_ms=EXPIRES)
        else:
            made.publish_sealed(topic, {}, to, expires_ms=EXPIRES)
            made.clear(topic)
    assert made.versions.keys() == made._expires.keys() == {HEAD}
    assert made.standing(NOW_MS).keys() == {HEAD}
