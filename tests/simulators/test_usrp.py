import select
import time

import numpy as np
import pytest

from radiobridge_sim.sound import FRAME
from radiobridge_sim.usrp import UsrpSocket, pack, unpack


def test_voice_packet_layout() -> None:
    data = pack(0x01020304, np.full(FRAME, 0x0506, np.int16), keyed=True)
    assert len(data) == 352
    assert data[:16] == b"USRP\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x01"
    assert data[16:32] == bytes(16)
    assert data[32:34] == b"\x06\x05"


def test_unkey_is_a_header_alone() -> None:
    data = pack(7, None, keyed=False)
    assert len(data) == 32
    packet = unpack(data, 1.0)
    assert packet is not None
    assert packet.samples is None
    assert not packet.keyed


@pytest.mark.parametrize("data", [b"", b"USRP", b"X" * 352, pack(1, None, keyed=True) + b"x"])
def test_anything_else_is_ignored(data: bytes) -> None:
    assert unpack(data, 0.0) is None


def test_text_packets_are_ignored() -> None:
    data = bytearray(pack(1, np.zeros(FRAME, np.int16), keyed=True))
    data[20] = 2
    assert unpack(bytes(data), 0.0) is None


@pytest.mark.real
def test_sockets_carry_packets_and_say_when_they_came() -> None:
    one, other = UsrpSocket(), UsrpSocket()
    one.peer = other.address
    try:
        before = time.monotonic()
        one.send(np.arange(FRAME, dtype=np.int16), keyed=True)
        assert select.select([other], [], [], 10.0)[0]
        after = time.monotonic()
        (packet,) = other.receive()
        assert packet.samples is not None
        assert packet.samples.tolist() == list(range(FRAME))
        assert before - 0.001 <= packet.at <= after + 0.001
        assert other.receive() == []
    finally:
        one.close()
        other.close()
