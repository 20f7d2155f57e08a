import pytest

from radiobridge.media.gain import decibels, ratio


@pytest.mark.parametrize(("db", "expected"), [(0.0, 1.0), (20.0, 10.0), (-6.0206, 0.5)])
def test_ratio_and_decibels_are_inverse(db: float, expected: float) -> None:
    assert ratio(db) == pytest.approx(expected, rel=1e-5)
    assert decibels(expected) == pytest.approx(db, abs=1e-3)
