"""Filters for frames of 20 ms, as matrix products: no loop over samples, nothing but numpy.

`Fir` filters, decimates, or runs several filters at once (a bank) over a stream of blocks. `Iir`
runs a recursive filter block by block, in state-space form. Both keep what they need of the past.
"""

from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Samples as floats, full scale ±1."""

_System: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]
"""A, B, C, D of a filter in state-space form."""

_RUNG_OUT = 1e-12
"""Far below what a sample of 1 leaves behind."""

_GROUP = 16
"""Outputs that share one row of the matrix product; a compromise between copying and arithmetic."""


class Fir:
    """A bank of finite filters of equal length, each output decimated by `step`."""

    def __init__(self, taps: NDArray[np.floating], *, step: int, size: int) -> None:
        """Filter blocks of `size` samples with `taps`, shape (length,) or (length, filters).

        `taps[0]` meets the oldest sample. `size` is a multiple of `step`.
        """
        bank = taps.reshape(len(taps), -1)
        length, filters = bank.shape
        outputs = size // step
        group = next(n for n in range(min(_GROUP, outputs), 0, -1) if outputs % n == 0)
        reach = (group - 1) * step + length
        spread = np.zeros((reach, group * filters), dtype=np.float32)
        for n in range(group):
            spread[n * step : n * step + length, n * filters : (n + 1) * filters] = bank
        self._matrix = spread
        self._past = length - step
        self._buffer: Samples = np.zeros(self._past + size, dtype=np.float32)
        stride = self._buffer.itemsize
        self._rows = as_strided(
            self._buffer,
            (outputs // group, reach),
            (group * step * stride, stride),
            writeable=False,
        )
        self._shape = (outputs, filters) if taps.ndim > 1 else (outputs,)

    def feed(self, block: NDArray[np.float32] | NDArray[np.int16], scale: float = 1.0) -> Samples:
        """Return the outputs for the next block times `scale`: (outputs,) or (outputs, filters)."""
        buffer, past = self._buffer, self._past
        buffer[:past] = buffer[len(buffer) - past :]
        np.multiply(block, np.float32(scale), out=buffer[past:], casting="unsafe")
        out: Samples = (self._rows @ self._matrix).reshape(self._shape)
        return out

    def reset(self) -> None:
        """Forget the past."""
        self._buffer[:] = 0.0


def low_pass(length: int, cutoff: float, beta: float = 6.0) -> NDArray[np.float64]:
    """Return a linear-phase low pass with gain 1 at 0 Hz: a sinc under a Kaiser window.

    `cutoff` is its −6 dB point as a fraction of the sample rate.
    """
    at = np.arange(length) - (length - 1) / 2.0
    taps = np.sinc(2.0 * cutoff * at) * np.kaiser(length, beta)
    return np.asarray(taps / taps.sum(), dtype=np.float64)


class Iir:
    """A recursive filter for blocks of samples.

    One block is worked off in `rows` pieces: the states at the start of all pieces come from one
    matrix product, then all outputs from two more. The arithmetic is in float64: poles lie close to
    the unit circle.
    """

    def __init__(self, poles: NDArray[np.complex128], zeros: NDArray[np.complex128], gain: float,
                 *, size: int, rows: int) -> None:  # fmt: skip
        """Make a filter from its digital poles and zeros (conjugate pairs complete)."""
        a, b, c, d = _state_space(poles, zeros, gain)
        piece = size // rows
        order = len(a)
        powers = [np.eye(order)]
        for _ in range(piece):
            powers.append(powers[-1] @ a)
        impulse = [d] + [float(c @ powers[n] @ b) for n in range(piece - 1)]
        self._direct = np.zeros((piece, piece))
        for n in range(piece):
            self._direct[n, n:] = impulse[: piece - n]
        self._observe = np.stack([c @ powers[n] for n in range(piece)], axis=1)
        self._collect = np.stack([powers[piece - 1 - n] @ b for n in range(piece)])
        self._carry, self._start = _carry(powers[piece], rows)
        self._state = np.zeros(order)
        self._shape = (rows, piece)
        self._order = order

    def feed(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the filtered block, same shape."""
        rows, _ = self._shape
        x = block.reshape(self._shape)
        gathered = (x @ self._collect).reshape(-1)
        states = (self._start @ self._state + self._carry @ gathered).reshape(rows + 1, self._order)
        self._state = states[rows]
        if float(np.abs(self._state).max()) < _RUNG_OUT:
            # In silence it would decay for ever, through numbers that processors are slow with.
            self._state = np.zeros(self._order)
        out: NDArray[np.float64] = (x @ self._direct + states[:rows] @ self._observe).reshape(-1)
        return out

    def reset(self) -> None:
        """Forget the past."""
        self._state = np.zeros(self._order)


def _state_space(
    poles: NDArray[np.complex128], zeros: NDArray[np.complex128], gain: float
) -> _System:
    """Return A, B, C, D of a cascade of second-order sections.

    It is well conditioned, unlike one polynomial of high order.
    """
    a, b, c, d = np.zeros((0, 0)), np.zeros(0), np.zeros(0), gain
    half = len(poles) // 2
    # The pole nearest the circle goes with the zero nearest to it.
    left = list(zeros[:half])
    for pole in sorted(poles[:half], key=lambda p: -abs(p)):
        zero = min(left, key=lambda z: abs(z - pole))
        left.remove(zero)
        section = _section(complex(pole), complex(zero))
        a, b, c, d = _cascade((a, b, c, d), section)
    return a, b, c, d


def _section(pole: complex, zero: complex) -> _System:
    """Return a second-order section in coupled form, which keeps rounding small at low angles."""
    re, im = pole.real, pole.imag
    a = np.array([[re, im], [-im, re]])
    b = np.array([1.0, 0.0])
    # (z² − 2 Re(q) z + |q|²) / (z² − 2 Re(p) z + |p|²) = 1 + (g z + h) / (…)
    g = 2.0 * (re - zero.real)
    h = abs(zero) ** 2 - abs(pole) ** 2
    # C (zI − A)⁻¹ B = (c0 (z − re) − c1 im) / (…)
    c = np.array([g, -(h + g * re) / im])
    return a, b, c, 1.0


def _cascade(first: _System, second: _System) -> _System:
    a1, b1, c1, d1 = first
    a2, b2, c2, d2 = second
    a = np.block([[a1, np.zeros((len(a1), len(a2)))], [np.outer(b2, c1), a2]])
    return a, np.concatenate([b1, b2 * d1]), np.concatenate([d2 * c1, c2]), d1 * d2


def _carry(step: NDArray[np.float64], rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrices from all gathered inputs, and from the first state, to all states."""
    order = len(step)
    powers = [np.eye(order)]
    for _ in range(rows):
        powers.append(powers[-1] @ step)
    carry = np.zeros(((rows + 1) * order, rows * order))
    for to in range(1, rows + 1):
        for piece in range(to):
            carry[to * order : (to + 1) * order, piece * order : (piece + 1) * order] = powers[
                to - 1 - piece
            ]
    return carry, np.concatenate(powers)
