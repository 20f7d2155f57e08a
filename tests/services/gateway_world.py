"""Whole gateways on fake radios, disks and brokers, tied together as `radiobridge.app` does."""

import asyncio
from collections.abc import Mapping
from typing import Any

from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.drivers.link.loopback import LoopbackLink
from radiobridge.model.ids import AgencyId, RadioName, TalkgroupId, parse_talkgroup
from radiobridge.model.patch import Air, Terms
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.services.agreements import Agreements
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.control import EPOCH_KEY, ControlPlane
from radiobridge.services.directory import Directory
from radiobridge.services.emergency import Emergency
from radiobridge.services.gateway import Gateway
from radiobridge.services.heads import HeadPorts, Heads
from radiobridge.services.papers import Papers
from radiobridge.services.probing import ProbePorts, Probing
from radiobridge.services.voice import VoicePlane, VoicePorts
from radiobridge.text import Text
from radiobridge.wire.roster import sign_roster
from tests.core.patch_world import terms
from tests.services.consent_world import FakeAudit
from tests.services.fakes import FakeBroker, FakeClock, FakeLink, FakeStore
from tests.services.radios import COR, Ports, Radio, make_radio, make_timer
from tests.services.voice_world import draw
from tests.services.voices import BORDER, TAC1
from tests.wire.people import NOW_MS, entry, person, roster

AGENCIES = ("ca.opp", "us.cbp")
WINDSOR, DETROIT = "ca.opp/windsor", "us.cbp/detroit"
ROSTERS = {"ca.opp": (WINDSOR,), "us.cbp": (DETROIT,)}
RIVER = terms("river", TAC1, BORDER)


