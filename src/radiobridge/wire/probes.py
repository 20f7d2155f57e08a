"""Probes: one gateway asks the others of a patch whether all is ready, and they answer.

Asked and answered on `probe/<patch>`, not retained, sealed to the gateways of the members. Nothing
is keyed and nothing decided by them. Keys are proven by tags that only who holds the key can make;
they say nothing about it. A body that is not exactly a probe raises RemoteProtocolError.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import (
    GatewayId,
    PatchId,
    TalkgroupId,
    check_id,
    parse_gateway,
    parse_talkgroup,
)
from radiobridge.wire.canonical import Body, Json, encode_bytes
from radiobridge.wire.fields import Fields
from radiobridge.wire.terms import MAX_MEMBERS
from radiobridge.wire.words import MAX_EPOCH, KeyGrant

NONCE = 16
TAG = 16
MAX_RADIOS = 1024


class ProbeKind(StrEnum):
    """Whether a probe asks or answers."""

    ASK = "ask"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProof:
    """The proof that a gateway holds the voice key of one of its talkgroups."""

    talkgroup: TalkgroupId
    epoch: int
    tag: bytes

    @classmethod
    def of(cls, grant: KeyGrant, nonce: bytes) -> "KeyProof":
        """Return the proof for one probe."""
        tag = key_tag(grant.key, grant.talkgroup, grant.epoch, nonce)
        return cls(talkgroup=grant.talkgroup, epoch=grant.epoch, tag=tag)

    def holds(self, key: bytes, nonce: bytes) -> bool:
        """Tell whether `key` is the key that was proven."""
        return hmac.compare_digest(key_tag(key, self.talkgroup, self.epoch, nonce), self.tag)


def key_tag(key: bytes, talkgroup: TalkgroupId, epoch: int, nonce: bytes) -> bytes:
    """Return 16 bytes of HMAC-SHA256 under a voice key."""
    said = f"radiobridge probe 1\0{talkgroup}\0{epoch}\0".encode() + nonce
    return hmac.new(key, said, hashlib.sha256).digest()[:TAG]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question or answer."""

    kind: ProbeKind
    patch: PatchId
    nonce: bytes
    """Random; an answer repeats that of its question."""
    terms: str
    """Hash of the terms in force at the sender; empty when none are."""
    proofs: tuple[KeyProof, ...]
    """Of the keys that the sender sends with."""
    asker: GatewayId | None = None
    """In an answer: who had asked."""
    reason: str = ""
    """In an answer: how the patch stands there, a word of `core.patch_state.Reason`."""
    opened: tuple[TalkgroupId, ...] = ()
    """In an answer: talkgroups of the asker whose key the sender holds."""
    radios: int = 0
    """In an answer: radios there that would transmit the asker's voice."""
    ready: int = 0
    """In an answer: how many of them could, now."""

    def to_body(self) -> Body:
        """Return the body to seal."""
        body: Body = {
            "kind": self.kind.value,
            "patch": str(self.patch),
            "nonce": encode_bytes(self.nonce),
            "terms": self.terms,
            "proofs": [_proof_to_body(proof) for proof in self.proofs],
        }
        if self.asker is not None:
            body |= {
                "asker": str(self.asker),
                "reason": self.reason,
                "opened": [str(talkgroup) for talkgroup in self.opened],
                "radios": self.radios,
                "ready": self.ready,
            }
        return body

    @classmethod
    def from_body(cls, body: Body, patch: str) -> "Probe":
        """Return the probe in `body`, which came on the topic of `patch`."""
        fields = Fields(body)
        kind = fields.choice("kind", ProbeKind)
        answer = kind is ProbeKind.ANSWER
        probe = cls(
            kind=kind,
            patch=PatchId(fields.parsed("patch", check_id)),
            nonce=fields.blob("nonce", length=NONCE),
            terms=fields.text("terms", longest=64),
            proofs=tuple(_proof(item) for item in fields.items("proofs", most=MAX_MEMBERS)),
            asker=fields.parsed("asker", parse_gateway) if answer else None,
            reason=fields.text("reason", longest=64) if answer else "",
            opened=tuple(_opened(one) for one in fields.items("opened", most=MAX_MEMBERS))
            if answer
            else (),
            radios=fields.integer("radios", high=MAX_RADIOS) if answer else 0,
            ready=fields.integer("ready", high=MAX_RADIOS) if answer else 0,
        )
        fields.done()
        if probe.patch != patch:
            raise RemoteProtocolError("wrong-topic", "a probe of another patch")
        return probe


def _proof_to_body(proof: KeyProof) -> Body:
    return {
        "talkgroup": str(proof.talkgroup),
        "epoch": proof.epoch,
        "tag": encode_bytes(proof.tag),
    }


def _proof(item: Json) -> KeyProof:
    fields = Fields(item)
    proof = KeyProof(
        talkgroup=fields.parsed("talkgroup", parse_talkgroup),
        epoch=fields.integer("epoch", low=1, high=MAX_EPOCH),
        tag=fields.blob("tag", length=TAG),
    )
    fields.done()
    return proof


def _opened(item: Json) -> TalkgroupId:
    if not isinstance(item, str):
        raise RemoteProtocolError("bad-body", "opened")
    return parse_talkgroup(item)
