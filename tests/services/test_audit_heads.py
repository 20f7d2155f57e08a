"""The heads of others' logs: the furthest one stays, and one that goes back is told."""

import asyncio

import pytest

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.audit import AuditEvent, AuditHead
from radiobridge.services.audit_heads import AuditHeads
from radiobridge.services.tasks import Tasks
from tests.services.audit_desk import DETROIT, WINDSOR, Desk
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import HOUR_MS, NOW_MS

T0 = NOW_MS - NOW_MS % (24 * HOUR_MS)
"""A midnight."""


class World(Desk):
    def __init__(self, state: dict[str, str] | None = None) -> None:
        super().__init__(state)
        self.tasks = Tasks()
        self.heads = AuditHeads(WINDSOR, store=self.store, auditor=self.auditor, tasks=self.tasks)

    async def heard(self, sequence: int, letter: str = "a", at_ms: int = T0) -> None:
        self.heads.heard(DETROIT, f"{sequence}:{letter * 64}", at_ms, at_ms)
        await self.tasks.settle()

    async def published(self, sequence: int, letter: str = "a", at_ms: int = T0) -> None:
        self.heads.published(f"{sequence}:{letter * 64}", at_ms)
        await self.tasks.settle()


def value(sequence: int, letter: str = "a", at_ms: int = T0) -> str:
    return f"{AuditHead(sequence, letter * 64)}@{at_ms}"


@in_virtual_time
async def test_the_furthest_head_is_kept_durably() -> None:
    world = World()
    await world.heard(3)
    await world.heard(5, "b", T0 + 30_000)
    assert world.store.values["audit-head/us.cbp/detroit"] == value(5, "b", T0 + 30_000)
    assert world.heads.status() == {"us.cbp/detroit": value(5, "b", T0 + 30_000)}


@in_virtual_time
async def test_a_log_that_goes_back_is_told_followed_and_what_shows_it_stays() -> None:
    world = World()
    await world.heard(5, "b", T0)
    await world.heard(4, "a", T0 + 30_000)
    assert world.whats() == [AuditEvent.HEAD_WENT_BACK]
    told = world.log.entries[0]
    assert told.identity == "us.cbp/detroit"
    assert told.detail == {"kept": "5:" + "b" * 64, "heard": "4:" + "a" * 64}
    assert world.heads.status() == {"us.cbp/detroit": value(4, "a", T0 + 30_000)}
    await world.heard(5, "c", T0 + 60_000)
    assert len(world.log.entries) == 1, "the new log goes on"
    await world.heard(2, "d", T0 + 90_000)
    assert len(world.log.entries) == 2, "cut again"
    lines = world.heads.held()
    assert f"us.cbp/detroit {value(5, 'b', T0)}" in lines
    assert f"us.cbp/detroit {value(5, 'c', T0 + 60_000)}" in lines
    assert world.heads.status() == {"us.cbp/detroit": value(2, "d", T0 + 90_000)}


@in_virtual_time
async def test_an_old_head_that_a_broker_kept_is_no_log_that_went_back() -> None:
    world = World()
    await world.heard(5, "b", T0)
    world.heads.heard(DETROIT, "4:" + "a" * 64, T0 - 30_000, T0 + 1_000)
    await world.tasks.settle()
    assert not world.log.entries
    assert world.store.values["audit-head/us.cbp/detroit"] == value(5, "b")


@in_virtual_time
async def test_a_log_that_keeps_going_back_fills_neither_disk_nor_log() -> None:
    world = World()
    for turn in range(600):
        await world.heard(10 if turn % 2 == 0 else 9, at_ms=T0 + turn)
    held = [key for key in world.store.values if "/lost" in key]
    assert len(held) == 16
    assert world.store.values["audit-head/us.cbp/detroit/lost0"] == value(10)
    assert 200 <= len(world.log.entries) < 250, "its allowance, and what time adds to it"


