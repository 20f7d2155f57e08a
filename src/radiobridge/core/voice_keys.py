"""Voice keys by epoch: who may hear a talkgroup holds its key, and nobody else.

Rules, for each talkgroup that this gateway sends on:
  A key is drawn for each epoch and sealed to the listeners of that moment.
  The set of listeners changes, or the key is a day old: a new epoch.
  Somebody leaves: the old key is not used for one more packet.
  Nobody leaves: the old key serves half a second longer, so that the new one is there before it
  is needed and nothing said is lost.
  The counter of epochs is durable before an epoch is given to anybody: some are reserved ahead, so
  that a withdrawal never waits for a disk. On a disk that fails, a key that nobody is given serves:
  our own radios hear each other.

Of the keys received from others the newest two of each sender and talkgroup are kept, the older
one for a minute. Forgotten means that no reference is left; Python cannot wipe memory.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, TalkgroupId
from radiobridge.wire.words import MAX_EPOCH, VOICE_KEY, KeyGrant

KEY_LIFE_MS = 24 * 3600 * 1000
SWITCH_MS = 500
"""How long an old key still serves when nobody has left."""
OLD_KEY_MS = 60_000
"""How long the key before the newest still opens what was under way."""
RESERVE = 4
"""Epochs made durable ahead of use; as many are skipped at a restart."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A gateway that may hear, with its HPKE public key (1216 bytes)."""

    gateway: GatewayId
    hpke_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistEpoch:
    """Make this counter durable, trying until it is, then call `epoch_stored`."""

    talkgroup: TalkgroupId
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishKey:
    """Publish the grant on the talkgroup's key topic for `recipient`, sealed to `listeners`."""

    recipient: AgencyId
    listeners: frozenset[Listener]
    grant: KeyGrant

    @property
    def expires_ms(self) -> int:
        """Return until when the document counts: a day longer than the key."""
        return self.grant.since_ms + 2 * KEY_LIFE_MS


KeyEffect: TypeAlias = PersistEpoch | PublishKey


