"""What holds for all tests: how many examples hypothesis tries, and that no speed is judged.

`HYPOTHESIS_PROFILE=nightly` tries many more (CONTRIBUTING.md).
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.app.figures import PROPERTY

# How fast a machine draws examples says nothing about our code; `radiobridge bench` judges speed.
_NO_SPEED = (HealthCheck.too_slow,)

# The same examples each time: what fails was broken by the change at hand. The night draws others.
settings.register_profile(
    "project", deadline=None, suppress_health_check=_NO_SPEED, derandomize=True
)
settings.register_profile(
    "nightly", deadline=None, suppress_health_check=_NO_SPEED, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))

_NEVER_AGAIN = (
    "test_keys_nothing_unasked",
    "test_gateway_dies",
    "test_watchdog",
    "test_gateway_kill",
)
"""A transmitter keyed unasked, a keyer that does not let go, a nonce used twice: never once."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test on real processes again, twice, when it failed; keep those of a file together.

    Such a test waits for several processes on two cores that are shared, and voice that is late for
    want of a core is not the fault it looks for. What is broken fails three times. Fixtures of a
    file, a world for instance, live in one worker.
    """
    for item in items:
        if not item.get_closest_marker("real"):
            continue
        if item.path.stem not in _NEVER_AGAIN:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=2))
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured, for people who want more than a pass.

    Here, because the process that gathers what several workers report loads no other conftest.
    """
    ended = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [
        value
        for report in ended
        if report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if figures:
        terminalreporter.section("measured on whole gateways")
        for line in figures:
            terminalreporter.write_line(str(line))
