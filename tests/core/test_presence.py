"""Presence by link: lost only when lost on all."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.presence import MAX_LINKS, SILENT_S, PresenceBook, PresenceWord
from radiobridge.model.ids import parse_gateway

DETROIT = parse_gateway("us.cbp/detroit")
BUFFALO = parse_gateway("us.cbp/buffalo")


def word(
    link: str = "a",
    connection: int = 1,
    boot: str = "run1",
    *,
    online: bool = True,
    version: int = 1,
) -> PresenceWord:
    return PresenceWord(
        gateway=DETROIT,
        link=link,
        boot=boot,
        connection=connection,
        online=online,
        version=version,
    )


def is_online(book: PresenceBook) -> bool:
    seen = book.gateway(DETROIT)
    return seen is not None and seen.online


def test_a_gateway_nobody_heard_of_is_not_known() -> None:
    assert PresenceBook().gateway(DETROIT) is None
    assert PresenceBook().gateways() == ()


def test_online_is_told_once_with_the_time_since_when() -> None:
    book = PresenceBook()
    change = book.heard(word(), "ours", 5.0)
    assert change is not None
    assert (change.online, change.since, change.links) == (True, 5.0, ("a",))
    assert book.heard(word("b"), "ours", 6.0) is None
    seen = book.gateway(DETROIT)
    assert seen is not None
    assert (seen.since, seen.links) == (5.0, ("a", "b"))


def test_lost_on_one_link_is_not_lost() -> None:
    book = PresenceBook()
    book.heard(word("a"), "ours", 1.0)
    book.heard(word("b"), "ours", 1.0)
    assert book.heard(word("a", online=False), "ours", 2.0) is None
    change = book.heard(word("b", online=False), "ours", 3.0)
    assert change is not None
    assert (change.online, change.since, change.links) == (False, 3.0, ())


def test_the_will_of_a_connection_that_was_replaced_changes_nothing() -> None:
    book = PresenceBook()
    book.heard(word(connection=2), "ours", 1.0)
    assert book.heard(word(connection=1, online=False), "ours", 2.0) is None
    assert is_online(book)


def test_the_will_of_an_earlier_run_changes_nothing() -> None:
    book = PresenceBook()
    book.heard(word(connection=7, boot="run1"), "ours", 1.0)
    book.heard(word(connection=1, boot="run2"), "ours", 2.0)
    assert book.heard(word(connection=7, boot="run1", online=False), "ours", 3.0) is None
    assert is_online(book)


def test_offline_is_the_last_word_of_a_connection() -> None:
    book = PresenceBook()
    book.heard(word(), "ours", 1.0)
    book.heard(word(online=False), "ours", 2.0)
    assert book.heard(word(), "other", 3.0) is None
    assert not is_online(book)
    assert book.heard(word(connection=2), "ours", 4.0) is not None


def test_what_only_a_lost_link_of_ours_told_is_lost_and_comes_back_with_it() -> None:
    book = PresenceBook()
    book.heard(word("a"), "first", 1.0)
    book.heard(word("a"), "second", 1.0)
    assert book.link_down("first", 2.0) == ()
    lost = book.link_down("second", 3.0)
    assert [(one.gateway, one.online) for one in lost] == [(DETROIT, False)]
    back = book.heard(word("a"), "second", 4.0)
    assert back is not None
    assert back.online


def test_a_gateway_cannot_fill_the_book_with_links() -> None:
    book = PresenceBook()
    for n in range(MAX_LINKS):
        book.heard(word(f"l{n}"), "ours", 1.0)
    assert book.heard(word("one-more"), "ours", 1.0) is None
    assert book.refused == 1
    seen = book.gateway(DETROIT)
    assert seen is not None
    assert "one-more" not in seen.links


def test_everybody_is_listed_by_name() -> None:
    book = PresenceBook()
    book.heard(word(), "ours", 1.0)
    book.heard(replace(word(), gateway=BUFFALO), "ours", 1.0)
    assert [one.gateway for one in book.gateways()] == [BUFFALO, DETROIT]


_WORDS = st.lists(
    st.builds(word, st.sampled_from(["a", "b"]), st.integers(1, 4), online=st.booleans()),
    min_size=1,
    max_size=10,
)


@given(_WORDS, st.randoms(use_true_random=False))
def test_within_a_run_the_order_of_arrival_does_not_matter(
    words: list[PresenceWord], shuffle: random.Random
) -> None:
    states = []
    for _ in range(2):
        book = PresenceBook()
        for one in words:
            book.heard(one, "ours", 1.0)
        states.append([(seen.online, seen.links) for seen in book.gateways()])
        shuffle.shuffle(words)
    assert states[0] == states[1]


def test_who_died_with_the_broker_that_held_his_will_is_lost() -> None:
    """Its last word stands on another broker, which serves it again and again."""
    book = PresenceBook()
    book.heard(word(version=1), "ours", 0.0)
    book.heard(word(version=2), "ours", 30.0)
    assert book.tick(30.0 + SILENT_S) == ()
    book.heard(word(version=2), "ours", 31.0 + SILENT_S)
    (lost,) = book.tick(31.0 + SILENT_S)
    assert (lost.gateway, lost.online, lost.since) == (DETROIT, False, 31.0 + SILENT_S)
    book.link_down("ours", 140.0)
    assert book.heard(word(version=2), "ours", 150.0) is None
    back = book.heard(word(version=3), "ours", 160.0)
    assert back is not None
    assert (back.online, back.links) == (True, ("a",))


def test_one_link_that_falls_silent_is_no_loss_while_another_speaks() -> None:
    book = PresenceBook()
    for at in range(0, 200, 30):
        book.heard(word("a", version=at + 1), "ours", float(at))
        if at == 0:
            book.heard(word("b"), "ours", 0.0)
        assert book.tick(float(at)) == ()
    seen = book.gateway(DETROIT)
    assert seen is not None
    assert (seen.online, seen.links) == (True, ("a",))
