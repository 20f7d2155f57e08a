"""Patches by command: what gives needs all, what takes away needs nobody."""

import asyncio
from typing import Any

import pytest

from radiobridge.errors import CommandError
from radiobridge.wire.roster import Right
from tests.services.consent_world import (
    BORDER,
    BY,
    MOUNTED,
    PAIR,
    TAC1,
    TRIO,
    ConsentWorld,
    settle,
    world,
)
from tests.services.virtual_time import in_virtual_time, turns
from tests.wire.people import HOUR_MS, NOW_MS

OURS, THEIRS, MOUNTIES = "ca.opp/TAC1", "us.cbp/BORDER", "ca.rcmp/MOUNTED"


async def agreed(*names: str, patch: str = "river") -> ConsentWorld:
    made = await world(*(names or PAIR))
    members = {"ca.opp": OURS, "us.cbp": THEIRS, "ca.rcmp": MOUNTIES}
    agencies = sorted({str(site.agency) for site in made.sites.values()})
    await made["windsor"].propose(patch, *(members[a] for a in agencies))
    await settle()
    for agency in agencies:
        if agency != "ca.opp":
            await next(s for s in made.sites.values() if s.agency == agency).accept(patch)
    await settle()
    return made


# Giving


@in_virtual_time
async def test_a_proposal_waits_for_the_others_and_they_see_it() -> None:
    made = await world(*TRIO)
    shown = await made["windsor"].propose("river", OURS, THEIRS, MOUNTIES)
    await settle()
    assert shown["reason"] == "waiting-for"
    for site in made.sites.values():
        state = site.state("river")
        assert state["reason"] == "waiting-for"
        assert state["agencies"] == ["ca.rcmp", "us.cbp"]
    await made["detroit"].accept("river")
    await settle()
    assert [s.state("river")["agencies"] for s in made.sites.values()] == [["ca.rcmp"]] * 3
    assert not made["windsor"].hears(BORDER)
    await made["ottawa"].accept("river")
    await settle()
    assert made.reasons("river") == {"in-force"}
    assert made["windsor"].hears(BORDER)
    assert made["windsor"].hears(MOUNTED)


@in_virtual_time
async def test_an_acceptance_is_logged_and_stored_before_it_is_said() -> None:
    made = await world(*PAIR)
    windsor = made["windsor"]
    await windsor.propose("river", OURS, THEIRS)
    (said,) = windsor.audit.told("word-said")
    assert (said.identity, said.source, said.detail["verb"]) == (BY, "command", "accept")
    assert "adopted/river" in windsor.store.values


@in_virtual_time
async def test_without_a_log_or_a_disk_nothing_is_accepted_and_nothing_comes_back() -> None:
    made = await world(*PAIR)
    windsor = made["windsor"]
    windsor.audit.failing = True
    with pytest.raises(CommandError, match="nothing was accepted"):
        await windsor.propose("river", OURS, THEIRS)
    windsor.audit.failing = False
    windsor.store.takes_s = 10.0
    with pytest.raises(CommandError, match="within 2 s"):
        await windsor.propose("river", OURS, THEIRS)
    assert windsor.reason("river") == "unknown"
    windsor.store.takes_s = 0.01
    await settle(30.0)
    windsor.stop()
    await windsor.start()
    await settle()
    assert made.reasons("river") == {"unknown"}


@in_virtual_time
async def test_what_was_accepted_by_command_holds_over_a_restart() -> None:
    made = await agreed()
    made["windsor"].stop()
    made.brokers[0].retained = {
        topic: raw for topic, raw in made.brokers[0].retained.items() if "windsor" not in topic
    }
    await made["windsor"].start()
    await settle()
    assert made.reasons("river") == {"in-force"}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"members": [{"talkgroup": OURS}]}, "two agencies"),
        (
            {"members": [{"talkgroup": THEIRS}, {"talkgroup": MOUNTIES}], "host": "us.cbp"},
            "no member belongs",
        ),
        ({"members": [{"talkgroup": OURS}, {"talkgroup": "fr.gie/X"}]}, "no partner"),
        ({"members": [{"talkgroup": "ca.opp/NONE"}, {"talkgroup": THEIRS}]}, "not in the"),
        ({"members": [{"talkgroup": OURS, "air": "encrypted"}, {"talkgroup": THEIRS}]}, "clear"),
        ({"members": [{"talkgroup": OURS}] * 2 + [{"talkgroup": THEIRS}]}, "twice"),
        ({"host": "ca.rcmp"}, "host"),
        ({"for_ms": 0}, "for_ms"),
        ({"end_ms": NOW_MS - 1, "for_ms": None}, "end"),
        ({"for_ms": 400 * 24 * HOUR_MS}, "for_ms"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": "two\nlines"}, "purpose"),
        ({"recording": "some"}, "recording"),
        ({"members": [{"talkgroup": OURS, "colour": "red"}, {"talkgroup": THEIRS}]}, "colour"),
        ({"more": 1}, "more"),
    ],
)
@in_virtual_time
async def test_proposals_that_cannot_stand(request_: dict[str, Any], why: str) -> None:
    made = await world(*PAIR)
    with pytest.raises(CommandError, match=why):
        await made["windsor"].propose("river", OURS, THEIRS, **request_)
    assert made["windsor"].control.status() == []


