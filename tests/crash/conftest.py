"""What the tests of this folder share with those on whole gateways."""

import pytest

from tests.app.figures import Figures


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node)
