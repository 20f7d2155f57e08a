"""Alarms and measures on the gateways of several agencies, with links and disks that fail."""

import asyncio

import pytest

from radiobridge.core.measures import Level
from radiobridge.errors import CommandError
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.interface import RadioAlarm
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.alarms import LIFE_MS, MOST_OPEN, REPEAT_MS
from radiobridge.wire.words import SpurtNotice, SpurtState
from tests.services.consent_world import BORDER, TAC1, settle
from tests.services.emergency_world import AlarmWorld, Desk, alarm_world
from tests.services.virtual_time import in_virtual_time, turns

WINDSOR, SARNIA = "ca.opp/windsor", "ca.opp/sarnia"
DETROIT, OTTAWA = "us.cbp/detroit", "ca.rcmp/ottawa"


async def river(*names: str) -> AlarmWorld:
    """Return windsor, detroit and others in one patch."""
    world = await alarm_world(WINDSOR, DETROIT, *names)
    members = ["ca.opp/TAC1", "us.cbp/BORDER"]
    if any(name.startswith("ca.rcmp") for name in names):
        members.append("ca.rcmp/MOUNTED")
    await world.join(*members)
    return world


def everywhere(world: AlarmWorld, alarm: str, stage: str, *, rank: bool) -> bool:
    return all(desk.alarms() == [(alarm, stage, rank)] for desk in world.desks.values())


# --- from raised to cleared ---------------------------------------------------------------------


@in_virtual_time
async def test_an_alarm_is_on_every_gateway_until_acknowledged_and_cleared() -> None:
    world = await river(SARNIA, OTTAWA)
    answer = await world["windsor"].raise_alarm(talker="mdc:1234", alias="Unit 12")
    alarm = answer["id"]
    assert answer["durable"]
    assert everywhere(world, alarm, "raised", rank=True)
    assert all(desk.has_rank(TAC1) for desk in world.desks.values())
    assert not any(desk.has_rank(BORDER) for desk in world.desks.values())
    shown = world["ottawa"].alarm(alarm)
    assert (shown["talker"], shown["alias"], shown["by"]) == (
        "mdc:1234",
        "Unit 12",
        "local:windsor",
    )

    await world["ottawa"].acknowledge(alarm)
    assert everywhere(world, alarm, "acknowledged", rank=True)
    assert world["detroit"].alarm(alarm)["acknowledged_by"] == [
        {"gateway": OTTAWA, "by": "local:ottawa"}
    ]

    await world["sarnia"].clear(alarm, "false", reason="pressed by mistake")
    assert everywhere(world, alarm, "cleared", rank=False)
    shown = world["detroit"].alarm(alarm)
    assert (shown["verdict"], shown["reason"]) == ("false", "pressed by mistake")
    assert shown["cleared_by"] == {"gateway": SARNIA, "by": "local:sarnia"}
    assert not any(desk.has_rank(TAC1) for desk in world.desks.values())


@in_virtual_time
async def test_a_clear_waits_for_an_acknowledgement() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    await world["windsor"].clear(alarm)
    assert everywhere(world, alarm, "raised", rank=True)
    await world["detroit"].acknowledge(alarm)
    assert everywhere(world, alarm, "cleared", rank=False)


@in_virtual_time
async def test_only_the_raisers_agency_clears() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    with pytest.raises(CommandError, match=r"only ca\.opp can clear"):
        await world["detroit"].clear(alarm)


@in_virtual_time
async def test_nobody_answers_and_every_gateway_says_so() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    await asyncio.sleep(14.5)
    assert not world["detroit"].alarm(alarm)["escalated"]
    await asyncio.sleep(1.0)
    for desk in world.desks.values():
        assert desk.alarm(alarm)["escalated"]
        assert [one["alarm"] for one in desk.told("alarm-escalated")] == [alarm]
    await world["detroit"].acknowledge(alarm)
    assert not world["windsor"].alarm(alarm)["escalated"]


@in_virtual_time
async def test_an_answer_in_time_escalates_nothing() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    await asyncio.sleep(14.0)
    await world["detroit"].acknowledge(alarm)
    await asyncio.sleep(60.0)
    assert all(desk.told("alarm-escalated") == [] for desk in world.desks.values())


