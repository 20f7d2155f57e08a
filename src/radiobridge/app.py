"""The composition root: the only place that knows concrete classes.

Start, in order: state, audit log, clock, keys and roster, keyer (devices open, nothing keyed),
radios, voice and control, links, sound, API. Stop, in reverse, after the first and most important
step: every radio is unkeyed. Links, state, sound and keyer end at the same time, each with a
patience of its own: no disk, broker or device that hangs holds up the end of the others. When to
start and stop is up to `serving`.
"""

import asyncio
import gc
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.assembly import audio_device, build_radio, interface_settings, state_folder
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.identity import check_roster, trusted_agencies
from radiobridge.config.load import LoadedGateway
from radiobridge.console.api import ApiServer
from radiobridge.core.floor import FloorEvent
from radiobridge.core.voice_keys import VoiceKeys
from radiobridge.drivers.clock import Synchronised, SystemClock
from radiobridge.drivers.link.loopback import LoopbackLink
from radiobridge.drivers.process import OwnProcess
from radiobridge.drivers.registry import Group, load
from radiobridge.drivers.speech import load_clips
from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.key_files import GatewayKeys, read_gateway_keys
from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.keyer.client import KeyerClient
from radiobridge.model.ids import AgencyId, GatewayId, RadioName, TalkgroupId, parse_talkgroup
from radiobridge.services.agreements import Agreements
from radiobridge.services.announcer import Announcer, AnnouncerPorts
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.control import EPOCH_KEY, ControlPlane
from radiobridge.services.directory import Directory
from radiobridge.services.emergency import Emergency
from radiobridge.services.gateway import Gateway
from radiobridge.services.heads import HeadPorts, Heads
from radiobridge.services.lateness import Lateness
from radiobridge.services.papers import Papers
from radiobridge.services.probing import ProbePorts, Probing
from radiobridge.services.sound import SoundKeeper
from radiobridge.services.timer import OneTimer
from radiobridge.services.voice import VoicePlane, VoicePorts
from radiobridge.spi import Link

log = structlog.get_logger()

