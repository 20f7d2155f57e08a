"""Keys and the audit log: a first key waits for it, voice in force does not."""

import asyncio

from radiobridge.core.voice_keys import KEY_LIFE_MS
from radiobridge.model.audit import AuditEntry, AuditEvent, Outcome
from tests.services.consent_world import (
    BORDER,
    PAIR,
    TAC1,
    TRIO,
    ConsentWorld,
    Site,
    settle,
    world,
)
from tests.services.virtual_time import in_virtual_time

OURS, THEIRS, MOUNTIES = "ca.opp/TAC1", "us.cbp/BORDER", "ca.rcmp/MOUNTED"
MEMBERS = {"ca.opp": OURS, "us.cbp": THEIRS, "ca.rcmp": MOUNTIES}


async def agreed(*names: str) -> ConsentWorld:
    """Return a world in which all agencies are in a patch and have the keys."""
    made = await world(*names)
    agencies = sorted({str(site.agency) for site in made.sites.values()})
    await made["windsor"].propose("river", *(MEMBERS[agency] for agency in agencies))
    await settle()
    for site in made.sites.values():
        if site.id.name != "windsor":
            await site.accept("river")
    await settle(2.0)
    return made


def given(site: Site) -> list[AuditEntry]:
    return site.audit.told(AuditEvent.KEY_GIVEN)


def opens(listener: Site, sender: Site) -> bool:
    """Tell whether `listener` has the key that `sender` sends TAC1 with."""
    key = sender.keys.sending(TAC1)
    assert key is not None
    return listener.keys.opener(sender.id, TAC1)(key.epoch) == key.key


@in_virtual_time
async def test_a_first_key_is_logged_before_it_is_given() -> None:
    made = await agreed(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    assert opens(detroit, windsor)
    first = given(windsor)[0]
    assert (first.identity, first.source) == ("us.cbp", "consent")
    assert first.detail["gateways"] == "us.cbp/detroit"
    assert first.detail["talkgroup"] == OURS


@in_virtual_time
async def test_no_key_is_given_before_it_is_in_the_log() -> None:
    made = await world(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    await windsor.propose("river", OURS, THEIRS)
    windsor.audit.failing = True
    await settle()
    await detroit.accept("river")
    await settle(1.0)
    assert windsor.reason("river") == "in-force"
    assert not given(windsor)
    assert not [topic for _, topic in made.documents if "/windsor/key/" in topic]
    windsor.audit.failing = False
    await settle(6.0)
    assert opens(detroit, windsor)


@in_virtual_time
async def test_voice_in_force_gets_its_next_keys_while_the_log_fails() -> None:
    made = await agreed(*TRIO)
    windsor, detroit, ottawa = (made[name] for name in ("windsor", "detroit", "ottawa"))
    assert opens(detroit, windsor)
    assert opens(ottawa, windsor)
    for site in made.sites.values():
        site.audit.failing = True
    before = windsor.keys.sending(TAC1)
    await ottawa.withdraw("river")
    await settle(1.0)
    after = windsor.keys.sending(TAC1)
    assert before is not None
    assert after is not None
    assert after.epoch > before.epoch
    assert opens(detroit, windsor), "who was in it, and stays in it, hears on"
    assert not opens(ottawa, windsor)
    renewed = given(windsor)[-1]
    assert (renewed.source, renewed.detail["epoch"]) == ("renewal", after.epoch)
    assert detroit.hears(TAC1)
    assert windsor.hears(BORDER)


@in_virtual_time
async def test_the_daily_key_does_not_wait_for_the_log() -> None:
    made = await world(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    await windsor.propose("river", OURS, THEIRS, for_ms=3 * KEY_LIFE_MS)
    await settle()
    await detroit.accept("river")
    await settle(2.0)
    windsor.audit.failing = True
    first = windsor.keys.sending(TAC1)
    await settle(KEY_LIFE_MS / 1000 + 60)
    second = windsor.keys.sending(TAC1)
    assert first is not None
    assert second is not None
    assert second.epoch > first.epoch
    assert opens(detroit, windsor)


@in_virtual_time
async def test_who_comes_new_waits_and_who_was_there_does_not() -> None:
    """A second gateway of a partner comes into its roster while the log fails."""
    made = await agreed(*PAIR, "us.cbp/buffalo")
    windsor, detroit, buffalo = (made[name] for name in ("windsor", "detroit", "buffalo"))
    assert opens(buffalo, windsor)
    windsor.audit.failing = True
    await made["detroit"].withdraw("river")
    await settle(1.0)
    assert not windsor.hears(BORDER)
    windsor.audit.failing = False
    await windsor.propose("again", OURS, THEIRS)
    await settle()
    await detroit.accept("again")
    windsor.audit.failing = True
    await settle(2.0)
    count = len(given(windsor))
    windsor.audit.failing = False
    await settle(8.0)
    assert opens(detroit, windsor)
    assert opens(buffalo, windsor)
    assert len(given(windsor)) > count, "who had left gets its first key again: logged before"
    assert given(windsor)[-1].source == "consent"


@in_virtual_time
async def test_a_key_whose_reason_is_gone_before_it_is_in_the_log_is_not_given() -> None:
    made = await world(*PAIR)
    windsor, detroit = made["windsor"], made["detroit"]
    await windsor.propose("river", OURS, THEIRS)
    await settle()
    windsor.audit.takes_s = 1.0
    await detroit.accept("river")
    await settle(0.3)
    withdrawing = asyncio.ensure_future(windsor.withdraw("river"))
    await settle(3.0)
    await withdrawing
    assert not [topic for _, topic in made.documents if "/windsor/key/" in topic]
    assert given(windsor)[-1].outcome is Outcome.FAILED