class VoiceKeys:
    """The keys of one gateway: its own by talkgroup, and those it was given.

    Times are ms of bridge time. `draw(n)` returns n random bytes.
    """

    __slots__ = ("_draw", "_me", "_own", "_received", "_stored")

    def __init__(
        self, me: GatewayId, draw: Callable[[int], bytes], stored: Mapping[TalkgroupId, int]
    ) -> None:
        """Start with the durable counters; each epoch up to them may have been used."""
        self._me = me
        self._draw = draw
        self._stored = dict(stored)
        self._own: dict[TalkgroupId, _OwnKeys] = {}
        self._received: dict[tuple[GatewayId, TalkgroupId], _Ring] = {}

    def follow(
        self, talkgroup: TalkgroupId, listeners: Collection[Listener], now_ms: int
    ) -> tuple[KeyEffect, ...]:
        """Say who may hear what this gateway sends on `talkgroup`; itself need not be named."""
        own = self._own.get(talkgroup)
        if own is None:
            ring = self._ring(self._me, talkgroup)
            own = _OwnKeys(talkgroup, self._stored.get(talkgroup, 0), self._draw, ring)
            self._own[talkgroup] = own
        others = frozenset(one for one in listeners if one.gateway != self._me)
        return own.follow(others, now_ms)

    def sends(self, talkgroups: Collection[TalkgroupId]) -> None:
        """Say on which talkgroups this gateway sends; its keys of all others are forgotten."""
        for talkgroup in [one for one in self._own if one not in talkgroups]:
            self._stored[talkgroup] = self._own.pop(talkgroup).stored
            self._forget((self._me, talkgroup))

    def epoch_stored(
        self, talkgroup: TalkgroupId, epoch: int, now_ms: int
    ) -> tuple[KeyEffect, ...]:
        """Say that a PersistEpoch is durable."""
        own = self._own.get(talkgroup)
        if own is None:
            self._stored[talkgroup] = epoch
            return ()
        return own.epoch_stored(epoch, now_ms)

    def epoch_not_stored(self, talkgroup: TalkgroupId, now_ms: int) -> None:
        """Say that a PersistEpoch has failed; it is tried again."""
        own = self._own.get(talkgroup)
        if own is not None:
            own.epoch_not_stored(now_ms)

    def sending(self, talkgroup: TalkgroupId) -> KeyGrant | None:
        """Return the epoch and key to send with now; None means: do not send."""
        own = self._own.get(talkgroup)
        return own.active if own is not None else None

    def receive(self, sender: GatewayId, grant: KeyGrant, now_ms: int) -> None:
        """Keep a key that `sender` gave us. Raises RemoteProtocolError if it is not its to give."""
        if grant.talkgroup.agency != sender.agency or sender == self._me:
            raise RemoteProtocolError("wrong-topic", "a key for a talkgroup of another agency")
        self._ring(sender, grant.talkgroup).add(grant, now_ms)

    def received(self, sender: GatewayId, talkgroup: TalkgroupId, epoch: int) -> bytes | None:
        """Return a key that is kept, None when there is none."""
        ring = self._received.get((sender, talkgroup))
        return ring.get(epoch) if ring is not None else None

    def opener(self, sender: GatewayId, talkgroup: TalkgroupId) -> Callable[[int], bytes | None]:
        """Return the function epoch -> key for one voice topic.

        It stays right while keys come and go, for good.
        """
        ring = self._ring(sender, talkgroup)
        ring.opened = True
        return ring.get

    def keep_only(self, wanted: Collection[tuple[GatewayId, TalkgroupId]]) -> None:
        """Forget the keys of all senders and talkgroups that we no longer hear."""
        for pair in [p for p in self._received if p not in wanted and p[0] != self._me]:
            self._forget(pair)

    def tick(self, now_ms: int) -> tuple[KeyEffect, ...]:
        """Do what is due: the switch to a new key, the daily turn, the end of old keys."""
        for ring in self._received.values():
            ring.tick(now_ms)
        return tuple(effect for own in self._own.values() for effect in own.tick(now_ms))

    def next_deadline_ms(self) -> int | None:
        """Return when `tick` is due next."""
        times = [own.next_deadline_ms() for own in self._own.values()]
        times += [ring.old_until_ms for ring in self._received.values()]
        return min((at for at in times if at is not None), default=None)

    def _forget(self, pair: tuple[GatewayId, TalkgroupId]) -> None:
        """Forget keys; where somebody holds an opener, its ring stays, empty."""
        self._received[pair].clear()
        if not self._received[pair].opened:
            del self._received[pair]

    def _ring(self, sender: GatewayId, talkgroup: TalkgroupId) -> "_Ring":
        return self._received.setdefault((sender, talkgroup), _Ring())


