"""What heads and links show that we do not have."""

from radiobridge.core.heads import HEAD_LIFE_MS, LINK_S, WITHHELD_MS, HeadWatch, LinkBehind
from tests.core.patch_world import BUFFALO, DETROIT

T0 = 1_800_000_000_000
RIVER, LAKE = "rb/1/us.cbp/detroit/patch/river", "rb/1/us.cbp/detroit/patch/lake"


def every(_topic: str) -> bool:
    return True


def test_what_a_head_names_may_be_on_its_way_for_a_while() -> None:
    watch = HeadWatch()
    watch.head(DETROIT, T0, {RIVER: 3, LAKE: 1})
    known = {RIVER: 2, LAKE: 1}
    assert watch.withheld(known, every, T0) == ()
    assert watch.withheld(known, every, T0 + WITHHELD_MS - 1) == ()
    (found,) = watch.withheld(known, every, T0 + WITHHELD_MS)
    assert (found.topic, found.version, found.known) == (RIVER, 3, 2)
    assert (found.according_to, found.since_ms) == (DETROIT, T0)
    assert watch.withheld({RIVER: 3, LAKE: 1}, every, T0 + WITHHELD_MS) == ()
    assert watch.withheld(known, every, T0 + WITHHELD_MS) == (), "it counts anew"


def test_an_old_head_and_what_does_not_concern_us_say_nothing() -> None:
    watch = HeadWatch()
    watch.head(DETROIT, T0, {RIVER: 3})
    watch.head(DETROIT, T0 - 1, {RIVER: 9})
    watch.withheld({}, every, T0)
    assert watch.withheld({}, every, T0 + HEAD_LIFE_MS) == ()
    watch.head(BUFFALO, T0, {RIVER: 3})
    watch.withheld({}, lambda _topic: False, T0)
    assert watch.withheld({}, lambda _topic: False, T0 + WITHHELD_MS) == ()
    assert watch.missing(BUFFALO, {RIVER: 2}, every) == [RIVER]
    assert watch.fresh(T0) == {BUFFALO: T0, DETROIT: T0}


def test_a_link_that_does_not_bring_what_another_brought_is_behind() -> None:
    watch = HeadWatch()
    for link in ("a", "b"):
        watch.link(link, up=True, now=0.0)
        assert watch.delivered(link, RIVER, 1, 0.0)
    assert watch.delivered("a", RIVER, 2, 5.0)
    assert watch.links_behind(5.0 + LINK_S - 0.1) == ()
    behind = LinkBehind(link="b", topic=RIVER, version=2, delivered=1)
    assert watch.links_behind(5.0 + LINK_S) == (behind,)
    assert watch.delivered("b", RIVER, 2, 16.0)
    assert watch.links_behind(60.0) == ()


def test_a_link_that_is_down_or_has_just_come_up_is_not_judged() -> None:
    watch = HeadWatch()
    watch.link("b", up=True, now=0.0)
    watch.delivered("a", RIVER, 2, 0.0)
    watch.link("b", up=False, now=20.0)
    assert watch.links_behind(30.0) == ()
    watch.delivered("b", RIVER, 1, 39.9)
    watch.link("b", up=True, now=40.0)
    assert watch.links_behind(41.0) == ()
    behind = LinkBehind(link="b", topic=RIVER, version=2, delivered=1)
    assert watch.links_behind(40.0 + LINK_S) == (behind,)
    assert [one.link for one in watch.links_behind(40.0 + LINK_S)] == ["b"]
    watch.forget([RIVER])
    assert watch.links_behind(60.0) == ()


def test_a_link_that_brings_an_older_document_than_before_is_counted() -> None:
    watch = HeadWatch()
    assert watch.delivered("a", RIVER, 2, 0.0)
    assert watch.delivered("b", RIVER, 1, 0.0)
    assert not watch.delivered("a", RIVER, 1, 1.0)
    assert (watch.served_old("a"), watch.served_old("b"), watch.served_old("c")) == (1, 0, 0)
