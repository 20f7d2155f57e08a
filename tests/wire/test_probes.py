"""Probes on the wire: read strictly; a tag proves a key and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import PatchId, parse_gateway, parse_talkgroup
from radiobridge.wire.canonical import Body, dump, parse
from radiobridge.wire.probes import KeyProof, Probe, ProbeKind
from radiobridge.wire.words import KeyGrant

TAC1 = parse_talkgroup("ca.opp/TAC1")
GRANT = KeyGrant(talkgroup=TAC1, epoch=7, key=bytes(range(32)), since_ms=1)
NONCE = bytes(range(16))
ASK = Probe(
    kind=ProbeKind.ASK,
    patch=PatchId("river"),
    nonce=NONCE,
    terms="5f" * 32,
    proofs=(KeyProof.of(GRANT, NONCE),),
)
ANSWER = replace(
    ASK,
    kind=ProbeKind.ANSWER,
    asker=parse_gateway("ca.opp/windsor"),
    reason="in-force",
    opened=(TAC1,),
    radios=3,
    ready=2,
)


@pytest.mark.parametrize("probe", [ASK, ANSWER])
def test_both_ways(probe: Probe) -> None:
    body = parse(dump(probe.to_body()))
    assert isinstance(body, dict)
    assert Probe.from_body(body, "river") == probe


def test_a_tag_holds_for_its_key_talkgroup_epoch_and_question_only() -> None:
    proof = KeyProof.of(GRANT, NONCE)
    assert proof.holds(GRANT.key, NONCE)
    assert not proof.holds(bytes(32), NONCE)
    assert not proof.holds(GRANT.key, bytes(16))
    assert not replace(proof, epoch=8).holds(GRANT.key, NONCE)
    assert not replace(proof, talkgroup=parse_talkgroup("ca.opp/TAC2")).holds(GRANT.key, NONCE)
    assert GRANT.key.hex() not in repr(proof)


def bad(probe: Probe, **changes: Any) -> Body:
    return {**probe.to_body(), **changes}


@pytest.mark.parametrize(
    "body",
    [
        {},
        bad(ASK, kind="shout"),
        bad(ASK, patch="lake"),
        bad(ASK, nonce="AA"),
        bad(ASK, terms="x" * 65),
        bad(ASK, proofs=[{}]),
        bad(ASK, proofs=[ASK.to_body()["proofs"]] * 33),
        bad(ASK, asker="ca.opp/windsor"),
        bad(ASK, more=1),
        bad(ANSWER, asker="windsor"),
        bad(ANSWER, opened=[1]),
        bad(ANSWER, opened=["TAC1"]),
        bad(ANSWER, radios=-1),
        bad(ANSWER, ready=10**6),
        bad(ANSWER, reason="a\nb"),
    ],
)
def test_refused(body: Body) -> None:
    with pytest.raises(RemoteProtocolError):
        Probe.from_body(body, "river")
