"""Whatever a partner or a broker sends: refused, counted, logged, in `status`, and no harm done.

Each case goes into a whole gateway while a patch is in force and its partner talks.
"""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from radiobridge.model.ids import PatchId
from radiobridge.model.patch import Access
from radiobridge.wire.canonical import Body
from radiobridge.wire.documents import MAX_DOCUMENT
from radiobridge.wire.topics import head_topic, patch_topic, roster_topic, spurt_topic, voice_topic
from tests.services.gateway_world import DETROIT, RIVER, GatewayWorld, Site
from tests.services.virtual_time import START_S, in_virtual_time, now
from tests.services.voices import BORDER, TAC1
from tests.wire.people import HOUR_MS, NOW_MS, person

PARTNER, STRANGER = person(DETROIT), person("us.cbp/buffalo")
HEAD = head_topic(PARTNER.gateway)
WORD = patch_topic(PARTNER.gateway, PatchId("river"))
NOTICE = spurt_topic(PARTNER.gateway, "BORDER")


def bridge_ms() -> int:
    return NOW_MS + round((now() - START_S) * 1000)


def signed(topic: str, body: Body, **dates: int) -> bytes:
    """Return what the partner signs now, whatever is in it."""
    at = bridge_ms()
    given = {"version": at + 5000, "issued_ms": at, "expires_ms": at + HOUR_MS, **dates}
    return PARTNER.sign(topic, body, **given)


