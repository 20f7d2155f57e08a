"""What the tests measured, to be shown at the end of the run."""

from collections.abc import Mapping
from dataclasses import dataclass

MEASURED: list[str] = []


@dataclass(frozen=True)
class Figures:
    """Takes the figures of one test."""

    test: str

    def add(self, what: str, values: Mapping[str, float]) -> None:
        """Keep some figures."""
        written = ", ".join(f"{name} {value:.0f}" for name, value in values.items())
        MEASURED.append(f"{self.test}: {what}: {written}")
