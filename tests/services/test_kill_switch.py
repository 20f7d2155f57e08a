"""Off the air at once, whatever the disk does; on again only once that is durable."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from radiobridge.errors import CommandError
from radiobridge.model.ids import RadioName
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.kill_switch import KillSwitch
from tests.services.consent_world import FakeAudit
from tests.services.fakes import FakeClock, FakeStore
from tests.services.radios import Radio
from tests.services.test_radio import Bench
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import WINDSOR, claim, spurt


@dataclass
class Gate:
    """Two radios under one switch."""

    store: FakeStore = field(default_factory=FakeStore)
    audit: FakeAudit = field(default_factory=FakeAudit)
    radios: dict[str, Radio] = field(default_factory=dict)

    async def start(self) -> KillSwitch:
        """Start, also again with the same store."""
        self.radios = {name: await Bench().radio() for name in ("tac1", "tac2")}
        runners = {RadioName(name): radio.runner for name, radio in self.radios.items()}
        auditor = Auditor(WINDSOR, self.audit, BridgeTime(FakeClock(), self.store))
        self.switch = KillSwitch(runners, self.store, auditor)
        self.switch.restore()
        return self.switch

    async def keyed(self) -> list[bool]:
        """Give both radios something to play; tell which of them key."""
        start_ms = round(now() * 1000)
        for radio in self.radios.values():
            await radio.play(spurt(5, of=claim(start_ms=start_ms), end=False))
        found = [radio.line.keyed for radio in self.radios.values()]
        await asyncio.sleep(2)
        return found


@in_virtual_time
async def test_stop_takes_all_radios_off_the_air_at_once_and_lift_lets_them_on() -> None:
    gate = Gate()
    switch = await gate.start()
    for radio in gate.radios.values():
        await radio.play(spurt(10, end=False))
    task = asyncio.ensure_future(switch.stop("local:ann"))
    asked_at = now()
    answer = await task
    for radio in gate.radios.values():
        assert radio.line.times("unkey")[-1] == asked_at
    assert (answer["stopped_by"], answer["durable"]) == ("local:ann", True)
    await asyncio.sleep(2)
    assert await gate.keyed() == [False, False]
    await switch.lift("local:bob")
    assert await gate.keyed() == [True, True]
    assert [e.what for e in gate.audit.entries] == ["inhibit", "allow"]


@in_virtual_time
async def test_a_stop_survives_a_restart_until_lifted() -> None:
    gate = Gate()
    await (await gate.start()).stop("local:ann")
    again = await gate.start()
    assert again.status()["stopped_by"] == "local:ann"
    assert await gate.keyed() == [False, False]
    await again.lift("local:ann")
    await gate.start()
    assert await gate.keyed() == [True, True]


@in_virtual_time
async def test_lifting_a_stop_leaves_what_is_inhibited_by_itself() -> None:
    gate = Gate()
    switch = await gate.start()
    await switch.inhibit("tac2", "local:ann")
    await switch.stop("local:ann")
    await switch.lift("local:ann")
    assert await gate.keyed() == [True, False]
    await switch.allow("tac2", "local:ann")
    assert await gate.keyed() == [True, True]


@pytest.mark.parametrize("hangs", [True, False])
@in_virtual_time
async def test_a_broken_disk_delays_no_stop_and_is_tried_until_it_works(hangs: bool) -> None:
    gate = Gate()
    switch = await gate.start()
    gate.store.failing, gate.store.takes_s = True, 10.0 if hangs else 0.01
    asked_at = now()
    answer = await switch.stop("local:ann")
    assert answer["durable"] is False
    assert now() - asked_at < 0.1
    gate.store.failing, gate.store.takes_s = False, 0.01
    await asyncio.sleep(20)
    assert gate.store.values["stop-transmit"] == "local:ann"


@pytest.mark.parametrize("broken", ["log", "disk", "slow disk"])
@in_virtual_time
async def test_lifting_needs_log_and_disk(broken: str) -> None:
    gate = Gate()
    switch = await gate.start()
    await switch.stop("local:ann")
    gate.audit.failing = broken == "log"
    gate.store.failing = broken == "disk"
    gate.store.takes_s = 10.0 if broken == "slow disk" else 0.01
    asked_at = now()
    with pytest.raises(CommandError, match="stays off the air") as refused:
        await switch.lift("local:bob")
    assert "hors d'antenne" in refused.value.text.fr
    assert now() - asked_at < 3.0
    assert await gate.keyed() == [False, False]
    gate.store.failing = gate.audit.failing = False
    gate.store.takes_s = 0.01
    await asyncio.sleep(30)
    await gate.start()
    assert await gate.keyed() == [False, False]


@pytest.mark.parametrize("everything", [True, False])
@in_virtual_time
async def test_who_takes_away_while_another_lifts_has_the_last_word(everything: bool) -> None:
    gate = Gate()
    switch = await gate.start()
    take = switch.stop if everything else partial(switch.inhibit, "tac1")
    give = switch.lift if everything else partial(switch.allow, "tac1")
    free = not everything
    await take("local:ann")
    gate.store.takes_s = 1.0
    lifting = asyncio.ensure_future(give("local:bob"))
    await asyncio.sleep(0.5)
    await take("local:eve")
    with pytest.raises(CommandError, match="meanwhile"):
        await lifting
    assert await gate.keyed() == [False, free]
    await asyncio.sleep(10)
    await gate.start()
    assert await gate.keyed() == [False, free]


@in_virtual_time
async def test_a_loop_found_while_a_radio_is_being_allowed_stays_cut() -> None:
    gate = Gate()
    switch = await gate.start()
    runner = gate.radios["tac1"].runner
    await switch.inhibit("tac1", "local:ann")
    gate.store.takes_s = 1.0
    allowing = asyncio.ensure_future(switch.allow("tac1", "local:bob"))
    await asyncio.sleep(0.5)
    runner.open_loop("heard again")
    await allowing
    assert await gate.keyed() == [False, True]
    await switch.allow("tac1", "local:bob")
    assert await gate.keyed() == [True, True]


@in_virtual_time
async def test_an_unknown_radio_is_named_with_those_there_are() -> None:
    gate = Gate()
    switch = await gate.start()
    calls: tuple[Any, ...] = (switch.inhibit, switch.allow)
    for call in calls:
        with pytest.raises(CommandError, match=r"tac9.*tac1, tac2"):
            await call("tac9", "local:ann")