@in_virtual_time
async def test_the_audit_log_tells_all_of_it_afterwards() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    await world["detroit"].acknowledge(alarm)
    await world["windsor"].clear(alarm)
    for desk in world.desks.values():
        what = [entry.what for entry in desk.site.audit.entries if entry.what.startswith("alarm-")]
        assert what == ["alarm-raised", "alarm-acknowledged", "alarm-cleared"]
        who = {entry.what: entry.identity for entry in desk.site.audit.entries}
        here = desk is world["windsor"]
        assert who["alarm-raised"] == ("local:windsor" if here else WINDSOR)
        assert who["alarm-acknowledged"] == (DETROIT if here else "local:detroit")
        assert desk.told("alarm-cleared")[0]["verdict"] == "valid"


@in_virtual_time
async def test_an_alarm_waits_for_no_disk() -> None:
    world = await river()
    desk = world["windsor"]
    desk.site.store.takes_s = 60.0
    desk.site.audit.takes_s = 60.0
    began = asyncio.get_running_loop().time()
    answer = await desk.raise_alarm()
    assert asyncio.get_running_loop().time() - began < 0.1
    assert not answer["durable"]
    assert everywhere(world, answer["id"], "raised", rank=True)


# --- again, and open microphones ----------------------------------------------------------------


@in_virtual_time
async def test_raised_again_it_is_the_same_alarm_and_wants_another_answer() -> None:
    world = await river()
    first = await world["windsor"].raise_alarm(talker="mdc:1234")
    await world["detroit"].acknowledge(first["id"])
    again = await world["windsor"].raise_alarm(talker="mdc:1234")
    assert (again["id"], again["raises"]) == (first["id"], 2)
    assert everywhere(world, first["id"], "raised", rank=True)
    other = await world["windsor"].raise_alarm(talker="mdc:9999")
    assert other["id"] != first["id"]
    await world["windsor"].acknowledge(first["id"])
    await world["windsor"].clear(first["id"])
    fresh = await world["windsor"].raise_alarm(talker="mdc:1234")
    assert fresh["id"] not in (first["id"], other["id"])


def spurt(desk: Desk, talkgroup: TalkgroupId, start_ms: int = 1) -> Claim:
    return Claim(desk.site.id, talkgroup, start_ms, TalkClass.EMERGENCY, 0)


@in_virtual_time
async def test_an_open_microphone_spends_the_rank_everywhere_until_raised_again() -> None:
    world = await river(SARNIA)
    alarm = (await world["windsor"].raise_alarm())["id"]
    # The spurt goes out by the sibling: that is who notices.
    world["sarnia"].emergency.ranks.spent(spurt(world["sarnia"], TAC1))
    assert world["sarnia"].has_rank(TAC1), "done in the next turn of the loop"
    await settle()
    assert everywhere(world, alarm, "raised", rank=False)
    assert not any(desk.has_rank(TAC1) for desk in world.desks.values())
    await world["windsor"].raise_alarm()
    assert everywhere(world, alarm, "raised", rank=True)


@in_virtual_time
async def test_an_open_microphone_costs_the_alarm_of_its_talker_only() -> None:
    world = await river()
    desk = world["windsor"]
    one = (await desk.raise_alarm(talker="mdc:1111"))["id"]
    other = (await desk.raise_alarm(talker="mdc:2222"))["id"]
    desk.emergency.talkers.identified(desk.site.id, TAC1, 1, "mdc:2222")
    desk.emergency.ranks.spent(spurt(desk, TAC1))
    await settle()
    assert {a["id"]: a["rank"] for a in world["detroit"].emergency.list_alarms()} == {
        one: True,
        other: False,
    }
    assert desk.has_rank(TAC1)


# --- radios -------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_radio_in_the_field_raises_once_for_one_press() -> None:
    world = await river()
    desk = world["windsor"]
    press = (RadioName("tac1"), TAC1, "mdc:1234", "Unit 12")
    for _ in range(3):
        desk.emergency.field(*press)
        await asyncio.sleep(1)
    (alarm,) = world["detroit"].emergency.list_alarms()
    assert (alarm["kind"], alarm["radio"], alarm["talker"]) == ("field", "tac1", "mdc:1234")
    assert (alarm["alias"], alarm["raises"], alarm["by"]) == ("Unit 12", 1, None)
    await asyncio.sleep(REPEAT_MS / 1000)
    desk.emergency.field(*press)
    await settle()
    assert desk.alarm(alarm["id"])["raises"] == 2


