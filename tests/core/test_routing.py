"""Who hears whom, on maps and patches as they occur in the field."""

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.routing import Play, Routes, groups, heard_by
from radiobridge.model.ids import (
    AgencyId,
    GatewayId,
    PatchId,
    RadioName,
    TalkgroupId,
    parse_gateway,
    parse_talkgroup,
)
from radiobridge.model.patch import Access, Air, Member, Recording, Terms
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.model.voice import TalkClass
from radiobridge.text import Text

OPP = AgencyId("ca.opp")
CBP = AgencyId("us.cbp")
RCMP = AgencyId("ca.rcmp")
WINDSOR = parse_gateway("ca.opp/windsor")
SARNIA = parse_gateway("ca.opp/sarnia")
TAC1 = parse_talkgroup("ca.opp/TAC1")
TAC2 = parse_talkgroup("ca.opp/TAC2")
TAC3 = parse_talkgroup("ca.opp/TAC3")
BP1 = parse_talkgroup("us.cbp/BP1")
DET = parse_talkgroup("ca.rcmp/DET")


def ref(text: str) -> RadioRef:
    """Read `windsor/tac1`."""
    gateway, radio = text.split("/")
    return RadioRef(GatewayId(OPP, gateway), RadioName(radio))


def talkgroup(
    tg: TalkgroupId, receive: str, transmit: str = "", *, separate: bool = False
) -> Talkgroup:
    """`receive` and `transmit` are space-separated radios; coverages are numbered."""
    return Talkgroup(
        id=tg,
        label=Text(tg.name, tg.name),
        air=Air.CLEAR,
        receive=frozenset(ref(one) for one in receive.split()),
        transmit=tuple((f"c{n}", ref(one)) for n, one in enumerate(transmit.split())),
        separate_coverage=separate,
    )


def opp_map(*talkgroups: Talkgroup, joins: tuple[frozenset[TalkgroupId], ...] = ()) -> TalkgroupMap:
    return TalkgroupMap(agency=OPP, talkgroups={t.id: t for t in talkgroups}, joins=joins)


def patch(*members: Member | TalkgroupId, name: str = "p1") -> Terms:
    full = [m if isinstance(m, Member) else Member(talkgroup=m) for m in members]
    return Terms(
        patch=PatchId(name),
        purpose="pursuit",
        incident="1",
        host=OPP,
        start_ms=0,
        end_ms=1,
        recording=Recording.NONE,
        members=tuple(sorted(full, key=lambda m: m.talkgroup)),
    )


def radio(name: str, tg: TalkgroupId) -> Play:
    return Play(RadioName(name), tg)


ONE = opp_map(talkgroup(TAC1, "windsor/tac1", "windsor/tac1"))
TWO = (
    talkgroup(TAC1, "windsor/tac1", "windsor/tac1"),
    talkgroup(TAC2, "windsor/tac2", "windsor/tac2"),
)
JOINED = opp_map(*TWO, joins=(frozenset({TAC1, TAC2}),))


def test_without_a_patch_nobody_hears_anybody() -> None:
    routes = Routes.for_gateway(WINDSOR, ONE, [])
    assert routes.plays(TAC1) == ()
    assert routes.plays(BP1) == ()
    assert routes.sources == frozenset()
    assert routes.listeners(TAC1) == {OPP}
    assert routes.listeners(BP1) == frozenset()
    assert routes.sends == {TAC1}


def test_only_radios_that_the_map_lets_receive_are_heard() -> None:
    """One that transmits only would hear its siblings on the channel, and close a loop."""
    tg_map = opp_map(talkgroup(TAC1, "windsor/tac1 sarnia/tac1", "windsor/tac1 windsor/north"))
    routes = Routes.for_gateway(WINDSOR, tg_map, [patch(TAC1, BP1)])
    assert routes.receivers == {"tac1"}
    assert routes.plays(BP1) == (radio("north", TAC1), radio("tac1", TAC1))


def test_a_patch_of_two_agencies() -> None:
    routes = Routes.for_gateway(WINDSOR, ONE, [patch(TAC1, BP1)])
    assert routes.plays(BP1) == (radio("tac1", TAC1),)
    assert routes.plays(TAC1) == ()
    assert routes.mutes(BP1) == {"tac1"}
    assert routes.mutes(TAC1) == frozenset()
    assert routes.sources == {BP1}
    assert routes.listeners(TAC1) == {OPP, CBP}


def test_a_patch_of_three_agencies_has_one_floor_and_everybody_hears_everybody() -> None:
    routes = Routes.for_gateway(WINDSOR, ONE, [patch(TAC1, BP1, DET)])
    assert routes.plays(BP1) == routes.plays(DET) == (radio("tac1", TAC1),)
    assert routes.sources == {BP1, DET}
    assert routes.listeners(TAC1) == {OPP, CBP, RCMP}
    group = routes.group_of(DET)
    assert group is not None
    assert group.talkgroups == {TAC1, BP1, DET}
    assert routes.groups == (group,)


