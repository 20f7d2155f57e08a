from radiobridge.text import Text
from radiobridge_sim.bench.stopwatch import Batch, Cost, Micro, measure


def cost(median_us: float, limit_us: float | None) -> Cost:
    micro = Micro(
        id="x", name=Text("x", "x"), batch=lambda: Batch(lambda: None, 1), limit_us=limit_us
    )
    return Cost(micro=micro, median_us=median_us, best_us=median_us)


def test_each_batch_is_made_anew_and_run_once_and_one_warms_up() -> None:
    made: list[int] = []
    run: list[int] = []

    def batch() -> Batch:
        number = len(made)
        made.append(number)
        return Batch(lambda: run.append(number), 1)

    measure(Micro(id="x", name=Text("x", "x"), batch=batch), 3)
    assert run == made == [0, 1, 2, 3]


def test_the_cost_is_that_of_one_call() -> None:
    def work() -> None:
        sum(range(20_000))

    one = measure(Micro(id="x", name=Text("x", "x"), batch=lambda: Batch(work, 1)), 3)
    tenth = measure(Micro(id="x", name=Text("x", "x"), batch=lambda: Batch(work, 1_000_000)), 3)
    assert one.best_us > 0.0
    assert tenth.median_us < one.best_us


def test_a_target_is_met_up_to_its_limit_and_none_is_always_met() -> None:
    assert cost(50.0, 50.0).ok
    assert not cost(50.1, 50.0).ok
    assert cost(1e9, None).ok
