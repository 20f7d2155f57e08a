"""From bytes on one voice topic to packets that may be played. Source: docs/protocol.md.

Whoever may listen holds the key, and a broker may replay, hold back or reorder what it likes. So:

    links share nothing  what garbage may cost in a second is counted for each link: one broker's
                         garbage keeps nothing out that another one brings
    cheap checks first   length, version, flags, bridge time, epoch, replay window (look); only
                         then key derivation, decryption, proof, replay window (commit)
    no proof, no spurt   a KID exists here from its first verified proof on: packet 0, or for late
                         entry any later one. What comes before costs nothing and is not returned
    a proof may be late  one too old to be played, or overtaken by the next, still proves what it
                         names: voice is lost to lateness, never to a proof that was late
    a claim is fixed     class, priority and start never change within a KID
    an end is proven     its packet carries a proof that names it; else it is refused
    KID with the start of a live spurt: the spurt goes on under a new key. The one whose proven
                         media time is later goes on, the other one has ended

    state     from                             what still counts
    LIVE      first proof, later proofs        proven packets, and 20 on credit (core.coverage)
    LOST      nothing for 2 s                  a new proof makes it LIVE again
    ENDED     proven end, or went on elsewhere proven packets, which come late over another broker
    DROPPED   forged or unproven               nothing

Each KID is remembered for 60 s after its last packet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.core.bucket import LinkBuckets
from radiobridge.core.coverage import Coverage, Standing
from radiobridge.core.replay import ReplayWindow
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import GatewayId, TalkgroupId
from radiobridge.model.voice import MEDIA_RATE, Claim, VoicePacket
from radiobridge.wire.sframe import SFrameKey
from radiobridge.wire.spurt import epoch_of
from radiobridge.wire.voice import (
    HASH_SIZE,
    VoiceFrame,
    VoiceHeader,
    base_key_for,
    key_scope,
    parse_voice,
    proof_message,
    proof_scope,
)

ACCEPTED = "accepted"
"""Counter of returned packets."""

UNPROVEN_TAIL = "unproven-tail"
"""Counter of returned packets whose proof had not come when their spurt went on under a new key."""


class Refusal(StrEnum):
    """Why a packet was refused, beside the reasons of `wire.voice`: the counters' names."""

    STALE = "stale"
    FUTURE = "future"
    UNKNOWN_EPOCH = "unknown-epoch"
    REPLAY = "replay"
    BAD_CLAIM = "bad-claim"
    """Start, class or priority differ from the proven ones of this KID."""
    BAD_MEDIA_TIME = "bad-media-time"
    TOO_MANY_KIDS = "too-many-kids"
    KID_RATE = "kid-rate"
    PROOF_RATE = "proof-rate"
    """Too many bad proofs by this link lately: none is verified for a moment."""
    BAD_PROOF = "bad-proof"
    UNPROVEN = "unproven"
    """No proof yet, too far beyond the last one, or before all that proofs named."""
    CONTRADICTED = "contradicted"
    """A proof names another packet with this CTR."""
    ENDED = "ended"
    DROPPED = "dropped"


