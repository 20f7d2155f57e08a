"""One world for all tests of this folder, and nothing else between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.figures import MEASURED, Figures
from tests.app.river import River


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder together, whatever order they are in.

    So their world starts once, and runs beside no other tests; those without it come first.
    """
    here = Path(__file__).parent
    ours = [item for item in items if item.path.parent == here]
    if not ours:
        return
    first = items.index(ours[0])
    before = [item for item in items[:first] if item.path.parent != here]
    after = [item for item in items[first:] if item.path.parent != here]
    ours.sort(key=lambda item: "river" in getattr(item, "fixturenames", ()))
    items[:] = [*before, *ours, *after]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured, for people who want more than a pass."""
    if MEASURED:
        terminalreporter.section("measured on whole gateways")
        for line in MEASURED:
            terminalreporter.write_line(line)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node.name)


@pytest.fixture(scope="package")
def shared_river(tmp_path_factory: pytest.TempPathFactory) -> Iterator[River]:
    world = River(tmp_path_factory.mktemp("river"))
    try:
        world.start(lambda _doing: None)
        yield world
    finally:
        world.stop()


@pytest.fixture
def river(shared_river: River) -> Iterator[River]:
    """The world as every test finds it; afterwards the line logs are held against what was said."""
    shared_river.ready()
    yield shared_river
    shared_river.all_hush()
    shared_river.settle()
    shared_river.check_lines()
