"""State without rollback: old disks, brokers that serve old documents, and who settles it."""

import pytest

from radiobridge.errors import CommandError
from radiobridge.services.heads import MARKER_KEY
from tests.services.consent_world import (
    BORDER,
    BY,
    PAIR,
    settle,
)
from tests.services.fakes import FakeBroker, FakeStore
from tests.services.guarded_world import (
    OURS,
    THEIRS,
    WITH_SIBLING,
    agreed,
    copy,
    guarded,
    restart,
    status,
)
from tests.services.virtual_time import in_virtual_time

# A disk as it was left


@pytest.mark.parametrize("after_s", [0.0, 15.0, 29.5, 600.0])
@in_virtual_time
async def test_a_restart_with_its_disk_goes_on(after_s: float) -> None:
    made = await agreed()
    await settle(after_s)
    await restart(made["windsor"])
    assert status(made["windsor"])["trust"] == "trusted"
    assert made.reasons("river") == {"in-force"}


@in_virtual_time
async def test_each_head_is_on_the_disk_before_it_is_on_a_broker() -> None:
    made = await guarded(*PAIR)
    windsor = made["windsor"]
    heads: list[bytes] = []
    stored: list[str | None] = []
    taken = made.brokers[0].take_document

    def watch(topic: str, payload: bytes, *, retain: bool) -> None:
        if topic.endswith("windsor/head"):
            heads.append(payload)
            stored.append(windsor.store.values.get(MARKER_KEY))
        taken(topic, payload, retain=retain)

    made.brokers[0].take_document = watch  # type: ignore[method-assign]
    await settle(95.0)
    assert len(heads) == 3
    assert len(set(stored)) == 3
    # One that is not on the disk would have the next run distrust its disk.
    windsor.store.failing = True
    await settle(60.0)
    assert len(heads) == 3
    windsor.store.failing = False
    await settle(35.0)
    assert len(heads) == 4


@in_virtual_time
async def test_nothing_foreign_is_joined_while_the_brokers_are_asked() -> None:
    made = await agreed()
    made["windsor"].stop()
    await made["windsor"].start()
    await settle(0.5)
    assert made["windsor"].reason("river") == "starting"
    assert not made["windsor"].hears(BORDER)
    with pytest.raises(CommandError, match="just started"):
        await made["windsor"].propose("lake", OURS, THEIRS)
    await settle(2.0)
    assert made["windsor"].reason("river") == "in-force"


# A disk that was lost, or is older than what was said


@in_virtual_time
async def test_a_lost_disk_opens_nothing_and_says_nothing() -> None:
    made = await agreed()
    await made["windsor"].withdraw("river")
    await settle()
    # The broker hides the withdrawal, and serves what was said before it.
    retained = made.brokers[0].retained
    del retained["rb/1/ca.opp/windsor/patch/river"]
    await restart(made["windsor"], FakeStore())
    assert status(made["windsor"])["trust"] == "lost"
    with pytest.raises(CommandError, match="lost its state"):
        await made["windsor"].accept("river")
    await settle(120.0)
    assert made["windsor"].reason("river") == "waiting-for"
    assert not made["windsor"].hears(BORDER)
    assert "rb/1/ca.opp/windsor/patch/river" not in retained
    with pytest.raises(CommandError, match="lost its state"):
        await made["windsor"].propose("lake", OURS, THEIRS)
    assert made["windsor"].audit.told("state-lost")


@in_virtual_time
async def test_a_restored_disk_is_found_out_by_our_own_head() -> None:
    made = await agreed()
    old = copy(made["windsor"].store)
    await settle(40.0)
    await made["windsor"].withdraw("river")
    await settle(40.0)
    served = dict(made.brokers[0].retained)
    del served["rb/1/ca.opp/windsor/patch/river"]
    made.brokers[0].retained = served
    await restart(made["windsor"], old)
    assert made["windsor"].reason("river") == "state-unconfirmed"


@in_virtual_time
async def test_our_own_withdrawal_comes_back_from_any_broker() -> None:
    made = await agreed(brokers=2)
    await made["windsor"].withdraw("river")
    await settle()
    made.brokers[0].retained.pop("rb/1/ca.opp/windsor/patch/river")
    await restart(made["windsor"], FakeStore())
    assert made["windsor"].reason("river") == "withdrawn"
    assert "word/river" in made["windsor"].store.values


