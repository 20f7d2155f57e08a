"""The newest document of each topic, whatever the order of arrival."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.documents import MAX_TOPICS, DocumentBook, Offer
from radiobridge.wire.documents import Document, DocumentHeader
from radiobridge.wire.topics import TopicKind

TOPIC = "rb/1/ca.opp/windsor/patch/river"
NOW = 1000


def document(
    version: int = 1, content: str = "a", topic: str = TOPIC, expires_ms: int = 2000
) -> Document:
    header = DocumentHeader(
        type=TopicKind.PATCH,
        topic=topic,
        version=version,
        issued_ms=0,
        expires_ms=expires_ms,
    )
    return Document(header=header, body={"a": content}, digest=content)


def book(*documents: Document) -> DocumentBook:
    made = DocumentBook()
    for one in documents:
        made.offer(one, NOW)
    return made


def test_the_highest_version_counts() -> None:
    made = DocumentBook()
    assert made.newest(TOPIC, NOW) is None
    assert made.offer(document(2), NOW) is Offer.NEW
    assert made.offer(document(1), NOW) is Offer.OLD
    assert made.offer(document(2), NOW) is Offer.KNOWN
    assert made.offer(document(3), NOW) is Offer.NEW
    assert made.newest(TOPIC, NOW) == document(3)
    assert made.counters == {Offer.NEW: 2, Offer.OLD: 1, Offer.KNOWN: 1}


def test_two_contents_under_one_version_are_none_until_the_next() -> None:
    made = book(document(2, "a"))
    assert made.offer(document(2, "b"), NOW) is Offer.CONFLICT
    assert made.newest(TOPIC, NOW) is None
    assert made.in_conflict(TOPIC)
    assert made.offer(document(2, "a"), NOW) is Offer.KNOWN
    assert made.newest(TOPIC, NOW) is None
    assert made.offer(document(3, "b"), NOW) is Offer.NEW
    assert made.newest(TOPIC, NOW) == document(3, "b")
    assert not made.in_conflict(TOPIC)


def test_what_expired_lets_nothing_older_back() -> None:
    made = book(document(2, expires_ms=NOW + 1))
    assert made.newest(TOPIC, NOW + 1) is None
    assert made.offer(document(1), NOW + 1) is Offer.OLD
    assert made.newest(TOPIC, NOW + 1) is None


def test_floors_from_before_a_restart() -> None:
    made = DocumentBook({TOPIC: 5})
    assert made.offer(document(4), NOW) is Offer.OLD
    assert made.offer(document(5), NOW) is Offer.NEW
    made.raise_floor(TOPIC, 6)
    made.raise_floor(TOPIC, 3)
    assert made.newest(TOPIC, NOW) is None
    assert made.versions() == {TOPIC: 6}


def test_a_head_tells_what_is_missing() -> None:
    made = book(document(2))
    assert made.behind({TOPIC: 2}) == ()
    assert made.behind({TOPIC: 3, "x": 1}) == (TOPIC, "x")


def test_a_new_signer_starts_anew() -> None:
    made = book(document(9), document(9, "b"))
    made.forget(TOPIC)
    assert made.offer(document(1), NOW) is Offer.NEW
    assert made.newest(TOPIC, NOW) == document(1)


def test_a_sender_fills_its_own_share_only() -> None:
    made = book(*(document(topic=f"{TOPIC}{n}") for n in range(MAX_TOPICS)))
    assert made.offer(document(), NOW) is Offer.REFUSED
    other = "rb/1/us.cbp/detroit/patch/river"
    assert made.offer(document(topic=other), NOW) is Offer.NEW
    assert made.newest(f"{TOPIC}0", NOW) is not None


def test_what_expired_longest_ago_makes_room() -> None:
    made = book(*(document(topic=f"{TOPIC}{n}", expires_ms=2000 + n) for n in range(MAX_TOPICS)))
    assert made.offer(document(expires_ms=9000), 2000) is Offer.NEW
    assert f"{TOPIC}0" not in made.versions()
    assert f"{TOPIC}1" in made.versions()


DOCUMENTS = st.lists(
    st.builds(document, st.integers(1, 4), st.sampled_from("abc"), st.sampled_from([TOPIC, "t"])),
    max_size=12,
)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(documents: list[Document], random: Random) -> None:
    shuffled = documents * 2
    random.shuffle(shuffled)
    one, other = book(*documents), book(*shuffled)
    for topic in (TOPIC, "t"):
        assert one.newest(topic, NOW) == other.newest(topic, NOW)
    assert one.versions() == other.versions()