def test_a_member_that_only_listens_is_played_to_and_never_heard() -> None:
    terms = patch(TAC1, Member(talkgroup=BP1, access=Access.LISTEN))
    routes = Routes.for_gateway(WINDSOR, ONE, [terms])
    assert routes.plays(BP1) == ()
    assert routes.mutes(BP1) == frozenset()
    assert routes.sources == frozenset()
    assert routes.listeners(TAC1) == {OPP, CBP}


def test_a_member_that_only_talks_gets_no_key_and_no_voice() -> None:
    terms = patch(TAC1, Member(talkgroup=BP1, access=Access.TALK))
    routes = Routes.for_gateway(WINDSOR, ONE, [terms])
    assert routes.plays(BP1) == (radio("tac1", TAC1),)
    assert routes.listeners(TAC1) == {OPP}


def test_an_own_member_that_only_talks_plays_nothing() -> None:
    terms = patch(Member(talkgroup=TAC1, access=Access.TALK), BP1)
    routes = Routes.for_gateway(WINDSOR, ONE, [terms])
    assert routes.plays(BP1) == ()
    assert routes.sources == frozenset()
    assert routes.listeners(TAC1) == {OPP, CBP}


def test_a_foreign_patch_without_us_is_not_our_business() -> None:
    routes = Routes.for_gateway(WINDSOR, ONE, [patch(BP1, DET)])
    assert routes.sources == frozenset()
    assert routes.plays(BP1) == ()
    assert [g.talkgroups for g in groups(ONE, [patch(BP1, DET)])] == [{TAC1}]


def test_a_local_join_plays_on_the_other_radio_of_the_same_gateway() -> None:
    routes = Routes.for_gateway(WINDSOR, JOINED, [])
    assert routes.plays(TAC1, received_by=RadioName("tac1")) == (radio("tac2", TAC2),)
    assert routes.mutes(TAC1, received_by=RadioName("tac1")) == {"tac2"}
    assert routes.sources == {TAC1, TAC2}


def test_a_join_does_not_widen_a_patch_but_shares_its_floor() -> None:
    routes = Routes.for_gateway(WINDSOR, JOINED, [patch(TAC1, BP1)])
    assert routes.plays(BP1) == (radio("tac1", TAC1),)
    assert routes.plays(TAC2) == (radio("tac1", TAC1),)
    assert routes.listeners(TAC2) == {OPP}
    group = routes.group_of(TAC2)
    assert group is not None
    assert group.talkgroups == {TAC1, TAC2, BP1}
    assert group.patches == ("p1",)
    assert set(group.members) == {TAC1, BP1}


def test_patches_stay_apart_when_a_join_lies_between_them() -> None:
    routes = Routes.for_gateway(WINDSOR, JOINED, [patch(TAC1, BP1), patch(TAC2, DET, name="p2")])
    assert routes.listeners(TAC1) == {OPP, CBP}
    assert routes.listeners(TAC2) == {OPP, RCMP}
    assert routes.plays(BP1) == (radio("tac1", TAC1),)
    assert routes.plays(DET) == (radio("tac2", TAC2),)


def test_members_bring_the_terms_by_which_claims_are_clamped() -> None:
    member = Member(talkgroup=BP1, max_class=TalkClass.EMERGENCY, max_priority=3)
    group = Routes.for_gateway(WINDSOR, ONE, [patch(TAC1, member)]).group_of(BP1)
    assert group is not None
    assert group.members[BP1] is member


def test_a_talkgroup_on_two_gateways_is_not_repeated_on_its_own_channel() -> None:
    tg_map = opp_map(talkgroup(TAC1, "windsor/tac1 sarnia/rx", "windsor/tac1"))
    windsor = Routes.for_gateway(WINDSOR, tg_map, [patch(TAC1, BP1)])
    sarnia = Routes.for_gateway(SARNIA, tg_map, [patch(TAC1, BP1)])
    assert windsor.plays(TAC1) == ()
    assert sarnia.plays(BP1) == ()
    assert sarnia.mutes(BP1) == {"rx"}, "it hears windsor transmit"
    assert windsor.mutes(BP1) == {"tac1"}
    assert sarnia.sources == windsor.sources == {TAC1, BP1}
    assert sarnia.sends == {TAC1}


def test_separate_coverages_hear_each_other_through_us() -> None:
    tg_map = opp_map(
        talkgroup(
            TAC1,
            "windsor/east windsor/west sarnia/north",
            "windsor/east windsor/west sarnia/north",
            separate=True,
        )
    )
    windsor = Routes.for_gateway(WINDSOR, tg_map, [])
    sarnia = Routes.for_gateway(SARNIA, tg_map, [])
    assert windsor.plays(TAC1, received_by=RadioName("east")) == (radio("west", TAC1),)
    assert windsor.plays(TAC1) == (radio("east", TAC1), radio("west", TAC1))
    assert sarnia.plays(TAC1) == (radio("north", TAC1),)
    assert windsor.mutes(TAC1) == frozenset()
    assert windsor.sources == {TAC1}


def test_foreign_voice_goes_to_every_coverage_and_mutes_none_when_they_are_separate() -> None:
    tg_map = opp_map(talkgroup(TAC1, "windsor/a windsor/b", "windsor/a windsor/b", separate=True))
    routes = Routes.for_gateway(WINDSOR, tg_map, [patch(TAC1, BP1)])
    assert routes.plays(BP1) == (radio("a", TAC1), radio("b", TAC1))
    assert routes.mutes(BP1) == frozenset()


