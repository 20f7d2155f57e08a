"""Voice and floor written a second time, from docs/protocol.md and RFC 9605 alone.

Nothing of `radiobridge` is used here, so that what only our own code knows shows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _hkdf(key: bytes, info: bytes, size: int) -> bytes:
    return HKDF(SHA512(), size, salt=None, info=info).derive(key)


def _number(value: int) -> bytes:
    """The fewest bytes."""
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _sframe_header(kid: int, ctr: int) -> bytes:
    """RFC 9605, section 4.3."""
    config, rest = 0, b""
    for value, shift in ((kid, 4), (ctr, 0)):
        if value < 8:
            config |= value << shift
        else:
            config |= (8 | len(_number(value)) - 1) << shift
            rest += _number(value)
    return bytes((config,)) + rest


def _read_sframe_header(raw: bytes) -> tuple[int, int, int]:
    """KID, CTR and how many bytes they took."""
    at, values = 1, []
    for nibble in (raw[0] >> 4, raw[0] & 15):
        if nibble < 8:
            values.append(nibble)
        else:
            values.append(int.from_bytes(raw[at : at + nibble - 7], "big"))
            at += nibble - 7
    return values[0], values[1], at


@dataclass(frozen=True, kw_only=True)
class Topic:
    """Who sends on which talkgroup, and with which voice keys by epoch."""

    names: tuple[str, str, str, str]
    keys: Mapping[int, bytes]

    def _label(self, words: bytes) -> bytes:
        return words + b"\0" + b"".join(bytes((len(n),)) + n.encode() for n in self.names)

    def _cipher(self, start: int, kid: int) -> tuple[AESGCM, bytes]:
        info = self._label(b"radiobridge 1 voice base key")
        info += start.to_bytes(8, "big") + kid.to_bytes(8, "big")
        base_key = _hkdf(self.keys[kid >> 48], info, 32)
        scope = kid.to_bytes(8, "big") + b"\0\5"
        salt = _hkdf(base_key, b"SFrame 1.0 Secret salt " + scope, 12)
        return AESGCM(_hkdf(base_key, b"SFrame 1.0 Secret key " + scope, 32)), salt

    def _signed(self, kid: int, ctr: int, hashes: bytes) -> bytes:
        label = self._label(b"radiobridge 1 voice proof")
        return label + kid.to_bytes(8, "big") + ctr.to_bytes(8, "big") + hashes

    def write(
        self, frames: list[bytes], *, start: int, rank: int, kid: int, signer: Ed25519PrivateKey
    ) -> Iterator[bytes]:
        """Yield a whole spurt, its end packet three times. `rank`: byte 1."""
        cipher, salt = self._cipher(start, kid)
        hashes: list[bytes] = []
        for ctr, opus in enumerate(frames):
            end = ctr == len(frames) - 1
            proof = end or ctr % 10 == 0
            voice = bytes((0x10 | end | proof << 1, rank)) + start.to_bytes(6, "big")
            voice += (960 * ctr).to_bytes(4, "big")
            head = _sframe_header(kid, ctr)
            nonce = bytes(a ^ b for a, b in zip(salt, ctr.to_bytes(12, "big"), strict=True))
            packet = voice + head + cipher.encrypt(nonce, opus, head + voice)
            hashes.append(hashlib.sha256(packet).digest()[:8])
            if proof:
                named = b"".join(hashes[-20:])
                packet += named + signer.sign(self._signed(kid, ctr, named))
                packet += bytes((len(named) // 8,))
            yield from [packet] * (3 if end else 1)

    def read(self, packets: Iterable[bytes], key: Ed25519PublicKey) -> "Heard":
        """Take a spurt that comes whole and in order; raise for anything that does not verify."""
        heard = Heard()
        for packet in packets:
            self._read(packet, key, heard)
        return heard

    def _read(self, packet: bytes, key: Ed25519PublicKey, heard: "Heard") -> None:
        assert packet[0] >> 4 == 1
        end, proof = packet[0] & 1, packet[0] & 2
        start, media_time = int.from_bytes(packet[2:8], "big"), int.from_bytes(packet[8:12], "big")
        body, hashes = packet, b""
        if proof:
            body = packet[: -1 - 64 - 8 * packet[-1]]
            hashes = packet[len(body) : -1 - 64]
        kid, ctr, size = _read_sframe_header(body[12:])
        digest = hashlib.sha256(body).digest()[:8]
        if (kid, ctr) in heard.hashes:
            assert heard.hashes[kid, ctr] == digest
            return
        heard.hashes[kid, ctr] = digest
        if proof:
            key.verify(packet[-65:-1], self._signed(kid, ctr, hashes))
            for index in range(packet[-1]):
                named = hashes[8 * index : 8 * index + 8]
                assert heard.hashes[kid, ctr - packet[-1] + 1 + index] == named
        assert proof or (kid, 0) in heard.hashes
        cipher, salt = self._cipher(start, kid)
        nonce = bytes(a ^ b for a, b in zip(salt, ctr.to_bytes(12, "big"), strict=True))
        at = 12 + size
        opus = cipher.decrypt(nonce, body[at:], body[12:at] + body[:12])
        heard.frames[media_time // 960] = opus
        heard.ranks.append(packet[1])
        heard.ended = heard.ended or bool(end)


@dataclass
class Heard:
    """What came of a spurt."""

    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    frames: dict[int, bytes] = field(default_factory=dict)
    ranks: list[int] = field(default_factory=list)
    ended: bool = False


@dataclass(kw_only=True)
class Spurt:
    """The newest spurt of one sender on one talkgroup (section 6)."""

    start: int
    talk_class: int
    priority: int
    media_time: int = -1
    heard_ms: int = 0
    over: bool = False


class SecondFloor:
    """Section 6: who holds the floor. Times in ms."""

    def __init__(self, listeners: frozenset[str]) -> None:
        self._listeners = listeners
        self._spurts: dict[tuple[str, str], Spurt] = {}

    def packet(
        self, who: tuple[str, str], rank: tuple[int, int], start: int, media_time: int, now: int
    ) -> bool:
        """Take a packet of sender and talkgroup `who`; tell whether it is played."""
        spurt = self._spurt(who, rank, start)
        if spurt is None or spurt.over:
            return False
        spurt.heard_ms = now
        if media_time >= spurt.media_time:
            spurt.media_time = media_time
            spurt.talk_class, spurt.priority = rank
        spurt.over = media_time > 2640000
        return self.holder(now) == (*who, start)

    def end(self, who: tuple[str, str], rank: tuple[int, int], start: int) -> None:
        """Take the end of a spurt."""
        spurt = self._spurt(who, rank, start)
        if spurt is not None:
            spurt.over = True

    def holder(self, now: int) -> tuple[str, str, int] | None:
        """Sender, talkgroup and start of who holds the floor."""
        live = [
            (self._order(who, spurt), (*who, spurt.start))
            for who, spurt in self._spurts.items()
            if not spurt.over and now - spurt.heard_ms < 400
        ]
        return min(live)[1] if live else None

    def may_start(self, talkgroup: str, rank: tuple[int, int], now: int) -> bool:
        """Tell whether a spurt on `talkgroup` may begin."""
        holder = self.holder(now)
        if holder is None:
            return True
        held = self._spurts[holder[:2]]
        only_listens, holder_only_listens = (
            talkgroup in self._listeners,
            holder[1] in self._listeners,
        )
        if only_listens != holder_only_listens:
            return holder_only_listens
        return rank > (held.talk_class, held.priority)

    def _spurt(self, who: tuple[str, str], rank: tuple[int, int], start: int) -> Spurt | None:
        spurt = self._spurts.get(who)
        if spurt is None or start > spurt.start:
            spurt = self._spurts[who] = Spurt(start=start, talk_class=rank[0], priority=rank[1])
        return spurt if start == spurt.start else None

    def _order(self, who: tuple[str, str], spurt: Spurt) -> tuple[object, ...]:
        only_listens = who[1] in self._listeners
        return only_listens, -spurt.talk_class, -spurt.priority, spurt.start, *who