@in_virtual_time
async def test_a_press_after_the_rank_is_spent_raises_again_at_once() -> None:
    world = await river()
    desk = world["windsor"]
    press = (RadioName("tac1"), TAC1, "mdc:1234")
    desk.emergency.field(*press)
    await settle()
    desk.emergency.ranks.spent(spurt(desk, TAC1))
    await settle()
    assert not desk.has_rank(TAC1)
    desk.emergency.field(*press)
    await settle()
    assert desk.has_rank(TAC1)
    assert desk.emergency.list_alarms()[0]["raises"] == 2


@in_virtual_time
async def test_the_donor_radios_own_switch_is_no_field_emergency() -> None:
    world = await river()
    desk = world["windsor"]
    for active in (True, False):
        event = RadioAlarm(kind="donor-emergency", active=active, at=0.0)
        desk.emergency.radio_alarm(RadioName("tac1"), TAC1, event)
    await settle()
    (alarm,) = world["detroit"].emergency.list_alarms()
    assert (alarm["kind"], alarm["rank"], alarm["stage"]) == ("donor", False, "raised")
    assert alarm["talker"] == "radio:windsor/tac1"
    assert not desk.has_rank(TAC1)
    await asyncio.sleep(16)
    assert world["detroit"].alarm(alarm["id"])["escalated"]


@in_virtual_time
async def test_a_driver_may_tell_of_an_emergency_in_the_field() -> None:
    world = await river()
    for kind, shown in (("restarted", []), ("emergency", ["field"])):
        event = RadioAlarm(kind=kind, active=True, at=0.0)
        world["windsor"].emergency.radio_alarm(RadioName("tac1"), TAC1, event)
        assert [a["kind"] for a in world["windsor"].emergency.list_alarms()] == shown
    assert world["windsor"].has_rank(TAC1)


@in_virtual_time
async def test_talker_ids_made_up_on_the_air_fill_nothing() -> None:
    world = await river()
    desk = world["windsor"]
    for n in range(100):
        desk.emergency.field(RadioName("tac1"), TAC1, f"mdc:{n:04X}")
    await settle()
    assert len(desk.emergency.list_alarms()) == MOST_OPEN
    assert len(world["detroit"].emergency.list_alarms()) == MOST_OPEN
    answer = await desk.raise_alarm(talker="mdc:FFFF")
    assert answer["talker"] in [f"mdc:{n:04X}" for n in range(MOST_OPEN)]


# --- links, disks, patches ----------------------------------------------------------------------


@in_virtual_time
async def test_it_is_there_after_a_restart_and_the_news_meanwhile_too() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    await settle()
    world["windsor"].site.stop()
    await world["detroit"].acknowledge(alarm)
    desk = await world.restart("windsor")
    assert desk.alarms() == [(alarm, "acknowledged", True)]
    # What it already told is not told again, but what is news is.
    raised = [one["alarm"] for one in desk.told("alarm-raised")]
    assert raised == [alarm]
    assert len(desk.told("alarm-acknowledged")) == 1
    await desk.clear(alarm)
    desk = await world.restart("windsor")
    assert everywhere(world, alarm, "cleared", rank=False)


@in_virtual_time
async def test_what_was_said_with_every_link_down_is_heard_when_they_are_back() -> None:
    world = await river()
    world["windsor"].site.cut()
    alarm = (await world["windsor"].raise_alarm())["id"]
    assert world["windsor"].has_rank(TAC1)
    assert world["detroit"].alarms() == []
    await asyncio.sleep(16)
    assert world["windsor"].alarm(alarm)["escalated"]
    world["windsor"].site.heal()
    await settle()
    assert world["detroit"].alarm(alarm)["escalated"]


@in_virtual_time
async def test_without_a_patch_it_stays_in_the_agency() -> None:
    world = await alarm_world(WINDSOR, SARNIA, DETROIT)
    alarm = (await world["windsor"].raise_alarm())["id"]
    assert world["sarnia"].alarms() == [(alarm, "raised", True)]
    assert world["detroit"].alarms() == []
    # It is told to whoever joins later, also to whom has never seen it.
    await world.join("ca.opp/TAC1", "us.cbp/BORDER")
    assert everywhere(world, alarm, "raised", rank=True)
    await world["windsor"].site.withdraw("river")
    await settle()
    assert world["detroit"].alarms() == []
    assert not world["detroit"].has_rank(TAC1)
    assert world["sarnia"].alarms() == [(alarm, "raised", True)]