def test_a_radio_that_only_receives_is_never_keyed_and_has_nothing_to_be_muted_for() -> None:
    tg_map = opp_map(talkgroup(TAC1, "windsor/scanner"))
    routes = Routes.for_gateway(WINDSOR, tg_map, [patch(TAC1, BP1)])
    assert routes.plays(BP1) == ()
    assert routes.mutes(BP1) == frozenset()
    assert routes.listeners(TAC1) == {OPP, CBP}


def test_a_gateway_that_serves_nothing_takes_no_part() -> None:
    routes = Routes.for_gateway(SARNIA, ONE, [patch(TAC1, BP1)])
    assert routes.sources == routes.sends == frozenset()
    assert routes.groups == ()
    assert routes.group_of(TAC1) is None


def test_a_gateway_behind_a_join_sees_the_claims_that_its_sibling_must_settle() -> None:
    tg_map = opp_map(
        talkgroup(TAC1, "windsor/tac1", "windsor/tac1"),
        talkgroup(TAC2, "sarnia/tac2", "sarnia/tac2"),
        joins=(frozenset({TAC1, TAC2}),),
    )
    sarnia = Routes.for_gateway(SARNIA, tg_map, [patch(TAC1, BP1)])
    assert BP1 in sarnia.sources
    assert sarnia.plays(BP1) == ()
    assert sarnia.mutes(BP1) == frozenset()


def test_one_radio_is_keyed_once_for_two_talkgroups() -> None:
    tg_map = opp_map(
        talkgroup(TAC1, "windsor/tac1", "windsor/tac1"),
        talkgroup(TAC2, "windsor/tac1", "windsor/tac1"),
    )
    routes = Routes.for_gateway(WINDSOR, tg_map, [patch(TAC1, TAC2, BP1)])
    assert routes.plays(BP1) == (radio("tac1", TAC1),)
    assert routes.plays(TAC1, received_by=RadioName("tac1")) == ()


_OWN = [TAC1, TAC2, TAC3]
_MEMBERS = st.lists(
    st.builds(Member, talkgroup=st.sampled_from([*_OWN, BP1, DET]), access=st.sampled_from(Access)),
    max_size=5,
    unique_by=lambda member: member.talkgroup,
)


@given(st.lists(_MEMBERS, max_size=3), st.booleans(), st.sampled_from([WINDSOR, SARNIA]))
def test_whatever_the_patches_no_voice_goes_where_no_terms_put_it(
    member_lists: list[list[Member]], joined: bool, gateway: GatewayId
) -> None:
    tg_map = opp_map(
        talkgroup(TAC1, "windsor/a", "windsor/a"),
        talkgroup(TAC2, "windsor/b sarnia/b", "sarnia/b"),
        talkgroup(TAC3, "sarnia/c", "sarnia/c"),
        joins=(frozenset({TAC1, TAC2}),) if joined else (),
    )
    patches = [patch(*members, name=f"p{n}") for n, members in enumerate(member_lists)]
    routes = Routes.for_gateway(gateway, tg_map, patches)

    def agreed(source: TalkgroupId, listener: TalkgroupId) -> bool:
        for terms in patches:
            speaks, hears = terms.member(source), terms.member(listener)
            if speaks and hears and speaks.access.speaks and hears.access.hears:
                return True
        return joined and {source, listener} == {TAC1, TAC2}

    for source in [*_OWN, BP1, DET]:
        for play in routes.plays(source):
            assert play.talkgroup != source
            assert agreed(source, play.talkgroup)
            assert source in routes.sources
        allowed = {OPP} | {tg.agency for tg in [*_OWN, BP1, DET] if agreed(source, tg)}
        if source in _OWN:
            assert routes.listeners(source) == allowed
    for group in routes.groups:
        assert routes.sources <= {tg for g in routes.groups for tg in g.talkgroups}
        assert group.talkgroups & tg_map.talkgroups.keys()
    assert heard_by(tg_map, patches).keys() >= tg_map.talkgroups.keys()


# Encrypted air


def protected(*, in_clear: bool) -> Terms:
    """Return terms between a clear and an encrypted talkgroup, both ways."""
    return patch(
        Member(talkgroup=TAC1, air=Air.CLEAR),
        Member(talkgroup=BP1, air=Air.ENCRYPTED, in_clear=in_clear),
    )


def test_encrypted_voice_goes_on_clear_air_by_its_owners_word_only() -> None:
    without = Routes.for_gateway(WINDSOR, ONE, [protected(in_clear=False)])
    assert without.plays(BP1) == ()
    assert BP1 not in without.sources
    agreed = Routes.for_gateway(WINDSOR, ONE, [protected(in_clear=True)])
    assert agreed.plays(BP1) == (radio("tac1", TAC1),)


def test_clear_voice_may_go_on_encrypted_air() -> None:
    assert heard_by(ONE, [protected(in_clear=False)])[BP1] == {TAC1}
