"""Which documents a gateway reads, which it refuses, and what it keeps of them meanwhile."""

from typing import Any

import pytest

from radiobridge.model.ids import AgencyId, PatchId
from radiobridge.services.control import ControlPlane
from radiobridge.wire.documents import MAX_DOCUMENT
from radiobridge.wire.roster import Roster, sign_roster
from radiobridge.wire.topics import head_topic, key_topic, patch_topic, presence_topic, roster_topic
from tests.services.consent_world import PAIR, ConsentWorld, Site, settle, world
from tests.services.virtual_time import in_virtual_time, turns
from tests.wire.people import HOUR_MS, NOW_MS, Person, entry, person, roster

DETROIT, BUFFALO = person("us.cbp/detroit"), person("us.cbp/buffalo")
HEAD = head_topic(DETROIT.gateway)
CBP = AgencyId("us.cbp")


class Reader:
    """windsor alone, which writes down what it reads."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.read: list[str] = []
        self.control.intake.ports.heard = self._heard

    def _heard(self, _sender: Any, _topic: Any, document: Any, _link: str) -> None:
        self.read.append(document.header.topic)

    @property
    def control(self) -> ControlPlane:
        return self.site.control

    def takes(self, topic: str, raw: bytes) -> None:
        self.control.document(topic, raw, "b0")

    def refused(self) -> dict[str, int]:
        """Return why documents were refused."""
        return {
            reason.removeprefix("document-"): count
            for reason, count in self.control.intake.counters.items()
            if reason.startswith("document-")
        }


async def reader(*, knows_detroit: bool = True) -> Reader:
    one = Reader((await world("ca.opp/windsor"))["windsor"])
    if knows_detroit:
        one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    return one


def cbp_roster(*people: Person, version: int = 1, by: Person | None = None) -> bytes:
    made: Roster = roster("us.cbp", *(entry(who.name) for who in people), version=version)
    return sign_roster(made, NOW_MS, (by or person("us.cbp")).signing)


@in_virtual_time
async def test_what_a_gateway_of_a_known_roster_signs_is_read_once() -> None:
    one = await reader()
    raw = DETROIT.sign(HEAD, {"n": 1})
    one.takes(HEAD, raw)
    one.takes(HEAD, raw)
    assert one.read == [HEAD]
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 2}, version=2))
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 0}, version=1))
    assert one.read == [HEAD] * 2
    assert one.control.intake._book.versions() == {HEAD: 2}


@in_virtual_time
async def test_presence_is_read_again_from_each_link() -> None:
    one = await reader()
    topic = presence_topic(DETROIT.gateway, "b0")
    raw = DETROIT.sign(topic, {"n": 1})
    one.takes(topic, raw)
    one.control.document(topic, raw, "b1")
    assert one.read == [topic] * 2


FORGED = [
    ("bad-signature", HEAD, BUFFALO.sign(HEAD, {})),
    ("wrong-topic", HEAD, DETROIT.sign(presence_topic(DETROIT.gateway, "b0"), {})),
    ("not-trusted", head_topic(person("mx.x/y").gateway), DETROIT.sign(HEAD, {})),
    ("too-large", HEAD, b"x" * (MAX_DOCUMENT + 1)),
    ("not-a-document", HEAD, b"hello"),
    ("expired", HEAD, DETROIT.sign(HEAD, {}, issued_ms=NOW_MS - 2, expires_ms=NOW_MS - 1)),
    ("future", HEAD, DETROIT.sign(HEAD, {}, issued_ms=NOW_MS + 6000)),
    ("bad-topic", "rb/2/nonsense", DETROIT.sign(HEAD, {})),
    ("bad-signature", roster_topic(DETROIT.gateway), cbp_roster(BUFFALO, version=2, by=BUFFALO)),
    (
        "not-for-us",
        patch_topic(DETROIT.gateway, PatchId("p")),
        DETROIT.sign(patch_topic(DETROIT.gateway, PatchId("p")), {"sealed": "AAAA", "keys": {}}),
    ),
    (
        "not-for-us",
        key_topic(DETROIT.gateway, "BORDER", AgencyId("ca.opp")),
        DETROIT.sign(
            key_topic(DETROIT.gateway, "BORDER", AgencyId("ca.opp")), {"sealed": "AAAA", "keys": {}}
        ),
    ),
]


@pytest.mark.parametrize(("reason", "topic", "raw"), FORGED)
def test_what_is_not_as_it_must_be_is_refused_and_counted(
    reason: str, topic: str, raw: bytes
) -> None:
    @in_virtual_time
    async def run() -> None:
        one = await reader()
        one.takes(topic, raw)
        assert one.refused() == {reason: 1}
        assert one.read == []
        assert one.site.directory.entry(BUFFALO.gateway, NOW_MS) is None

    run()


@in_virtual_time
async def test_own_documents_that_come_back_and_empty_ones_mean_nothing() -> None:
    one = await reader()
    own = head_topic(one.site.id)
    one.takes(own, person("ca.opp/windsor").sign(own, {}))
    one.takes(HEAD, b"")
    assert one.refused() == {}
    assert one.read == []


@in_virtual_time
async def test_two_contents_under_one_version_are_counted_and_the_second_not_read() -> None:
    one = await reader()
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 1}))
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 2}))
    assert one.refused() == {"conflict": 1}
    assert one.read == [HEAD]


@in_virtual_time
async def test_documents_that_come_before_their_roster_wait_for_it() -> None:
    one = await reader(knows_detroit=False)
    one.takes(HEAD, DETROIT.sign(HEAD, {}))
    stranger = head_topic(BUFFALO.gateway)
    one.takes(stranger, BUFFALO.sign(stranger, {}))
    assert one.read == []
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.read == [HEAD]
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT, BUFFALO, version=2))
    assert one.read == [HEAD, stranger]
    assert one.refused() == {}


@in_virtual_time
async def test_of_a_topic_that_waits_the_newest_counts() -> None:
    one = await reader(knows_detroit=False)
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 1}, version=1))
    one.takes(HEAD, DETROIT.sign(HEAD, {"n": 2}, version=2))
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.control.intake._book.versions()[HEAD] == 2


@in_virtual_time
async def test_what_a_stale_broker_brings_last_takes_no_newer_document_away() -> None:
    one = await reader(knows_detroit=False)
    for version in (2, 1):
        one.takes(HEAD, DETROIT.sign(HEAD, {"n": version}, version=version))
    one.takes(HEAD, BUFFALO.sign(HEAD, {}))
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.control.intake._book.versions()[HEAD] == 2


@in_virtual_time
async def test_only_so_many_of_a_topic_wait() -> None:
    one = await reader(knows_detroit=False)
    for version in range(1, 10):
        one.takes(HEAD, DETROIT.sign(HEAD, {"n": version}, version=version))
    assert len(one.control.intake._pending) == 4
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.control.intake._book.versions()[HEAD] == 9


@in_virtual_time
async def test_only_so_many_documents_wait() -> None:
    one = await reader(knows_detroit=False)
    topics = [presence_topic(DETROIT.gateway, f"l{n}") for n in range(300)]
    for topic in topics:
        one.takes(topic, DETROIT.sign(topic, {}))
    assert one.refused() == {"no-roster": 300 - 256}
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.read == topics[:256]


@in_virtual_time
async def test_a_forged_document_that_waited_is_refused_when_the_roster_comes() -> None:
    one = await reader(knows_detroit=False)
    one.takes(HEAD, BUFFALO.sign(HEAD, {}))
    assert one.refused() == {}
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.refused() == {"bad-signature": 1}
    assert one.read == []


@in_virtual_time
async def test_any_gateway_of_an_agency_may_bring_its_roster() -> None:
    one = await reader()
    one.takes(roster_topic(BUFFALO.gateway), cbp_roster(DETROIT, BUFFALO, version=2))
    assert one.site.directory.entry(BUFFALO.gateway, NOW_MS) is not None


@in_virtual_time
async def test_who_has_left_the_roster_is_read_no_more() -> None:
    one = await reader()
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(BUFFALO, version=2))
    one.takes(HEAD, DETROIT.sign(HEAD, {}))
    assert one.read == []


@in_virtual_time
async def test_who_is_a_partner_no_more_is_refused() -> None:
    one = await reader()
    one.site.directory.trust({AgencyId("ca.opp"): person("ca.opp").public})
    one.control.replace(one.site.agreements, one.site.world.roster(one.site.agency))
    one.takes(HEAD, DETROIT.sign(HEAD, {}))
    assert one.refused() == {"not-trusted": 1}
    assert all("us.cbp" not in wanted for wanted in one.site.links[0].document_filters)


@in_virtual_time
async def test_who_is_trusted_again_is_read_again() -> None:
    one = await reader()
    raw = DETROIT.sign(HEAD, {})
    one.takes(HEAD, raw)
    trusted = {AgencyId(name): person(name).public for name in ("ca.opp", "us.cbp")}
    own = one.site.world.roster(one.site.agency)
    one.site.directory.trust({AgencyId("ca.opp"): trusted[AgencyId("ca.opp")]})
    one.control.replace(one.site.agreements, own)
    one.site.directory.trust(trusted)
    one.control.replace(one.site.agreements, own)
    one.takes(roster_topic(DETROIT.gateway), cbp_roster(DETROIT))
    assert one.site.directory.entry(DETROIT.gateway, NOW_MS) is not None


@in_virtual_time
async def test_a_gateway_shows_its_agency_and_asks_for_all_its_partners() -> None:
    made: ConsentWorld = await world(*PAIR, brokers=2)
    for broker in made.brokers:
        assert broker.topics("roster") == {
            roster_topic(person(name).gateway) for name in PAIR
        }  # fmt: skip
    wanted = made["windsor"].links[1].document_filters
    assert {f"rb/1/{agency}/+/patch/+" for agency in ("ca.opp", "us.cbp", "ca.rcmp")} <= wanted


@in_virtual_time
async def test_a_broken_presence_of_a_partner_harms_nothing() -> None:
    # The links of this world show no presence that is one.
    made = await world(*PAIR)
    await settle()
    assert made["windsor"].control.intake.counters["document-not-a-document"] >= 1
    await turns()
    assert made["windsor"].directory.entry(DETROIT.gateway, NOW_MS + HOUR_MS) is not None
