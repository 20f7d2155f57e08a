"""Tells the people on our channels that a patch has begun or has ended, in their language.

An announcement is an ordinary transmission of that radio: it waits for a clear channel, it may be
inhibited, it times out. It begins only while nobody talks in the group, gives way at once to who
does, and is dropped when the channel stays busy. What was announced is durable, so that a restart
which changes nothing is not announced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from radiobridge.core.patch_state import PatchState, Reason
from radiobridge.errors import StoreError
from radiobridge.model.announcement import Clips, News
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.talkgroup import Talkgroup, TalkgroupMap
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.clock import BridgeTime
from radiobridge.services.radio import RadioRunner
from radiobridge.services.tasks import Tasks
from radiobridge.services.timer import OneTimer
from radiobridge.spi import StateStore
from radiobridge.text import Language

log = structlog.get_logger()

ANNOUNCED_KEY = "announced/"
WAIT_S = 10.0
"""How long an announcement waits for the channel; later it would only confuse."""

RETRY_S = 0.1
ECHO_S = 0.5
"""How long other receivers of the channel stay muted after it: squelch tails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncerPorts:
    """What announcing asks of the gateway."""

    talkgroups: Callable[[], TalkgroupMap]
    busy: Callable[[TalkgroupId], bool]
    """Somebody has the floor of this talkgroup's group."""
    monotonic: Callable[[], float]
    make_timer: Callable[[Callable[[float], None]], OneTimer]


@dataclass(slots=True)
class _Echo:
    """Receivers that are muted for an announcement."""

    receivers: tuple[RadioRunner, ...]
    over_at: float | None = None
    """When the radio that announces was first seen off the air."""


@dataclass(slots=True)
class _Waiting:
    news: News
    until: float
    radios: set[RadioName]


class Announcer:
    """The announcements of one gateway."""

    def __init__(
        self,
        me: GatewayId,
        *,
        runners: Mapping[RadioName, RadioRunner],
        languages: Mapping[RadioName, Language],
        clips: Clips,
        store: StateStore,
        bridge: BridgeTime,
        ports: AnnouncerPorts,
    ) -> None:
        """`languages`: of the radios that announce; the others are silent."""
        self._me = me
        self._runners = runners
        self._languages = languages
        self._clips = clips
        self._store = store
        self._bridge = bridge
        self._ports = ports
        self._tasks = Tasks()
        self._timer = ports.make_timer(self._try)
        self._unmute_timer = ports.make_timer(self._unmute)
        self._echoes: dict[RadioName, _Echo] = {}
        """By the radio that announces."""
        self._waiting: dict[TalkgroupId, _Waiting] = {}
        self._told: dict[TalkgroupId, News] = {}

    def follow(self, states: tuple[PatchState, ...], _now_ms: int) -> None:
        """Announce what has changed for each of our talkgroups."""
        if any(state.reason is Reason.STARTING for state in states):
            return
        joined = {
            member.talkgroup
            for state in states
            if state.in_force
            for member in state.effective.members
        }
        for talkgroup in self._ports.talkgroups().talkgroups.values():
            news = News.ON if talkgroup.id in joined else News.OFF
            if news is not self._known(talkgroup.id):
                self._told[talkgroup.id] = news
                self._tasks.spawn(self._keep(talkgroup.id, news))
                self._announce(talkgroup, news)

    def _known(self, talkgroup: TalkgroupId) -> News:
        told = self._told.get(talkgroup)
        if told is not None:
            return told
        stored = self._store.get(f"{ANNOUNCED_KEY}{talkgroup}")
        return News.ON if stored == News.ON else News.OFF

    async def _keep(self, talkgroup: TalkgroupId, news: News) -> None:
        try:
            await self._store.put(f"{ANNOUNCED_KEY}{talkgroup}", news.value)
        except StoreError as error:
            log.error("announcement-not-stored", talkgroup=str(talkgroup), error=str(error))  # noqa: TRY400

    def _announce(self, talkgroup: Talkgroup, news: News) -> None:
        self._waiting.pop(talkgroup.id, None)
        radios = {
            name for name in talkgroup.transmitters(self._me) if name in self._languages
        } & self._runners.keys()
        if talkgroup.announce and radios and not self._heard_elsewhere(talkgroup):
            now = self._ports.monotonic()
            self._waiting[talkgroup.id] = _Waiting(news, now + WAIT_S, radios)
            self._timer.set(now)

    def _heard_elsewhere(self, talkgroup: Talkgroup) -> bool:
        """Another gateway that receives the channel would take it for somebody who talks."""
        elsewhere = any(ref.gateway != self._me for ref in talkgroup.receive)
        return elsewhere and not talkgroup.separate_coverage

    def _try(self, now: float) -> None:
        for talkgroup, waiting in list(self._waiting.items()):
            if now >= waiting.until:
                log.info("announcement-dropped", talkgroup=str(talkgroup), news=waiting.news.value)
                del self._waiting[talkgroup]
            elif not self._ports.busy(talkgroup):
                self._play(talkgroup, waiting, now)
                if not waiting.radios:
                    del self._waiting[talkgroup]
        self._timer.set(now + RETRY_S if self._waiting else None)

    def _play(self, talkgroup: TalkgroupId, waiting: _Waiting, now: float) -> None:
        claim = Claim(self._me, talkgroup, self._bridge.at_ms(now), TalkClass.NORMAL, 0)
        for name in sorted(waiting.radios):
            clip = self._clips[self._languages[name], waiting.news]
            if self._runners[name].announce(claim, clip, now):
                waiting.radios.discard(name)
                self._mute_others(talkgroup, name, now)
                log.info("announced", radio=str(name), talkgroup=str(talkgroup),
                         news=waiting.news.value)  # fmt: skip

    def _mute_others(self, talkgroup: TalkgroupId, name: RadioName, now: float) -> None:
        """Receivers beside the transmitter hear it: that is nobody who talks.

        When it ends depends on its lead-in, on a grant and on the channel: it is looked at.
        """
        mapped = self._ports.talkgroups().talkgroups.get(talkgroup)
        if mapped is None or mapped.separate_coverage:
            return
        others = (one for one in self._runners.values() if one.name != name)
        echo = _Echo(tuple(one for one in others if one.talkgroup == talkgroup))
        for runner in echo.receivers:
            runner.mute(on=True, now=now, by=(self, name))
        self._echoes[name] = echo
        self._unmute_timer.set(now + RETRY_S)

    def _unmute(self, now: float) -> None:
        for name, echo in list(self._echoes.items()):
            if echo.over_at is None:
                echo.over_at = None if self._runners[name].announces else now
            elif now - echo.over_at >= ECHO_S:
                del self._echoes[name]
                for runner in echo.receivers:
                    runner.mute(on=False, now=now, by=(self, name))
        self._unmute_timer.set(now + RETRY_S if self._echoes else None)
