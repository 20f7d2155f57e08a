"""The jitter buffer of one spurt on its way to one transmitter.

Packets arrive unevenly; the transmitter wants one frame each 20 ms. The rules:

1. **Start.** Nothing plays before `begin` (the transmitter is ready). The first frame then plays
   `start_s` after it would have come without any lateness (10 ms); once the path is known, as much
   after as it has taught us (`Arrivals`). A burst, that is a preroll, shows by itself that its
   first packets waited at the sender, so it plays at once. A spurt that has come whole (`finish`)
   plays at once too.
2. **Rhythm.** A frame is due each 20 ms. One that is there may be pulled up to `ahead_s` before its
   time: what the device has in store is safe from our own lateness, and the beat stays as it is. A
   pull that comes late by less than `catch_up_s` keeps the beat, so that lateness does not add up;
   one that comes later sets a new beat from then on. Never a burst: the device has run dry
   meanwhile, and what a burst would queue in it is delay that nobody sees. The lost time stays in
   this buffer, where rule 5 gives it back.
3. **A missing frame** is waited for until `grace_s` after its time: should the device have run dry
   by then, that harms less than 20 ms of made-up sound, and the delay that these leave behind. Then
   it is concealed, up to three times in a row, then there is a gap: silence, with the transmitter
   held. The missing frame is given up only when a later one takes its place, which a later one does
   as soon as as many frames have been concealed as are missing. So a loss costs no delay; and
   whatever comes after a stall is still played, later by as much as the stall lasted.
4. **The end** comes after the frame that `finish` named. What is missing before it, with nothing
   after, is concealed up to three times.
5. **Giving back.** When `can_skip` says that packets wait 20 ms or more for nothing, the owner
   leaves out frames that are silent once decoded (`skip_head`): delay from a preroll, a keying
   radio or a stall is gone after the first pauses of speech, and no word is touched.
6. **Silence at the very start** may be left out twice: then nothing has been played yet, and the
   beat can still start anywhere, so that the newest frame of a quiet preroll costs no delay.

Bound: `limit_s` (2 s) of frames; beyond it the oldest go and `overflow` counts them.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from radiobridge.core.arrivals import Arrivals
from radiobridge.errors import LocalProtocolError
from radiobridge.model.voice import FRAME_S

_EARLY_S = 0.0005
"""Timers fire a little early; a pull this much before its time is on time."""

_MARGIN_S = 0.005
"""What there is above the lateness seen, so that an ordinary packet is not the late one: here, or
where `grace_s` is spent."""

_LEAST_S = 0.005
"""What a path without any lateness has to wait."""

_LEADING_SKIPS = 2
"""Silent frames that may be left out before the first: newest preroll frame, margin frame."""

_REMEMBERED_LOSSES = 64


class PullKind(Enum):
    """What is to be played in the next 20 ms."""

    VOICE = "voice"
    CONCEAL = "conceal"
    """A frame is missing: let the decoder hide it."""
    GAP = "gap"
    """Frames are missing for longer: silence, the transmitter holds."""
    END = "end"
    """Everything was played."""
    NOT_YET = "not-yet"
    """Nothing is due."""


class Pull(NamedTuple):
    """Answer to one pull; `payload` is the packet when `kind` is VOICE."""

    kind: PullKind
    payload: bytes = b""


_CONCEAL = Pull(PullKind.CONCEAL)
_GAP = Pull(PullKind.GAP)
_END = Pull(PullKind.END)
_NOT_YET = Pull(PullKind.NOT_YET)


@dataclass(frozen=True, slots=True, kw_only=True)
class JitterSettings:
    """How much to wait; times in s."""

    start_s: float = 0.010
    """Wait for the first frame of a spurt, as long as the path is not known."""
    ahead_s: float = 0.0
    """How long before its time a frame may be handed to the device, if it is there."""
    grace_s: float = 0.0
    """How long after its time a missing frame is waited for: what any device has in store."""
    awaits_second: bool = False
    """The first frame waits for the one after it with all of the margin: whether it is worth
    playing depends on that one (`alone`)."""
    max_target_s: float = 0.4
    """Most that a jittery path may make us wait."""
    limit_s: float = 2.0
    """Most voice kept: no busy channel or trunk queue is waited for longer."""
    conceal_frames: int = 3
    """Missing frames that are hidden; more sounds like a robot."""
    catch_up_s: float = FRAME_S
    """How late a pull may be and the beat be kept: one frame, plus what the device has in store."""


class _State(Enum):
    FILLING = "filling"
    PLAYING = "playing"
    ENDED = "ended"


class JitterBuffer:
    """Frames of one spurt in order, one each 20 ms; the rules are at the top of the file.

    `put` for each packet, `begin` when the transmitter is ready, then `pull` at each
    `next_deadline` (None: only `put`, `finish` or `begin` can change that). `reset` for the next
    spurt. `now` is monotonic s.
    """

    __slots__ = (
        "_arrivals",
        "_begun_at",
        "_due",
        "_frames",
        "_fresh",
        "_given_up",
        "_last",
        "_leading",
        "_limit",
        "_newest",
        "_next",
        "_played",
        "_settings",
        "_state",
        "_waited",
        "bridged",
        "concealed",
        "duplicate",
        "late",
        "late_pulls",
        "lost",
        "overflow",
        "skipped",
    )

    def __init__(self, settings: JitterSettings | None = None) -> None:
        self._settings = settings or JitterSettings()
        self._limit = max(1, round(self._settings.limit_s / FRAME_S))
        self._arrivals = Arrivals()
        self.late = 0
        """Frames that came after they had been given up, or after the end."""
        self.lost = 0
        """Frames that were given up."""
        self.duplicate = 0
        """Frames that came again."""
        self.overflow = 0
        """Frames dropped because the buffer was full: the oldest."""
        self.skipped = 0
        """Silent frames left out to win delay back."""
        self.concealed = 0
        """Times that a frame was missing when it was due: concealed, or a gap."""
        self.bridged = 0
        """Those after which the spurt went on: what somebody misses in the middle of it. Before the
        last frame nothing is missed: that one ends a hang in which nobody said anything."""
        self.late_pulls = 0
        """Times that the owner came too late and a new beat was set."""
        self.reset()

    def reset(self) -> None:
        """Forget the spurt; keep the counters and what was learnt of the path."""
        self._arrivals.restart()
        self._clear()

    def _clear(self) -> None:
        self._state = _State.FILLING
        self._frames: dict[int, bytes] = {}
        self._given_up: deque[int] = deque(maxlen=_REMEMBERED_LOSSES)
        self._begun_at: float | None = None
        self._next: int | None = None
        self._newest = -1
        self._last: int | None = None
        self._due = 0.0
        self._waited = 0
        self._played = 0
        self._leading = 0
        self._fresh = False

    def again(self) -> None:
        """Wait for `begin` once more, with what is kept: the spurt goes on after a break."""
        frames, newest, last = self._frames, self._newest, self._last
        self._clear()
        self._frames, self._newest, self._last = frames, newest, last
        self._next = min(frames, default=None)

    def put(self, media_index: int, payload: bytes, now: float) -> None:
        """Take the frame at `media_index` (media time // 960), whatever came before it."""
        if media_index in self._frames:
            self.duplicate += 1
            return
        if self._refused(media_index, now):
            return
        self._arrivals.note(media_index, now)
        self._frames[media_index] = payload
        if self._next is None or media_index < self._next:
            self._next = media_index
        if media_index > self._newest:
            self._newest = media_index
            if media_index - self._next >= self._limit:
                self._drop_oldest()

    def finish(self, last_index: int) -> None:
        """Say that the frame at `last_index` is the last. The first word counts."""
        if self._last is not None or self._state is _State.ENDED:
            return
        self._last = last_index
        for beyond in [index for index in self._frames if index > last_index]:
            del self._frames[beyond]
            self.late += 1

    def begin(self, now: float) -> None:
        """Say that the transmitter is ready for voice."""
        if self._begun_at is None:
            self._begun_at = now

    def next_deadline(self) -> float | None:
        """Return when `pull` has something to give, or None while only an input can change that."""
        if self._state is _State.ENDED or self._begun_at is None:
            return None
        if self._state is _State.FILLING:
            return self._start_at(self._begun_at)
        if not self._played:
            return self._beat()
        if self._has_next:
            return self._due - self._settings.ahead_s
        return self._due if self._is_over else self._due + self._settings.grace_s

    def pull(self, now: float) -> Pull:
        """Return what to play in the 20 ms that are due, or NOT_YET when none are."""
        if self._state is _State.ENDED:
            return _END
        due = self.next_deadline()
        self._fresh = due is not None and now >= due - _EARLY_S
        if due is None or not self._fresh:
            return _NOT_YET
        if self._state is _State.FILLING:
            self._state, self._due = _State.PLAYING, now + FRAME_S
        else:
            self._keep_beat(now, due)
        return self._frame_due()

    @property
    def can_skip(self) -> bool:
        """Tell whether the frame just pulled may be left out if it is silent."""
        if self._state is not _State.PLAYING or not self._fresh:
            return False
        if self.at_first_frame and self._leading < _LEADING_SKIPS:
            return True
        return bool(self._frames) and self.depth_s - self._need_s >= FRAME_S

    def skip_head(self) -> None:
        """Leave out the frame just pulled: pull again, at the same `now`, what to play instead.

        Raises LocalProtocolError unless `can_skip`.
        """
        if not self.can_skip:
            raise LocalProtocolError("skip_head without can_skip")
        self.skipped += 1
        self._fresh = False
        if self.at_first_frame and self._leading < _LEADING_SKIPS:
            self._played = 0
            self._leading += 1
        else:
            self._due -= FRAME_S

    @property
    def alone(self) -> bool:
        """Tell whether the frame just pulled is the first to be played, and nothing follows yet."""
        return self.at_first_frame and not self._frames

    @property
    def holds_more(self) -> bool:
        """Tell whether frames wait behind what is missing."""
        return bool(self._frames)

    @property
    def depth_s(self) -> float:
        """Return how long a packet without lateness waits here, once playing; else what is kept."""
        if self._state is not _State.PLAYING:
            return len(self._frames) * FRAME_S
        hole = self._waited if self._frames else 0
        return self._due - self._expected(hole)

    @property
    def target_s(self) -> float:
        """Return how long the first frame of a spurt has to wait on this path."""
        need = self._need_s
        return need if self._arrivals.known else max(self._settings.start_s, need)

    @property
    def _need_s(self) -> float:
        """What must remain when delay is given back: a quiet path settles lower than it starts."""
        margin = _MARGIN_S - self._settings.grace_s
        need = max(self._arrivals.lateness_s + margin, _LEAST_S)
        return min(need, self._settings.max_target_s)

    @property
    def at_first_frame(self) -> bool:
        """Tell whether the frame just pulled is the first to be played."""
        return self._played == 1 and not self._waited

    def _expected(self, hole: int = 0) -> float:
        """Return when the next frame (or the one after a hole) comes if nothing delays it."""
        return self._arrivals.base + ((self._next or 0) + hole) * FRAME_S

    def _start_at(self, begun_at: float) -> float | None:
        if self._next is None:
            return None if self._last is None else begun_at
        if self._last is not None and self._last - self._next < len(self._frames):
            return begun_at
        wait_s = self.target_s
        if self._settings.awaits_second:
            wait_s = max(wait_s, self._arrivals.lateness_s + _MARGIN_S)
        return max(begun_at, self._expected() + wait_s)

    def _refused(self, index: int, now: float) -> bool:
        """Count and refuse what can no longer be played."""
        if self._last is not None and index > self._last:
            self.late += 1
            return True
        if self._next is None or index >= self._next:
            return False
        if self._state is _State.FILLING:
            if self._newest - index < self._limit:
                return False
        elif index not in self._given_up:
            self.duplicate += 1
            return True
        self.late += 1
        # What came too late is what the path has to be judged by.
        self._arrivals.note(index, now)
        return True

    def _drop_oldest(self) -> None:
        """Keep the newest `limit_s`."""
        keep = self._newest - self._limit + 1
        before, dropped = self._next or 0, [index for index in self._frames if index < keep]
        for index in dropped:
            del self._frames[index]
        self._next = min(self._frames)
        self._waited = 0
        self.overflow += len(dropped)
        self.lost += self._next - before - len(dropped)

    def _beat(self) -> float:
        """Return when the next frame is to be played, once playing."""
        if not self._leading or self._played:
            return self._due
        # Nothing has been heard: any time from the skipped frame's on will do.
        return min(self._due, max(self._due - FRAME_S, self._expected() + self.target_s))

    @property
    def _has_next(self) -> bool:
        """Tell whether the next frame is there, or the one after a hole that was concealed."""
        if self._next in self._frames:
            return True
        if not self._waited or not self._frames:
            return False
        return self._waited >= min(self._frames) - (self._next or 0)

    @property
    def _is_over(self) -> bool:
        """Tell whether everything up to the last frame was played."""
        return self._last is not None and self._next is not None and self._next > self._last

    def _keep_beat(self, now: float, due: float) -> None:
        beat = self._beat()
        late_s = now - max(beat, due)
        if late_s < self._settings.catch_up_s:
            self._due = beat + FRAME_S
        else:
            self._set_beat(now, late_s=late_s)

    def _set_beat(self, now: float, *, late_s: float) -> None:
        self.late_pulls += 1
        self._due = now + FRAME_S
        if self._next not in self._frames:
            # Time that has passed over a missing frame stands for it just as a concealed one does.
            self._waited += int(late_s / FRAME_S)

    def _frame_due(self) -> Pull:
        if self._next is None:
            return self._end()
        if self._next in self._frames:
            return self._play(self._next)
        if self._frames:
            ahead = min(self._frames)
            if self._waited >= ahead - self._next:
                self._give_up(ahead)
                return self._play(ahead)
        elif self._last is not None:
            missing = self._last + 1 - self._next
            if self._waited >= min(missing, self._settings.conceal_frames):
                self._give_up(self._last + 1)
                return self._end()
        self._waited += 1
        self._played += 1
        self.concealed += 1
        return _CONCEAL if self._waited <= self._settings.conceal_frames else _GAP

    def _play(self, index: int) -> Pull:
        self._next = index + 1
        if index != self._last:
            self.bridged += self._waited
        self._waited = 0
        self._played += 1
        return Pull(PullKind.VOICE, self._frames.pop(index))

    def _end(self) -> Pull:
        self._state = _State.ENDED
        return _END

    def _give_up(self, until: int) -> None:
        """Count what is missing before `until` as lost; remember the newest of it."""
        first = self._next or 0
        self.lost += max(0, until - first)
        self._given_up.extend(range(max(first, until - _REMEMBERED_LOSSES), until))
