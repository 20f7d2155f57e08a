"""Announcements: in each radio's language, never over anybody, never twice for the same."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from radiobridge.core.patch_state import Reason
from radiobridge.drivers.speech import LONGEST_FRAMES, load_clips
from radiobridge.model.announcement import News
from radiobridge.model.ids import AgencyId, GatewayId, RadioName
from radiobridge.model.patch import Air
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.model.voice import FRAME_S
from radiobridge.services.announcer import ANNOUNCED_KEY, WAIT_S, Announcer, AnnouncerPorts
from radiobridge.services.clock import BridgeTime
from radiobridge.services.holds import Hold
from radiobridge.text import Language, Text
from tests.core.patch_world import DETROIT as DETROIT_
from tests.core.patch_world import PAIR, T0, accepts, book, withdraws
from tests.core.patch_world import WINDSOR as WINDSOR_
from tests.services.fakes import FakeClock, FakeStore
from tests.services.radios import Radio, make_timer
from tests.services.test_radio import Bench
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import TAC1, WINDSOR, claim, spurt

CLIPS = load_clips()
OURS, OTHER = RadioName("tac1"), RadioName("tac1-b")


def ref(name: RadioName, gateway: GatewayId = WINDSOR) -> RadioRef:
    return RadioRef(gateway, name)


@dataclass
class Channel:
    """TAC1 with one radio that transmits, and one beside it that receives."""

    store: FakeStore = field(default_factory=FakeStore)
    languages: Mapping[RadioName, Language] = field(default_factory=lambda: {OURS: Language.FR})
    talker: bool = False
    talkgroup: Talkgroup = field(
        default_factory=lambda: Talkgroup(
            id=TAC1,
            label=Text("TAC1", "TAC1"),
            air=Air.CLEAR,
            receive=frozenset({ref(OURS), ref(OTHER)}),
            transmit=(("main", ref(OURS)),),
        )
    )

    async def start(self) -> "Channel":
        self.radios: dict[RadioName, Radio] = {
            OURS: await Bench().radio(),
            OTHER: await Bench().radio(),
        }
        self.radios[OTHER].runner.name = OTHER
        self.announcer = Announcer(
            WINDSOR,
            runners={name: radio.runner for name, radio in self.radios.items()},
            languages=self.languages,
            clips=CLIPS,
            store=self.store,
            bridge=BridgeTime(FakeClock(), self.store),
            ports=AnnouncerPorts(
                talkgroups=lambda: TalkgroupMap(
                    agency=AgencyId("ca.opp"), talkgroups={TAC1: self.talkgroup}
                ),
                busy=lambda _talkgroup: self.talker,
                monotonic=now,
                make_timer=make_timer,
            ),
        )
        return self

    @property
    def radio(self) -> Radio:
        return self.radios[OURS]

    def on(self) -> None:
        self.announcer.follow(IN_FORCE, T0)

    def off(self) -> None:
        self.announcer.follow(OVER, T0)

    def length_s(self, language: Language, news: News) -> float:
        return len(CLIPS[language, news]) * FRAME_S


BOTH = (accepts(WINDSOR_, PAIR), accepts(DETROIT_, PAIR))
IN_FORCE = book(*BOTH).states(T0)
OVER = book(*BOTH, withdraws(DETROIT_, PAIR)).states(T0)
STARTING_ = book(*BOTH)
STARTING_.set_closed(Reason.STARTING)
STARTING = STARTING_.states(T0)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("news", list(News))
def test_each_recording_is_there_and_short(language: Language, news: News) -> None:
    clip = CLIPS[language, news]
    assert 20 < len(clip) <= LONGEST_FRAMES + 1


@in_virtual_time
async def test_start_and_end_are_said_once_each_by_the_radio_that_transmits() -> None:
    made = await Channel().start()
    made.off()
    await asyncio.sleep(3)
    assert made.radio.line.log == []
    for _ in range(3):
        made.on()
    await asyncio.sleep(5)
    assert made.radio.line.changes() == ["key", "unkey"]
    spoken_s = made.radio.line.times("unkey")[0] - made.radio.line.times("key")[0]
    assert abs(spoken_s - made.length_s(Language.FR, News.ON)) < 0.2
    made.off()
    await asyncio.sleep(5)
    assert made.radio.line.changes() == ["key", "unkey"] * 2
    assert made.radios[OTHER].line.log == []


@in_virtual_time
async def test_a_restart_that_changes_nothing_says_nothing() -> None:
    store = FakeStore()
    made = await Channel(store).start()
    made.on()
    await asyncio.sleep(5)
    assert store.values[f"{ANNOUNCED_KEY}{TAC1}"] == "on"
    again = await Channel(store).start()
    again.announcer.follow(STARTING, T0)
    again.on()
    await asyncio.sleep(5)
    assert again.radio.line.log == []
    ended = await Channel(store).start()
    ended.off()
    await asyncio.sleep(5)
    assert ended.radio.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_nothing_is_said_while_somebody_talks_and_too_late_is_dropped() -> None:
    made = await Channel(talker=True).start()
    made.on()
    await asyncio.sleep(3)
    assert made.radio.line.log == []
    made.talker = False
    await asyncio.sleep(3)
    assert made.radio.line.changes() == ["key", "unkey"]
    made.talker = True
    made.off()
    await asyncio.sleep(WAIT_S + 1)
    made.talker = False
    await asyncio.sleep(5)
    assert made.radio.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_who_begins_to_talk_takes_over_at_once_and_is_heard_whole() -> None:
    made = await Channel().start()
    made.on()
    await asyncio.sleep(0.5)
    assert made.radio.line.keyed
    before = len(made.radio.audio.played)
    began = now()
    await made.radio.play(spurt(50, of=claim(start_ms=5000)))
    await asyncio.sleep(2)
    assert made.radio.line.changes() == ["key", "unkey"]
    after = made.radio.audio.played[before:]
    assert len(after) >= 50
    assert after[0].at - began < 0.1
    assert made.radio.line.times("unkey")[0] - began < 1.5


@in_virtual_time
async def test_who_is_heard_on_the_channel_is_not_keyed_over() -> None:
    made = await Channel().start()
    made.radio.cor(active=True)
    made.on()
    await made.radio.speak(1.0)
    assert made.radio.line.log == []


def silent_radio(made: Channel) -> None:
    made.languages = {}


def silent_talkgroup(made: Channel) -> None:
    made.talkgroup = replace(made.talkgroup, announce=False)


def heard_elsewhere(made: Channel) -> None:
    sarnia = GatewayId(AgencyId("ca.opp"), "sarnia")
    made.talkgroup = replace(
        made.talkgroup, receive=frozenset({ref(OURS), ref(RadioName("x"), sarnia)})
    )


@pytest.mark.parametrize("change", [silent_radio, silent_talkgroup, heard_elsewhere])
@in_virtual_time
async def test_where_nothing_is_announced(change: Callable[[Channel], None]) -> None:
    made = Channel()
    change(made)
    await made.start()
    made.on()
    await asyncio.sleep(5)
    assert made.radio.line.log == []


@in_virtual_time
async def test_an_inhibited_radio_says_nothing() -> None:
    made = await Channel().start()
    made.radio.runner.hold(Hold.STOP, "ann")
    made.on()
    await asyncio.sleep(WAIT_S + 1)
    made.radio.runner.release(Hold.STOP, "ann")
    await asyncio.sleep(3)
    assert made.radio.line.log == []


@in_virtual_time
async def test_a_receiver_beside_it_takes_it_for_nobody() -> None:
    made = await Channel().start()
    beside = made.radios[OTHER]
    made.on()
    await asyncio.sleep(0.2)
    beside.cor(active=True)
    await beside.speak(1.0)
    assert beside.runner.up.spurt is None
    beside.cor(active=False)
    # Another reason to be muted outlasts this one.
    beside.runner.mute(on=True, now=now())
    await beside.quiet(3.0)
    beside.cor(active=True)
    await beside.speak(0.3)
    assert beside.runner.up.spurt is None
    beside.runner.mute(on=False, now=now())
    beside.cor(active=False)
    await beside.quiet(1.0)
    beside.cor(active=True)
    await beside.speak(0.3)
    assert beside.runner.up.spurt is not None


@in_virtual_time
async def test_a_receiver_beside_it_stays_deaf_until_a_slow_radio_has_said_it() -> None:
    """A lead-in, a grant or a busy channel makes it late."""
    made = await Channel().start()
    beside = made.radios[OTHER]
    made.radio.cor(active=True)
    made.on()
    await asyncio.sleep(1.8)
    made.radio.cor(active=False)
    await asyncio.sleep(made.length_s(Language.FR, News.ON) - 0.2)
    assert made.radio.line.keyed
    beside.cor(active=True)
    await beside.speak(0.5)
    assert beside.runner.up.spurt is None
    beside.cor(active=False)
    await beside.quiet(3.0)
    beside.cor(active=True)
    await beside.speak(0.3)
    assert beside.runner.up.spurt is not None


@in_virtual_time
async def test_nothing_is_said_by_a_gateway_that_ends() -> None:
    made = await Channel().start()
    made.talker = True
    made.on()
    await asyncio.sleep(1.0)
    made.radio.runner.stop()
    made.talker = False
    await asyncio.sleep(WAIT_S)
    assert made.radio.line.log == []
