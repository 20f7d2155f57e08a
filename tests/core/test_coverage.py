import hashlib

from radiobridge.core.coverage import CREDIT, Coverage, Standing


def digest(ctr: int, who: str = "sender") -> bytes:
    return hashlib.sha256(f"{who} {ctr}".encode()).digest()[:8]


def hashes(first: int, last: int) -> bytes:
    return b"".join(digest(ctr) for ctr in range(first, last + 1))


def proven_to_10() -> Coverage:
    return Coverage(10, 10 * 960, hashes(1, 10))


def test_what_a_proof_names_stands() -> None:
    coverage = proven_to_10()
    assert coverage.standing(10, digest(10)) is Standing.PROVEN
    assert coverage.standing(1, digest(1)) is Standing.PROVEN
    assert coverage.standing(5, digest(5, "forger")) is Standing.CONTRADICTED
    assert coverage.standing(0, digest(0)) is Standing.UNPROVABLE


def test_credit_reaches_400_ms_beyond_the_last_proof() -> None:
    coverage = proven_to_10()
    assert coverage.standing(11, digest(11)) is Standing.CREDIT
    assert coverage.standing(10 + CREDIT, digest(30)) is Standing.CREDIT
    assert coverage.standing(11 + CREDIT, digest(31)) is Standing.BEYOND


def test_a_proof_pays_the_credit_that_it_names() -> None:
    coverage = proven_to_10()
    for ctr in (11, 12, 25):
        coverage.take(ctr, digest(ctr))
    assert coverage.prove(20, 20 * 960, hashes(1, 20))
    assert (coverage.on_credit, coverage.unproven, coverage.proven) == (1, 0, 20)


def test_credit_that_a_proof_cannot_reach_any_more_is_counted() -> None:
    coverage = proven_to_10()
    for ctr in range(11, 16):
        coverage.take(ctr, digest(ctr))
    assert coverage.prove(40, 40 * 960, hashes(21, 40))
    assert (coverage.on_credit, coverage.unproven) == (0, 5)
    assert not coverage.exceeded


def test_a_proof_that_contradicts_credit_or_an_earlier_proof_is_refused() -> None:
    coverage = proven_to_10()
    coverage.take(11, digest(11, "forger"))
    assert coverage.disputed(11, digest(11))
    assert not coverage.disputed(11, digest(11, "forger"))
    assert not coverage.disputed(12, digest(12))
    assert not coverage.prove(20, 20 * 960, hashes(1, 20))
    assert not proven_to_10().prove(11, 11 * 960, digest(10, "forger") + digest(11))


def test_more_than_400_ms_in_a_row_without_a_proof_is_too_much() -> None:
    coverage = proven_to_10()
    for ctr in range(11, 21):
        coverage.take(ctr, digest(ctr))
    for ctr in range(31, 41):
        coverage.beyond(ctr)
        coverage.beyond(ctr)
    assert not coverage.exceeded
    coverage.beyond(41)
    assert coverage.exceeded


def test_more_than_400_ms_of_lost_proofs_in_a_spurt_is_too_much() -> None:
    coverage = proven_to_10()
    exceeded = []
    for last in (50, 90, 130):
        start = coverage.proven + 1
        for ctr in range(start, start + 9):
            coverage.take(ctr, digest(ctr))
        assert coverage.prove(last, last * 960, hashes(last - 19, last))
        exceeded.append(coverage.exceeded)
    assert exceeded == [False, False, True]


def test_media_time_goes_on_with_the_packets() -> None:
    coverage = proven_to_10()
    assert coverage.in_step(12, 12 * 960)
    assert coverage.in_step(12, 40 * 960)
    assert not coverage.in_step(12, 12 * 960 - 1)


def test_memory_stays_bounded() -> None:
    coverage = proven_to_10()
    for last in range(20, 5000, 10):
        assert coverage.prove(last, last * 960, hashes(last - 19, last))
        assert len(coverage._known) <= 150
        assert coverage.standing(last - 9, digest(last - 9)) is Standing.PROVEN
        if last > 70:
            assert coverage.standing(last - 60, digest(last - 60)) is Standing.PROVEN
