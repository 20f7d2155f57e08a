"""To whom our words on patches go: to all that they concern, and never to fewer than before."""

from dataclasses import replace

import pytest

from radiobridge.model.ids import PatchId
from radiobridge.wire.documents import read_undated
from radiobridge.wire.roster import sign_roster
from radiobridge.wire.seal import MLKEM_PUBLIC
from radiobridge.wire.topics import roster_topic
from tests.services.consent_world import (
    BORDER,
    PAIR,
    TAC1,
    TRIO,
    ConsentWorld,
    settle,
    world,
)
from tests.services.fakes import FakeStore
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import HOUR_MS, NOW_MS, entry, person, roster, unchecked_roster

OURS, THEIRS, MOUNTIES = "ca.opp/TAC1", "us.cbp/BORDER", "ca.rcmp/MOUNTED"
WORD = "rb/1/ca.opp/windsor/patch/river"


class Watched:
    """Who can read each of the words that windsor publishes from now on."""

    def __init__(self, made: ConsentWorld) -> None:
        self.readers: list[set[str]] = []
        taken = made.brokers[0].take_document

        def watch(topic: str, payload: bytes, *, retain: bool) -> None:
            if topic == WORD and payload:
                body = read_undated(payload, topic, person("ca.opp/windsor").public).body
                keys = body["keys"]
                assert isinstance(keys, dict)
                self.readers.append(set(keys))
            taken(topic, payload, retain=retain)

        made.brokers[0].take_document = watch  # type: ignore[method-assign]


async def agreed(*names: str) -> ConsentWorld:
    made = await world(*names)
    members = [THEIRS, MOUNTIES][: len(names) - 1]
    await made["windsor"].propose("river", OURS, *members)
    await settle()
    for site in made.sites.values():
        if site is not made["windsor"]:
            await site.accept("river")
    await settle()
    assert made.reasons("river") == {"in-force"}
    return made


@pytest.mark.parametrize("lost", [False, True])
@in_virtual_time
async def test_a_restart_replaces_no_acceptance_by_one_that_fewer_can_read(lost: bool) -> None:
    made = await agreed(*TRIO)
    watched = Watched(made)
    # The partners are gone, and of their rosters the broker keeps one only.
    for name in ("detroit", "ottawa"):
        made[name].stop()
    del made.brokers[0].retained[roster_topic(made["ottawa"].id)]
    windsor = made["windsor"]
    windsor.stop()
    if lost:
        kept = {k: v for k, v in windsor.store.values.items() if not k.startswith("roster/")}
        windsor.store = FakeStore(kept)
    await windsor.start()
    await settle(5.0)
    assert all(readers == set(TRIO) for readers in watched.readers), watched.readers
    await made["ottawa"].start()
    await settle()
    assert watched.readers[-1] == set(TRIO)


@in_virtual_time
async def test_a_proposal_is_published_when_somebody_can_read_it() -> None:
    made = ConsentWorld(*PAIR)
    await made["windsor"].start()
    await settle()
    watched = Watched(made)
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    assert watched.readers == []
    assert made["windsor"].reason("river") == "waiting-for"
    await made["detroit"].start()
    await settle()
    assert watched.readers == [set(PAIR)]
    assert made["detroit"].reason("river") == "waiting-for"
    assert "document-not-for-us" not in made["detroit"].control.intake.counters


@in_virtual_time
async def test_a_withdrawal_is_published_whoever_can_read_it() -> None:
    made = ConsentWorld(*PAIR)
    await made["windsor"].start()
    await settle()
    watched = Watched(made)
    await made["windsor"].propose("river", OURS, THEIRS)
    await made["windsor"].withdraw("river")
    await settle()
    assert watched.readers == [{"ca.opp/windsor"}]
    await made["detroit"].start()
    await settle()
    assert watched.readers[-1] == set(PAIR)


@in_virtual_time
async def test_who_turned_its_key_can_read_what_was_said_before() -> None:
    made = await agreed(*PAIR)
    watched = Watched(made)
    turned = replace(entry("us.cbp/detroit"), hpke_key=person("another key").hpke_public)
    newer = roster("us.cbp", turned, version=2)
    raw = sign_roster(newer, NOW_MS, person("us.cbp").signing)
    made["windsor"].control.document(roster_topic(made["detroit"].id), raw, "b0")
    await settle()
    assert watched.readers == [set(PAIR)], "sealed anew"


