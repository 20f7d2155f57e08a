"""When a gateway may rely on its disk."""

from radiobridge.core.state_trust import CHECK_S, FRESH_MS, TOLERANCE_MS, StateTrust, Trust

NOW = 1000.0
AT_MS = 1_800_000_000_000


def checked(marker: int | None, *, fresh: bool = False) -> StateTrust:
    trust = StateTrust(marker, fresh_is_trusted=fresh)
    trust.link_up(NOW, AT_MS)
    return trust


def test_nothing_is_trusted_before_the_brokers_had_their_say() -> None:
    trust = StateTrust(5, fresh_is_trusted=True)
    assert trust.trust(NOW + 1e6) is Trust.CHECKING
    assert trust.next_deadline(NOW) is None
    trust.link_up(NOW, AT_MS)
    trust.link_up(NOW + 0.5, AT_MS + 500)
    assert trust.trust(NOW + CHECK_S - 0.01) is Trust.CHECKING
    assert trust.next_deadline(NOW) == NOW + CHECK_S
    assert trust.trust(NOW + CHECK_S) is Trust.TRUSTED
    assert trust.next_deadline(NOW + CHECK_S) is None


def test_a_disk_as_it_was_left_is_trusted() -> None:
    trust = checked(5)
    trust.own_head(5)
    trust.own_head(4)
    assert trust.trust(NOW + CHECK_S) is Trust.TRUSTED


def test_a_head_of_ours_that_the_disk_does_not_know_shows_an_old_disk_whenever_it_comes() -> None:
    early, late = checked(5), checked(5)
    early.own_head(6)
    assert early.trust(NOW) is Trust.LOST
    assert late.trust(NOW + CHECK_S) is Trust.TRUSTED
    late.own_head(6)
    assert late.trust(NOW + 60) is Trust.LOST


def test_an_empty_disk_is_not_trusted_unless_in_a_simulation() -> None:
    assert checked(None).trust(NOW + CHECK_S) is Trust.LOST
    assert checked(None, fresh=True).trust(NOW + CHECK_S) is Trust.TRUSTED


def test_not_even_in_a_simulation_when_it_has_spoken_before() -> None:
    trust = checked(None, fresh=True)
    trust.own_head(1)
    assert trust.trust(NOW + CHECK_S) is Trust.LOST


def test_what_this_run_published_proves_nothing() -> None:
    trust = checked(None, fresh=True)
    trust.published(10)
    trust.published(12)
    trust.own_head(10)
    trust.own_head(12)
    assert trust.trust(NOW + CHECK_S) is Trust.TRUSTED
    trust.own_head(9)
    assert trust.trust(NOW + CHECK_S) is Trust.LOST


def test_a_siblings_fresh_head_that_tells_nothing_new_settles_it() -> None:
    trust = checked(None)
    later_ms = AT_MS + FRESH_MS
    trust.sibling_head("ca.opp/sarnia", AT_MS, later_ms, missing=False)
    trust.sibling_head("ca.opp/sarnia", AT_MS - TOLERANCE_MS - 1, AT_MS, missing=False)
    trust.sibling_head("ca.opp/sarnia", later_ms, later_ms, missing=True)
    assert trust.trust(NOW + CHECK_S) is Trust.LOST
    trust.sibling_head("ca.opp/sarnia", AT_MS + 1, later_ms, missing=False)
    assert trust.trust(NOW) is Trust.TRUSTED
    assert trust.by == "ca.opp/sarnia"
    trust.own_head(99)
    assert trust.trust(NOW) is Trust.TRUSTED


def test_an_operators_word_settles_it() -> None:
    trust = checked(5)
    trust.own_head(6)
    trust.confirm("local:ann")
    assert (trust.trust(NOW), trust.by) == (Trust.TRUSTED, "local:ann")


def test_a_word_of_ours_shows_that_an_empty_disk_has_forgotten() -> None:
    empty, cut_off = checked(None, fresh=True), checked(5)
    for trust in (empty, cut_off):
        trust.own_word(6)
    assert empty.trust(NOW + CHECK_S) is Trust.LOST
    assert cut_off.trust(NOW + CHECK_S) is Trust.TRUSTED
