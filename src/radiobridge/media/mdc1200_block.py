"""The data blocks of MDC1200: 112 bits to bytes and back, with checksum and error correction.

A block is 14 bytes: operation, argument, unit id (high byte first), CRC (low byte first), status,
then 7 bytes of parity. The bits of all bytes, lowest first, number i = 0 to 111, go on the air at
place (i mod 7) · 16 + i div 7. Parity bit n is the exclusive or of the data bits n, n−2, n−5 and
n−6: a systematic convolutional code of rate 1/2 and constraint length 7. The CRC covers the first
four bytes: reflected polynomial 0x8408, start 0, complemented at the end.

MDC1200 is not published by its maker. Sources, and how certain each fact is: docs/signalling.md.
Here the code is undone by a Viterbi decoder on soft bits, so that interleaved bursts of errors are
repaired, and the CRC decides whether the result counts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.filters import Samples

BLOCK_BITS = 112
_DATA_BITS = 56
_STATES = 64
_SECOND = frozenset({0x35, 0x55})
"""Operations that a second block follows at once."""


class MdcBlock(NamedTuple):
    """The first four bytes of a block, checked, and the status byte after the CRC."""

    op: int
    arg: int
    unit: int
    """16 bits; people write it as four hexadecimal digits."""
    status: int
    repaired: int
    """How many of the 112 bits were wrong as received."""

    @property
    def is_double(self) -> bool:
        """Tell whether a second block belongs to this one."""
        return self.op in _SECOND


def crc(data: bytes) -> int:
    """Return the 16-bit CRC of the first four bytes of a block."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
    return value ^ 0xFFFF


def encode_block(op: int, arg: int, unit: int, status: int = 0) -> NDArray[np.uint8]:
    """Return the 112 bits of a block in the order of the air, each 0 or 1."""
    head = bytes((op, arg, unit >> 8, unit & 0xFF))
    check = crc(head)
    data = np.frombuffer(head + bytes((check & 0xFF, check >> 8, status)), dtype=np.uint8)
    bits = np.unpackbits(data, bitorder="little")
    return np.concatenate([bits, _parity(bits)])[_FROM_AIR]


def decode_block(soft: Samples) -> MdcBlock | None:
    """Return what 112 soft bits (above 0 means 1) in the order of the air say; None: no CRC."""
    placed = soft[_TO_AIR]
    bits = _viterbi(placed[:_DATA_BITS], placed[_DATA_BITS:])
    data = np.packbits(bits, bitorder="little").tobytes()
    if crc(data[:4]) != int.from_bytes(data[4:6], "little"):
        return None
    sent = np.concatenate([bits, _parity(bits)])
    wrong = int(np.count_nonzero((placed > 0.0) != (sent > 0)))
    return MdcBlock(data[0], data[1], data[2] << 8 | data[3], data[6], wrong)


def _parity(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    out = bits.copy()
    for back in (2, 5, 6):
        out[back:] ^= bits[:-back]
    return out


_TO_AIR = np.array([(i % 7) * 16 + i // 7 for i in range(BLOCK_BITS)])
"""Place on the air of each bit of the bytes."""
_FROM_AIR = np.argsort(_TO_AIR)

# A state holds the last six data bits, the newest lowest. Each state comes from two others, which
# differ in the bit that falls out.
_TO = np.arange(_STATES)
_NEWEST = np.where(_TO & 1, 1.0, -1.0).astype(np.float32)
_ORIGINS = np.stack([_TO >> 1, _TO >> 1 | 32])
_PARITY = np.where((_TO ^ _ORIGINS >> 1 ^ _ORIGINS >> 4 ^ _ORIGINS >> 5) & 1, 1.0, -1.0).astype(
    np.float32
)


def _viterbi(data: Samples, parity: Samples) -> NDArray[np.uint8]:
    """Return the 56 data bits of the likeliest block; the encoder starts with zeros."""
    metric = np.full(_STATES, -np.inf, dtype=np.float32)
    metric[0] = 0.0
    best = np.empty((_DATA_BITS, _STATES), dtype=np.int64)
    for n in range(_DATA_BITS):
        from_both = metric[_ORIGINS] + _PARITY * parity[n]
        better = (from_both[1] > from_both[0]).astype(np.int64)
        best[n] = _ORIGINS[better, _TO]
        metric = np.maximum(from_both[0], from_both[1]) + _NEWEST * data[n]
    bits = np.empty(_DATA_BITS, dtype=np.uint8)
    state = int(np.argmax(metric))
    for n in range(_DATA_BITS - 1, -1, -1):
        bits[n] = state & 1
        state = int(best[n, state])
    return bits