@in_virtual_time
async def test_who_is_not_in_the_patch_reads_nothing_of_it() -> None:
    world = await alarm_world(WINDSOR, DETROIT, OTTAWA)
    alarm = (await world["windsor"].raise_alarm("TAC2"))["id"]
    await settle()
    assert world["ottawa"].alarms() == world["detroit"].alarms() == []
    refused = world["ottawa"].site.control.intake.counters
    assert refused["document-not-for-us"] > 0
    assert world["windsor"].alarms() == [(alarm, "raised", True)]


@in_virtual_time
async def test_an_open_alarm_does_not_end_because_its_document_does() -> None:
    world = await river()
    alarm = (await world["windsor"].raise_alarm())["id"]
    for _ in range(3):
        await asyncio.sleep(LIFE_MS / 1000 * 0.4)
        world["windsor"].emergency.follow((), 0)
    assert world["windsor"].alarms() == [(alarm, "raised", True)]


# --- measures -----------------------------------------------------------------------------------


def level(desk: Desk, claim: Claim) -> tuple[Level, Level]:
    return desk.emergency.ranks.standing(claim)


def notice(talkgroup: TalkgroupId, radio: str, start_ms: int = 1) -> SpurtNotice:
    return SpurtNotice(
        talkgroup=talkgroup,
        start_ms=start_ms,
        talk_class=TalkClass.NORMAL,
        priority=0,
        radio=RadioName(radio),
        state=SpurtState.STARTED,
    )


def told_of(world: AlarmWorld, claim: Claim, radio: str = "tac1") -> None:
    """Let the notice of a spurt reach everybody else."""
    for desk in world.desks.values():
        if desk.site.id != claim.sender:
            desk.emergency.noticed(claim.sender, notice(claim.talkgroup, radio, claim.start_ms))


NONE, DEMOTED, EXCLUDED = Level


@in_virtual_time
async def test_the_own_agency_and_the_host_bind_everybody_others_themselves() -> None:
    world = await river(OTTAWA)  # hosted by ca.opp
    claim = spurt(world["detroit"], BORDER)
    told_of(world, claim, "border")
    who = ("us.cbp/BORDER", "radio:detroit/border")
    for by, verb, reach, expected in (
        ("detroit", "demote", "everybody", dict.fromkeys(world.desks, (DEMOTED, DEMOTED))),
        ("windsor", "exclude", "everybody", dict.fromkeys(world.desks, (EXCLUDED, EXCLUDED))),
        ("ottawa", "exclude", "own-transmitters",
         {d: (NONE, EXCLUDED if d == OTTAWA else NONE) for d in world.desks}),
    ):  # fmt: skip
        answer = await world[by].decide(verb, *who)
        assert (answer["reach"], answer["durable"]) == (reach, True)
        assert {name: level(desk, claim) for name, desk in world.desks.items()} == expected
        await world[by].decide("restore", *who)
        assert all(level(desk, claim) == (NONE, NONE) for desk in world.desks.values())
        assert all(desk.emergency.list_measures() == [] for desk in world.desks.values())


@in_virtual_time
async def test_another_talker_of_the_talkgroup_is_free() -> None:
    world = await river()
    await world["windsor"].decide("exclude", "TAC1", "mdc:1234")
    desk = world["windsor"]
    claim = spurt(desk, TAC1)
    assert level(desk, claim) == (NONE, NONE)
    before = desk.reranked
    desk.emergency.identified(claim, "mdc:1234")
    assert level(desk, claim) == (NONE, NONE), "not in the middle of a frame"
    await turns()
    assert desk.reranked == before + 1
    assert level(desk, claim) == (EXCLUDED, EXCLUDED)
    assert level(desk, spurt(desk, TAC1, 2)) == (NONE, NONE), "the next spurt is another talker's"


@in_virtual_time
async def test_a_notice_speaks_of_its_senders_talkgroups_only() -> None:
    world = await river()
    await world["windsor"].decide("exclude", "TAC1", "radio:detroit/tac1")
    desk = world["windsor"]
    desk.emergency.noticed(world["detroit"].site.id, notice(TAC1, "tac1"))
    forged = Claim(world["detroit"].site.id, TAC1, 1, TalkClass.NORMAL, 0)
    assert level(desk, forged) == (NONE, NONE)


