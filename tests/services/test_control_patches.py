"""Standing plans of two agencies or more: what joins them, and what takes that away."""

import asyncio
from dataclasses import replace

import pytest

from radiobridge.model.ids import AgencyId
from radiobridge.model.patch import Access, Terms
from radiobridge.services.control import ControlPlane
from radiobridge.services.voice import VoiceMap
from radiobridge.wire.roster import Right, sign_roster
from radiobridge.wire.seal import SealContext, seal
from radiobridge.wire.topics import patch_topic, roster_topic
from radiobridge.wire.words import PatchWord, Verb
from tests.core.patch_world import one_character_off, terms
from tests.services.consent_world import (
    BORDER,
    MOUNTED,
    PAIR,
    TAC1,
    TRIO,
    ConsentWorld,
    Site,
    settle,
)
from tests.services.virtual_time import in_virtual_time, now, turns
from tests.wire.people import HOUR_MS, NOW_MS, entry, person, roster

RIVER = terms("river", TAC1, BORDER)
ALL = terms("all", TAC1, BORDER, MOUNTED)


async def agreed(*names: str, plan: Terms = RIVER, brokers: int = 1) -> ConsentWorld:
    """Return a world in which every site has the plan."""
    made = ConsentWorld(*names, brokers=brokers)
    for site in made.sites.values():
        site.plans = (plan,)
    await made.start()
    await settle(1.0)
    return made


def plan(site: Site, *plans: Terms) -> None:
    """Re-read the configuration of a site: these are its plans now."""
    site.plans = plans
    site.control.replace(site.agreements, site.world.roster(site.agency))


def crosses(made: ConsentWorld) -> tuple[bool, bool]:
    """Tell whether windsor plays BORDER, and detroit TAC1."""
    return made["windsor"].hears(BORDER), made["detroit"].hears(TAC1)


# --- joining --------------------------------------------------------------------------------------


@in_virtual_time
async def test_nothing_is_joined_before_both_have_accepted() -> None:
    made = ConsentWorld(*PAIR)
    made["windsor"].plans = (RIVER,)
    await made.start()
    assert crosses(made) == (False, False)
    assert made["windsor"].reason("river") == "waiting-for"
    assert made["windsor"].state("river")["agencies"] == ["us.cbp"]
    plan(made["detroit"], RIVER)
    await settle()
    assert crosses(made) == (True, True)
    assert made.reasons("river") == {"in-force"}


@in_virtual_time
async def test_terms_that_differ_in_one_character_join_nothing_and_say_where() -> None:
    made = ConsentWorld(*PAIR)
    made["windsor"].plans = (RIVER,)
    made["detroit"].plans = (one_character_off(RIVER),)
    await made.start()
    assert crosses(made) == (False, False)
    assert made.reasons("river") == {"terms-differ"}
    assert "purpose" in made["windsor"].state("river")["why"]["en"]


@in_virtual_time
async def test_a_plan_waits_for_each_of_three() -> None:
    made = ConsentWorld(*TRIO)
    for name in PAIR:
        made[name].plans = (ALL,)
    await made.start()
    assert not made["windsor"].hears(BORDER)
    plan(made["ottawa"], ALL)
    await settle()
    assert made["windsor"].hears(BORDER)
    assert made["windsor"].hears(MOUNTED)


@in_virtual_time
async def test_a_gateway_without_the_right_to_consent_joins_nothing() -> None:
    made = ConsentWorld(*PAIR)
    made["detroit"].rights = frozenset({Right.VOICE})
    for site in made.sites.values():
        site.plans = (RIVER,)
    await made.start()
    assert crosses(made) == (False, False)
    assert made.brokers[0].topics("patch") == {patch_topic(made["windsor"].id, RIVER.patch)}


@in_virtual_time
async def test_a_plan_begins_and_ends_by_the_clock_alone() -> None:
    window = replace(RIVER, start_ms=NOW_MS + 60_000, end_ms=NOW_MS + 120_000)
    made = await agreed(*PAIR, plan=window)
    assert made.reasons("river") == {"not-yet"}
    for site in made.sites.values():
        site.cut()
    await asyncio.sleep(60)
    assert crosses(made) == (True, True)
    await asyncio.sleep(60)
    assert crosses(made) == (False, False)
    assert made.reasons("river") == {"expired"}


@in_virtual_time
async def test_who_may_only_listen_is_not_heard() -> None:
    listens = [
        replace(m, access=Access.LISTEN) if m.talkgroup == BORDER else m for m in RIVER.members
    ]
    made = await agreed(*PAIR, plan=replace(RIVER, members=tuple(listens)))
    assert crosses(made) == (False, True)


