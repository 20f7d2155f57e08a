from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.model.voice import TalkClass
from radiobridge.wire.voice import (
    HEADER_SIZE,
    MAX_OPUS,
    MAX_PACKET,
    VoiceHeader,
    pack_proof,
    pack_voice_header,
    parse_voice,
    parse_voice_header,
)
from tests.wire.vectors import load

VECTORS = load("voice.json")
PACKETS = [bytes.fromhex(row["encoded"]) for row in VECTORS["spurt"]["packets"]]
WITH_PROOF, WITHOUT_PROOF, END = PACKETS
START = bytes(10)


def _header(row: dict[str, Any]) -> VoiceHeader:
    return VoiceHeader(
        row["end"],
        row["proof"],
        TalkClass(row["talk_class"]),
        row["priority"],
        row["start_ms"],
        row["media_time"],
    )


@pytest.mark.parametrize("row", VECTORS["headers"], ids=lambda row: str(row["encoded"]))
def test_header_writer_and_reader_agree_with_the_table(row: dict[str, Any]) -> None:
    encoded = bytes.fromhex(row["encoded"])
    assert len(encoded) == HEADER_SIZE
    assert pack_voice_header(_header(row)) == encoded
    assert parse_voice_header(encoded) == _header(row)


@pytest.mark.parametrize("row", VECTORS["bad_headers"], ids=lambda row: str(row["encoded"]))
def test_bad_headers_are_refused_for_the_right_reason(row: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_voice_header(bytes.fromhex(row["encoded"]))
    assert caught.value.reason == row["reason"]


@pytest.mark.parametrize("row", VECTORS["spurt"]["packets"], ids=lambda row: f"ctr-{row['ctr']}")
def test_packets_come_apart_as_in_the_table(row: dict[str, Any]) -> None:
    frame = parse_voice(bytes.fromhex(row["encoded"]))
    assert frame.metadata.hex() == row["header"]
    assert frame.sframe.hex() == row["sframe"]
    assert frame.digest.hex() == row["hash"]
    assert frame.sframe_header.kid == int(VECTORS["spurt"]["kid"], 16)
    assert frame.sframe_header.ctr == row["ctr"]
    proof = pack_proof(frame.hashes, frame.signature).hex() if frame.hashes else None
    assert proof == row.get("proof")


@given(st.binary(max_size=400))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for candidate in (data, b"\x10\x00" + START + data, b"\x12\x00" + START + data):
        try:
            frame = parse_voice(candidate)
        except RemoteProtocolError:
            continue
        proof = pack_proof(frame.hashes, frame.signature) if frame.header.proof else b""
        assert frame.metadata + frame.sframe + proof == candidate


@given(st.sampled_from(PACKETS), st.data())
def test_a_cut_or_changed_packet_parses_or_is_refused(packet: bytes, data: st.DataObject) -> None:
    broken = bytearray(packet)
    for _ in range(data.draw(st.integers(0, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(0, len(broken)))])
    try:
        parse_voice(cut)
    except RemoteProtocolError as error:
        assert error.reason.startswith("bad-")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (WITHOUT_PROOF + bytes(MAX_PACKET), "bad-length"),
        (WITHOUT_PROOF[:HEADER_SIZE], "bad-header"),
        (WITHOUT_PROOF[: HEADER_SIZE + 8 + 16], "bad-length"),
        (WITHOUT_PROOF + bytes(MAX_OPUS), "bad-length"),
        (WITH_PROOF[:-1] + b"\x00", "bad-proof"),
        (WITH_PROOF[:-1] + b"\x15", "bad-proof"),
        (WITH_PROOF[:-1] + b"\x14", "bad-length"),
        (WITH_PROOF[:HEADER_SIZE], "bad-proof"),
        (WITH_PROOF[:HEADER_SIZE] + bytes(72) + b"\x01", "bad-header"),
        (WITH_PROOF[:-73] + bytes(80) + b"\x02", "bad-proof"),
    ],
)
def test_packets_out_of_bounds(packet: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_voice(packet)
    assert caught.value.reason == reason


def test_an_end_without_its_proof_is_no_packet() -> None:
    unproven = bytes((END[0] & ~0x02,)) + END[1:]
    with pytest.raises(RemoteProtocolError, match="bad-flags"):
        parse_voice(unproven)
    with pytest.raises(LocalProtocolError):
        pack_voice_header(VoiceHeader(True, False, TalkClass.NORMAL, 0, 0, 0))


@pytest.mark.parametrize(
    "header",
    [
        VoiceHeader(False, False, TalkClass.NORMAL, 16, 0, 0),
        VoiceHeader(False, False, TalkClass.NORMAL, -1, 0, 0),
        VoiceHeader(False, False, TalkClass.NORMAL, 0, 1 << 48, 0),
        VoiceHeader(False, False, TalkClass.NORMAL, 0, -1, 0),
        VoiceHeader(False, False, TalkClass.NORMAL, 0, 0, 1 << 32),
        VoiceHeader(False, False, TalkClass.NORMAL, 0, 0, -1),
    ],
)
def test_values_without_a_place_are_our_own_error(header: VoiceHeader) -> None:
    with pytest.raises(LocalProtocolError):
        pack_voice_header(header)


@pytest.mark.parametrize(
    ("hashes", "signature"),
    [(b"", bytes(64)), (bytes(7), bytes(64)), (bytes(8 * 21), bytes(64)), (bytes(8), bytes(63))],
)
def test_a_proof_of_a_wrong_size_is_our_own_error(hashes: bytes, signature: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        pack_proof(hashes, signature)
