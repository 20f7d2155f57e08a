"""Patches that go on, plans on demand, and encrypted air, by command."""

from typing import Any

import pytest

from radiobridge.errors import CommandError
from radiobridge.model.patch import Access, Air
from tests.core.patch_world import one_character_off, terms
from tests.services.consent_world import (
    BORDER,
    BY,
    PAIR,
    TAC1,
    TAC2,
    ConsentWorld,
    settle,
    world,
)
from tests.services.virtual_time import in_virtual_time
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


# Going on, and plans


@in_virtual_time
async def test_an_extension_starts_when_the_old_one_ends_and_nothing_is_cut() -> None:
    made = await agreed()
    windsor, detroit = made["windsor"], made["detroit"]
    shown = await windsor.control.desk.extend("river", {"for_ms": HOUR_MS}, BY)
    assert shown["id"] == "river-2"
    await settle()
    assert detroit.reason("river") == "in-force"
    assert detroit.state("river-2")["agencies"] == ["us.cbp"]
    await detroit.accept("river-2")
    await settle()
    assert made.reasons("river-2") == {"not-yet"}
    maps, epoch = windsor.maps, windsor.keys.sending(TAC1)
    await settle(2 * HOUR_MS / 1000 - 60)
    for _ in range(120):
        assert windsor.hears(BORDER)
        await settle(1.0)
    assert made.reasons("river-2") == {"in-force"}
    assert windsor.reason("river") == "expired"
    assert (windsor.maps, windsor.keys.sending(TAC1)) == (maps, epoch)


@in_virtual_time
async def test_an_extension_does_not_widen_what_was_narrowed() -> None:
    made = await agreed()
    await made["detroit"].narrow("river", limits=[{"talkgroup": THEIRS, "access": "listen"}])
    await settle()
    shown = await made["windsor"].control.desk.extend("river", {"for_ms": HOUR_MS}, BY)
    theirs = next(one for one in shown["members"] if one["talkgroup"] == THEIRS)
    assert theirs["access"] == "listen"


FLOOD = terms("flood", TAC1, BORDER, start=NOW_MS - HOUR_MS, end=NOW_MS + 48 * HOUR_MS)


async def planned(ours: Any = FLOOD, theirs: Any = FLOOD) -> ConsentWorld:
    made = ConsentWorld(*PAIR)
    made["windsor"].on_demand = (ours,)
    made["detroit"].on_demand = (theirs,) if theirs else ()
    return await made.start()


@in_virtual_time
async def test_a_plan_on_demand_joins_nothing_until_somebody_activates_it() -> None:
    made = await planned()
    assert made["windsor"].control.status() == []
    shown = await made["windsor"].control.desk.activate("flood", {"for_ms": HOUR_MS}, BY)
    assert (shown["id"], shown["end_ms"] - shown["start_ms"]) == ("flood-1", HOUR_MS)
    await settle()
    assert made.reasons("flood-1") == {"in-force"}
    (plan,) = made["detroit"].control.desk.plans()
    assert plan["activation"] == "on-demand"
    assert [one["id"] for one in plan["patches"]] == ["flood-1"]
    await settle(HOUR_MS / 1000)
    assert made.reasons("flood-1") == {"expired"}
    shown = await made["detroit"].control.desk.activate("flood", None, BY)
    assert shown["id"] == "flood-2"
    await settle()
    assert made.reasons("flood-2") == {"in-force"}


@in_virtual_time
async def test_without_the_identical_plan_an_operator_is_asked() -> None:
    made = await planned(theirs=one_character_off(FLOOD))
    await made["windsor"].control.desk.activate("flood", None, BY)
    await settle()
    assert made["windsor"].state("flood-1")["agencies"] == ["us.cbp"]


@in_virtual_time
async def test_who_withdrew_from_an_activation_accepts_no_other_unasked() -> None:
    made = await planned()
    await made["windsor"].control.desk.activate("flood", None, BY)
    await settle()
    await made["detroit"].withdraw("flood-1")
    await settle()
    await made["windsor"].control.desk.activate("flood", None, BY)
    await settle()
    assert made["detroit"].reason("flood-2") == "waiting-for"
    await made["detroit"].accept("flood-2")
    await settle()
    assert made.reasons("flood-2") == {"in-force"}


@in_virtual_time
async def test_plans_that_cannot_be_activated() -> None:
    made = await planned()
    made["windsor"].plans = (terms("always", TAC2, BORDER),)
    made["windsor"].control.replace(made["windsor"].agreements, made.roster(made["windsor"].agency))
    desk = made["windsor"].control.desk
    for plan, why in (("none", "no plan on demand"), ("always", "standing")):
        with pytest.raises(CommandError, match=why):
            await desk.activate(plan, None, BY)
    assert {plan["activation"] for plan in desk.plans()} == {"standing", "on-demand"}


# Air


async def encrypted(*, in_clear: bool) -> ConsentWorld:
    """OPP is in clear, CBP is encrypted; OPP proposes."""
    made = ConsentWorld(*PAIR)
    made["detroit"].air = Air.ENCRYPTED
    await made.start()
    theirs = {"talkgroup": THEIRS, "air": "encrypted", "in_clear": in_clear}
    shown = await made["windsor"].propose("river", OURS, theirs)
    assert any("encrypted" in note["en"] for note in shown["notes"])
    await settle()
    return made


@in_virtual_time
async def test_encrypted_voice_is_heard_in_clear_by_its_owners_explicit_word_only() -> None:
    made = await encrypted(in_clear=True)
    shown = await made["detroit"].accept("river", preview=True)
    note = f"{THEIRS} is encrypted and will be heard IN CLEAR ON AIR on {OURS}"
    assert note in [one["en"] for one in shown["notes"]]
    with pytest.raises(CommandError, match="--in-clear"):
        await made["detroit"].accept("river")
    await made["detroit"].accept("river", in_clear=True)
    await settle()
    assert made["windsor"].hears(BORDER)


@in_virtual_time
async def test_without_that_word_it_is_not_heard_there() -> None:
    made = await encrypted(in_clear=False)
    await made["detroit"].accept("river")
    await settle()
    assert made.reasons("river") == {"in-force"}
    assert not made["windsor"].hears(BORDER)
    assert BORDER not in made["detroit"].map.remote
    assert made["detroit"].hears(TAC1)


@in_virtual_time
async def test_terms_that_call_encrypted_air_clear_are_not_accepted() -> None:
    made = ConsentWorld(*PAIR)
    made["detroit"].air = Air.ENCRYPTED
    await made.start()
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    with pytest.raises(CommandError, match="encrypted on the air by the map"):
        await made["detroit"].accept("river")


def test_access_words_are_those_of_the_model() -> None:
    assert {one.value for one in Access} == {"listen", "talk", "both"}