@in_virtual_time
async def test_a_talkgroup_is_in_one_patch_and_the_second_names_the_first() -> None:
    later = terms("second", TAC1, MOUNTED, start=NOW_MS + 1)
    made = ConsentWorld(*TRIO)
    for site in made.sites.values():
        site.plans = (RIVER, later) if site.id.name == "windsor" else ()
    made["detroit"].plans = (RIVER,)
    made["ottawa"].plans = (later,)
    await made.start()
    await settle(1.0)
    assert made["windsor"].reason("river") == "in-force"
    assert made["windsor"].reason("second") == "talkgroup-taken"
    assert "river" in made["windsor"].state("second")["why"]["en"]
    assert not made["windsor"].hears(MOUNTED)


@in_virtual_time
async def test_two_brokers_join_once() -> None:
    made = await agreed(*PAIR, brokers=2)
    assert made.reasons("river") == {"in-force"}
    made["windsor"].links[0].drop()
    made["detroit"].links[1].drop()
    await settle()
    assert crosses(made) == (True, True)


@in_virtual_time
async def test_consent_holds_while_every_link_is_down() -> None:
    made = await agreed(*PAIR)
    for site in made.sites.values():
        site.cut()
    await asyncio.sleep(1800)
    assert crosses(made) == (True, True)


# --- taking away ----------------------------------------------------------------------------------


@in_virtual_time
async def test_a_plan_that_is_dropped_is_silent_before_anything_is_said_or_stored() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    silent_when_said: list[bool] = []
    made.brokers[0].when_published = lambda _topic: silent_when_said.append(
        not windsor.hears(BORDER)
    )
    stored = len(windsor.store.puts)
    stored_when_applied: list[int] = []
    applied = windsor.control._apply

    def apply(voice_map: VoiceMap) -> None:
        stored_when_applied.append(len(windsor.store.puts))
        applied(voice_map)

    windsor.control._apply = apply
    plan(windsor)
    assert not windsor.hears(BORDER)
    # The roster is shown at each re-read; it neither gives nor takes.
    assert silent_when_said[-1] is True
    assert stored_when_applied[0] == stored
    await settle()
    assert crosses(made) == (False, False)
    assert made["detroit"].reason("river") == "withdrawn"


@in_virtual_time
async def test_a_plan_that_is_dropped_needs_no_link_and_no_disk() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    windsor.cut()
    windsor.store.failing = windsor.audit.failing = True
    plan(windsor)
    assert not windsor.hears(BORDER)
    await settle(10)
    assert made["detroit"].hears(TAC1)
    windsor.heal()
    await settle()
    assert crosses(made) == (False, False)


@in_virtual_time
async def test_the_rest_goes_on_while_two_remain() -> None:
    made = await agreed(*TRIO, plan=ALL)
    plan(made["detroit"])
    await settle()
    assert not made["windsor"].hears(BORDER)
    assert made["windsor"].hears(MOUNTED)
    assert made["windsor"].state("all")["agencies"] == ["us.cbp"]


@in_virtual_time
async def test_a_withdrawal_holds_when_the_plan_comes_back_and_over_a_restart() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    plan(windsor)
    await settle()
    plan(windsor, RIVER)
    await settle()
    assert crosses(made) == (False, False)
    windsor.stop()
    await windsor.start()
    await settle(1.0)
    assert made.reasons("river") == {"withdrawn"}
    assert crosses(made) == (False, False)
    # Resuming needs another patch id.
    again = replace(RIVER, patch=terms("river-2", TAC1).patch)
    for site in made.sites.values():
        plan(site, again)
    await settle(1.0)
    assert crosses(made) == (True, True)


@in_virtual_time
async def test_a_restarted_gateway_goes_on_with_what_was_agreed() -> None:
    made = await agreed(*PAIR)
    made["windsor"].stop()
    await made["windsor"].start()
    await settle(1.0)
    assert crosses(made) == (True, True)


@in_virtual_time
async def test_a_withdrawal_by_one_gateway_counts_for_its_agency() -> None:
    made = await agreed(*PAIR, "us.cbp/buffalo")
    assert made.reasons("river") == {"in-force"}
    plan(made["buffalo"])
    await settle()
    assert made.reasons("river") == {"withdrawn"}
    assert crosses(made) == (False, False)


@in_virtual_time
async def test_without_a_synchronised_clock_nothing_foreign_is_joined() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    windsor.clock.is_synchronised = False
    windsor.bridge.observe()
    windsor.control.refresh()
    assert not windsor.hears(BORDER)
    assert windsor.reason("river") == "clock-unsynchronised"
    assert not windsor.map.remote
    windsor.clock.is_synchronised = True
    windsor.bridge.observe()
    windsor.control.refresh()
    assert windsor.hears(BORDER)


