import os

import pytest

from radiobridge_sim.bench.processes import Usage, usage


def test_work_shows_as_cpu_time() -> None:
    before = usage(os.getpid())
    while usage(os.getpid()).since(before).cpu_s <= 0.0:
        sum(range(10_000))
    assert usage(os.getpid()).waited_s >= before.waited_s


def test_what_was_used_after_is_the_difference() -> None:
    assert Usage(5.0, 3.0).since(Usage(2.0, 1.0)) == Usage(3.0, 2.0)


def test_a_process_that_is_not_there_has_no_usage() -> None:
    with pytest.raises(OSError, match="No such file"):
        usage(2**22 + 1)