def notice(**changes: Any) -> Body:
    return {
        "talkgroup": str(BORDER), "start": bridge_ms(), "class": "normal", "priority": 0,
        "radio": "x", "state": "started", "reason": "", **changes,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is sent."""

    topic: str
    make: Callable[[], bytes]
    counter: str


def stranger(topic: str) -> bytes:
    """Return what another gateway of the partner's agency signs, in the partner's name."""
    at = bridge_ms()
    return STRANGER.sign(topic, {}, version=at, issued_ms=at, expires_ms=at + HOUR_MS)


def named(alias: str) -> bytes:
    """Return a notice of somebody who is called so."""
    return signed(NOTICE, notice(talker="mdc:1234", alias=alias))


DOCUMENTS = {
    "forged": Case(topic=HEAD, make=lambda: stranger(HEAD), counter="bad-signature"),
    "a forged roster": Case(
        topic=roster_topic(PARTNER.gateway),
        make=lambda: signed("rb/1/us.cbp/roster", {"gateways": []}),
        counter="bad-signature",
    ),
    "replayed on another topic": Case(
        topic=NOTICE, make=lambda: signed(HEAD, {}), counter="wrong-topic"
    ),
    "expired": Case(
        topic=HEAD,
        make=lambda: signed(HEAD, {}, issued_ms=bridge_ms() - 2, expires_ms=bridge_ms() - 1),
        counter="expired",
    ),
    "future-dated": Case(
        topic=HEAD, make=lambda: signed(HEAD, {}, issued_ms=bridge_ms() + 61_000), counter="future"
    ),
    "truncated": Case(
        topic=HEAD, make=lambda: signed(HEAD, {"n": 1})[:-9], counter="bad-signature"
    ),
    "cut before its signature": Case(
        topic=HEAD, make=lambda: signed(HEAD, {}).rpartition(b".")[0], counter="not-a-document"
    ),
    "oversized": Case(topic=HEAD, make=lambda: b"x" * (MAX_DOCUMENT + 1), counter="too-large"),
    "a megabyte for an alias": Case(topic=NOTICE, make=lambda: b"x" * 1_000_000,
                                    counter="too-large"),
    "under another agency's topic": Case(
        topic=head_topic(person("mx.x/y").gateway), make=lambda: signed(HEAD, {}),
        counter="not-trusted",
    ),
    "a word that is sealed to nobody": Case(
        topic=WORD, make=lambda: signed(WORD, {"sealed": "AAAA", "keys": {}}), counter="not-for-us"
    ),
    "no JSON inside": Case(topic=HEAD, make=lambda: raw_payload(b"{" * 20_000),
                           counter="bad-json"),
    **{
        f"an alias with {what}": Case(
            topic=NOTICE,
            make=partial(named, alias),
            counter="bad-body",
        )
        for what, alias in (
            ("control characters", "\x1b]0;owned\x07"),
            ("direction characters", "\u202eevil"),
            ("markup", "<img src=x onerror=alert(1)>"),
            ("parts of a path", "../../etc/passwd"),
            ("half a document", "x" * 30_000),
        )
    },
}  # fmt: skip


def raw_payload(payload: bytes) -> bytes:
    """Return a document that the partner has signed over whatever bytes."""
    header, _, _ = signed(HEAD, {}).split(b".")
    text = header + b"." + base64.urlsafe_b64encode(payload).rstrip(b"=")
    return text + b"." + base64.urlsafe_b64encode(PARTNER.signing.sign(text)).rstrip(b"=")


def counted(site: Site, counter: str) -> int:
    return int(site.status["counters"].get(counter, 0))


async def nothing_harmed(made: GatewayWorld) -> None:
    """Assert that the patch goes on, voice crosses both ways, and documents are read."""
    for site in (made.windsor, made.detroit):
        (patch,) = [one for one in site.status["patches"] if one["id"] == "river"]
        assert patch["in_force"], patch["why"]
    for talker, listener in ((made.detroit, made.windsor), (made.windsor, made.detroit)):
        before = len(listener.radio.spoken())
        await talker.radio.talk(0.5)
        await asyncio.sleep(3.0)
        assert len(listener.radio.spoken()) > before + 15
    at = bridge_ms()
    before = counted(made.windsor, "document-bad-body")
    said = signed(NOTICE, notice(talker="mdc:00AF"), version=at + 60_000)
    with capture_logs() as logs:
        made.windsor.gateway.document(NOTICE, said, "b0")
    assert [one["talker"] for one in logs if one["event"] == "spurt-notice"] == ["mdc:00AF"]
    assert counted(made.windsor, "document-bad-body") == before


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_is_refused_counted_logged_shown_and_harms_nothing(what: str) -> None:
    case = DOCUMENTS[what]

    @in_virtual_time
    async def run() -> None:
        made = await GatewayWorld().start()
        with capture_logs() as logs:
            made.windsor.gateway.document(case.topic, case.make(), "b0")
        assert counted(made.windsor, f"document-{case.counter}") == 1
        told = [(one["log_level"], one["reason"]) for one in logs
                if one["event"] == "document-refused"]  # fmt: skip
        assert ("warning", case.counter) in told
        assert all(len(str(one.get("topic", ""))) <= 200 for one in logs)
        await nothing_harmed(made)

    run()


@in_virtual_time
async def test_two_terms_under_one_version_count_neither_and_are_shown() -> None:
    """By a partner that signs both, to have one count here and the other there."""
    made = await GatewayWorld().start()
    at = bridge_ms() + 60_000
    with capture_logs() as logs:
        for n in (1, 2):
            raw = signed(HEAD, {"bridge": at + n, "versions": {}, "audit": ""}, version=at)
            made.windsor.gateway.document(HEAD, raw, "b0")
    assert counted(made.windsor, "document-conflict") == 1
    assert [one["log_level"] for one in logs if one["event"] == "document-conflict"] == ["error"]
    await nothing_harmed(made)


@in_virtual_time
async def test_a_broker_that_serves_old_words_is_counted_and_named() -> None:
    made = await GatewayWorld(plan=None).start()
    made.detroit.plan(RIVER)
    await asyncio.sleep(2.5)
    old = made.brokers[0].retained[WORD]
    made.detroit.plan()
    await asyncio.sleep(2.5)
    assert made.brokers[0].retained[WORD] != old
    with capture_logs() as logs:
        made.brokers[0].take_document(WORD, old, retain=True)
        await asyncio.sleep(0.01)
    (link,) = made.windsor.status["links"]
    assert link["served_old"] == 1
    assert any(one["event"] == "broker-served-old" for one in logs)
    assert not any(one["in_force"] for one in made.windsor.status["patches"])


# Voice


@in_virtual_time
async def test_a_listen_only_partner_that_speaks_is_not_heard() -> None:
    members = [
        replace(m, access=Access.LISTEN) if m.talkgroup == BORDER else m for m in RIVER.members
    ]
    made = await GatewayWorld(plan=replace(RIVER, members=tuple(members))).start()
    # It sends all the same, by what it would send as a full member.
    honest = await GatewayWorld().start()
    await honest.detroit.radio.talk(0.5)
    topic = voice_topic(PARTNER.gateway, "BORDER")
    sent = [raw for one, raw in honest.brokers[0].voice if one == topic]
    assert len(sent) > 20
    for raw in sent:
        made.brokers[0].take_voice(topic, raw)
    await asyncio.sleep(0.5)
    assert made.windsor.radio.line.changes() == []
    before = counted(made.windsor, "not-wanted")
    made.windsor.gateway.voice(topic, sent[0], "b0")
    assert counted(made.windsor, "not-wanted") == before + 1


@in_virtual_time
async def test_a_gateway_that_speaks_under_anothers_topic_is_not_heard() -> None:
    """With the very key that it was given to listen by: there is no proof of the sender."""
    made = await GatewayWorld().start()
    await made.windsor.radio.talk(0.5)
    sent = [raw for one, raw in made.brokers[0].voice if one.startswith("rb/1/ca.opp/windsor/")]
    before = len(made.windsor.radio.spoken())
    for raw in sent:
        made.windsor.gateway.voice(voice_topic(made.windsor.id, TAC1.name), raw, "b0")
    await asyncio.sleep(1.0)
    assert counted(made.windsor, "echo") + counted(made.windsor, "not-wanted") >= len(sent)
    for raw in sent:
        made.windsor.gateway.voice(voice_topic(PARTNER.gateway, BORDER.name), raw, "b0")
    await asyncio.sleep(1.0)
    assert len(made.windsor.radio.spoken()) == before
    assert made.windsor.radio.line.changes() == []
    await nothing_harmed(made)


@in_virtual_time
async def test_a_member_above_its_terms_priority_is_clamped_by_all() -> None:
    made = await GatewayWorld().start()
    made.detroit.voice._priority = 15
    made.detroit.radio.cor(active=True)
    await made.detroit.radio.speak(0.3)
    for site in (made.windsor, made.detroit):
        (floor,) = site.status["floor"]
        assert floor["holder"]["sender"] == DETROIT
        assert floor["holder"]["priority"] == 0


@in_virtual_time
async def test_a_back_dated_claim_is_stale_counted_and_takes_no_floor() -> None:
    made = await GatewayWorld().start()
    # Its gateway says that it began five seconds ago, to be the earlier one.
    bridge = made.detroit.voice._bridge
    bridge._bridge._base_ms -= 5000
    made.detroit.radio.cor(active=True)
    await made.detroit.radio.speak(0.5)
    assert any("/detroit/voice/" in topic for topic, _ in made.brokers[0].voice)
    assert counted(made.windsor, "voice-stale") > 10
    made.windsor.radio.cor(active=True)
    await made.windsor.radio.speak(0.2)
    await made.detroit.radio.speak(0.2)
    (floor,) = made.windsor.status["floor"]
    assert floor["holder"]["sender"] == str(made.windsor.id)
    assert made.windsor.radio.line.changes() == []
