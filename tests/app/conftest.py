"""One world for all tests of this folder that a worker runs, and nothing else between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.figures import Figures
from tests.app.river import River

_FAULTS = frozenset(
    f"test_{name}"
    for name in ("brokers", "keys_nothing_unasked", "kill_switch", "reload", "state", "unkeys")
)
"""The files about what goes wrong. They and the others have a world each when two workers run."""


def _world_of(item: pytest.Item) -> str:
    return "faults" if item.path.stem in _FAULTS else "river"


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Keep the tests of this folder together, whatever order they are in.

    So their world starts once, and runs beside no other tests of one worker; those without it come
    first.
    """
    for item in items:
        if "river" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(_world_of(item)))
    yield
    here = Path(__file__).parent
    ours = [item for item in items if item.path.parent == here]
    if not ours:
        return
    first = items.index(ours[0])
    before = [item for item in items[:first] if item.path.parent != here]
    after = [item for item in items[first:] if item.path.parent != here]
    ours.sort(key=lambda item: "river" in getattr(item, "fixturenames", ()))
    items[:] = [*before, *ours, *after]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    assert isinstance(request.node, pytest.Item)
    return Figures(request.node)


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
