"""Emergencies of a gateway that lost its disk: what it said is still on the brokers."""

from tests.services.consent_world import PAIR, settle
from tests.services.emergency_world import AlarmWorld, alarm_world
from tests.services.fakes import FakeStore
from tests.services.virtual_time import in_virtual_time


async def river() -> AlarmWorld:
    world = await alarm_world(*PAIR)
    await world.join("ca.opp/TAC1", "us.cbp/BORDER")
    return world


def serve(world: AlarmWorld) -> None:
    """Have the broker show all that it retains to everybody again."""
    for topic, payload in list(world.consent.brokers[0].retained.items()):
        for site in world.consent.sites.values():
            site.control.document(topic, payload, "b0")


@in_virtual_time
async def test_open_alarms_and_measures_come_back_from_a_broker_and_can_be_ended() -> None:
    world = await river()
    raised = str((await world["windsor"].raise_alarm())["id"])
    await world["windsor"].decide("exclude", "ca.opp/TAC1", "mdc:1234")
    await settle()
    world["windsor"].site.store = FakeStore()
    desk = await world.restart("windsor")
    serve(world)
    await settle()
    assert desk.alarms() == [(raised, "raised", True)]
    assert [one["talker"] for one in desk.emergency.list_measures()] == ["mdc:1234"]
    await desk.clear(raised)
    await world["detroit"].acknowledge(raised)
    await settle()
    for name in ("windsor", "detroit"):
        assert world[name].alarm(raised)["stage"] == "cleared"


@in_virtual_time
async def test_what_the_disk_has_kept_is_no_news() -> None:
    world = await river()
    raised = str((await world["windsor"].raise_alarm())["id"])
    await world["windsor"].decide("exclude", "ca.opp/TAC1", "mdc:1234")
    await settle()
    before = len(world["windsor"].told("talker-excluded"))
    await world.restart("windsor")
    serve(world)
    await settle()
    assert len(world["windsor"].told("talker-excluded")) == before
    assert world["windsor"].alarms() == [(raised, "raised", True)]