@pytest.mark.parametrize("patch", ["../etc", "a b", "", "a" * 33, "-a", "river\n"])
@in_virtual_time
async def test_ids_that_are_none(patch: str) -> None:
    made = await world(*PAIR)
    with pytest.raises(CommandError, match="patch: must be"):
        await made["windsor"].propose(patch, OURS, THEIRS)


@in_virtual_time
async def test_an_id_is_never_used_again() -> None:
    made = await agreed()
    await made["windsor"].withdraw("river")
    await settle()
    with pytest.raises(CommandError, match="used already"):
        await made["windsor"].propose("RIVER", OURS, THEIRS)
    with pytest.raises(CommandError, match="new patch id"):
        await made["windsor"].accept("river")


@in_virtual_time
async def test_a_talkgroup_is_in_one_patch_and_a_second_names_the_first() -> None:
    made = await agreed(*TRIO)
    for members in ((OURS, MOUNTIES), (OURS, THEIRS)):
        with pytest.raises(CommandError, match="TAC1 is already in patch river"):
            await made["windsor"].propose("lake", *members)
    await made["windsor"].propose(
        "lake", OURS, MOUNTIES, start_ms=NOW_MS + 3 * HOUR_MS, for_ms=HOUR_MS
    )


@in_virtual_time
async def test_who_accepts_a_second_patch_is_told_of_the_first() -> None:
    made = await world(*TRIO)
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    await made["detroit"].accept("river")
    await made["ottawa"].propose("lake", THEIRS, MOUNTIES)
    await settle()
    with pytest.raises(CommandError, match="BORDER is already in patch river"):
        await made["detroit"].accept("lake")


@in_virtual_time
async def test_a_gateway_without_the_right_consents_to_nothing() -> None:
    made = ConsentWorld(*PAIR)
    made["windsor"].rights = frozenset({Right.VOICE})
    await made.start()
    with pytest.raises(CommandError, match="no right to consent"):
        await made["windsor"].propose("river", OURS, THEIRS)


@in_virtual_time
async def test_without_a_synchronised_clock_nothing_is_given() -> None:
    made = await world(*PAIR)
    made["windsor"].clock.is_synchronised = False
    made["windsor"].bridge.observe()
    with pytest.raises(CommandError, match="not synchronised"):
        await made["windsor"].propose("river", OURS, THEIRS)


@in_virtual_time
async def test_a_preview_does_nothing() -> None:
    made = await world(*PAIR)
    shown = await made["windsor"].propose("river", OURS, THEIRS, preview=True)
    assert shown["preview"] is True
    assert [note["en"] for note in shown["notes"]] == [
        f"{OURS}: IN CLEAR ON AIR",
        f"{THEIRS}: IN CLEAR ON AIR",
    ]
    assert shown["notes"][0]["fr"].endswith("EN CLAIR SUR LES ONDES")
    assert made.reasons("river") == {"unknown"}
    assert made["windsor"].audit.told("word-said") == []


@in_virtual_time
async def test_exactly_what_was_read_is_accepted() -> None:
    made = await world(*PAIR)
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    shown = await made["detroit"].accept("river", preview=True)
    with pytest.raises(CommandError, match="nobody proposes such terms"):
        await made["detroit"].accept("river", terms="0" * 64)
    await made["detroit"].accept("river", terms=shown["terms"])
    await settle()
    assert made.reasons("river") == {"in-force"}


@in_virtual_time
async def test_two_proposals_under_one_id_must_be_told_apart() -> None:
    made = await world("ca.opp/windsor", "ca.opp/sarnia", "us.cbp/detroit")
    for name in ("windsor", "sarnia"):
        made[name].cut()
        await made[name].propose("river", OURS, THEIRS, purpose=f"by {name}")
    for name in ("windsor", "sarnia"):
        made[name].heal()
    await settle()
    with pytest.raises(CommandError, match="2 different terms"):
        await made["detroit"].accept("river")
    offers = made["detroit"].control.desk.show("river")
    hashes = {offers["agreed"]["terms"], *(one["terms"] for one in offers["other_terms"])}
    assert len(hashes) == 2
    await made["detroit"].accept("river", terms=offers["agreed"]["terms"])
    await settle()
    assert made.reasons("river") == {"in-force"}


# Taking away


@in_virtual_time
async def test_a_withdrawal_needs_no_link_and_no_disk() -> None:
    made = await agreed()
    windsor = made["windsor"]
    windsor.cut()
    windsor.store.failing = True
    windsor.audit.failing = True
    answer = await windsor.withdraw("river")
    assert (answer["reason"], answer["durable"]) == ("withdrawn", False)
    assert not windsor.hears(BORDER)
    assert windsor.keys.sending(TAC1) is None or TAC1 not in windsor.map.remote
    assert made["detroit"].reason("river") == "in-force"
    windsor.store.failing = False
    await settle(6.0)
    assert "word/river" in windsor.store.values
    windsor.heal()
    await settle()
    assert made["detroit"].state("river")["withdrawn_by"] == ["ca.opp"]
    assert not made["detroit"].hears(TAC1)


