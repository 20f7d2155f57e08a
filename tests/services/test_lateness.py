from radiobridge.services.lateness import Lateness


def test_a_call_counts_above_each_limit_that_it_passes() -> None:
    lateness = Lateness()
    for late_s in (0.0005, 0.0015, 0.006, 0.2):
        lateness.note(late_s)
    assert lateness.status() == {
        "fired": 4,
        "late_over_ms": {"1": 3, "2": 2, "5": 2, "10": 1, "20": 1, "50": 1, "100": 1},
    }


def test_a_call_that_comes_early_is_not_late() -> None:
    lateness = Lateness()
    lateness.note(-0.001)
    assert lateness.status()["fired"] == 1
    assert not any(lateness.status()["late_over_ms"].values())
