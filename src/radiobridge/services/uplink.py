"""From a radio's receiver to the network: level, squelch, preroll, Opus, one spurt at a time.

Rules. A spurt opens when the squelch opens and the floor allows it; refused or cut off, it may come
in once when the holder ends, as a new spurt. One that has talked as long as it may comes in no more
before the squelch has closed. Its first frames are what the preroll holds. It closes when the
squelch closes: the audio frame in progress is still sent, then one frame of silence, which pushes
the last milliseconds out of the Opus encoder and carries the end flag. What is received while the
radio transmits or its talkgroup plays opens nothing (`core.squelch`).

Before anything else, frames pass `services.in_band`: it takes out what must not leave, and tells
who talks. With a CTCSS tone to wait for, COR counts only together with it (`core.tone_gate`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from radiobridge.core.preroll import Preroll, PrerollFrame
from radiobridge.core.squelch import Squelch, SquelchEvent
from radiobridge.core.tone_gate import ToneGate
from radiobridge.media.level import FLOOR_DBFS, level_dbfs
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusEncoder
from radiobridge.media.signalling import Signal
from radiobridge.media.vox import VoxSettings
from radiobridge.model.voice import FRAME_S, Claim, PcmFrame
from radiobridge.services.in_band import InBand
from radiobridge.services.loop_guard import LoopGuard
from radiobridge.services.outgoing import Outgoing

_QUIET_DBFS = VoxSettings().close_dbfs

LAST_FRAME_WAIT_S = 0.03
"""How long the end waits for the audio frame in progress: one frame and some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkPorts:
    """What an uplink asks of the gateway."""

    start: Callable[[float, float], Outgoing | None]
    """(monotonic time of the first sample, now) -> a spurt, or None when the floor is taken."""
    stuck: Callable[[bool], None]
    """True: the receiver stayed open past its limit and is out of the group; False: back."""
    ended: Callable[[Outgoing, float], None]
    allows: Callable[[], bool] = lambda: True
    """Whether in-band signalling of this radio may leave now."""
    signal: Callable[[Signal], None] = lambda _signal: None
    """Signalling was heard, of any kind: for the log."""
    identified: Callable[[Claim, str], None] = lambda _claim, _talker: None
    """(a spurt, who talks in it): told once it is known, perhaps again."""
    emergency: Callable[[str], None] = lambda _talker: None
    """(who) has signalled an emergency, whether or not it has the floor."""


