"""How loud a frame is.

0 dBFS is the level of a sine whose peaks reach full scale (AES17, IEC 61606): a sine reads the same
on a peak meter and here, and so a technician may compare with any instrument. A 1 kHz tone at 60 %
of maximum deviation is −20 dBFS on the wire (`REFERENCE_DBFS`).

Only the alternating part counts. A cheap sound adapter adds a constant of −40 dBFS and more, which
would otherwise hold a VOX open for ever.
"""

import math

import numpy as np

from radiobridge.model.voice import PcmFrame

REFERENCE_DBFS = -20.0
"""1 kHz at 60 % of maximum deviation, everywhere on the wire."""

FLOOR_DBFS = -120.0
"""What silence reads; 16-bit samples cannot express less than −95."""

FULL_SCALE = 32768.0
_SINE_MEAN_SQUARE = FULL_SCALE * FULL_SCALE / 2.0
_LEAST_MEAN_SQUARE = _SINE_MEAN_SQUARE * 10.0 ** (FLOOR_DBFS / 10.0)


def level_dbfs(frame: PcmFrame) -> float:
    """Return the RMS level of `frame` (int16, any length above 0) in dBFS, without its mean."""
    # float64, so that a strong constant does not swallow a weak signal in the subtraction.
    samples = frame.astype(np.float64)
    mean = float(np.add.reduce(samples)) / samples.size
    mean_square = float(samples.dot(samples)) / samples.size - mean * mean
    if mean_square <= _LEAST_MEAN_SQUARE:
        return FLOOR_DBFS
    return 10.0 * math.log10(mean_square / _SINE_MEAN_SQUARE)


def peak(frame: PcmFrame) -> int:
    """Return the largest absolute sample, 0 to 32768."""
    return max(int(np.maximum.reduce(frame)), -int(np.minimum.reduce(frame)))