@in_virtual_time
async def test_a_withdrawal_answers_while_the_disk_hangs() -> None:
    made = await agreed()
    windsor = made["windsor"]
    windsor.store.takes_s = 10.0
    began = asyncio.get_running_loop().time()
    task = asyncio.ensure_future(windsor.withdraw("river"))
    await turns(1)
    assert not windsor.hears(BORDER)
    assert (await task)["durable"] is False
    assert asyncio.get_running_loop().time() - began < 0.1


@in_virtual_time
async def test_a_withdrawal_holds_over_a_restart_whatever_the_broker_serves() -> None:
    made = await agreed()
    old = dict(made.brokers[0].retained)
    made["windsor"].cut()
    await made["windsor"].withdraw("river")
    await settle()
    made["windsor"].stop()
    made.brokers[0].retained = old
    await made["windsor"].start()
    await settle()
    assert made["windsor"].reason("river") == "withdrawn"
    assert made["detroit"].reason("river") == "withdrawn"


@in_virtual_time
async def test_any_owner_may_veto_what_it_never_accepted() -> None:
    made = await world(*TRIO)
    await made["windsor"].propose("river", OURS, THEIRS, MOUNTIES)
    await settle()
    await made["ottawa"].withdraw("river")
    await settle()
    await made["detroit"].accept("river")
    await settle()
    assert made["ottawa"].reason("river") == "withdrawn"
    # The rest goes on while two agencies remain.
    assert made["windsor"].state("river")["withdrawn_by"] == ["ca.rcmp"]
    assert made["windsor"].reason("river") == "in-force"
    assert not made["windsor"].hears(MOUNTED)


@in_virtual_time
async def test_narrowing_counts_at_once_adds_up_and_is_seen_by_all() -> None:
    made = await agreed(*TRIO)
    windsor = made["windsor"]
    windsor.cut()
    answer = await windsor.narrow(
        "river", limits=[{"talkgroup": OURS, "access": "listen"}], end_ms=NOW_MS + HOUR_MS
    )
    assert answer["narrowed_by"] == ["ca.opp"]
    windsor.heal()
    await windsor.narrow("river", limits=[{"talkgroup": OURS, "max_priority": 0}])
    await settle()
    for site in made.sites.values():
        state = site.state("river")
        ours = next(one for one in state["members"] if one["talkgroup"] == OURS)
        assert (ours["access"], state["end_ms"]) == ("listen", NOW_MS + HOUR_MS)
        assert state["why"]["en"] == "in force; narrowed by ca.opp"
        assert "restreint par ca.opp" in state["why"]["fr"]
    assert not made["detroit"].hears(TAC1)
    assert windsor.hears(BORDER)


@in_virtual_time
async def test_a_patch_ends_by_its_time_with_nobody_and_nothing_to_help() -> None:
    made = await agreed(*TRIO)
    for site in made.sites.values():
        site.cut()
        site.store.failing = site.audit.failing = True
    await settle(2 * HOUR_MS / 1000 - 1.0)
    assert made.reasons("river") == {"in-force"}
    await settle(1.0)
    assert made.reasons("river") == {"expired"}
    for site in made.sites.values():
        assert not any(site.hears(talkgroup) for talkgroup in (TAC1, BORDER, MOUNTED))
        assert not site.map.remote


@in_virtual_time
async def test_only_our_own_part_can_be_narrowed() -> None:
    made = await agreed()
    for limits in ([{"talkgroup": THEIRS, "access": "none"}], [{"talkgroup": "ca.opp/TAC2"}]):
        with pytest.raises(CommandError, match="no member of ours"):
            await made["windsor"].narrow("river", limits=limits)
    with pytest.raises(CommandError, match="what is to be taken away"):
        await made["windsor"].narrow("river")


@in_virtual_time
async def test_a_sibling_that_did_not_accept_may_narrow_and_withdraw() -> None:
    made = await agreed("ca.opp/windsor", "ca.opp/sarnia", "us.cbp/detroit")
    await made["sarnia"].narrow("river", limits=[{"talkgroup": OURS, "access": "talk"}])
    await settle()
    assert made.reasons("river") == {"in-force"}
    assert not made["windsor"].hears(BORDER)
    await made["sarnia"].withdraw("river")
    await settle()
    assert made.reasons("river") == {"withdrawn"}


@in_virtual_time
async def test_accepting_narrower_is_one_word() -> None:
    made = await world(*PAIR)
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    await made["detroit"].accept("river", limits=[{"talkgroup": THEIRS, "access": "listen"}])
    await settle()
    assert made["windsor"].state("river")["narrowed_by"] == ["us.cbp"]
    assert not made["windsor"].hears(BORDER)
    assert made["detroit"].hears(TAC1)