class Uplink:
    """One radio's way up. All times are monotonic seconds; every call is quick."""

    def __init__(
        self,
        *,
        squelch: Squelch,
        preroll: Preroll,
        encoder: OpusEncoder,
        limiter: Limiter,
        rate: int,
        ports: UplinkPorts,
        in_band: InBand | None = None,
        guard: LoopGuard | None = None,
    ) -> None:
        """Tie the parts together; without `in_band`, nothing is listened to but voice."""
        self.level_dbfs = FLOOR_DBFS
        self.frames = 0
        self.spurts = 0
        self._squelch = squelch
        self._loud_dbfs = squelch.loud_dbfs
        self._preroll = preroll
        self._encoder = encoder
        self._limiter = limiter
        self._ports = ports
        self._in_band = in_band
        self._guard = guard
        self.last_claim: Claim | None = None
        """The claim of the newest spurt, also once it is over."""
        self._gate = ToneGate(waits=in_band is not None and in_band.settings.ctcss_hz is not None)
        self._spurt: Outgoing | None = None
        self.loud_at = -inf
        """When somebody was heard last, with our tone or another, muted or not (monotonic s)."""
        self._voiced = in_band.voiced if in_band is not None else _yes
        self._lag = rate // 8000
        self._refused = False
        self._cut_short = False
        """The device was lost in mid-spurt, and the same reception may go on when it is back."""
        self._last_at = 0.0
        self._end_at: float | None = None
        self._silence = np.zeros(rate // 50, dtype=np.int16)

    @property
    def spurt(self) -> Outgoing | None:
        """Return the spurt in progress."""
        return self._spurt

    def audio(self, samples: PcmFrame, at: float, now: float) -> None:
        """Take 20 ms of received audio whose last sample was heard at `at`."""
        self.frames += 1
        samples = self._limiter.process(samples)
        level = self.level_dbfs = level_dbfs(samples)
        listened = self._squelch.listens
        if self._in_band is not None:
            samples, level = self._hear(self._in_band, samples, now)
        heard_dbfs = level if self._gate.heard else FLOOR_DBFS
        event = self._squelch.audio(heard_dbfs, now, self._voiced)
        self._note_loudness(samples, level, now)
        if self._spurt is not None:
            self._send(samples, at)
        elif listened:
            self._preroll.push(samples, level, at)
        else:
            self._preroll.clear()
        self._tell(now)
        if event is not None:
            self._squelch_event(event, now)
        elif self._end_at is not None:
            self._finish(now)
        self._follow_tone(now)
        if self._guard is not None:
            self._watch(self._guard, samples, now)

    def _watch(self, guard: LoopGuard, samples: PcmFrame, now: float) -> None:
        """Look for a loop in what is heard."""
        if self._squelch.let_go:
            guard.let_go(now)
        elif self._squelch.is_open and (for_s := guard.hear(samples, now)):
            self._take(self._squelch.doubt(for_s, now), now)

    def _note_loudness(self, samples: PcmFrame, level: float, now: float) -> None:
        """Note whether anybody is under the carrier, where a carrier alone means nobody."""
        squelch = self._squelch
        if squelch.quiet_s is None or squelch.transmits:
            return
        if self._deaf:
            # Muted: nothing is taken out of it. The difference leaves CTCSS 14 dB quieter.
            level = level_dbfs(samples[self._lag :] - samples[: -self._lag])
        if level >= self._loud_dbfs:
            self.loud_at = now

    @property
    def ctcss_hz(self) -> float | None:
        """Return the CTCSS tone that is heard."""
        return self._in_band.ctcss_hz if self._in_band is not None else None

    @property
    def silenced(self) -> int:
        """Return how many frames of signalling were kept back."""
        return self._in_band.silenced if self._in_band is not None else 0

    @property
    def _deaf(self) -> bool:
        return not (self._squelch.listens or self._squelch.is_open or self._spurt is not None)

    def _hear(self, in_band: InBand, samples: PcmFrame, now: float) -> tuple[PcmFrame, float]:
        """Return what may leave of a frame, and how loud the voice in it is."""
        if self._deaf:
            in_band.deafen()
            return samples, self.level_dbfs
        samples = in_band.hear(samples, now, allow=self._ports.allows())
        for signal in in_band.signals:
            self._ports.signal(signal)
        return samples, in_band.voice_dbfs

    def _follow_tone(self, now: float) -> None:
        """Let the tone open or close the squelch."""
        if self._in_band is None:
            return
        before = self._gate.active
        if self._gate.tone(there=self._in_band.tone_there, deaf=self._deaf) is not before:
            self._take(self._squelch.cor(self._gate.active, now), now)

    def _tell(self, now: float) -> None:
        """Tell who has told who it is, once there is somebody whom that can be."""
        spurt = self._spurt
        if self._in_band is None or (spurt is None and not self._squelch.is_open):
            return
        for identity in self._in_band.take(now):
            if spurt is not None:
                self._ports.identified(spurt.claim, identity.talker)
            if identity.emergency:
                self._ports.emergency(identity.talker)

    def cor(self, *, active: bool, now: float) -> None:
        """Take the receiver's carrier state from the interface."""
        if self._guard is not None:
            (self._guard.came_on if active else self._guard.went_off)(now)
        if active and self._in_band is not None and not self._squelch.is_open:
            # The tone of who talked before lets nobody in, and would be missed soon: two spurts.
            self._in_band.forget_tone()
            self._gate.tone(there=False, deaf=self._deaf)
        self._take(self._squelch.cor(self._gate.cor(active=active, deaf=self._deaf), now), now)

    def own_transmission(self, *, keyed: bool, now: float) -> None:
        """Tell that this radio transmits (or asked to), or has stopped."""
        self._take(self._squelch.own_transmission(keyed, now), now)

    def mute(self, *, on: bool, now: float) -> None:
        """Tell that a spurt plays on this radio's talkgroup."""
        self._take(self._squelch.mute(on, now), now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._take(self._squelch.tick(now), now)
        if self._end_at is not None and now >= self._end_at:
            self._finish(now)

    def next_deadline(self) -> float | None:
        """Return when `tick` wants to be called."""
        deadline = self._squelch.next_deadline()
        if self._end_at is not None and (deadline is None or self._end_at < deadline):
            return self._end_at
        return deadline

    @property
    def is_loud(self) -> bool:
        """Tell whether what is received may be somebody, where no carrier tells."""
        return self.level_dbfs > _QUIET_DBFS

    @property
    def is_open(self) -> bool:
        """Tell whether the squelch is open."""
        return self._squelch.is_open

    def floor_free(self, now: float) -> None:
        """The holder that refused us, or cut us off, has ended: come in, once for each holder."""
        if not self._squelch.is_open:
            return
        if self._spurt is not None and self._spurt.may_return:
            self._finish(now)
            self._open(now)
        elif self._refused and self._spurt is None:
            self._open(now)

    def forgo(self) -> None:
        """Who is heard has talked as long as he may: until he stops, nothing more is sent."""
        self._refused = False
        if self._spurt is not None:
            self._spurt.spent = True

    def drop(self, now: float) -> None:
        """End the spurt at once, without waiting for audio (stop, inhibit)."""
        self._finish(now)

    def lost(self, now: float) -> None:
        """End the spurt: the device is gone. May be told again and again."""
        spurt = self._spurt
        goes_on = spurt is not None and not (spurt.cut or spurt.spent)
        self._cut_short = self._squelch.is_open and (self._cut_short or goes_on)
        self._finish(now)

    def back(self, now: float) -> None:
        """The device is there again: the rest of what is being received is a spurt of its own."""
        cut_short, self._cut_short = self._cut_short, False
        if cut_short and self._squelch.is_open and self._spurt is None:
            self._open(now)

    def _take(self, event: SquelchEvent | None, now: float) -> None:
        if event is not None:
            self._squelch_event(event, now)

    def _squelch_event(self, event: SquelchEvent, now: float) -> None:
        if event is SquelchEvent.OPENED:
            self._end_at = None
            if self._guard is not None:
                self._guard.came_on(now)
            if self._spurt is None:
                self._open(now)
            return
        self._refused = self._cut_short = False
        if event is not SquelchEvent.CLOSED:
            self._ports.stuck(event is SquelchEvent.STUCK)
        if self._spurt is not None and self._end_at is None:
            self._end_at = now + LAST_FRAME_WAIT_S

    def _open(self, now: float) -> None:
        frames = self._preroll.take(now)
        start = frames[0].at - FRAME_S if frames else now
        spurt = self._ports.start(start, now)
        self._refused = spurt is None
        if spurt is None:
            return
        self._spurt, self.last_claim = spurt, spurt.claim
        self.spurts += 1
        self._last_at = start
        self._encoder.reset()
        for frame in frames:
            self._send_frame(frame)

    def _send_frame(self, frame: PrerollFrame) -> None:
        self._send(frame.samples, frame.at)

    def _send(self, samples: PcmFrame, at: float) -> None:
        spurt = self._spurt
        if spurt is None:
            return
        # Frames that the device lost leave a hole in media time: silence of the right length.
        skipped = int((at - self._last_at - FRAME_S) / FRAME_S + 0.5)
        self._last_at = at
        if not spurt.cut:
            spurt.frame(self._encode(samples), skipped=max(0, skipped))

    def _encode(self, samples: PcmFrame) -> bytes:
        if self._in_band is not None and self._in_band.active and self._ports.allows():
            return self._encoder.encode(samples, signalling=True)
        return self._encoder.encode(samples)

    def _finish(self, now: float) -> None:
        spurt, self._spurt, self._end_at = self._spurt, None, None
        if spurt is None:
            return
        if not spurt.cut:
            spurt.end(self._encoder.encode(self._silence))
        self._preroll.clear()
        self._ports.ended(spurt, now)


def _yes() -> bool:
    """Say that everything sounds like a voice: nothing else is listened to."""
    return True
