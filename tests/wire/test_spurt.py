from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.wire.spurt import SpurtWriter, derive_base_key, epoch_of, make_kid
from radiobridge.wire.voice import MAX_PACKET, parse_voice, proof_message, proof_scope
from tests.wire.vectors import load

SPURT = load("voice.json")["spurt"]
SENDER_KEY = bytes.fromhex(SPURT["sender_key"])
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SPURT["signing_key"]))
CLAIM = Claim(
    parse_gateway(SPURT["sender"]),
    parse_talkgroup(SPURT["talkgroup"]),
    SPURT["start_ms"],
    TalkClass(SPURT["talk_class"]),
    SPURT["priority"],
)
RANDOM = int(SPURT["kid_random"], 16)
KID = int(SPURT["kid"], 16)


def writer(claim: Claim = CLAIM, epoch: int = SPURT["epoch"]) -> SpurtWriter:
    return SpurtWriter(claim, SENDER_KEY, epoch, SIGNER, RANDOM)


def test_the_writer_writes_the_table() -> None:
    spurt = writer()
    assert spurt.kid == KID
    for row in SPURT["packets"]:
        packet = spurt.packet(bytes.fromhex(row["opus"]), row["media_time"], end=row["end"])
        assert packet.hex() == row["encoded"]


def test_the_base_key_of_the_table() -> None:
    assert derive_base_key(SENDER_KEY, CLAIM, KID).hex() == SPURT["base_key"]


def test_the_base_key_differs_for_every_sender_talkgroup_start_kid_and_key() -> None:
    other = parse_gateway("ca.opp/sarnia")
    keys = [
        derive_base_key(SENDER_KEY, CLAIM, KID),
        derive_base_key(bytes(32), CLAIM, KID),
        derive_base_key(SENDER_KEY, CLAIM, KID + 1),
        derive_base_key(SENDER_KEY, replace(CLAIM, sender=other), KID),
        derive_base_key(SENDER_KEY, replace(CLAIM, talkgroup=parse_talkgroup("ca.opp/TAC2")), KID),
        derive_base_key(SENDER_KEY, replace(CLAIM, start_ms=CLAIM.start_ms + 1), KID),
        derive_base_key(
            SENDER_KEY,
            replace(CLAIM, sender=parse_gateway("ca.op/pwindsor")),
            KID,
        ),
    ]
    assert len(set(keys)) == len(keys)


def test_packet_0_every_10th_and_the_end_prove_the_last_20() -> None:
    spurt = writer()
    packets = [spurt.packet(b"opus", 960 * i, end=i == 34) for i in range(35)]
    proofs = {
        frame.sframe_header.ctr: len(frame.hashes) // 8
        for frame in map(parse_voice, packets)
        if frame.header.proof
    }
    assert proofs == {0: 1, 10: 11, 20: 20, 30: 20, 34: 20}


def test_a_proof_names_header_and_sframe_and_is_signed_for_this_topic() -> None:
    spurt = writer()
    frames = [parse_voice(spurt.packet(b"opus", 960 * i, prove=i == 3)) for i in range(4)]
    assert frames[3].hashes == b"".join(frame.digest for frame in frames)
    message = proof_message(proof_scope(CLAIM.sender, CLAIM.talkgroup), KID, 3, frames[3].hashes)
    SIGNER.public_key().verify(frames[3].signature, message)


@given(st.binary(min_size=1, max_size=1275), st.integers(0, 2**16 - 1), st.integers(0, 2**48 - 1))
def test_the_largest_packet_fits(opus: bytes, epoch: int, random: int) -> None:
    spurt = SpurtWriter(CLAIM, SENDER_KEY, epoch, SIGNER, random)
    frame = parse_voice(spurt.packet(opus, 0))
    assert len(frame.sframe) < MAX_PACKET - 300
    assert frame.sframe_header.kid == make_kid(epoch, random)
    assert epoch_of(frame.sframe_header.kid) == epoch


def test_misuse_is_ours_and_uses_nothing_up() -> None:
    spurt = writer()
    first = spurt.packet(b"opus", 0)
    for opus, media_time in ((b"", 960), (bytes(1276), 960), (b"x", 0), (b"x", 959), (b"x", -1)):
        with pytest.raises(LocalProtocolError):
            spurt.packet(opus, media_time)
    with pytest.raises(LocalProtocolError):
        spurt.packet(b"x", 1 << 32)
    assert parse_voice(first).sframe_header.ctr == 0
    assert parse_voice(spurt.packet(b"opus", 960, end=True)).sframe_header.ctr == 1
    with pytest.raises(LocalProtocolError):
        spurt.packet(b"opus", 1920)


@pytest.mark.parametrize(("epoch", "random"), [(-1, 0), (1 << 16, 0), (0, -1), (0, 1 << 48)])
def test_a_kid_has_16_bits_of_epoch_and_48_random(epoch: int, random: int) -> None:
    with pytest.raises(LocalProtocolError):
        make_kid(epoch, random)


def test_repr_shows_no_key() -> None:
    shown = repr(writer()) + repr(writer()._key)
    assert SENDER_KEY.hex() not in shown
    assert repr(SENDER_KEY) not in shown
    assert "_signer" not in shown