@in_virtual_time
async def test_a_plan_waits_for_a_clock_that_can_be_relied_on() -> None:
    made = ConsentWorld(*PAIR)
    windsor = made["windsor"]
    windsor.plans = (RIVER,)
    windsor.clock.is_synchronised = False
    await made.start()
    await settle(1.0)
    assert windsor.reason("river") == "waiting-for"
    assert not made.brokers[0].topics("patch")
    windsor.clock.is_synchronised = True
    windsor.bridge.observe()
    windsor.control.refresh()
    await settle(1.0)
    assert made.brokers[0].topics("patch")


@in_virtual_time
async def test_a_roster_that_ends_takes_its_consent_along() -> None:
    made = await agreed(*PAIR)
    ends = entry("us.cbp/detroit", end_ms=NOW_MS + 60_000)
    raw = sign_roster(roster("us.cbp", ends, version=2), NOW_MS, person("us.cbp").signing)
    made["windsor"].control.document(roster_topic(made["detroit"].id), raw, "b0")
    assert made["windsor"].hears(BORDER)
    await asyncio.sleep(61)
    assert not made["windsor"].hears(BORDER)
    assert made["windsor"].reason("river") == "waiting-for"


@in_virtual_time
async def test_a_partner_that_is_trusted_no_more_is_silent_when_the_configuration_is_taken() -> (
    None
):
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    windsor.directory.trust({AgencyId("ca.opp"): person("ca.opp").public})
    windsor.control.replace(windsor.agreements, windsor.world.roster(windsor.agency))
    assert not windsor.hears(BORDER)
    assert not windsor.map.speakers


@in_virtual_time
async def test_a_stopped_gateway_decides_nothing_more() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    windsor.control.stop()
    maps = windsor.maps
    plan(made["detroit"])
    await asyncio.sleep(10_000)
    assert windsor.maps == maps


# --- who can read it ------------------------------------------------------------------------------


@in_virtual_time
async def test_words_are_said_again_when_a_partner_has_another_gateway() -> None:
    made = await agreed(*PAIR)
    late = Site(person("us.cbp/buffalo").gateway, made, plans=(RIVER,))
    made.sites["us.cbp/buffalo"] = late
    newer = made.roster(AgencyId("us.cbp"), version=2)
    for name in PAIR:
        made[name].control.document(roster_topic(late.id), newer, "b0")
    await settle()
    await late.start()
    late.control.document(roster_topic(made["detroit"].id), newer, "b0")
    await settle(1.0)
    assert late.reason("river") == "in-force"
    assert late.hears(TAC1)
    assert crosses(made) == (True, True)


@in_virtual_time
async def test_a_broker_reads_no_purpose_no_incident_and_no_name() -> None:
    made = await agreed(*PAIR)
    raw = b"".join(
        payload for topic, payload in made.brokers[0].retained.items() if "/patch/" in topic
    )
    assert raw
    for secret in (RIVER.purpose, RIVER.incident, "BORDER", "members"):
        assert secret.encode() not in raw


@in_virtual_time
async def test_a_flood_of_words_costs_one_decision() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    decisions: list[float] = []
    windsor.control.decided = lambda _states, _now_ms: decisions.append(now())
    for n in range(50):
        _say(windsor.control, made["detroit"], f"p{n}")
    await turns()
    assert len(decisions) == 1
    assert len(windsor.control.status()) == 51


def _say(to: ControlPlane, who: Site, patch: str) -> None:
    """Let a gateway accept a patch that nobody else knows."""
    offered = terms(patch, TAC1, BORDER, end=NOW_MS + HOUR_MS)
    word = PatchWord(patch=offered.patch, verb=Verb.ACCEPT, terms=offered)
    topic, version = patch_topic(who.id, offered.patch), NOW_MS
    windsor = person("ca.opp/windsor")
    context = SealContext(topic=topic, version=version, sender=who.id)
    sealed = seal(word.to_body(), {windsor.gateway: windsor.hpke_public}, context)
    to.document(topic, person(str(who.id)).sign(topic, sealed, version=version), "b0")


@pytest.mark.parametrize("failing", ["store", "audit"])
def test_a_plan_is_accepted_once_the_disk_works_again(failing: str) -> None:
    @in_virtual_time
    async def run() -> None:
        made = ConsentWorld(*PAIR)
        for site in made.sites.values():
            site.plans = (RIVER,)
        disk = getattr(made["windsor"], failing)
        disk.failing = True
        await made.start()
        await asyncio.sleep(20)
        keyed = made["windsor"].keys.sending(TAC1)
        assert made["detroit"].hears(TAC1) is (failing == "store")
        assert keyed is not None, "between its own radios voice goes on"
        assert made["detroit"].keys.received(made["windsor"].id, TAC1, keyed.epoch) is None
        disk.failing = False
        await asyncio.sleep(6)
        assert crosses(made) == (True, True)
        assert made["windsor"].keys.sending(TAC1) is not None

    run()