class Site:
    """One gateway: what lasts (disk, clock, radios on their channels), and what runs."""

    def __init__(self, name: str, talkgroup: TalkgroupId, *brokers: FakeBroker) -> None:
        self.id = person(name).gateway
        self.talkgroup = talkgroup
        self.radio_name = RadioName(talkgroup.name.lower())
        self.store = FakeStore()
        self.audit = FakeAudit()
        self.clock = FakeClock()
        self.squelch = COR
        self.plans: tuple[Terms, ...] = ()
        self.radio: Radio
        self.gateway: Gateway
        self.boots = 0
        self._brokers = brokers

    async def start(self) -> None:
        """Start with what is on the disk; radios and links are there at once."""
        me = person(str(self.id))
        self.boots += 1
        bridge = BridgeTime(self.clock, self.store)
        auditor = Auditor(self.id, self.audit, bridge)
        self.directory = Directory({AgencyId(name): person(name).public for name in AGENCIES})
        papers = Papers(self.id, signing_key=me.signing, hpke_key=me.hpke, bridge=bridge)
        epochs = self.store.items(EPOCH_KEY)
        stored = {parse_talkgroup(k.removeprefix(EPOCH_KEY)): int(n) for k, n in epochs.items()}
        keys = VoiceKeys(self.id, draw(), stored)
        self.loopback = LoopbackLink("loopback")
        emergency = Emergency(
            self.id,
            agreements=lambda: self.agreements,
            bridge=bridge,
            papers=papers,
            directory=self.directory,
            store=self.store,
            auditor=auditor,
            rerank=lambda: self.voice.rerank(),
            radio_of=lambda talkgroup: self.voice.speakers.get(talkgroup),
            make_timer=make_timer,
        )
        self.voice = VoicePlane(
            self.id,
            bridge=bridge,
            signing_key=me.signing,
            keys=keys,
            priority=0,
            loopback=self.loopback,
            ports=VoicePorts(
                signer_of=lambda who: self.directory.speaker(who, bridge.now_ms()),
                make_timer=make_timer,
                told=lambda event: self.gateway.told(event),
                ranks=emergency.ranks,
            ),
        )
        self.control = ControlPlane(
            self.id,
            self.agreements,
            directory=self.directory,
            roster=self.roster,
            papers=papers,
            bridge=bridge,
            store=self.store,
            keys=keys,
            apply=self.voice.apply,
            auditor=auditor,
            make_timer=make_timer,
        )
        self.gateway = Gateway(
            self.id,
            f"boot{self.boots}",
            "1.2.3",
            bridge=bridge,
            voice=self.voice,
            control=self.control,
            papers=papers,
            store=self.store,
            auditor=auditor,
            emergency=emergency,
            heads=self._heads(bridge, papers, auditor),
        )
        self._probing(bridge, papers, keys)
        self.links = [FakeLink(f"b{n}", broker) for n, broker in enumerate(self._brokers)]
        self._add_radio()
        await self.gateway.start({link.name: link for link in self.links}, self.loopback)
        await self.radio.open()

    def _probing(self, bridge: BridgeTime, papers: Papers, keys: VoiceKeys) -> None:
        control = self.control
        probing = Probing(
            self.id,
            papers=papers,
            directory=self.directory,
            bridge=bridge,
            keys=keys,
            runners=self.voice.runners,
            ports=ProbePorts(
                state=control.desk.state,
                closed=control.closed,
                voice_map=lambda: control.voice_map,
                links=self.gateway.links_up,
                online=self.gateway.partners_online,
            ),
        )
        control.desk.prober = probing.test
        control.intake.ports.probed = probing.heard

    def _heads(self, bridge: BridgeTime, papers: Papers, auditor: Auditor) -> Heads:
        heads = Heads(
            self.id,
            intake=self.control.intake,
            papers=papers,
            bridge=bridge,
            store=self.store,
            auditor=auditor,
            simulation=True,
            ports=HeadPorts(agencies=lambda: self.directory.agencies, changed=self.control.refresh),
        )
        self.control.closed_by = heads.closed
        return heads

    def _add_radio(self) -> None:
        gateway = self.gateway
        ports = Ports(self.voice.begin, self.voice.ended, gateway.not_delivered)
        self.radio = make_radio(str(self.radio_name), self.talkgroup, ports, squelch=self.squelch)
        self.voice.runners[self.radio_name] = self.radio.runner

    @property
    def roster(self) -> bytes:
        agency = str(self.id.agency)
        made = roster(agency, *(entry(name) for name in ROSTERS[agency]))
        return sign_roster(made, NOW_MS, person(agency).signing)

    @property
    def agreements(self) -> Agreements:
        radio = RadioRef(self.id, self.radio_name)
        served = Talkgroup(
            id=self.talkgroup,
            label=Text(self.talkgroup.name, self.talkgroup.name),
            air=Air.CLEAR,
            receive=frozenset({radio}),
            transmit=(("main", radio),),
        )
        known = TalkgroupMap(agency=self.id.agency, talkgroups={self.talkgroup: served})
        return Agreements(talkgroups=known, plans=self.plans)

    def plan(self, *plans: Terms) -> None:
        """Re-read the configuration: these are the plans now."""
        self.plans = plans
        self.control.replace(self.agreements, self.roster)

    @property
    def status(self) -> dict[str, Any]:
        return self.gateway.status()

    def partner(self) -> Mapping[str, Any]:
        """Return what is shown of the one partner."""
        (one,) = self.status["partners"]
        found: Mapping[str, Any] = one
        return found


class GatewayWorld:
    """windsor and detroit with a radio each, and brokers between them."""

    def __init__(self, *, brokers: int = 1, plan: Terms | None = RIVER) -> None:
        self.brokers = [FakeBroker() for _ in range(brokers)]
        self.windsor = Site(WINDSOR, TAC1, *self.brokers)
        self.detroit = Site(DETROIT, BORDER, *self.brokers)
        for site in (self.windsor, self.detroit):
            site.plans = () if plan is None else (plan,)

    async def start(self) -> "GatewayWorld":
        for site in (self.windsor, self.detroit):
            await site.start()
        await asyncio.sleep(2.5)
        return self

    async def stop(self) -> None:
        for site in (self.windsor, self.detroit):
            await site.gateway.stop()