@in_virtual_time
async def test_our_own_withdrawal_counts_also_when_a_broker_brings_it_last() -> None:
    made = await agreed()
    topic = "rb/1/ca.opp/windsor/patch/river"
    retained, windsor = made.brokers[0].retained, made["windsor"]
    accepted = retained[topic]
    await windsor.narrow("river", limits=[{"talkgroup": OURS, "access": "listen"}])
    await settle()
    narrowed = retained[topic]
    await windsor.withdraw("river")
    await settle()
    withdrawn, retained[topic] = retained[topic], accepted
    await restart(windsor, FakeStore())
    assert windsor.heads is not None
    await windsor.heads.confirm(BY)
    await settle(2.0)
    # It has said again what the first broker served; now another one brings what it does not know.
    windsor.control.document(topic, narrowed, "b1")
    await settle()
    assert windsor.state("river")["narrowed_by"] == ["ca.opp"]
    windsor.control.document(topic, withdrawn, "b1")
    assert windsor.reason("river") == "withdrawn"
    assert not windsor.hears(BORDER)
    await settle()
    assert '"withdraw"' in windsor.store.values["word/river"]
    assert retained[topic] not in (accepted, narrowed, withdrawn), "said again"
    await restart(windsor)
    assert windsor.reason("river") == "withdrawn"


@in_virtual_time
async def test_what_was_accepted_by_command_comes_back_too_but_waits_to_be_confirmed() -> None:
    made = await agreed()
    await restart(made["windsor"], FakeStore())
    windsor = made["windsor"]
    assert windsor.reason("river") == "state-unconfirmed"
    assert windsor.heads is not None
    answer = await windsor.heads.confirm(BY)
    assert (answer["trust"], answer["by"]) == ("trusted", BY)
    await settle()
    assert made.reasons("river") == {"in-force"}
    assert [one.identity for one in windsor.audit.told("state-confirmed")] == [BY]
    await settle(60.0)
    await restart(windsor)
    assert made.reasons("river") == {"in-force"}


@in_virtual_time
async def test_confirming_needs_log_and_disk() -> None:
    made = await agreed()
    await restart(made["windsor"], FakeStore())
    windsor = made["windsor"]
    windsor.store.failing = True
    assert windsor.heads is not None
    with pytest.raises(CommandError, match=r"not confirmed.*disk is full") as caught:
        await windsor.heads.confirm(BY)
    assert "le disque est plein" in caught.value.text.fr
    windsor.store.failing, windsor.audit.failing = False, True
    with pytest.raises(CommandError, match=r"not confirmed.*log cannot be written") as caught:
        await windsor.heads.confirm(BY)
    assert "le journal ne peut être écrit" in caught.value.text.fr
    assert windsor.reason("river") == "state-unconfirmed"


@in_virtual_time
async def test_a_sole_gateways_first_start_waits_for_an_operator() -> None:
    made = await guarded(*PAIR, simulation=False)
    assert status(made["windsor"])["trust"] == "lost"
    assert made["windsor"].heads is not None
    await made["windsor"].heads.confirm(BY)
    await settle()
    await made["windsor"].propose("river", OURS, THEIRS)


@in_virtual_time
async def test_a_fresh_head_of_a_sibling_settles_it() -> None:
    made = await agreed(*WITH_SIBLING)
    await restart(made["windsor"], FakeStore(), seconds=35.0)
    assert status(made["windsor"])["by"] == "ca.opp/sarnia"
    assert made.reasons("river") == {"in-force"}


@in_virtual_time
async def test_not_while_the_sibling_knows_a_word_that_the_broker_withholds() -> None:
    made = await agreed(*WITH_SIBLING)
    await made["sarnia"].withdraw("river")
    await settle()
    broker = made.brokers[0]
    withheld = "rb/1/ca.opp/sarnia/patch/river"
    hidden = broker.retained.pop(withheld)
    await restart(made["windsor"], FakeStore(), seconds=45.0)
    assert made["windsor"].reason("river") == "state-unconfirmed"
    found = status(made["windsor"])["withheld"]
    assert {(one["topic"], one["known"]) for one in found} == {(withheld, 0)}
    assert [one["according_to"] for one in found] == ["ca.opp/sarnia", "us.cbp/detroit"]
    broker.take_document(withheld, hidden, retain=True)
    await settle(2.0)
    assert made["windsor"].reason("river") == "withdrawn"


@in_virtual_time
async def test_two_gateways_that_lost_their_state_do_not_vouch_for_each_other() -> None:
    made = await agreed(*WITH_SIBLING)
    for name in ("windsor", "sarnia"):
        made[name].stop()
        made[name].store = FakeStore()
    # Heads of before are old by then.
    await settle(100.0)
    for name in ("windsor", "sarnia"):
        await made[name].start()
    await settle(120.0)
    assert {status(made[name])["trust"] for name in ("windsor", "sarnia")} == {"lost"}


@in_virtual_time
async def test_a_broker_that_comes_late_still_shows_an_old_disk() -> None:
    made = await agreed(brokers=2)
    old = copy(made["windsor"].store)
    await settle(60.0)
    made["windsor"].stop()
    made["windsor"].store = old
    kept, made.brokers[0].retained = made.brokers[0].retained, {}
    made["windsor"].world.brokers[1].retained = {}
    await made["windsor"].start()
    await settle(3.0)
    assert status(made["windsor"])["trust"] == "trusted"
    made.brokers[0].take_document(
        "rb/1/ca.opp/windsor/head", kept["rb/1/ca.opp/windsor/head"], retain=True
    )
    await settle()
    assert made["windsor"].reason("river") == "state-unconfirmed"


