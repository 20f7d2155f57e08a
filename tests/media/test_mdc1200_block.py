"""Blocks of MDC1200, on vectors that others have published (docs/signalling.md names them)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.media.filters import Samples
from radiobridge.media.mdc1200_block import BLOCK_BITS, crc, decode_block, encode_block

AIR = "8e942a2e06992204001c18a22c88"
"""01/80, unit 1234, as it goes on the air: made by the encoder that most tools are built on."""

RECORDED = (
    ("01801234", "2e3e", "00", "6580a862dd8808"),
    ("01800001", "21fe", "00", "65803265c54a23"),
)
"""Operation, argument and unit; CRC; status; parity: decoded off the air, before anyone knew how
the last two are made."""


def _soft(bits: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Samples:
    return (bits * 2.0 - 1.0).astype(np.float32)


def test_the_crc_of_the_facts() -> None:
    assert crc(bytes.fromhex("01801234")) == 0x3E2E


def test_a_block_is_what_the_reference_puts_on_the_air() -> None:
    bits = encode_block(0x01, 0x80, 0x1234)
    assert np.packbits(bits).tobytes().hex() == AIR


@pytest.mark.parametrize(("head", "check", "status", "parity"), RECORDED)
def test_parity_is_as_recorded(head: str, check: str, status: str, parity: str) -> None:
    data = bytes.fromhex(head)
    air = encode_block(data[0], data[1], int.from_bytes(data[2:4], "big"))
    bits = [int(air[(i % 7) * 16 + i // 7]) for i in range(BLOCK_BITS)]
    packed = np.packbits(bits, bitorder="little").tobytes()
    assert packed.hex() == head + check + status + parity


words = st.integers(0, 255)


@given(words, words, st.integers(0, 0xFFFF), words)
def test_what_is_encoded_is_decoded(op: int, arg: int, unit: int, status: int) -> None:
    block = decode_block(_soft(encode_block(op, arg, unit, status)))
    assert block is not None
    assert (block.op, block.arg, block.unit, block.status) == (op, arg, unit, status)
    assert block.repaired == 0


@given(st.integers(0, 0xFFFF), st.integers(0, BLOCK_BITS - 8), st.integers(1, 8))
def test_a_fade_is_repaired(unit: int, start: int, length: int) -> None:
    """Eight bits in a row are 6.7 ms."""
    soft = _soft(encode_block(0x01, 0x80, unit))
    soft[start : start + length] *= -1.0
    block = decode_block(soft)
    assert block is not None
    assert (block.unit, block.repaired) == (unit, length)


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 6), max_size=3))
def test_a_third_of_the_bits_may_be_missing(unit: int, rows: set[int]) -> None:
    """Two of seven rows of the interleaver silent: nothing is known about these bits."""
    soft = _soft(encode_block(0x40, 0x80, unit))
    for row in sorted(rows)[:2]:
        soft[row * 16 : row * 16 + 8] = 0.0
    block = decode_block(soft)
    assert block is not None
    assert block.unit == unit


def test_noise_is_no_block() -> None:
    rng = np.random.default_rng(7)
    found = [decode_block(rng.normal(size=BLOCK_BITS).astype(np.float32)) for _ in range(500)]
    assert found.count(None) >= 499


def test_silence_is_no_block() -> None:
    assert decode_block(np.zeros(BLOCK_BITS, dtype=np.float32)) is None
