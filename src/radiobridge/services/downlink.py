"""From the network to a radio's transmitter: jitter buffer, Opus, transmit decisions.

What keys: a spurt that the floor let through, by `Transmit`'s word alone (Effect.KEY).
What unkeys: `Transmit` (end, gap over `hold`, time-out, busy channel, inhibit), `stop`, the keyer's
lease when this process hangs or dies (nothing here runs then), the keyer's own time-out.
If a line here raises, the runner that called it stops this downlink, which unkeys; and the lease
is renewed from the same timer as the voice, so a broken timer unkeys too.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from radiobridge.core.jitter import JitterBuffer, JitterSettings, PullKind
from radiobridge.core.transmit import (
    AbortReason,
    Action,
    Effect,
    NotDelivered,
    Transmit,
)
from radiobridge.errors import RemoteProtocolError
from radiobridge.media.level import level_dbfs
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder
from radiobridge.model.interface import KeyAnswer, UnkeyCause
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, PcmFrame, TalkClass, VoicePacket
from radiobridge.services.timer import earliest
from radiobridge.spi import AudioDevice, KeyerLine

RENEW_S = 0.05
"""How often the keyer's lease is renewed; it runs 200 ms."""

WAITING_SPURTS = 4
"""Spurts that wait for the one before to be played; beyond that the oldest waiting one goes."""

SKIP_BELOW_DBFS = -50.0
"""A frame below this holds no speech: skipped in a pause while playing lags behind."""

PAUSE_FRAMES = 5
"""More silent frames in a row than this are a pause; fewer may be the closure of a consonant, and
belong to the word."""

_OVER = frozenset({PullKind.END, PullKind.GAP})
"""No more comes: a gap with nothing behind it, while another spurt waits, is an end that was lost,
for the floor is not this one's any more."""


class Playing:
    """One spurt to be played on this radio."""

    __slots__ = ("begun", "claim", "jitter")

    def __init__(self, claim: Claim, jitter: JitterBuffer) -> None:
        self.claim = claim
        self.jitter = jitter
        self.begun = False


