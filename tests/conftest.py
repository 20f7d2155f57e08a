"""What holds for all tests: how many examples hypothesis tries, and that no speed is judged.

`HYPOTHESIS_PROFILE=nightly` tries many more (CONTRIBUTING.md).
"""

import os

from hypothesis import HealthCheck, settings

# How fast a machine draws examples says nothing about our code; `radiobridge bench` judges speed.
_NO_SPEED = (HealthCheck.too_slow,)

settings.register_profile("project", deadline=None, suppress_health_check=_NO_SPEED)
settings.register_profile(
    "nightly", deadline=None, suppress_health_check=_NO_SPEED, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))