@in_virtual_time
async def test_versions_of_before_are_not_used_again_after_a_loss() -> None:
    made = await agreed()
    windsor = made["windsor"]
    windsor.clock.ahead_ms = -30_000
    await restart(windsor, FakeStore())
    assert windsor.heads is not None
    await windsor.heads.confirm(BY)
    await windsor.withdraw("river")
    await settle()
    assert made["detroit"].state("river")["withdrawn_by"] == ["ca.opp"]


# What others said


@in_virtual_time
async def test_a_partners_withdrawal_stays_heard_whatever_the_broker_serves_later() -> None:
    made = await agreed()
    old = dict(made.brokers[0].retained)
    await made["detroit"].withdraw("river")
    await settle()
    made["detroit"].stop()
    made.brokers[0].retained = old
    await restart(made["windsor"])
    assert made["windsor"].reason("river") == "withdrawn"


@in_virtual_time
async def test_a_partners_restriction_stays_too() -> None:
    made = await agreed()
    old = dict(made.brokers[0].retained)
    await made["detroit"].narrow("river", limits=[{"talkgroup": THEIRS, "access": "listen"}])
    await settle()
    made["detroit"].stop()
    made.brokers[0].retained = old
    await restart(made["windsor"])
    assert made["windsor"].state("river")["narrowed_by"] == ["us.cbp"]
    assert not made["windsor"].hears(BORDER)


@in_virtual_time
async def test_a_roster_that_was_replaced_stays_replaced() -> None:
    made = await agreed()
    old = made.brokers[0].retained["rb/1/us.cbp/detroit/roster"]
    made["windsor"].control.document(
        "rb/1/us.cbp/detroit/roster", made.roster(made["detroit"].agency, version=2), "b0"
    )
    await settle()
    made["detroit"].stop()
    made.brokers[0].retained["rb/1/us.cbp/detroit/roster"] = old
    await restart(made["windsor"])
    known = made["windsor"].directory.rosters[made["detroit"].agency]
    assert known.version == 2


# Brokers


class LyingBroker(FakeBroker):
    """Keeps to itself what it is told to."""

    hides: str = "-"

    def take_document(self, topic: str, payload: bytes, *, retain: bool) -> None:
        if self.hides not in topic:
            super().take_document(topic, payload, retain=retain)


@in_virtual_time
async def test_a_withheld_withdrawal_is_found_by_heads_and_shown() -> None:
    made = await guarded(*PAIR)
    broker = LyingBroker()
    broker.retained, broker.links = made.brokers[0].retained, made.brokers[0].links
    for site in made.sites.values():
        for link in site.links:
            link.broker = broker
    await made["windsor"].propose("river", OURS, THEIRS)
    await settle()
    await made["detroit"].accept("river")
    await settle()
    broker.hides = "/patch/"
    await made["detroit"].withdraw("river")
    await settle(45.0)
    (found,) = status(made["windsor"])["withheld"]
    assert found["topic"] == "rb/1/us.cbp/detroit/patch/river"
    assert found["according_to"] == "us.cbp/detroit"
    assert made["windsor"].audit.told("document-withheld")
    # What it does not have it cannot follow; the other side is silent by itself.
    assert made["windsor"].reason("river") == "in-force"
    assert not made["detroit"].hears(BORDER)


@in_virtual_time
async def test_of_two_brokers_the_one_that_serves_old_documents_is_named() -> None:
    made = await agreed(brokers=2)
    stale = dict(made.brokers[1].retained)
    link = made["detroit"].links[1]
    link.up = False
    made.brokers[1].links.remove(link)
    await made["detroit"].withdraw("river")
    await settle(15.0)
    found = status(made["windsor"])["links_behind"]
    assert {"b1"} == {one["link"] for one in found}
    assert "rb/1/us.cbp/detroit/patch/river" in {one["topic"] for one in found}
    assert made["windsor"].reason("river") == "withdrawn"
    assert made["windsor"].heads is not None
    old = stale["rb/1/us.cbp/detroit/patch/river"]
    made["windsor"].document("rb/1/us.cbp/detroit/patch/river", old, "b0")
    assert made["windsor"].heads.served_old("b0") == 1
    assert made["windsor"].reason("river") == "withdrawn"


@in_virtual_time
async def test_heads_say_what_we_have_said_ourselves() -> None:
    made = await agreed()
    await settle(40.0)
    windsor = made["windsor"]
    known = windsor.control.intake.versions(windsor.bridge.now_ms())
    for topic in (
        "rb/1/ca.opp/windsor/patch/river",
        "rb/1/us.cbp/detroit/patch/river",
        "rb/1/ca.opp/roster",
    ):
        assert known[topic] > 0
    assert not [topic for topic in known if topic.endswith("/head") or "/presence/" in topic]
    assert status(windsor)["withheld"] == []
    assert list(status(windsor)["heads"]) == ["us.cbp/detroit"]