_COUNTED = ("late", "lost", "bridged", "duplicate", "overflow", "skipped", "late_pulls")
"""What of the jitter buffers an operator is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownlinkPorts:
    """What a downlink tells the gateway."""

    own_transmission: Callable[[bool, float], None]
    """This radio asks to transmit or transmits (True), or has stopped (False)."""
    not_delivered: Callable[[Claim | None, NotDelivered, float], None]


class Downlink:
    """One radio's way down. All times are monotonic seconds; every call is quick."""

    def __init__(
        self,
        *,
        transmit: Transmit,
        jitter: JitterSettings,
        decoder: OpusDecoder,
        audio: AudioDevice,
        line: KeyerLine,
        limiter: Limiter,
        ports: DownlinkPorts,
        keyed_by_voice: bool = False,
    ) -> None:
        """Tie the parts together; `keyed_by_voice`: on the air from the first frame on only."""
        self.transmit = transmit
        self.counters = {
            "played": 0,
            "concealed": 0,
            "gap": 0,
            "bad_opus": 0,
            "waiting_dropped": 0,
            "not_delivered": 0,
        }
        self._buffers = [JitterBuffer(jitter) for _ in range(WAITING_SPURTS + 1)]
        """Kept for good: each remembers how uneven the path is."""
        self._free = list(self._buffers)
        self._decoder = decoder
        self._audio = audio
        self._line = line
        self._limiter = limiter
        self._ports = ports
        self._current: Playing | None = None
        self._announced: Claim | None = None
        """Our own words, which give way to anybody's."""
        self._over: Claim | None = None
        """The spurt that this radio gave up last: the rest of it is not played."""
        self._said: Claim | None = None
        """The spurt that was played last: its tail may still be on the air."""
        self._waiting: deque[Playing] = deque()
        self._drained_at: float | None = None
        self._renew_at: float | None = None
        self._keyed_by_voice = keyed_by_voice
        self._silent = 0
        """Silent frames in a row, while playing lags behind."""
        self._off_air = False
        """Keyed, but not on the air before a frame is written."""
        self._silence = np.zeros(audio.rate // 50, dtype=np.int16)

    def path(self) -> dict[str, int]:
        """Return what the jitter buffers counted; their attributes say what each is."""
        return {name: sum(getattr(buffer, name) for buffer in self._buffers) for name in _COUNTED}

    @property
    def claim(self) -> Claim | None:
        """Return the claim of the spurt that is played or waits for the transmitter."""
        return self._current.claim if self._current is not None else None

    @property
    def keying(self) -> bool:
        """Tell whether the radio transmits, or was asked to."""
        return self.transmit.keyed

    @property
    def announcing(self) -> bool:
        """Tell whether an announcement is played, or waits for the transmitter."""
        return self._current is not None and self._current.claim is self._announced

    def play(self, claim: Claim, packet: VoicePacket, now: float) -> None:
        """Take one packet of a spurt that holds the floor."""
        playing = self._current
        if playing is None or playing.claim is not claim:
            playing = self._playing_for(claim, packet, now)
            if playing is None:
                return
        index = packet.media_time // FRAME_MEDIA_TIME
        playing.jitter.put(index, packet.opus, now)
        if packet.end:
            playing.jitter.finish(index)
        self._play_due(now)

    def fill(self, claim: Claim, packet: VoicePacket, now: float) -> None:
        """Take a late packet of a spurt that has ended: it may fill a gap, it starts nothing.

        It may be the end itself: an own spurt has left the floor before its end comes round.
        """
        index = packet.media_time // FRAME_MEDIA_TIME
        for playing in (self._current, *self._waiting):
            if playing is not None and _same(playing.claim, claim):
                playing.jitter.put(index, packet.opus, now)
                if packet.end:
                    playing.jitter.finish(index)

    def claims(self) -> list[Claim]:
        """Return the claims of what is on the air, its tail included, and of what waits.

        An announcement is nobody's spurt and not among them.
        """
        waiting = [playing.claim for playing in self._waiting]
        on_air = self.claim or (self._said if self.keying else None)
        if on_air is None or on_air is self._announced:
            return waiting
        return [on_air, *waiting]

    def announce(self, claim: Claim, packets: Sequence[bytes], now: float) -> bool:
        """Play an announcement whole, if nothing is played or waits; tell whether it begins."""
        if self._current is not None or self._waiting or self.keying:
            return False
        playing = Playing(claim, self._free.pop())
        for index, opus in enumerate(packets):
            playing.jitter.put(index, opus, now)
        playing.jitter.finish(len(packets) - 1)
        self._announced = claim
        self._start(playing, now)
        return True

    def _give_way(self) -> None:
        """End an announcement at once; the radio stays keyed for who talks."""
        if self.announcing:
            self._forget_current()
            self._audio.discard()

    def cut(self, claim: Claim, reason: AbortReason, now: float) -> None:
        """Stop playing this spurt: it lost the floor, or its consent."""
        for waiting in [p for p in self._waiting if _same(p.claim, claim)]:
            self._waiting.remove(waiting)
            self._release(waiting)
        if self._current is None and reason is not AbortReason.FLOOR_LOST:
            self._cut_tail(claim, reason, now)
        if self._current is None or not _same(self._current.claim, claim):
            return
        self._forget_current()
        self._audio.discard()
        if reason is AbortReason.FLOOR_LOST and self._waiting:
            # The next talker takes over on the air: no unkeying in between.
            self._next_waiting(now)
        else:
            self._apply(self.transmit.abort(reason, now), now)
            self._next_waiting(now)

    def _cut_tail(self, claim: Claim, reason: AbortReason, now: float) -> None:
        """All of the spurt was played; without consent its carrier does not stay either."""
        if self._said is not None and _same(self._said, claim):
            self._apply(self.transmit.abort(reason, now), now)

    def stop(self, now: float) -> None:
        """Unkey at once and forget all that waits (end of the daemon, an error).

        The rest of the spurt is not played: what breaks at each packet would key for each.
        """
        self._over = self.claim or self._over
        while self._waiting:
            self._release(self._waiting.popleft())
        self._forget_current()
        self._audio.discard()
        self._apply(self.transmit.abort(AbortReason.CLOSING, now), now)

    def cor(self, *, active: bool, now: float) -> None:
        """Take the receiver's carrier: a radio that hears somebody is not keyed over."""
        self._apply(self.transmit.cor(active, now), now)

    def answered(self, answer: KeyAnswer, detail: str, now: float) -> None:
        """Take the radio's answer to a request to transmit."""
        self._apply(self.transmit.answered(answer, now, detail), now)

    def unkeyed(self, cause: UnkeyCause, now: float) -> None:
        """Take the keyer's word that PTT is off."""
        self._apply(self.transmit.unkeyed(cause, now), now)
        self._ports.own_transmission(self.keying, now)

    def lost(self, now: float) -> None:
        """The interface or the sound is gone."""
        self._apply(self.transmit.lost(now), now)
        self._ports.own_transmission(False, now)

    def back(self, now: float) -> None:
        """The interface and the sound are there (again)."""
        self._apply(self.transmit.back(now), now)

    def inhibit(self, now: float) -> None:
        """Silence this transmitter until it is allowed again."""
        self._apply(self.transmit.inhibit(now), now)

    def allow(self, now: float) -> None:
        """Lift the inhibit."""
        self._apply(self.transmit.allow(now), now)

    def tick(self, now: float) -> None:
        """Do what is due: lease, voice, time-outs."""
        if self._renew_at is not None and now >= self._renew_at:
            self._line.renew()
            self._renew_at = now + RENEW_S
        self._play_due(now)
        if self._drained_at is not None and now >= self._drained_at:
            self._drained_at = None
            self._finish_current(now)
        deadline = self.transmit.next_deadline()
        if deadline is not None and now >= deadline:
            self._apply(self.transmit.tick(now), now)
            self._next_waiting(now)

    def next_deadline(self) -> float | None:
        """Return when `tick` wants to be called."""
        jitter = self._current.jitter.next_deadline() if self._current is not None else None
        return earliest(self._renew_at, jitter, self._drained_at, self.transmit.next_deadline())

    def _playing_for(self, claim: Claim, packet: VoicePacket, now: float) -> Playing | None:
        """Find or make the place of a spurt's packets (not the common path)."""
        current = self._current
        if current is not None and _same(current.claim, claim):
            current.claim = claim
            self._apply(self.transmit.rank(now, emergency=_is_emergency(claim)), now)
            return self._current if self._current is current else None
        for waiting in self._waiting:
            if _same(waiting.claim, claim):
                waiting.claim = claim
                return waiting
        if packet.end or (self._over is not None and _same(self._over, claim)):
            return None
        self._give_way()
        current = self._current
        if not self._free:
            self._release(self._waiting.popleft())
            self.counters["waiting_dropped"] += 1
        # The one used last knows the path best.
        playing = Playing(claim, self._free.pop())
        if current is not None:
            self._waiting.append(playing)
            return playing
        self._start(playing, now)
        return self._current

    def _start(self, playing: Playing, now: float) -> None:
        """Begin a spurt. The machine may refuse it at once: then there is no current one."""
        self._apply(self.transmit.tick(now), now)
        self._current = playing
        self._silent = 0
        self._decoder.reset()
        emergency = _is_emergency(playing.claim)
        self._apply(self.transmit.start(now, emergency=emergency), now)

    def _play_due(self, now: float) -> None:
        while self._current is not None and self._drained_at is None:
            due = self._current.jitter.next_deadline()
            if due is None or due > now:
                return
            if not self._play_one(self._current.jitter, now):
                return

    def _play_one(self, jitter: JitterBuffer, now: float) -> bool:
        """Play one 20 ms step; False when there is nothing more to do now."""
        pull = jitter.pull(now)
        kind = pull.kind
        if kind is PullKind.VOICE:
            frame = self._decode(pull.payload)
            if self._pauses(jitter, frame) and not self._keys(jitter):
                jitter.skip_head()
                return self._play_one(jitter, now)
            self._voice(frame, "played", now)
        elif kind is PullKind.CONCEAL:
            self._voice(self._decoder.conceal(), "concealed", now)
        elif kind is PullKind.GAP and (jitter.holds_more or not self._waiting):
            self.counters["gap"] += 1
            self._off_air = False
            self._audio.write(self._silence)
            self._apply(self.transmit.gap(now), now)
        elif kind in _OVER:
            self._drained_at = now + self._audio.queued_s()
        else:
            return False
        return True

    def _pauses(self, jitter: JitterBuffer, frame: PcmFrame) -> bool:
        """Tell whether a frame may be left out: before the first word, or in a pause."""
        silent = jitter.can_skip and level_dbfs(frame) < SKIP_BELOW_DBFS
        self._silent = self._silent + 1 if silent else 0
        return silent and (jitter.at_first_frame or self._silent > PAUSE_FRAMES)

    def _keys(self, jitter: JitterBuffer) -> bool:
        """Tell whether a silent frame is worth playing, because it brings the radio on the air.

        Not when voice is there already: played after that frame, all of it would be later.
        """
        return self._off_air and jitter.alone

    def _decode(self, payload: bytes) -> PcmFrame:
        try:
            return self._decoder.decode(payload)
        except RemoteProtocolError:
            self.counters["bad_opus"] += 1
            return self._decoder.conceal()

    def _voice(self, frame: PcmFrame, counter: str, now: float) -> None:
        self.counters[counter] += 1
        self._off_air = False
        self._audio.write(self._limiter.process(frame))
        effects = self.transmit.voice(now)
        if effects:
            self._apply(effects, now)

    def _finish_current(self, now: float) -> None:
        """Everything of the spurt is on the air: tail, or the next one without unkeying."""
        self._said = self.claim
        self._forget_current()
        self._apply(self.transmit.end(now), now)
        self._next_waiting(now)

    def _next_waiting(self, now: float) -> None:
        if self._current is None and self._waiting:
            self._start(self._waiting.popleft(), now)

    def _forget_current(self) -> None:
        current, self._current, self._drained_at = self._current, None, None
        if current is not None:
            self._release(current)

    def _release(self, playing: Playing) -> None:
        """Give the spurt's buffer back."""
        playing.jitter.reset()
        self._free.append(playing.jitter)

    def _apply(self, effects: tuple[Effect, ...], now: float) -> None:
        claim = self.claim
        for effect in effects:
            if effect is Action.KEY:
                self._ports.own_transmission(True, now)
                self._line.key()
                self._off_air = self._keyed_by_voice
                self._renew_at = now + RENEW_S
            elif effect is Action.UNKEY:
                self._renew_at = None
                self._line.unkey()
                if self._current is not None and self._current.begun:
                    self._leave_air(whole_tail=effects == (Action.UNKEY,))
            elif effect is Action.BEGIN_VOICE:
                if self._current is not None:
                    self._current.begun = True
                    self._current.jitter.begin(now)
            elif effect is Action.DISCARD:
                self._audio.discard()
            else:
                self._give_up(claim, effect, now)

    def _leave_air(self, *, whole_tail: bool) -> None:
        """End the spurt that was played; one that has come back during the tail is played yet."""
        current = self._current
        if whole_tail and current is not None and current.jitter.holds_more:
            current.jitter.again()
            self._current, current.begun = None, False
            self._waiting.appendleft(current)
        else:
            self._forget_current()

    def _give_up(self, claim: Claim | None, why: NotDelivered, now: float) -> None:
        """Leave the spurt, or the rest of it, unplayed on this radio."""
        self.counters["not_delivered"] += 1
        self._over = claim
        self._forget_current()
        self._ports.not_delivered(claim, why, now)
        self._next_waiting(now)


def _same(one: Claim, other: Claim) -> bool:
    """Tell whether two claims name one spurt, whatever their rank was clamped to."""
    return (
        one.start_ms == other.start_ms
        and one.sender == other.sender
        and one.talkgroup == other.talkgroup
    )


def _is_emergency(claim: Claim) -> bool:
    return claim.talk_class is TalkClass.EMERGENCY
