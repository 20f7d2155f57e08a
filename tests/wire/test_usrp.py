import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.wire import usrp
from radiobridge.wire.usrp import UsrpPacket, UsrpType

PCM = bytes(range(256)) + bytes(64)

VECTORS = [
    (
        UsrpPacket(11, keyed=True, talkgroup=0, type=0, payload=PCM),
        b"USRP" + bytes.fromhex("0000000b 00000000 00000001 00000000 00000000") + bytes(8) + PCM,
    ),
    (
        UsrpPacket(80, keyed=False, talkgroup=0, type=0, payload=b""),
        b"USRP" + bytes.fromhex("00000050 00000000 00000000 00000000 00000000") + bytes(8),
    ),
    (
        UsrpPacket(7, keyed=True, talkgroup=3120, type=2, payload=b"hello"),
        b"USRP"
        + bytes.fromhex("00000007 00000000 00000001 00000c30 02000000")
        + bytes(8)
        + b"hello",
    ),
]


@pytest.mark.parametrize(("packet", "raw"), VECTORS)
def test_a_packet_is_written_and_read(packet: UsrpPacket, raw: bytes) -> None:
    assert usrp.encode(packet) == raw
    assert usrp.decode(raw) == packet


def test_a_type_in_network_order_is_read_too() -> None:
    raw = bytearray(VECTORS[2][1])
    raw[20:24] = bytes([0, 0, 0, 2])
    assert usrp.decode(bytes(raw)).type == UsrpType.TEXT


def test_unkeyed_is_never_a_packet_of_voice_length() -> None:
    assert len(usrp.key_only(1, keyed=False)) == usrp.HEADER_BYTES
    assert len(usrp.voice(1, usrp.SILENCE)) == usrp.VOICE_BYTES


def test_the_sequence_number_goes_round() -> None:
    assert usrp.decode(usrp.key_only(2**32 + 5, keyed=True)).seq == 5


@pytest.mark.parametrize("length", [1, 319, 321])
def test_voice_of_another_length_is_our_mistake(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        usrp.voice(1, bytes(length))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "usrp-length"),
        (b"USRP" + bytes(27), "usrp-length"),
        (b"USRP" + bytes(2045), "usrp-length"),
        (b"USRQ" + bytes(28), "usrp-magic"),
        (b"USRP" + bytes(28) + bytes(100), "usrp-length"),
        (b"USRP" + bytes(16) + b"\x09\x09\x00\x00" + bytes(8), "usrp-type"),
    ],
)
def test_a_bad_packet_says_what_is_wrong(raw: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        usrp.decode(raw)
    assert caught.value.reason == reason


@given(st.one_of(st.binary(max_size=2100), st.binary(max_size=400).map(lambda b: b"USRP" + b)))
def test_any_datagram_is_a_packet_or_a_remote_protocol_error(raw: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        packet = usrp.decode(raw)
        assert usrp.decode(usrp.encode(packet)) == packet
