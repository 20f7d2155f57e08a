"""Emergencies on the air: who is cut off, what an open microphone costs, who is not carried."""

import asyncio
from dataclasses import replace

from radiobridge.core.emergency import OPEN_MICROPHONE_S
from radiobridge.core.floor import FloorChange
from radiobridge.core.measures import FREE, Level, Standing
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.patch import Member
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.services.ranks import Ranks
from radiobridge.services.voice import VoiceMap
from radiobridge.wire.voice import parse_voice
from tests.services.fakes import FakeBroker
from tests.services.radios import COR, Radio
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voice_world import Side
from tests.services.voices import BORDER, DETROIT, TAC1, TAC2, WINDSOR

MEMBERS = {
    group: Member(talkgroup=group, max_class=TalkClass.EMERGENCY) for group in (TAC1, TAC2, BORDER)
}
ALL = frozenset(MEMBERS)


class Bank:
    """windsor with TAC1 and TAC2, detroit with BORDER, all three in one patch.

    TAC2 only talks: its radio is never keyed, so it can always be heard, as a radio behind another
    gateway could be.
    """

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.windsor, self.detroit = Side(WINDSOR, self.broker), Side(DETROIT, self.broker)
        self.tac1 = self.windsor.add_radio("tac1", TAC1)
        self.tac2 = self.windsor.add_radio("tac2", TAC2, squelch=replace(COR, cor_limit_s=120.0))
        self.border = self.detroit.add_radio("border", BORDER)
        self.alarms: set[TalkgroupId] = set()
        self.spent: list[Claim] = []
        self.standings: dict[TalkgroupId, Standing] = {}
        for side in self.sides:
            ranks: Ranks = side.plane._ports.ranks
            ranks.alarm_open = self.alarms.__contains__
            ranks.standing = lambda claim: self.standings.get(claim.talkgroup, FREE)
            ranks.spent = self.spent.append

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.windsor, self.detroit

    async def start(self) -> "Bank":
        await self.windsor.start()
        await self.detroit.start()
        here, there = frozenset({RadioName("tac1")}), frozenset({RadioName("border")})
        self.windsor.plane.apply(
            VoiceMap(
                groups=(ALL,),
                plays={BORDER: here, TAC2: here},
                receivers=frozenset({RadioName("tac1"), RadioName("tac2")}),
                mutes={BORDER: here, TAC2: here},
                hears=frozenset({BORDER, TAC2}),
                remote=frozenset({TAC1, TAC2}),
                members=MEMBERS,
            )
        )
        self.detroit.plane.apply(
            VoiceMap(
                groups=(ALL,),
                plays={TAC1: there, TAC2: there},
                receivers=there,
                mutes={TAC1: there, TAC2: there},
                hears=frozenset({TAC1, TAC2}),
                remote=frozenset({BORDER}),
                members=MEMBERS,
            )
        )
        for group in (TAC1, TAC2):
            self.windsor.give_key(group, self.detroit)
        self.detroit.give_key(BORDER, self.windsor)
        return self

    def alarm(self, *groups: TalkgroupId) -> None:
        """Let exactly these talkgroups have rank from now on."""
        self.alarms.clear()
        self.alarms.update(groups)
        self.rerank()

    def stand(self, group: TalkgroupId, everywhere: Level, here: Level | None = None) -> None:
        """Let the talker of a talkgroup stand like that from now on, on both banks."""
        self.standings[group] = Standing(everywhere, everywhere if here is None else here)
        self.rerank()

    def rerank(self) -> None:
        for side in self.sides:
            side.plane.rerank()

    def holders(self) -> list[tuple[str, str] | None]:
        """Return who has the floor, as each bank sees it."""
        found = [side.plane.status()["floor"][0]["holder"] for side in self.sides]
        return [one and (one["talkgroup"], one["class"]) for one in found]

    def classes(self, group: TalkgroupId) -> list[TalkClass]:
        """Return the classes that the packets of a talkgroup claimed, without repeats."""
        topic = f"/voice/{group.name}"
        found = [
            TalkClass(parse_voice(raw).header.talk_class)
            for where, raw in self.broker.voice
            if where.endswith(topic)
        ]
        return [one for n, one in enumerate(found) if n == 0 or one is not found[n - 1]]


def spoken_between(radio: Radio, since: float, until: float) -> int:
    return sum(since <= one.at < until for one in radio.spoken())


@in_virtual_time
async def test_an_emergency_cuts_off_who_talks_and_takes_over_everywhere() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    talking = asyncio.create_task(bank.border.talk(3.0))
    await asyncio.sleep(1)
    assert bank.holders() == [(str(BORDER), "normal")] * 2
    began = now()
    await bank.tac2.talk(1.0)
    assert (FloorChange.CUT_OFF, BORDER) in [
        (event.change, event.claim.talkgroup) for event in bank.detroit.told
    ]
    await talking
    await asyncio.sleep(1)
    assert bank.classes(TAC2) == [TalkClass.EMERGENCY]
    assert bank.classes(BORDER) == [TalkClass.NORMAL]
    # On detroit's air too, keyed over a busy channel.
    assert spoken_between(bank.border, began, began + 1.5) in range(47, 54)
    assert spoken_between(bank.tac1, began + 0.1, began + 1.5) in range(40, 54)


