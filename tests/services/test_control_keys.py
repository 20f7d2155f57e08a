"""Voice keys follow consent: who may hear has them, who may not hear any more has none."""

import asyncio
from dataclasses import replace

from radiobridge.core.voice_keys import KEY_LIFE_MS
from radiobridge.model.ids import AgencyId, TalkgroupId
from radiobridge.services.control import EPOCH_KEY
from radiobridge.wire.roster import Right, sign_roster
from radiobridge.wire.topics import key_topic, patch_topic, roster_topic
from radiobridge.wire.words import KeyGrant
from tests.services.consent_world import BORDER, PAIR, TAC1, ConsentWorld, Site, settle
from tests.services.test_control_patches import RIVER, agreed, plan
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import NOW_MS, entry, person, roster

CBP = AgencyId("us.cbp")
EPOCH = EPOCH_KEY + str(TAC1)


def sending(site: Site, talkgroup: TalkgroupId = TAC1) -> KeyGrant:
    grant = site.keys.sending(talkgroup)
    assert grant is not None
    return grant


def opens(listener: Site, sender: Site, talkgroup: TalkgroupId = TAC1) -> bool:
    """Tell whether `listener` can open what `sender` says now."""
    grant = sending(sender, talkgroup)
    return listener.keys.opener(sender.id, talkgroup)(grant.epoch) == grant.key


@in_virtual_time
async def test_both_can_open_what_the_other_says_once_in_force() -> None:
    made = await agreed(*PAIR)
    assert opens(made["detroit"], made["windsor"])
    assert opens(made["windsor"], made["detroit"], BORDER)


@in_virtual_time
async def test_no_key_leaves_before_both_have_agreed() -> None:
    made = ConsentWorld(*PAIR)
    made["windsor"].plans = (RIVER,)
    await made.start()
    await settle(1.0)
    assert made.brokers[0].topics("key") == set()
    # The own radios hear each other all the same.
    assert sending(made["windsor"]).talkgroup == TAC1


