"""One world for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.networks.strait import Strait


@pytest.fixture(scope="package")
def shared_strait(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strait]:
    world = Strait(tmp_path_factory.mktemp("strait"))
    try:
        world.start(lambda _doing: None)
        world.agree()
        world.all_linked()
        yield world
    finally:
        world.stop()


@pytest.fixture
def strait(shared_strait: Strait) -> Strait:
    """The world as every test finds it, whatever the one before left broken."""
    shared_strait.mend()
    return shared_strait
