from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.wire.sframe import MAX_HEADER, SFrameKey, Suite, pack_header, parse_header
from tests.wire.vectors import load

VECTORS = load("sframe-rfc9605.json")
SUITES = {int(suite) for suite in Suite}
FRAMES = [row for row in VECTORS["sframe"] if row["cipher_suite"] in SUITES]
U64 = st.integers(0, 2**64 - 1)


def test_headers_of_rfc_9605() -> None:
    assert len(VECTORS["header"]) == 289
    for row in VECTORS["header"]:
        encoded = bytes.fromhex(row["encoded"])
        assert pack_header(row["kid"], row["ctr"]) == encoded
        assert parse_header(encoded + b"rest") == (row["kid"], row["ctr"], len(encoded))


def test_suites_4_and_5_are_in_the_table() -> None:
    assert {row["cipher_suite"] for row in FRAMES} == {4, 5}


@pytest.mark.parametrize("row", FRAMES, ids=lambda row: f"suite-{row['cipher_suite']}")
def test_frames_of_rfc_9605(row: dict[str, Any]) -> None:
    key = SFrameKey(bytes.fromhex(row["base_key"]), row["kid"], Suite(row["cipher_suite"]))
    plaintext, metadata, frame = (bytes.fromhex(row[k]) for k in ("pt", "metadata", "ct"))
    assert key.encrypt(row["ctr"], plaintext, metadata) == frame
    assert key.decrypt(parse_header(frame), frame, metadata) == plaintext


@given(U64, U64)
def test_any_kid_and_ctr_come_back(kid: int, ctr: int) -> None:
    encoded = pack_header(kid, ctr)
    assert len(encoded) <= MAX_HEADER
    assert parse_header(encoded) == (kid, ctr, len(encoded))


@given(st.binary(max_size=20))
def test_a_header_has_one_form(data: bytes) -> None:
    try:
        kid, ctr, size = parse_header(data)
    except RemoteProtocolError as error:
        assert error.reason == "bad-header"  # noqa: PT017 - either outcome is right
    else:
        assert pack_header(kid, ctr) == data[:size]


@pytest.mark.parametrize("encoded", ["", "80", "08", "8007", "8800", "990123", "900001", "0900ff"])
def test_headers_cut_short_or_longer_than_needed(encoded: str) -> None:
    with pytest.raises(RemoteProtocolError, match="bad-header"):
        parse_header(bytes.fromhex(encoded))


@given(st.data())
def test_a_changed_bit_anywhere_is_refused(data: st.DataObject) -> None:
    key = SFrameKey(b"k" * 32, 9)
    frame = key.encrypt(300, b"opus", b"metadata")
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    broken = bytearray(frame)
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        key.decrypt(parse_header(bytes(broken)), bytes(broken), b"metadata")


def test_other_metadata_other_key_or_a_cut_frame_is_refused() -> None:
    key = SFrameKey(b"k" * 32, 9)
    frame = key.encrypt(300, b"opus", b"metadata")
    header = parse_header(frame)
    for other, sframe, metadata in (
        (key, frame, b"metadatA"),
        (key, frame[:-1], b"metadata"),
        (key, frame[: header.size + 15], b"metadata"),
        (SFrameKey(b"K" * 32, 9), frame, b"metadata"),
        (SFrameKey(b"k" * 32, 10), frame, b"metadata"),
        (SFrameKey(b"k" * 32, 9, Suite.AES_128_GCM_SHA256_128), frame, b"metadata"),
    ):
        with pytest.raises(RemoteProtocolError, match="bad-tag"):
            other.decrypt(header, sframe, metadata)


def test_misuse_is_ours() -> None:
    for kid, ctr in ((-1, 0), (0, -1), (2**64, 0), (0, 2**64)):
        with pytest.raises(LocalProtocolError):
            pack_header(kid, ctr)
    with pytest.raises(LocalProtocolError):
        SFrameKey(b"", 1)


def test_repr_shows_no_key() -> None:
    assert repr(SFrameKey(b"secret-secret-secret-secret-secr", 0x123)) == (
        "SFrameKey(kid=0x123, suite=5)"
    )