@in_virtual_time
async def test_who_leaves_cannot_open_what_is_said_afterwards() -> None:
    made = await agreed(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    before = sending(windsor)
    plan(windsor)
    after = sending(windsor)
    assert (after.epoch > before.epoch, after.key != before.key) == (True, True)
    await settle(1.0)
    assert detroit.keys.opener(windsor.id, TAC1)(after.epoch) is None


@in_virtual_time
async def test_keys_of_former_partners_are_forgotten() -> None:
    made = await agreed(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    theirs = sending(detroit, BORDER)
    opener = windsor.keys.opener(detroit.id, BORDER)
    assert opener(theirs.epoch) == theirs.key
    plan(windsor)
    assert opener(theirs.epoch) is None


@in_virtual_time
async def test_keys_that_come_before_the_last_acceptance_are_kept() -> None:
    made = await agreed(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    windsor.stop()
    kept = made.brokers.pop().retained
    await windsor.start()
    for topic in (
        roster_topic(detroit.id),
        key_topic(detroit.id, "BORDER", AgencyId("ca.opp")),
        patch_topic(detroit.id, RIVER.patch),
    ):
        windsor.control.document(topic, kept[topic], "b0")
        windsor.control.refresh()
    assert windsor.reason("river") == "in-force"
    assert opens(windsor, detroit, BORDER)


@in_virtual_time
async def test_a_gateway_that_may_not_hear_gets_no_key() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    audits = entry("us.cbp/buffalo", frozenset({Right.AUDIT}))
    newer = roster("us.cbp", entry("us.cbp/detroit"), audits, version=2)
    before = sending(windsor)
    raw = sign_roster(newer, NOW_MS, person("us.cbp").signing)
    windsor.control.document(roster_topic(made["detroit"].id), raw, "b0")
    await settle(1.0)
    assert sending(windsor) is before


@in_virtual_time
async def test_another_listener_is_another_epoch_for_all() -> None:
    made = await agreed(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    before = sending(windsor)
    newer = roster("us.cbp", entry("us.cbp/detroit"), entry("us.cbp/buffalo"), version=2)
    raw = sign_roster(newer, NOW_MS, person("us.cbp").signing)
    windsor.control.document(roster_topic(detroit.id), raw, "b0")
    # Nobody has left: the old key serves until the new one is there.
    assert sending(windsor) is before
    await settle(1.0)
    assert sending(windsor).epoch > before.epoch
    assert opens(detroit, windsor)
    # Who comes later cannot open what was said before.
    assert made.brokers[0].topics("key/TAC1") == {key_topic(windsor.id, "TAC1", CBP)}


@in_virtual_time
async def test_a_key_is_changed_each_day() -> None:
    made = await agreed(*PAIR, plan=replace(RIVER, end_ms=NOW_MS + 3 * KEY_LIFE_MS))
    windsor, detroit = made["windsor"], made["detroit"]
    before = sending(windsor)
    await asyncio.sleep(KEY_LIFE_MS / 1000 + 5)
    assert sending(windsor).epoch > before.epoch
    assert opens(detroit, windsor)


@in_virtual_time
async def test_an_epoch_is_on_the_disk_before_it_is_given() -> None:
    made = ConsentWorld(*PAIR)
    windsor = made["windsor"]
    windsor.plans = made["detroit"].plans = (RIVER,)
    windsor.store.takes_s = 3.0
    stored: list[str | None] = []
    made.brokers[0].when_published = lambda topic: (
        stored.append(windsor.store.get(EPOCH)) if f"{windsor.id}/key/" in topic else None
    )
    await made.start()
    assert EPOCH in windsor.store.puts
    await asyncio.sleep(20)
    assert stored
    assert None not in stored
    assert opens(made["detroit"], windsor)
    assert sending(windsor).epoch <= int(windsor.store.values[EPOCH])


@in_virtual_time
async def test_no_epoch_is_used_again_after_a_restart() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    used = sending(windsor).epoch
    for _ in range(3):
        windsor.stop()
        await windsor.start()
        await settle(1.0)
        assert sending(windsor).epoch > used
        used = sending(windsor).epoch
        assert used <= int(windsor.store.values[EPOCH])
    assert opens(made["detroit"], windsor)


@in_virtual_time
async def test_a_disk_that_fails_holds_back_voice_for_others_until_it_works() -> None:
    made = ConsentWorld(*PAIR)
    windsor = made["windsor"]
    windsor.plans = made["detroit"].plans = (RIVER,)
    windsor.store.failing = True
    await made.start()
    await asyncio.sleep(12)
    assert sending(windsor).epoch == 1, "between our own radios voice goes on"
    assert not [topic for topic in made.brokers[0].topics("key") if str(windsor.id) in topic]
    windsor.store.failing = False
    await asyncio.sleep(12)
    assert opens(made["detroit"], windsor)


@in_virtual_time
async def test_a_withdrawal_does_not_wait_for_a_disk_to_change_the_key() -> None:
    made = await agreed(*PAIR)
    windsor = made["windsor"]
    before = sending(windsor)
    windsor.store.failing = True
    plan(windsor)
    assert sending(windsor).epoch > before.epoch


@in_virtual_time
async def test_a_talkgroup_that_leaves_the_map_has_no_key_and_gives_none() -> None:
    made = await agreed(*PAIR, plan=replace(RIVER, end_ms=NOW_MS + 3 * KEY_LIFE_MS))
    windsor = made["windsor"]
    given = made.brokers[0].topics("key")
    sending(windsor)
    empty = replace(windsor.agreements.talkgroups, talkgroups={})
    without = replace(windsor.agreements, talkgroups=empty)
    windsor.control.replace(without, made.roster(windsor.agency))
    assert windsor.keys.sending(TAC1) is None
    before = {topic: made.brokers[0].retained[topic] for topic in given if "windsor" in topic}
    await settle(KEY_LIFE_MS / 1000 + 60)
    assert {topic: made.brokers[0].retained[topic] for topic in before} == before