@in_virtual_time
async def test_a_normal_talker_does_not() -> None:
    bank = await Bank().start()
    talking = asyncio.create_task(bank.border.talk(2.0))
    await asyncio.sleep(1)
    await bank.tac2.talk(0.5)
    await talking
    await asyncio.sleep(1)
    assert bank.border.line.log == []


@in_virtual_time
async def test_before_the_news_of_the_alarm_it_is_no_emergency() -> None:
    """The document may come later than the voice: from then on it counts, on the same key press."""
    bank = await Bank().start()
    bank.alarms.add(TAC2)
    bank.windsor.plane.rerank()
    bank.detroit.plane._ports.ranks.alarm_open = lambda _group: False
    speaking = asyncio.create_task(bank.tac2.talk(1.0))
    await asyncio.sleep(0.5)
    assert bank.holders() == [(str(TAC2), "emergency"), (str(TAC2), "imminent_peril")]
    bank.detroit.plane._ports.ranks.alarm_open = bank.alarms.__contains__
    bank.detroit.plane.rerank()
    await asyncio.sleep(0.1)
    assert bank.holders() == [(str(TAC2), "emergency")] * 2
    await speaking
    await asyncio.sleep(1)
    assert bank.border.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_an_alarm_in_the_middle_of_a_spurt_raises_it() -> None:
    """MDC tells of the emergency when the talker has begun: the same spurt goes on with rank."""
    bank = await Bank().start()
    speaking = asyncio.create_task(bank.tac2.talk(2.0))
    await asyncio.sleep(1)
    bank.alarm(TAC2)
    await asyncio.sleep(0.1)
    assert bank.holders() == [(str(TAC2), "emergency")] * 2
    await speaking
    await asyncio.sleep(1)
    assert bank.classes(TAC2) == [TalkClass.NORMAL, TalkClass.EMERGENCY]
    assert bank.border.line.changes() == ["key", "unkey"]
    assert len(bank.border.spoken()) in range(97, 104)
    assert bank.windsor.failed == bank.detroit.failed == []


@in_virtual_time
async def test_an_alarm_that_is_over_lowers_it_again() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    speaking = asyncio.create_task(bank.tac2.talk(2.0))
    await asyncio.sleep(1)
    bank.alarm()
    await asyncio.sleep(0.1)
    assert bank.holders() == [(str(TAC2), "normal")] * 2
    await speaking
    assert bank.classes(TAC2) == [TalkClass.EMERGENCY, TalkClass.NORMAL]


@in_virtual_time
async def test_who_was_refused_comes_in_with_the_alarm() -> None:
    bank = await Bank().start()
    talking = asyncio.create_task(bank.border.talk(4.0))
    await asyncio.sleep(1)
    speaking = asyncio.create_task(bank.tac2.talk(2.0))
    await asyncio.sleep(0.5)
    assert bank.holders() == [(str(BORDER), "normal")] * 2
    bank.alarm(TAC2)
    await asyncio.sleep(0.3)
    assert bank.holders() == [(str(TAC2), "emergency")] * 2
    await asyncio.gather(talking, speaking)


def test_a_spurt_that_was_cut_off_asks_no_more_whatever_its_rank() -> None:
    """Still pressing the key when the alarm comes: `Uplink.floor_free` begins a new one."""
    low = Claim(WINDSOR, TAC2, 1, TalkClass.IMMINENT_PERIL, 0)
    asked: list[TalkClass] = []

    def refused(claim: Claim, _media_time: int) -> bool:
        asked.append(claim.talk_class)
        return False

    ports = OutgoingPorts(
        allowed=refused,
        key=lambda: None,
        writer=lambda _claim, _grant: None,  # type: ignore[arg-type,return-value]  # never called without a key
        publish=lambda _packet: True,
    )
    spurt = Outgoing(low, ports)
    spurt.frame(b"x")
    spurt.rank(replace(low, talk_class=TalkClass.NORMAL))
    spurt.frame(b"x")
    assert asked == [TalkClass.IMMINENT_PERIL]
    spurt.rank(replace(low, talk_class=TalkClass.EMERGENCY))
    spurt.frame(b"x")
    assert asked == [TalkClass.IMMINENT_PERIL]
    assert spurt.may_return
    spurt.bar()
    assert not spurt.may_return


@in_virtual_time
async def test_an_open_microphone_loses_its_rank_and_then_the_floor() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    began = now()
    speaking = asyncio.create_task(bank.tac2.talk(60.0))
    await asyncio.sleep(OPEN_MICROPHONE_S - 0.5)
    assert bank.holders() == [(str(TAC2), "emergency")] * 2
    assert bank.spent == []
    await asyncio.sleep(1)
    # The alarm is still open: the spurt has lost its rank by its own media time.
    assert bank.holders() == [(str(TAC2), "normal")] * 2
    assert [claim.talkgroup for claim in bank.spent] == [TAC2]
    await asyncio.sleep(26)
    assert bank.holders() == [None, None]
    await speaking
    assert bank.classes(TAC2) == [TalkClass.EMERGENCY, TalkClass.NORMAL]
    # The talk limit binds emergencies too.
    assert spoken_between(bank.border, began + 56, began + 61) == 0