@in_virtual_time
async def test_a_measure_holds_over_a_restart_and_ends_after_a_day() -> None:
    world = await river()
    await world["windsor"].decide("exclude", "TAC1", "radio:windsor/tac1")
    await settle()
    desk = await world.restart("windsor")
    claim = spurt(desk, TAC1)
    assert level(desk, claim) == (EXCLUDED, EXCLUDED)
    assert world["detroit"].emergency.list_measures() == [
        {
            "talkgroup": "ca.opp/TAC1",
            "talker": "radio:windsor/tac1",
            "verb": "exclude",
            "gateway": WINDSOR,
            "by": "local:windsor",
            "reach": "everybody",
        }
    ]
    before = desk.reranked
    await asyncio.sleep(24 * 3600 + 1)
    assert level(desk, claim) == (NONE, NONE)
    assert desk.reranked > before
    assert world["detroit"].emergency.list_measures() == []


@in_virtual_time
async def test_taking_away_is_logged_after_and_giving_back_before() -> None:
    world = await river()
    desk = world["windsor"]
    desk.site.audit.failing = True
    await desk.decide("exclude", "TAC1", "mdc:1234")
    assert [one["talker"] for one in desk.told("talker-excluded")] == ["mdc:1234"]
    with pytest.raises(CommandError, match="nothing was restored"):
        await desk.decide("restore", "TAC1", "mdc:1234")
    assert len(desk.emergency.list_measures()) == 1
    desk.site.audit.failing = False
    await desk.decide("restore", "TAC1", "mdc:1234")
    assert desk.emergency.list_measures() == []
    assert len(world["detroit"].told("talker-excluded")) == 1
    assert len(world["detroit"].told("talker-restored")) == 1


# --- what is asked wrongly ----------------------------------------------------------------------


@in_virtual_time
async def test_what_is_asked_wrongly_does_nothing() -> None:
    world = await river()
    desk = world["windsor"]
    for request, says in (
        ({"talkgroup": "BORDER"}, "no talkgroup of this agency"),
        ({"talkgroup": "us.cbp/BORDER"}, "no talkgroup of this agency"),
        ({"talkgroup": "a/b/c"}, "talkgroup: must be"),
        ({"talkgroup": "TAC1", "talker": "1234"}, "talker: must be"),
        ({"talkgroup": "TAC1", "alias": "a\nb"}, "alias: must be"),
        ({"talkgroup": "TAC1", "rank": "held"}, "rank: must be left out"),
        ({}, "talkgroup: must be given"),
    ):
        with pytest.raises(CommandError, match=says):
            await desk.emergency.raise_alarm(request, "me")
    assert desk.alarms() == []
    with pytest.raises(CommandError, match="no alarm 'ffff'"):
        await desk.acknowledge("ffff")
    alarm = (await desk.raise_alarm())["id"]
    with pytest.raises(CommandError, match="no alarm"):
        await desk.acknowledge(alarm, raiser=DETROIT)
    for request in ({"verdict": "perhaps", "reason": "x"}, {"verdict": "valid"}):
        with pytest.raises(CommandError):
            await desk.emergency.clear(alarm, request, "me")
    for talker in ("", "1234", "mdc:"):
        with pytest.raises(CommandError):
            await desk.decide("exclude", "TAC1", talker)
    assert desk.alarms() == [(alarm, "raised", True)]
    await turns(3)


@in_virtual_time
async def test_asked_twice_it_is_done_once() -> None:
    world = await river()
    desk = world["windsor"]
    alarm = (await desk.raise_alarm())["id"]
    for _ in range(2):
        await desk.acknowledge(alarm, raiser=WINDSOR)
        await world["detroit"].acknowledge(alarm)
    assert [one["gateway"] for one in desk.alarm(alarm)["acknowledged_by"]] == [WINDSOR, DETROIT]
    for _ in range(2):
        await desk.clear(alarm)
    assert (await desk.acknowledge(alarm))["stage"] == "cleared"
    assert len(desk.told("alarm-acknowledged")) == 1
    assert len(desk.told("alarm-cleared")) == 1
