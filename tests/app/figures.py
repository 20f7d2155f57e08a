"""What the tests measured, to be shown at the end of the run."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

PROPERTY = "measured"
"""The name under which figures travel with a test's report, also from another process."""


@dataclass(frozen=True)
class Figures:
    """Takes the figures of one test."""

    test: pytest.Item

    def add(self, what: str, values: Mapping[str, float]) -> None:
        """Keep some figures."""
        written = ", ".join(f"{name} {value:.0f}" for name, value in values.items())
        self.test.user_properties.append((PROPERTY, f"{self.test.name}: {what}: {written}"))
