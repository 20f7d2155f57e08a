"""Decibels and ratios of amplitude."""

import math


def ratio(decibels: float) -> float:
    """Return the amplitude ratio of a gain in dB: 0 dB is 1.0, −6.02 dB is 0.5."""
    return float(10.0 ** (decibels / 20.0))


def decibels(amplitude_ratio: float) -> float:
    """Return the gain in dB of an amplitude ratio above zero."""
    return 20.0 * math.log10(amplitude_ratio)
