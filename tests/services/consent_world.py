"""Three agencies with several gateways each: their control planes, brokers, disks and clocks.

Everything runs in virtual time (`in_virtual_time`). A gateway can be stopped and started again with
its store, an old copy of it, or none.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditEntry, AuditHead, AuditState
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId, parse_talkgroup
from radiobridge.model.patch import Air, Terms
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.services.agreements import Agreements
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.control import EPOCH_KEY, ControlPlane
from radiobridge.services.directory import Directory
from radiobridge.services.heads import HeadPorts, Heads
from radiobridge.services.papers import Papers
from radiobridge.services.timer import OneTimer
from radiobridge.services.voice import VoiceMap
from radiobridge.text import Text
from radiobridge.wire.documents import Document
from radiobridge.wire.roster import Right, sign_roster
from radiobridge.wire.topics import Topic, TopicKind, presence_topic
from tests.services.fakes import FakeBroker, FakeClock, FakeLink, FakeStore
from tests.services.virtual_time import turns
from tests.wire.people import HOUR_MS, NOW_MS, entry, person, roster

AGENCIES = ("ca.opp", "us.cbp", "ca.rcmp")
NAMES = {
    "ca.opp": ("windsor", "sarnia"),
    "us.cbp": ("detroit", "buffalo"),
    "ca.rcmp": ("ottawa", "regina"),
}
TAC1, TAC2 = parse_talkgroup("ca.opp/TAC1"), parse_talkgroup("ca.opp/TAC2")
BORDER = parse_talkgroup("us.cbp/BORDER")
MOUNTED = parse_talkgroup("ca.rcmp/MOUNTED")
TALKGROUPS = {"ca.opp": (TAC1, TAC2), "us.cbp": (BORDER,), "ca.rcmp": (MOUNTED,)}
BY = "local:dispatcher"


class FakeAudit:
    """An AuditLog on a disk that takes its time, and fails while `failing`."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.failing = False
        self.takes_s = 0.005

    async def before(self, entry: AuditEntry) -> None:
        await asyncio.sleep(self.takes_s)
        if self.failing:
            raise StoreError("the log cannot be written", "le journal ne peut être écrit")
        self.entries.append(entry)

    def after(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    def head(self) -> AuditHead | None:
        return AuditHead(len(self.entries), "0" * 64)

    def state(self) -> AuditState:
        return AuditState(head=self.head())

    async def close(self) -> None:
        pass

    def told(self, what: str) -> list[AuditEntry]:
        return [one for one in self.entries if one.what == what]


@dataclass
class Site:
    """One gateway: what it has on disk, and what runs."""

    id: GatewayId
    world: "ConsentWorld"
    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    plans: tuple[Terms, ...] = ()
    on_demand: tuple[Terms, ...] = ()
    rights: frozenset[Right] = frozenset(Right)
    air: Air = Air.CLEAR
    audit: FakeAudit = field(default_factory=FakeAudit)
    map: VoiceMap = field(default_factory=VoiceMap)
    maps: int = 0
    control: ControlPlane = field(init=False)
    keys: VoiceKeys = field(init=False)
    links: tuple[FakeLink, ...] = ()
    guarded: bool = False
    """Says heads, and trusts its disk only once that has been checked, as a real gateway does."""
    simulation: bool = True
    heads: Heads | None = None
    _house: asyncio.Task[None] | None = None

    @property
    def agency(self) -> AgencyId:
        return self.id.agency

    # spi.LinkSink, as far as documents go

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        pass

    def document(self, topic: str, payload: bytes, link: str) -> None:
        self.world.documents.append((str(self.id), topic))
        self.control.document(topic, payload, link)

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        del connection, online
        return presence_topic(self.id, link), b"presence"

    def link_up(self, link: str) -> None:
        if self.heads is not None:
            self.heads.link_up(link)

    def link_down(self, link: str, reason: Text) -> None:
        del reason
        if self.heads is not None:
            self.heads.link_down(link)

    # life

    async def start(self) -> None:
        """Start with what is on the disk."""
        loop = asyncio.get_running_loop()
        me = person(str(self.id))
        self.bridge = BridgeTime(self.clock, self.store)
        self.directory = Directory({AgencyId(a): person(a).public for a in AGENCIES})
        papers = Papers(self.id, signing_key=me.signing, hpke_key=me.hpke, bridge=self.bridge)
        draw = random.Random(str(self.id) + str(len(self.store.puts))).randbytes
        epochs = self.store.items(EPOCH_KEY)
        stored = {parse_talkgroup(k.removeprefix(EPOCH_KEY)): int(n) for k, n in epochs.items()}
        self.keys = VoiceKeys(self.id, draw, stored)
        self.control = ControlPlane(
            self.id,
            self.agreements,
            directory=self.directory,
            roster=self.world.roster(self.agency),
            papers=papers,
            bridge=self.bridge,
            store=self.store,
            keys=self.keys,
            apply=self._apply,
            auditor=Auditor(self.id, self.audit, self.bridge),
            make_timer=partial(OneTimer, loop),
        )
        self.links = self.make_links()
        papers.links = self.links
        if self.guarded:
            self._guard(papers)
        self.control.start()
        for link in self.links:
            await link.open(self)

    def make_links(self) -> tuple[FakeLink, ...]:
        """Return a link to each broker."""
        return tuple(FakeLink(f"b{n}", b) for n, b in enumerate(self.world.brokers))

    def _guard(self, papers: Papers) -> None:
        heads = self.heads = Heads(
            self.id,
            intake=self.control.intake,
            papers=papers,
            bridge=self.bridge,
            store=self.store,
            auditor=Auditor(self.id, self.audit, self.bridge),
            simulation=self.simulation,
            ports=HeadPorts(agencies=lambda: self.directory.agencies, changed=self.control.refresh),
        )
        self.control.closed_by = heads.closed
        self.control.intake.ports.heard = self._heard
        self._house = asyncio.create_task(self._keep_house(heads))

    async def _keep_house(self, heads: Heads) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.bridge.observe():
                with suppress(StoreError):
                    await self.bridge.persist()
            heads.tick()

    def _heard(self, sender: GatewayId, topic: Topic, document: Document, link: str) -> None:
        del link
        if topic.kind is TopicKind.HEAD and self.heads is not None:
            self.heads.heard(sender, document)

    def stop(self) -> None:
        """End at once, as by SIGKILL."""
        self.control.stop()
        if self._house is not None:
            self._house.cancel()
        for link in self.links:
            if link.up:
                link.up = False
                link.broker.links.remove(link)

    def cut(self) -> None:
        """Lose every link."""
        for link in self.links:
            if link.up:
                link.up = False
                link.broker.links.remove(link)

    def heal(self) -> None:
        """Get every link back."""
        for link in self.links:
            if not link.up:
                link.connect()

    @property
    def agreements(self) -> Agreements:
        talkgroups = {
            tg: Talkgroup(
                id=tg,
                label=Text(tg.name, tg.name),
                air=self.air,
                receive=frozenset({RadioRef(self.id, RadioName(tg.name.lower()))}),
                transmit=(("main", RadioRef(self.id, RadioName(tg.name.lower()))),),
            )
            for tg in TALKGROUPS[str(self.agency)]
        }
        return Agreements(
            talkgroups=TalkgroupMap(agency=self.agency, talkgroups=talkgroups),
            plans=self.plans,
            on_demand=self.on_demand,
        )

    def _apply(self, voice_map: VoiceMap) -> None:
        self.map = voice_map
        self.maps += 1

    # what operators do

    async def propose(
        self, patch: str, *members: str | dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        request = {
            "patch": patch,
            "purpose": "Pursuit",
            "for_ms": 2 * HOUR_MS,
            "members": [m if isinstance(m, dict) else {"talkgroup": m} for m in members],
            **more,
        }
        answer = await self.control.desk.propose(request, BY)
        await turns(5)
        return answer

    async def accept(self, patch: str, **more: Any) -> dict[str, Any]:
        answer = await self.control.desk.accept(patch, more or None, BY)
        await turns(5)
        return answer

    async def withdraw(self, patch: str) -> dict[str, Any]:
        return await self.control.desk.withdraw(patch, BY)

    async def narrow(self, patch: str, **more: Any) -> dict[str, Any]:
        return await self.control.desk.narrow(patch, more, BY)

    # what they see

    def state(self, patch: str) -> dict[str, Any]:
        """Return how a patch stands here."""
        return next(one for one in self.control.status() if one["id"] == patch)

    def reason(self, patch: str) -> str:
        found = [one["reason"] for one in self.control.status() if one["id"] == patch]
        return found[0] if found else "unknown"

    def hears(self, talkgroup: TalkgroupId) -> bool:
        """Tell whether a radio here plays a talkgroup."""
        return bool(self.map.plays.get(talkgroup))


class ConsentWorld:
    """Brokers, rosters and sites."""

    def __init__(self, *names: str, brokers: int = 1) -> None:
        """Make gateways such as `ca.opp/windsor`; start them with `start`."""
        self.brokers = [FakeBroker() for _ in range(brokers)]
        self.documents: list[tuple[str, str]] = []
        self.sites = {name: Site(person(name).gateway, self) for name in names}

    def __getitem__(self, name: str) -> Site:
        return next(site for full, site in self.sites.items() if name in (full, site.id.name))

    async def start(self) -> "ConsentWorld":
        for site in self.sites.values():
            await site.start()
        await settle()
        return self

    def roster(self, agency: AgencyId, version: int = 1) -> bytes:
        """Return an agency's signed roster: the gateways of this world."""
        entries = [
            entry(name, site.rights) for name, site in self.sites.items() if site.agency == agency
        ]
        made = roster(str(agency), *entries, version=version)
        return sign_roster(made, NOW_MS, person(str(agency)).signing)

    def reasons(self, patch: str) -> set[str]:
        """Return how a patch stands at all sites."""
        return {site.reason(patch) for site in self.sites.values()}


async def world(*names: str, brokers: int = 1) -> ConsentWorld:
    """Return a running world."""
    return await ConsentWorld(*names, brokers=brokers).start()


async def settle(seconds: float = 0.2) -> None:
    """Let a moment pass: disks, documents, keys."""
    await asyncio.sleep(seconds)
    await turns(5)


PAIR = ("ca.opp/windsor", "us.cbp/detroit")
TRIO = (*PAIR, "ca.rcmp/ottawa")
EVERYBODY = tuple(f"{agency}/{name}" for agency in AGENCIES for name in NAMES[agency])
