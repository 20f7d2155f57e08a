"""Documents of ours about a talkgroup: who gets them, and when a disk or a key is bad."""

import asyncio
import base64
from dataclasses import dataclass, field, replace
from typing import Any

from radiobridge.model.ids import AgencyId, TalkgroupId, parse_talkgroup
from radiobridge.services.clock import BridgeTime
from radiobridge.services.directory import Directory
from radiobridge.services.own_documents import DOCUMENT_KEY, RETRY_S, OwnDocuments
from radiobridge.services.papers import Papers
from radiobridge.services.tasks import Tasks
from radiobridge.wire.roster import RosterEntry
from radiobridge.wire.seal import MAX_RECIPIENTS, MLKEM_PUBLIC
from radiobridge.wire.topics import TopicKind, alarm_topic
from tests.services.fakes import FakeBroker, FakeClock, FakeLink, FakeStore
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import NOW_MS, entry, person, unchecked_roster

ME = person("ca.opp/windsor")
TAC1 = parse_talkgroup("ca.opp/TAC1")
TOPIC = alarm_topic(ME.gateway, "a1")
OWN = AgencyId("ca.opp")


@dataclass
class Writer:
    """A gateway of ca.opp that writes about TAC1, and the rosters that it knows."""

    store: FakeStore = field(default_factory=FakeStore)
    concerned: set[AgencyId] = field(default_factory=lambda: {OWN})

    def __post_init__(self) -> None:
        self.broker = FakeBroker()
        self.bridge = BridgeTime(FakeClock(), self.store)
        self.directory = Directory(
            {AgencyId(name): person(name).public for name in ("ca.opp", "us.cbp")}
        )
        papers = Papers(ME.gateway, signing_key=ME.signing, hpke_key=ME.hpke, bridge=self.bridge)
        link = FakeLink("b0", self.broker)
        link.up = True
        papers.links = (link,)
        self.counted: list[int] = []
        self.documents = OwnDocuments(
            OWN,
            papers=papers,
            directory=self.directory,
            bridge=self.bridge,
            store=self.store,
            tasks=Tasks(),
            concerned=self._concerned,
        )

    def _concerned(self, talkgroup: TalkgroupId) -> frozenset[AgencyId]:
        assert talkgroup == TAC1
        return frozenset(self.concerned)

    def know(self, agency: str, *entries: RosterEntry, version: int = 1) -> None:
        raw = unchecked_roster(agency, *entries, version=version)
        self.directory.offer(AgencyId(agency), raw, NOW_MS)

    def say(self, text: str = "x", expires_ms: int = NOW_MS + 60_000) -> "asyncio.Task[None]":
        return self.documents.say(
            TOPIC, {"say": text}, TAC1, expires_ms=expires_ms, counts=self.counted.append
        )

    def recipients(self) -> set[str]:
        """Return who can read what is retained at the broker."""
        raw = self.broker.retained[TOPIC].split(b".")[1]
        names = {"ca.opp/windsor", "ca.opp/sarnia", "us.cbp/detroit", "us.cbp/buffalo"}
        text = _decoded(raw)
        many = {f"{agency}/g{n}" for agency in ("ca.opp", "us.cbp") for n in range(40)}
        return {name for name in names | many if f'"{name}":' in text}


def _decoded(raw: bytes) -> str:
    return base64.urlsafe_b64decode(raw + b"==").decode()


@in_virtual_time
async def test_it_counts_then_is_published_then_stored() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"), entry("ca.opp/sarnia"))
    task = writer.say()
    assert len(writer.counted) == 1
    assert writer.recipients() == {"ca.opp/windsor", "ca.opp/sarnia"}
    assert writer.store.values == {}
    await task
    assert list(writer.store.values) == [DOCUMENT_KEY + TOPIC]