@in_virtual_time
async def test_a_normal_talk_that_is_raised_late_gets_no_rank_for_this_spurt() -> None:
    bank = await Bank().start()
    speaking = asyncio.create_task(bank.tac2.talk(OPEN_MICROPHONE_S + 3))
    await asyncio.sleep(OPEN_MICROPHONE_S + 1)
    bank.alarm(TAC2)
    await asyncio.sleep(0.2)
    assert bank.holders() == [(str(TAC2), "normal")] * 2
    await speaking
    assert bank.spent == []
    await asyncio.sleep(1)
    await bank.tac2.talk(1.0)
    assert bank.classes(TAC2) == [TalkClass.NORMAL, TalkClass.EMERGENCY]


@in_virtual_time
async def test_an_emergency_that_waits_for_a_busy_channel_keys_with_the_alarm() -> None:
    bank = await Bank().start()
    bank.border.cor(active=True)
    speaking = asyncio.create_task(bank.tac2.talk(1.5))
    await asyncio.sleep(0.7)
    assert bank.border.line.log == []
    bank.alarm(TAC2)
    await asyncio.sleep(0.1)
    assert bank.border.line.changes() == ["key"]
    await speaking
    await asyncio.sleep(1)
    assert bank.border.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_a_demoted_talker_is_a_normal_one() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    bank.stand(TAC2, Level.DEMOTED)
    talking = asyncio.create_task(bank.border.talk(2.0))
    await asyncio.sleep(0.5)
    await bank.tac2.talk(0.5)
    assert bank.holders() == [(str(BORDER), "normal")] * 2
    await talking
    assert bank.classes(TAC2) == []


@in_virtual_time
async def test_a_talker_is_demoted_in_the_middle_of_an_emergency() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    speaking = asyncio.create_task(bank.tac2.talk(2.0))
    await asyncio.sleep(0.5)
    bank.stand(TAC2, Level.DEMOTED)
    await asyncio.sleep(0.1)
    assert bank.holders() == [(str(TAC2), "normal")] * 2
    await speaking


@in_virtual_time
async def test_demoted_here_it_holds_the_floor_and_keys_over_nobody() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    bank.stand(TAC2, Level.NONE, Level.DEMOTED)
    bank.border.cor(active=True)
    speaking = asyncio.create_task(bank.tac2.talk(1.0))
    await asyncio.sleep(0.5)
    assert bank.holders() == [(str(TAC2), "emergency")] * 2
    await speaking
    await asyncio.sleep(3)
    assert bank.border.line.log == []
    assert bank.detroit.reasons() == ["busy"]


@in_virtual_time
async def test_an_excluded_talker_is_silent_at_once_and_stays_so() -> None:
    bank = await Bank().start()
    bank.alarm(TAC2)
    speaking = asyncio.create_task(bank.tac2.talk(3.0))
    await asyncio.sleep(1)
    bank.stand(TAC2, Level.EXCLUDED)
    excluded = now()
    await asyncio.sleep(0.1)
    assert bank.holders() == [None, None]
    sent = len(bank.broker.voice)
    # The floor is free for others, though the talker goes on pressing.
    await bank.tac1.talk(0.5)
    assert any(e.claim.talkgroup == TAC1 for e in bank.detroit.told)
    await speaking
    await bank.tac2.talk(0.5)
    assert bank.windsor.count("start-excluded") == 1
    assert all(where.endswith("TAC1") for where, _ in bank.broker.voice[sent:])
    assert bank.border.line.times("unkey")[0] - excluded < 0.05


@in_virtual_time
async def test_what_a_stubborn_sender_sends_of_an_excluded_talker_is_dropped() -> None:
    bank = await Bank().start()
    bank.windsor.plane._ports.ranks.standing = lambda _claim: FREE
    bank.stand(TAC2, Level.EXCLUDED)
    await bank.tac2.talk(0.5)
    await asyncio.sleep(1)
    assert bank.border.line.log == []
    assert bank.detroit.count("excluded") > 20
    assert bank.holders()[1] is None


@in_virtual_time
async def test_excluded_here_it_holds_the_floor_and_is_not_played() -> None:
    bank = await Bank().start()
    speaking = asyncio.create_task(bank.tac2.talk(2.0))
    await asyncio.sleep(0.5)
    assert bank.border.line.changes() == ["key"]
    bank.stand(TAC2, Level.NONE, Level.EXCLUDED)
    excluded = now()
    await asyncio.sleep(0.3)
    assert bank.border.line.changes() == ["key", "unkey"]
    assert bank.border.line.times("unkey")[0] - excluded < 0.05
    assert bank.holders() == [(str(TAC2), "normal")] * 2
    await speaking
    await asyncio.sleep(1)
    assert bank.border.line.changes() == ["key", "unkey"]