class LossReason(Enum):
    """Why a spurt is over without its end."""

    LOST = "lost"
    """Nothing came for a while: the network, or the sender is gone. Not an alarm."""
    UNPROVEN = "unproven"
    """400 ms of voice without a proof: an alarm."""
    FORGED = "forged"
    """The sender's proof contradicts a packet that was played: an alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpurtLoss:
    """One spurt that is over without its end; reported once."""

    claim: Claim
    kid: int
    reason: LossReason
    at: float
    unproven: int
    """Packets of it that were returned and that no proof covers."""

    @property
    def alarm(self) -> bool:
        """Tell whether somebody other than the sender may have spoken."""
        return self.reason is not LossReason.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionSettings:
    """Limits for each voice topic; of what is counted by the second, for each link that brings it.

    Changing them changes no byte on the wire.
    """

    past_ms: int = 2000
    future_ms: int = 1000
    live_kids: int = 4
    new_kids_per_s: int = 10
    bad_proofs_per_s: int = 20
    lost_s: float = 2.0
    """Silence after which a live KID is lost: nothing older would be fresh."""
    credit_s: float = 2.4
    """Packets on credit whose proof has not come by then can have none that is fresh."""
    remember_s: float = 60.0


class _State(Enum):
    LIVE = "live"
    LOST = "lost"
    ENDED = "ended"
    DROPPED = "dropped"


class _Spurt:
    """One KID that a proof was verified for."""

    __slots__ = ("claim", "coverage", "credit_since", "heard_at", "key", "kid", "state", "window")

    def __init__(self, claim: Claim, key: SFrameKey, coverage: Coverage) -> None:
        self.claim = claim
        self.kid = key.kid
        self.key = key
        self.coverage = coverage
        self.window = ReplayWindow()
        self.state = _State.LIVE
        self.heard_at = 0.0
        self.credit_since: float | None = None


class TopicReception:
    """Receives one voice topic: one sender, one talkgroup, all links. Not for two threads.

    Holds at most `live_kids` live KIDs; more are refused, counted as `too-many-kids`.
    """

    def __init__(
        self,
        sender: GatewayId,
        talkgroup: TalkgroupId,
        settings: ReceptionSettings | None = None,
    ) -> None:
        self.sender = sender
        self.talkgroup = talkgroup
        self.counters: dict[str, int] = {ACCEPTED: 0}
        """Refused packets by reason, and the accepted ones."""
        self.age_ms = 0
        """How old the packet received last was, by our bridge time."""
        self.refusal = ""
        """Why the packet refused last was refused."""
        self._settings = settings or ReceptionSettings()
        self._key_scope = key_scope(sender, talkgroup)
        self._proof_scope = proof_scope(sender, talkgroup)
        self._spurts: dict[int, _Spurt] = {}
        self._losses: list[SpurtLoss] = []
        self._link = ""
        """By which link the packet at hand came."""
        self._new_kids = LinkBuckets(self._settings.new_kids_per_s)
        self._bad_proofs = LinkBuckets(self._settings.bad_proofs_per_s)

    @property
    def live(self) -> tuple[Claim, ...]:
        """Return the claims of the live spurts."""
        return tuple(s.claim for s in self._spurts.values() if s.state is _State.LIVE)

    def receive(
        self,
        payload: bytes,
        bridge_ms: int,
        now: float,
        keys: Callable[[int], bytes | None],
        signer: Ed25519PublicKey,
        link: str,
    ) -> VoicePacket | None:
        """Return the packet when it may be played, else None (and count why). Never raises.

        `bridge_ms` is this gateway's bridge time, `keys` gives the sender's key of an epoch for
        this talkgroup, `signer` is the sender's key of the roster: asked anew for each packet, so
        that a withdrawn key or right ends the reception at once. `link` is the one that brought the
        packet: what it may use up is its own.
        """
        self._link = link
        try:
            packet = self._receive(payload, bridge_ms, now, keys, signer)
        except RemoteProtocolError as error:
            reason = self.refusal = str(error.reason)
            self.counters[reason] = self.counters.get(reason, 0) + 1
            return None
        self.counters[ACCEPTED] += 1
        return packet

    def tick(self, now: float) -> list[SpurtLoss]:
        """Return the spurts that were lost or dropped since the last call, each once."""
        self._expire(now)
        losses, self._losses = self._losses, []
        return losses

    def next_deadline(self) -> float | None:
        """Return when `tick` next has something to do."""
        if self._losses:
            return self._losses[0].at
        return min((self._deadline(spurt) for spurt in self._spurts.values()), default=None)

    def _receive(
        self,
        payload: bytes,
        bridge_ms: int,
        now: float,
        keys: Callable[[int], bytes | None],
        signer: Ed25519PublicKey,
    ) -> VoicePacket:
        frame = parse_voice(payload)
        header = frame.header
        age_ms = bridge_ms - header.start_ms - header.media_time * 1000 // MEDIA_RATE
        self.age_ms = age_ms
        if age_ms < -self._settings.future_ms:
            raise RemoteProtocolError(Refusal.FUTURE)
        kid = frame.sframe_header.kid
        spurt = self._spurts.get(kid)
        if age_ms > self._settings.past_ms:
            if spurt is not None and header.proof and keys(epoch_of(kid)) is not None:
                self._prove_late(spurt, frame, now, signer)
            raise RemoteProtocolError(Refusal.STALE)
        sender_key = keys(epoch_of(kid))
        if sender_key is None:
            raise RemoteProtocolError(Refusal.UNKNOWN_EPOCH)
        if spurt is None:
            return self._first(frame, sender_key, now, signer)
        return self._next(spurt, frame, now, signer)

    def _first(
        self, frame: VoiceFrame, sender_key: bytes, now: float, signer: Ed25519PublicKey
    ) -> VoicePacket:
        """Take the first packet of a KID that can be proven."""
        header = frame.header
        if not header.proof:
            raise RemoteProtocolError(Refusal.UNPROVEN)
        self._check_room(header.start_ms, now)
        new_kids = self._new_kids.of(self._link)
        if new_kids.empty(now):
            raise RemoteProtocolError(Refusal.KID_RATE)
        new_kids.take()
        kid, ctr, _ = frame.sframe_header
        key = SFrameKey(base_key_for(sender_key, self._key_scope, header.start_ms, kid), kid)
        opus = key.decrypt(frame.sframe_header, frame.sframe, frame.metadata)
        self._verify(frame, frame.digest, now, signer)
        claim = Claim(
            self.sender, self.talkgroup, header.start_ms, header.talk_class, header.priority
        )
        spurt = _Spurt(claim, key, Coverage(ctr, header.media_time, frame.hashes))
        self._continue_from_others(spurt)
        self._spurts[kid] = spurt
        return self._accept(spurt, frame, frame.digest, opus, now)

    def _next(
        self, spurt: _Spurt, frame: VoiceFrame, now: float, signer: Ed25519PublicKey
    ) -> VoicePacket:
        """Take a further packet of a known KID."""
        ctr = frame.sframe_header.ctr
        digest = frame.digest
        new_proof = frame.header.proof and ctr > spurt.coverage.proven
        _check_claim(spurt, frame.header)
        if not spurt.window.look(ctr) and not (new_proof and spurt.coverage.disputed(ctr, digest)):
            raise RemoteProtocolError(Refusal.REPLAY)
        _check_state(spurt, frame, new_proof=new_proof)
        standing = None if new_proof else self._standing(spurt, frame, now, signer)
        if new_proof and spurt.state is _State.LOST:
            self._check_room(spurt.claim.start_ms, now)
        opus = spurt.key.decrypt(frame.sframe_header, frame.sframe, frame.metadata)
        if new_proof:
            self._verify(frame, digest, now, signer)
            self._prove(spurt, frame, now)
        elif standing is Standing.BEYOND:
            self._beyond(spurt, ctr, now)
        return self._accept(spurt, frame, digest, opus, now)

    def _accept(
        self, spurt: _Spurt, frame: VoiceFrame, digest: bytes, opus: bytes, now: float
    ) -> VoicePacket:
        header = frame.header
        kid, ctr, _ = frame.sframe_header
        spurt.window.commit(ctr)
        spurt.coverage.take(ctr, digest)
        spurt.heard_at = now
        if spurt.coverage.on_credit and spurt.credit_since is None:
            spurt.credit_since = now
        if header.end:
            self._end(spurt, now)
        return VoicePacket(spurt.claim, kid, ctr, header.media_time, opus, header.end, True)

    def _verify(
        self, frame: VoiceFrame, digest: bytes, now: float, signer: Ed25519PublicKey
    ) -> None:
        """Check that the sender signed the hashes and that the last one is this packet's."""
        if frame.hashes[-HASH_SIZE:] != digest:
            raise RemoteProtocolError(Refusal.BAD_PROOF)
        bad_proofs = self._bad_proofs.of(self._link)
        if bad_proofs.empty(now):
            raise RemoteProtocolError(Refusal.PROOF_RATE)
        kid, ctr, _ = frame.sframe_header
        message = proof_message(self._proof_scope, kid, ctr, frame.hashes)
        try:
            signer.verify(frame.signature, message)
        except InvalidSignature:
            bad_proofs.take()
            raise RemoteProtocolError(Refusal.BAD_PROOF) from None

    def _prove_late(
        self, spurt: _Spurt, frame: VoiceFrame, now: float, signer: Ed25519PublicKey
    ) -> None:
        """Take the proof of a packet too late to be played: it covers what came before it."""
        ctr = frame.sframe_header.ctr
        if spurt.state is not _State.LIVE:
            return
        _check_claim(spurt, frame.header)
        if ctr > spurt.coverage.proven:
            _check_state(spurt, frame, new_proof=True)
            self._verify(frame, frame.digest, now, signer)
            self._prove(spurt, frame, now)
        elif spurt.coverage.wants_older(ctr):
            self._prove_older(spurt, frame, now, signer)

    def _prove_older(
        self, spurt: _Spurt, frame: VoiceFrame, now: float, signer: Ed25519PublicKey
    ) -> None:
        """Take a proof that a later one has overtaken, by another broker for instance."""
        self._verify(frame, frame.digest, now, signer)
        if not spurt.coverage.prove_older(frame.sframe_header.ctr, frame.hashes):
            self._drop(spurt, LossReason.FORGED, now)

    def _standing(
        self, spurt: _Spurt, frame: VoiceFrame, now: float, signer: Ed25519PublicKey
    ) -> Standing:
        """Say what may be done with a packet without a new proof; raise when nothing may."""
        ctr, coverage = frame.sframe_header.ctr, spurt.coverage
        if frame.header.proof and coverage.wants_older(ctr):
            self._prove_older(spurt, frame, now, signer)
        standing = coverage.standing(ctr, frame.digest)
        if standing is Standing.UNPROVABLE:
            raise RemoteProtocolError(Refusal.UNPROVEN)
        if standing is Standing.CONTRADICTED:
            raise RemoteProtocolError(Refusal.CONTRADICTED)
        return standing

    def _prove(self, spurt: _Spurt, frame: VoiceFrame, now: float) -> None:
        """Take a verified proof; drop the spurt when it shows a forgery."""
        coverage = spurt.coverage
        ctr = frame.sframe_header.ctr
        if not coverage.prove(ctr, frame.header.media_time, frame.hashes):
            self._drop(spurt, LossReason.FORGED, now)
        if coverage.exceeded:
            self._drop(spurt, LossReason.UNPROVEN, now)
        spurt.state = _State.LIVE
        spurt.credit_since = None

    def _beyond(self, spurt: _Spurt, ctr: int, now: float) -> None:
        """Refuse an authentic packet too far ahead; drop the spurt when there are too many."""
        spurt.coverage.beyond(ctr)
        spurt.heard_at = now
        if spurt.coverage.exceeded:
            self._drop(spurt, LossReason.UNPROVEN, now)
        raise RemoteProtocolError(Refusal.UNPROVEN)

    def _end(self, spurt: _Spurt, now: float) -> None:
        """End a spurt; what was taken on credit beyond its end was never the sender's."""
        if spurt.coverage.on_credit:
            self._drop(spurt, LossReason.FORGED, now)
        spurt.state = _State.ENDED

    def _drop(self, spurt: _Spurt, reason: LossReason, now: float) -> None:
        """Drop and report a spurt, and refuse the packet at hand."""
        self._report(spurt, reason, now)
        spurt.state = _State.DROPPED
        raise RemoteProtocolError(Refusal.DROPPED)

    def _report(self, spurt: _Spurt, reason: LossReason, now: float) -> None:
        spurt.credit_since = None
        self._losses.append(
            SpurtLoss(
                claim=spurt.claim,
                kid=spurt.kid,
                reason=reason,
                at=now,
                unproven=spurt.coverage.unproven + spurt.coverage.on_credit,
            )
        )

    def _continue_from_others(self, new: _Spurt) -> None:
        """Settle which KID of one spurt goes on: the one proven for the later media time."""
        for other in self._spurts.values():
            if other.claim.start_ms != new.claim.start_ms or other.state is _State.DROPPED:
                continue
            if other.claim == new.claim:
                new.claim = other.claim
            if new.coverage.media_time <= other.coverage.media_time:
                new.state = _State.ENDED
            elif other.state is not _State.ENDED:
                tail = other.coverage.on_credit
                self.counters[UNPROVEN_TAIL] = self.counters.get(UNPROVEN_TAIL, 0) + tail
                other.credit_since = None
                other.state = _State.ENDED

    def _check_room(self, start_ms: int, now: float) -> None:
        """Check the number of live spurts; another KID of a live one takes no room."""
        if self._full(start_ms):
            self._expire(now)
            if self._full(start_ms):
                raise RemoteProtocolError(Refusal.TOO_MANY_KIDS)

    def _full(self, start_ms: int) -> bool:
        others = sum(claim.start_ms != start_ms for claim in self.live)
        return others >= self._settings.live_kids

    def _expire(self, now: float) -> None:
        due = [spurt for spurt in self._spurts.values() if now >= self._deadline(spurt)]
        for spurt in due:
            if spurt.state is not _State.LIVE:
                del self._spurts[spurt.kid]
            elif spurt.heard_at + self._settings.lost_s <= now:
                self._report(spurt, LossReason.LOST, now)
                spurt.state = _State.LOST
            else:
                self._report(spurt, LossReason.UNPROVEN, now)
                spurt.state = _State.DROPPED

    def _deadline(self, spurt: _Spurt) -> float:
        if spurt.state is not _State.LIVE:
            return spurt.heard_at + self._settings.remember_s
        lost_at = spurt.heard_at + self._settings.lost_s
        if spurt.credit_since is None:
            return lost_at
        return min(lost_at, spurt.credit_since + self._settings.credit_s)


def _check_claim(spurt: _Spurt, header: VoiceHeader) -> None:
    claim = spurt.claim
    if (header.start_ms, header.talk_class, header.priority) != (
        claim.start_ms,
        claim.talk_class,
        claim.priority,
    ):
        raise RemoteProtocolError(Refusal.BAD_CLAIM)


def _check_state(spurt: _Spurt, frame: VoiceFrame, *, new_proof: bool) -> None:
    """Check what the state still lets count (see the table above)."""
    ctr = frame.sframe_header.ctr
    ahead = ctr > spurt.coverage.proven
    if spurt.state is _State.DROPPED:
        raise RemoteProtocolError(Refusal.DROPPED)
    if ahead and spurt.state is _State.ENDED:
        raise RemoteProtocolError(Refusal.ENDED)
    if ahead and spurt.state is _State.LOST and not new_proof:
        raise RemoteProtocolError(Refusal.UNPROVEN)
    if ahead and not spurt.coverage.in_step(ctr, frame.header.media_time):
        raise RemoteProtocolError(Refusal.BAD_MEDIA_TIME)