STATE_FILE = "state.db"
AUDIT_FILE = "audit.db"
LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A configuration that was checked, and can be taken while voice goes on."""

    loaded: LoadedGateway
    agencies: dict[AgencyId, Ed25519PublicKey]
    roster: bytes


class Running:
    """One started gateway and everything that has to be closed again, in reverse order."""

    def __init__(self, loaded: LoadedGateway, closing: AsyncExitStack) -> None:
        self.loaded = loaded
        self.misled = asyncio.Event()
        """The machine's clock was ahead when this gateway started: start it anew."""
        self._closing = closing
        self._together: list[Callable[[], Awaitable[None]]] = []
        """What ends at the same time."""
        self._lateness = Lateness()
        self._make_timer = partial(OneTimer, asyncio.get_running_loop(), lateness=self._lateness)
        self._directory: Directory
        self._control: ControlPlane
        self.auditor: Auditor

    @classmethod
    async def start(cls, loaded: LoadedGateway) -> "Running":
        """Start in order; what was started is closed again when a later step fails."""
        running = cls(loaded, AsyncExitStack())
        try:
            await running._start()
        except BaseException:
            await running.stop()
            raise
        return running

    async def stop(self) -> None:
        """Unkey, say goodbye, close everything in reverse order."""
        await self._closing.aclose()

    async def _close_together(self) -> None:
        ends = await asyncio.gather(*(close() for close in self._together), return_exceptions=True)
        for error in ends:
            if isinstance(error, BaseException):
                raise error

    async def prepare(self, loaded: LoadedGateway) -> "_Prepared":
        """Check new plans, partners, talkgroup map and roster; what is wrong with them raises."""
        agencies = trusted_agencies(loaded)
        roster = await asyncio.to_thread(loaded.config.roster.read_bytes)
        check_roster(loaded.config, roster, agencies)
        return _Prepared(loaded, agencies, roster)

    def take(self, prepared: "_Prepared") -> None:
        """Take what was checked, while voice goes on."""
        self.loaded = prepared.loaded
        self._directory.trust(prepared.agencies)
        self._control.replace(_agreements(prepared.loaded), prepared.roster)

    async def _start(self) -> None:
        config, me = self.loaded.config, self.loaded.config.id
        structlog.contextvars.bind_contextvars(gateway=str(me))
        store = SqliteStateStore(state_folder(config) / STATE_FILE)
        await store.open()
        self._closing.push_async_callback(store.close)
        audit = SqliteAuditLog(state_folder(config) / AUDIT_FILE)
        await audit.open()
        self._closing.push_async_callback(audit.close)
        bridge = BridgeTime(SystemClock(Synchronised(config.clock.synchronised.value)), store)
        self.auditor = Auditor(me, audit, bridge)
        identity = await asyncio.to_thread(read_gateway_keys, config.keys)
        agencies = trusted_agencies(self.loaded)
        roster = await asyncio.to_thread(config.roster.read_bytes)
        check_roster(config, roster, agencies)
        self._directory = Directory(agencies)
        keyer = await KeyerClient.start(
            {RadioName(name): interface_settings(radio) for name, radio in config.radios.items()},
            time_out_s={RadioName(n): r.transmit.time_out for n, r in config.radios.items()},
            simulation=config.simulation,
        )
        self._together.append(keyer.close)
        self._closing.push_async_callback(self._close_together)
        papers = Papers(me, signing_key=identity.signing, hpke_key=identity.hpke, bridge=bridge)
        keys = VoiceKeys(me, secrets.token_bytes, _stored_epochs(store))
        gateway = self._compose(me, identity, store, bridge, papers, keys, roster)
        keepers = self._radios(config, keyer, gateway)
        self._control.decided = self._announcer(me, bridge, store).follow
        process = OwnProcess()
        self._closing.callback(process.close)
        gateway.alive = process.beat
        gateway.misled = self.misled.set
        gateway.tells_talkers = config.voice.tell_talkers
        gateway.process_status = lambda: {
            "keyer": {"pid": keyer.pid, "restarts": keyer.restarts},
            "timers": self._lateness.status(),
            "process": process.status(),
        }
        await gateway.start(_links(self.loaded), self._loopback)
        self._together.append(gateway.stop)
        for keeper in keepers:
            keeper.start()
            self._together.append(keeper.close)
        api = await ApiServer.start(gateway, config.socket)
        self._closing.push_async_callback(api.close)
        # First of all at the end: whatever else takes its time, nothing stays keyed meanwhile.
        self._closing.callback(gateway.quiet)
        _settle_memory()
        log.info("gateway-started", version=version("radiobridge"), pid=os.getpid())

    def _compose(
        self,
        me: GatewayId,
        identity: GatewayKeys,
        store: SqliteStateStore,
        bridge: BridgeTime,
        papers: Papers,
        keys: VoiceKeys,
        roster: bytes,
    ) -> Gateway:
        """Tie voice and control together."""
        self._loopback = LoopbackLink(LOOPBACK)
        make_timer = self._make_timer
        gateway: Gateway

        def told(event: FloorEvent) -> None:
            # After the voice: what is for display must not delay it.
            asyncio.get_running_loop().call_soon(gateway.told, event)

        self._emergency = Emergency(
            me,
            agreements=lambda: _agreements(self.loaded),
            bridge=bridge,
            papers=papers,
            directory=self._directory,
            store=store,
            auditor=self.auditor,
            rerank=lambda: self._voice.rerank(),
            radio_of=lambda talkgroup: self._voice.speakers.get(talkgroup),
            make_timer=make_timer,
            escalate_ms=round(self.loaded.config.emergency.escalate * 1000),
        )
        self._voice = VoicePlane(
            me,
            bridge=bridge,
            signing_key=identity.signing,
            keys=keys,
            priority=self.loaded.config.voice.priority,
            loopback=self._loopback,
            ports=VoicePorts(
                signer_of=lambda who: self._directory.speaker(who, bridge.now_ms()),
                make_timer=make_timer,
                told=told,
                ranks=self._emergency.ranks,
            ),
        )
        self._control = ControlPlane(
            me,
            _agreements(self.loaded),
            directory=self._directory,
            roster=roster,
            papers=papers,
            bridge=bridge,
            store=store,
            keys=keys,
            apply=self._voice.apply,
            auditor=self.auditor,
            make_timer=make_timer,
        )
        gateway = Gateway(
            me,
            secrets.token_hex(8),
            version("radiobridge"),
            bridge=bridge,
            voice=self._voice,
            control=self._control,
            papers=papers,
            store=store,
            auditor=self.auditor,
            emergency=self._emergency,
            heads=self._heads(me, bridge, papers, store),
        )
        self._probing(me, bridge, papers, keys, gateway)
        return gateway

    def _heads(
        self, me: GatewayId, bridge: BridgeTime, papers: Papers, store: SqliteStateStore
    ) -> Heads:
        """Build what says and compares heads, and let it keep closed what it does not trust."""
        heads = Heads(
            me,
            intake=self._control.intake,
            papers=papers,
            bridge=bridge,
            store=store,
            auditor=self.auditor,
            simulation=self.loaded.config.simulation,
            ports=HeadPorts(
                agencies=lambda: self._directory.agencies, changed=self._control.refresh
            ),
            every_s=self.loaded.config.heads.every,
        )
        self._control.closed_by = heads.closed
        return heads

    def _probing(
        self, me: GatewayId, bridge: BridgeTime, papers: Papers, keys: VoiceKeys, gateway: Gateway
    ) -> None:
        """Let patches be tested, and answer those who test theirs."""
        control = self._control
        probing = Probing(
            me,
            papers=papers,
            directory=self._directory,
            bridge=bridge,
            keys=keys,
            runners=self._voice.runners,
            ports=ProbePorts(
                state=control.desk.state,
                closed=control.closed,
                voice_map=lambda: control.voice_map,
                links=gateway.links_up,
                online=gateway.partners_online,
            ),
        )
        control.desk.prober = probing.test
        control.intake.ports.probed = probing.heard

    def _announcer(self, me: GatewayId, bridge: BridgeTime, store: SqliteStateStore) -> Announcer:
        """Build what tells our channels that a patch begins or ends."""
        config, control = self.loaded.config, self._control
        return Announcer(
            me,
            runners=self._voice.runners,
            languages={
                RadioName(name): radio.language or config.language
                for name, radio in config.radios.items()
                if radio.announce
            },
            clips=load_clips(),
            store=store,
            bridge=bridge,
            ports=AnnouncerPorts(
                talkgroups=lambda: control.agreements.talkgroups,
                busy=lambda talkgroup: _is_busy(self._voice, talkgroup),
                monotonic=time.monotonic,
                make_timer=self._make_timer,
            ),
        )

    def _radios(
        self, config: GatewayConfig, keyer: KeyerClient, gateway: Gateway
    ) -> list[SoundKeeper]:
        """Build every radio, ready to play before its sound is open."""
        keepers = []
        for text, radio in config.radios.items():
            name = RadioName(text)
            audio = audio_device(name, radio, keyer, config)
            runner, keeper = build_radio(
                name, radio, config, audio, keyer, self._voice, gateway, self._make_timer
            )
            self._voice.runners[name] = runner
            runner.alarmed = partial(self._emergency.radio_alarm, name, runner.talkgroup)
            keepers.append(keeper)
        for name, runner in self._voice.runners.items():
            keyer.line(name).attach(runner)
        return keepers


def _links(loaded: LoadedGateway) -> dict[str, Link]:
    driver = load(Group.LINKS, "mqtt")
    return {
        name: driver.from_settings(name, broker.settings(), loaded.base)
        for name, broker in loaded.config.links().items()
    }


def _is_busy(voice: VoicePlane, talkgroup: TalkgroupId) -> bool:
    """Tell whether somebody has the floor of a talkgroup's group."""
    name = str(talkgroup)
    return any(one["holder"] for one in voice.status()["floor"] if name in one["talkgroups"])


def _agreements(loaded: LoadedGateway) -> Agreements:
    return Agreements(talkgroups=loaded.map, plans=loaded.plans, on_demand=loaded.on_demand)


def _stored_epochs(store: SqliteStateStore) -> dict[Any, int]:
    epochs = store.items(EPOCH_KEY)
    return {parse_talkgroup(key.removeprefix(EPOCH_KEY)): int(n) for key, n in epochs.items()}


def _settle_memory() -> None:
    """Let go of the gateway before this one; let the collector leave this one alone."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