@in_virtual_time
async def test_who_comes_later_can_read_it_too_and_who_has_left_gets_nothing_new() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"))
    writer.know("us.cbp", entry("us.cbp/detroit"))
    await writer.say()
    first = writer.broker.retained[TOPIC]
    writer.documents.follow()
    assert writer.broker.retained[TOPIC] == first, "nobody is new"
    writer.concerned.add(AgencyId("us.cbp"))
    writer.documents.follow()
    assert writer.recipients() == {"ca.opp/windsor", "us.cbp/detroit"}
    writer.concerned.discard(AgencyId("us.cbp"))
    writer.documents.follow()
    assert writer.recipients() == {"ca.opp/windsor", "us.cbp/detroit"}, "what is read is read"
    await writer.say("more")
    assert writer.recipients() == {"ca.opp/windsor"}


@in_virtual_time
async def test_a_wrong_key_in_one_roster_keeps_nobody_else_from_reading() -> None:
    writer = Writer(concerned={OWN, AgencyId("us.cbp")})
    bad = entry("us.cbp/detroit")
    # A point of low order: nothing can be sealed to it.
    wrong = replace(bad, hpke_key=bad.hpke_key[:MLKEM_PUBLIC] + bytes(32))
    writer.know("ca.opp", entry("ca.opp/windsor"))
    writer.know("us.cbp", wrong, entry("us.cbp/buffalo"))
    await writer.say()
    assert writer.recipients() == {"ca.opp/windsor", "us.cbp/buffalo"}


@in_virtual_time
async def test_more_gateways_than_a_seal_takes_leave_the_own_agency_in() -> None:
    writer = Writer(concerned={OWN, AgencyId("us.cbp")})
    writer.know("ca.opp", *(entry(f"ca.opp/g{n}") for n in range(20)))
    writer.know("us.cbp", *(entry(f"us.cbp/g{n}") for n in range(20)))
    await writer.say()
    found = writer.recipients()
    assert len(found) == MAX_RECIPIENTS
    assert sum(name.startswith("ca.opp") for name in found) == 20


@in_virtual_time
async def test_a_disk_that_fails_is_tried_again() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"))
    writer.store.failing = True
    writer.say()
    await asyncio.sleep(RETRY_S * 2.5)
    assert writer.store.values == {}
    assert writer.recipients() == {"ca.opp/windsor"}
    writer.store.failing = False
    await asyncio.sleep(RETRY_S)
    assert list(writer.store.values) == [DOCUMENT_KEY + TOPIC]


@in_virtual_time
async def test_after_a_restart() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"))
    await writer.say("it")
    kept: dict[str, Any] = dict(writer.store.values)
    kept[DOCUMENT_KEY + alarm_topic(ME.gateway, "a2")] = "no JSON"
    kept[DOCUMENT_KEY + "no/topic"] = "{}"
    again = Writer(store=FakeStore(kept))
    again.know("ca.opp", entry("ca.opp/windsor"))
    (document,) = again.documents.restore(frozenset({TopicKind.ALARM}))
    assert (document.body, document.talkgroup) == ({"say": "it"}, TAC1)
    again.documents.follow()
    assert again.recipients() == {"ca.opp/windsor"}
    assert list(again.documents.restore(frozenset({TopicKind.ACK}))) == []


@in_virtual_time
async def test_what_has_expired_is_forgotten_on_disks_and_brokers() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"))
    await writer.say(expires_ms=NOW_MS + 10_000)
    await asyncio.sleep(11)
    writer.documents.follow()
    await asyncio.sleep(1)
    assert writer.documents.said(TOPIC) is None
    assert writer.store.values == {DOCUMENT_KEY + TOPIC: ""}
    assert writer.broker.retained[TOPIC] == b""


@in_virtual_time
async def test_what_has_expired_while_we_were_down_too() -> None:
    writer = Writer()
    writer.know("ca.opp", entry("ca.opp/windsor"))
    await writer.say(expires_ms=NOW_MS + 10_000)
    await asyncio.sleep(11)
    again = Writer(store=writer.store)
    assert list(again.documents.restore(frozenset({TopicKind.ALARM}))) == []
    await asyncio.sleep(1)
    assert again.broker.retained[TOPIC] == b""
    assert writer.store.values == {DOCUMENT_KEY + TOPIC: ""}