# What brokers keep


DAY_S = 24 * 3600.0


@in_virtual_time
async def test_brokers_forget_a_patch_a_day_after_it_is_over_and_not_before() -> None:
    made = await agreed(*PAIR)
    retained = made.brokers[0].retained
    await settle(DAY_S)
    made["windsor"].control.refresh()
    await settle()
    assert retained[WORD], "it ended two hours after the proposal, and a day is not over"
    await settle(3 * 3600.0)
    made["windsor"].control.refresh()
    await settle()
    assert retained[WORD] == b""
    assert made.sites["ca.opp/windsor"].reason("river") == "unknown"


@in_virtual_time
async def test_a_withdrawal_stays_on_brokers_as_long_as_what_it_withdrew_could_count() -> None:
    made = await agreed(*PAIR)
    await made["windsor"].withdraw("river")
    await settle(DAY_S)
    made["windsor"].control.refresh()
    await settle()
    retained = made.brokers[0].retained
    assert retained[WORD]
    # Somebody who knows nothing hears of it from the broker.
    detroit = made["detroit"]
    detroit.stop()
    detroit.store = FakeStore()
    await detroit.start()
    await settle()
    assert "ca.opp" in detroit.control.desk._patches.withdrawn(PatchId("river"))


@in_virtual_time
async def test_expired_words_and_keys_that_a_broker_brings_back_are_cleared() -> None:
    made = await agreed(*PAIR)
    await settle(1.0)
    windsor, retained = made["windsor"], made.brokers[0].retained
    keys = [topic for topic in retained if "/windsor/key/" in topic]
    assert keys
    windsor.stop()
    old = dict(retained)
    await settle(5 * DAY_S)
    windsor.store = FakeStore()
    await windsor.start()
    await settle()
    for topic in (WORD, *keys):
        assert old[topic]
        assert retained[topic] == b""


@in_virtual_time
async def test_a_broker_that_brings_an_expired_word_does_not_clear_a_newer_one() -> None:
    made = await agreed(*PAIR)
    windsor, retained = made["windsor"], made.brokers[0].retained
    me = person("ca.opp/windsor")
    old = me.sign(WORD, {"sealed": "AAAA", "keys": {}}, version=1, expires_ms=NOW_MS + 1)
    newest = retained[WORD]
    windsor.control.document(WORD, old, "b0")
    await settle()
    assert retained[WORD] == newest


@in_virtual_time
async def test_an_unsynchronised_clock_clears_nothing() -> None:
    made = await agreed(*PAIR)
    windsor, retained = made["windsor"], made.brokers[0].retained
    windsor.stop()
    windsor.clock.is_synchronised, windsor.clock.ahead_ms = False, 30 * 24 * HOUR_MS
    kept = dict(retained)
    await windsor.start()
    windsor.control.refresh()
    await settle()
    assert retained[WORD] == kept[WORD]


def weak(name: str) -> bytes:
    return person(name).hpke_public[:MLKEM_PUBLIC] + bytes(32)


@in_virtual_time
async def test_one_bad_key_in_a_partners_roster_stops_nobody_else() -> None:
    made = await world(*PAIR)
    bad = replace(entry("us.cbp/buffalo"), hpke_key=weak("us.cbp/buffalo"))
    raw = unchecked_roster("us.cbp", bad, entry("us.cbp/detroit"), version=2)
    for site in made.sites.values():
        site.control.document(roster_topic(made["detroit"].id), raw, "b0")
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    await made["detroit"].accept("river")
    await settle()
    assert made.reasons("river") == {"in-force"}
    assert made["detroit"].hears(TAC1)
    assert made["windsor"].hears(BORDER)
    key = made["windsor"].keys.sending(TAC1)
    assert key is not None
    assert made["detroit"].keys.opener(made["windsor"].id, TAC1)(key.epoch) == key.key
    assert made["windsor"].control.intake.counters["roster-entry-bad-key"] == 1
    (told,) = [e for e in made["windsor"].audit.told("roster") if e.detail.get("version") == 2]
    assert told.detail["refused"] == "us.cbp/buffalo"
