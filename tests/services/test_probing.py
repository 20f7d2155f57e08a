"""`patch test`: what is ready is proven, what is not is named, and nothing is keyed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from radiobridge.errors import CommandError
from radiobridge.services.holds import Hold
from tests.services.gateway_world import GatewayWorld
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import BORDER, TAC1


async def looked_at(world: GatewayWorld, patch: str = "river") -> dict[str, Any]:
    began = now()
    result = await world.windsor.control.desk.test(patch)
    assert now() - began <= 2.0
    return result


def faults(result: dict[str, Any]) -> set[str]:
    assert result["ok"] is not bool([one for one in result["checks"] if not one["ok"]])
    return {one["id"] for one in result["checks"] if not one["ok"]}


@in_virtual_time
async def test_all_is_ready_and_nothing_is_keyed() -> None:
    world = await GatewayWorld(brokers=2).start()
    result = await looked_at(world)
    assert faults(result) == set()
    assert {one["id"] for one in result["checks"]} == {
        "clock",
        "state",
        "consent",
        "broker:b0",
        "broker:b1",
        "roster:ca.opp",
        "roster:us.cbp",
        "radio:tac1",
        f"key:{TAC1}",
        f"floor:{TAC1}",
        "answer:us.cbp/detroit",
        "radios:us.cbp/detroit",
        "their-keys:us.cbp/detroit",
        "our-keys:us.cbp/detroit",
        "agency:us.cbp",
    }
    assert world.windsor.radio.line.log == world.detroit.radio.line.log == []
    assert world.brokers[0].topics("probe") == set(), "nothing of it is kept"


def broker_down(world: GatewayWorld) -> None:
    world.windsor.links[1].drop()


def radio_off(world: GatewayWorld) -> None:
    world.detroit.radio.runner.hold(Hold.INHIBIT, "ann")


def own_radio_lost(world: GatewayWorld) -> None:
    world.windsor.radio.lose_interface()


def partner_without_keys(world: GatewayWorld) -> None:
    world.detroit.control._keys.keep_only(set())


def own_keys_gone(world: GatewayWorld) -> None:
    world.windsor.control._keys.keep_only(set())


@pytest.mark.parametrize(
    ("breaks", "found"),
    [
        (broker_down, {"broker:b1"}),
        (radio_off, {"radios:us.cbp/detroit"}),
        (own_radio_lost, {"radio:tac1"}),
        (partner_without_keys, {"their-keys:us.cbp/detroit"}),
        (own_keys_gone, {"our-keys:us.cbp/detroit"}),
    ],
)
@in_virtual_time
async def test_what_is_not_ready_is_named(
    breaks: Callable[[GatewayWorld], None], found: set[str]
) -> None:
    world = await GatewayWorld(brokers=2).start()
    breaks(world)
    assert faults(await looked_at(world)) == found


@in_virtual_time
async def test_a_partner_that_is_gone_is_named_in_time() -> None:
    world = await GatewayWorld(brokers=2).start()
    for link in world.detroit.links:
        link.up = False
        link.broker.links.remove(link)
    found = faults(await looked_at(world))
    assert found == {"answer:us.cbp/detroit", "agency:us.cbp"}


@in_virtual_time
async def test_a_patch_that_waits_is_not_ready_and_says_for_whom() -> None:
    world = await GatewayWorld(plan=None).start()
    request = {
        "patch": "lake",
        "purpose": "Pursuit",
        "for_ms": 3_600_000,
        "members": [{"talkgroup": str(TAC1)}, {"talkgroup": str(BORDER)}],
    }
    await world.windsor.control.desk.propose(request, "local:ann")
    await asyncio.sleep(0.5)
    result = await looked_at(world, "lake")
    assert {"consent", "answer:us.cbp/detroit"} <= faults(result)
    (consent,) = [one for one in result["checks"] if one["id"] == "consent"]
    assert "us.cbp" in consent["text"]["fr"]
    with pytest.raises(CommandError, match="no patch 'none'"):
        await looked_at(world, "none")


@in_virtual_time
async def test_who_asks_too_often_is_not_answered() -> None:
    world = await GatewayWorld().start()
    published = world.brokers[0].notices
    first = asyncio.ensure_future(looked_at(world))
    second = asyncio.ensure_future(looked_at(world))
    assert faults(await first) == set()
    assert "agency:us.cbp" in faults(await second)
    assert len([one for one in published if "us.cbp/detroit/probe" in one[0]]) == 1