class _OwnKeys:
    """The keys of one talkgroup that this gateway sends on."""

    __slots__ = (
        "_asked", "_draw", "_given", "_listeners", "_pending", "_ring", "_switch_ms", "_talkgroup",
        "_used", "_wanted", "active", "stored",
    )  # fmt: skip

    def __init__(
        self, talkgroup: TalkgroupId, stored: int, draw: Callable[[int], bytes], ring: "_Ring"
    ) -> None:
        self._talkgroup = talkgroup
        self._draw = draw
        self._ring = ring
        self._used = self._asked = self.stored = stored
        self._listeners: frozenset[Listener] | None = None
        self.active: KeyGrant | None = None
        self._given = True
        """Whether `active` was given to the listeners; else only our own radios have it."""
        self._pending: KeyGrant | None = None
        self._switch_ms = 0
        self._wanted = False

    def follow(self, listeners: frozenset[Listener], now_ms: int) -> tuple[KeyEffect, ...]:
        if listeners == self._listeners:
            return ()
        before = self._listeners or frozenset()
        self._listeners = listeners
        if not before or before - listeners:
            # Somebody left, or nobody but ourselves had the key: no need or no right to wait.
            self.active = self._pending = None
        self._wanted = True
        return self._advance(now_ms)

    def epoch_stored(self, epoch: int, now_ms: int) -> tuple[KeyEffect, ...]:
        if epoch == self._asked:
            self.stored = epoch
        return self._advance(now_ms)

    def epoch_not_stored(self, now_ms: int) -> None:
        if self.active is None and self._wanted:
            self.active, self._given = self._drawn(now_ms), False

    def tick(self, now_ms: int) -> tuple[KeyEffect, ...]:
        if self._pending is not None and now_ms >= self._switch_ms:
            self.active, self._pending = self._pending, None
        newest = self._pending or self.active
        if newest is not None and now_ms >= newest.since_ms + KEY_LIFE_MS:
            self._wanted = True
        return self._advance(now_ms)

    def next_deadline_ms(self) -> int | None:
        if self._pending is not None:
            return self._switch_ms
        if self._wanted:
            return None
        return self.active.since_ms + KEY_LIFE_MS if self.active is not None else None

    def _advance(self, now_ms: int) -> tuple[KeyEffect, ...]:
        """Draw the key that is wanted if its epoch is durable, and reserve further epochs."""
        effects: list[KeyEffect] = []
        if self._used >= MAX_EPOCH:
            # 16 bits are full after decades; keys and KIDs are random, so a number may come again.
            self._used = self._asked = self.stored = 0
        if self._wanted and self._used < self.stored:
            effects += self._draw_key(now_ms)
        if self._asked == self.stored and self._used + RESERVE // 2 > self.stored:
            self._asked = min(self._used + RESERVE, MAX_EPOCH)
            if self._asked != self.stored:
                effects.append(PersistEpoch(talkgroup=self._talkgroup, epoch=self._asked))
        return tuple(effects)

    def _draw_key(self, now_ms: int) -> list[KeyEffect]:
        self._wanted = False
        if not self._given:
            self.active = None
        grant = self._drawn(now_ms)
        if self.active is None:
            self.active, self._given = grant, True
        else:
            if self._pending is None:
                self._switch_ms = now_ms + SWITCH_MS
            self._pending = grant
        return self._grants(grant)

    def _drawn(self, now_ms: int) -> KeyGrant:
        """Draw a key, which our own radios have at once."""
        self._used += 1
        grant = KeyGrant(
            talkgroup=self._talkgroup,
            epoch=self._used,
            key=self._draw(VOICE_KEY),
            since_ms=max(now_ms, self._ring.newest_ms + 1),
        )
        self._ring.add(grant, now_ms, keep=self.active)
        return grant

    def _grants(self, grant: KeyGrant) -> list[KeyEffect]:
        listeners = self._listeners or frozenset()
        agencies = sorted({one.gateway.agency for one in listeners})
        return [
            PublishKey(
                recipient=agency,
                listeners=frozenset(one for one in listeners if one.gateway.agency == agency),
                grant=grant,
            )
            for agency in agencies
        ]


class _Ring:
    """The newest two keys of one sender and talkgroup, by when they were drawn."""

    __slots__ = ("_grants", "newest_ms", "old_until_ms", "opened")

    def __init__(self) -> None:
        self.opened = False
        self._grants: list[KeyGrant] = []
        self.newest_ms = 0
        self.old_until_ms: int | None = None

    def get(self, epoch: int) -> bytes | None:
        """Return the key of `epoch`, if it is kept. Called for each packet."""
        for grant in self._grants:
            if grant.epoch == epoch:
                return grant.key
        return None

    def add(self, grant: KeyGrant, now_ms: int, keep: KeyGrant | None = None) -> None:
        """Keep `grant` and the one before it, or `keep` in place of that one."""
        if grant.since_ms <= self.newest_ms:
            return
        older = [keep] if keep is not None and keep is not grant else self._grants[-1:]
        self._grants = [one for one in older if one.epoch != grant.epoch] + [grant]
        self.newest_ms = grant.since_ms
        self.old_until_ms = now_ms + OLD_KEY_MS if len(self._grants) > 1 else None

    def tick(self, now_ms: int) -> None:
        """Forget the older key when its time is over."""
        if self.old_until_ms is not None and now_ms >= self.old_until_ms:
            self._grants = self._grants[-1:]
            self.old_until_ms = None

    def clear(self) -> None:
        """Forget all."""
        self._grants = []
        self.newest_ms = 0
        self.old_until_ms = None