@in_virtual_time
async def test_the_first_of_each_hour_and_day_stay_too() -> None:
    world = World()
    for hour in range(60):
        for half in (0, 1):
            number = 2 * hour + half + 1
            await world.heard(number, at_ms=T0 + hour * HOUR_MS + half * HOUR_MS // 2)
    held = {key: v for key, v in world.store.values.items() if key.startswith("audit-head/")}
    assert len(held) == 1 + 48 + 3
    hours = {v for key, v in held.items() if "/hour" in key}
    assert hours == {value(2 * h + 1, at_ms=T0 + h * HOUR_MS) for h in range(12, 60)}
    days = {v for key, v in held.items() if "/day" in key}
    assert days == {value(1 + 48 * d, at_ms=T0 + d * 24 * HOUR_MS) for d in range(3)}
    lines = world.heads.held()
    assert len(lines) == len(set(lines))
    assert f"us.cbp/detroit {value(1)}" in lines


@in_virtual_time
async def test_the_same_head_again_writes_nothing() -> None:
    world = World()
    await world.heard(5)
    before = len(world.store.puts)
    await world.heard(5, at_ms=T0 + 30_000)
    assert len(world.store.puts) == before


@in_virtual_time
async def test_no_head_is_no_news_and_nonsense_is_refused() -> None:
    world = World()
    world.heads.heard(DETROIT, "", T0, T0)
    with pytest.raises(RemoteProtocolError):
        world.heads.heard(DETROIT, "5", T0, T0)
    assert not world.store.puts


@in_virtual_time
async def test_our_own_log_that_was_cut_while_we_were_down_is_told_in_it() -> None:
    world = World({"audit-head/ca.opp/windsor": value(9)})
    await world.published(3, "b")
    assert world.whats() == [AuditEvent.LOG_CUT]
    assert world.log.entries[0].detail == {"kept": "9:" + "a" * 64, "found": "3:" + "b" * 64}
    await world.published(4)
    assert len(world.log.entries) == 1, "told once"
    assert world.heads.status() == {}, "our own is no partner's"
    assert world.heads.held() == []


@in_virtual_time
async def test_our_own_log_that_goes_on_is_no_news() -> None:
    world = World({"audit-head/ca.opp/windsor": value(9)})
    await world.published(9)
    await world.published(12, "b")
    assert not world.log.entries
    assert world.store.values["audit-head/ca.opp/windsor"] == value(12, "b")


@in_virtual_time
async def test_a_damaged_value_and_a_disk_that_fails_stop_nothing() -> None:
    world = World({"audit-head/us.cbp/detroit": "nonsense"})
    world.store.failing = True
    await world.heard(1)
    world.store.failing = False
    await world.heard(2)
    assert world.store.values["audit-head/us.cbp/detroit"] == value(2)


@in_virtual_time
async def test_with_a_disk_that_hangs_one_task_waits_for_each_value_the_newest_is_kept() -> None:
    world = World()
    world.store.takes_s = 600.0
    for number in range(1, 101):
        world.heads.heard(DETROIT, f"{number}:{'a' * 64}", T0 + number, T0 + number)
        await asyncio.sleep(1.0)
    assert len(world.tasks._tasks) == 3, "the furthest, the hour's, the day's"
    await world.tasks.settle()
    assert world.store.puts.count("audit-head/us.cbp/detroit") == 2
    assert world.store.values["audit-head/us.cbp/detroit"] == value(100, at_ms=T0 + 100)
    held = [v for key, v in world.store.values.items() if "/hour" in key or "/day" in key]
    assert held == [value(1, at_ms=T0 + 1)] * 2
    assert not world.heads._storing


@in_virtual_time
async def test_each_log_that_went_back_while_the_disk_hung_keeps_a_place() -> None:
    world = World()
    world.store.takes_s = 600.0
    for number, sequence in enumerate((10, 5, 3)):
        world.heads.heard(DETROIT, f"{sequence}:{'a' * 64}", T0 + number, T0 + number)
    await world.tasks.settle()
    lost = {key[-5:]: v for key, v in world.store.values.items() if "/lost" in key}
    assert lost == {"lost0": value(10), "lost1": value(5, at_ms=T0 + 1)}


@in_virtual_time
async def test_what_could_not_be_stored_is_tried_again_with_the_next_head() -> None:
    world = World()
    world.store.failing = True
    await world.heard(5)
    world.store.failing = False
    await world.heard(5, at_ms=T0 + 30_000)
    assert world.store.values["audit-head/us.cbp/detroit"] == value(5, at_ms=T0 + 30_000)
