"""Chance that can be had again: the seed is printed, and `RADIOBRIDGE_SEED` gives it back."""

import os
import random
import secrets


def chance() -> random.Random:
    """Return the source of all that a test does by chance."""
    seed = int(os.environ.get("RADIOBRIDGE_SEED") or secrets.randbelow(1_000_000))
    print(f"RADIOBRIDGE_SEED={seed}")  # noqa: T201  pytest shows it when the test fails
    return random.Random(seed)
