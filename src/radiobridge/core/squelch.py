"""When a receiver counts as receiving voice.

States and what leaves them (COR is the receiver's own word, VOX the level of its audio):

    CLOSED    COR or voice            -> OPENING when there is a debounce, else OPEN: OPENED
    OPENING   debounce over           -> OPEN: OPENED
              COR ends                -> CLOSED
    OPEN      COR or voice ends       -> HANG
    HANG      COR or voice again      -> OPEN
              hang over               -> CLOSED: CLOSED
    BLOCKED   we transmit, or a spurt plays on our talkgroup. Nothing heard counts.
              both over               -> SETTLING
    SETTLING  settling over           -> WAITING when COR is still or again active, else CLOSED
    WAITING   COR ends                -> CLOSED
              voice                   -> OPEN: OPENED
    STUCK     quiet for a second      -> CLOSED: CLEARED

Any state goes to BLOCKED when we transmit or play (event CLOSED if it was open), any but BLOCKED
and SETTLING to STUCK (event STUCK) when COR or voice lasts longer than the limit. WAITING is there
because a repeater holds its carrier for seconds after we unkey: that is not a spurt, but somebody
who answers in it is one. A receiver that is stuck stays so through own transmissions; only silence
outside them clears it.
"""

from dataclasses import dataclass, field
from enum import Enum
from math import inf

from radiobridge.media.vox import Vox, VoxSettings


class SquelchMode(Enum):
    """What tells that the receiver receives."""

    COR = "cor"
    VOX = "vox"


class SquelchEvent(Enum):
    """What the owner of the radio has to act on."""

    OPENED = "opened"
    CLOSED = "closed"
    STUCK = "stuck"
    """Open for too long: the receiver counts as closed and leaves the group, with an alarm."""
    CLEARED = "cleared"
    """The stuck receiver has closed and counts again."""


class SquelchState(Enum):
    """See the table above."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    HANG = "hang"
    BLOCKED = "blocked"
    SETTLING = "settling"
    WAITING = "waiting"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class SquelchSettings:
    """One receiver's squelch; times in s."""

    mode: SquelchMode = SquelchMode.COR
    cor_debounce_s: float = 0.0
    """How long COR must last before it counts; 0 unless the line chatters: it delays the PTT."""
    hang_s: float = 0.2
    """How long a fade may last without ending the spurt."""
    vox: VoxSettings = field(default_factory=VoxSettings)
    """Thresholds of VOX; in COR mode those of an answer inside a repeater's hang."""
    settling_s: float = 0.15
    """How long the receiver may talk nonsense after we unkey."""
    cor_limit_s: float = 120.0
    """Longest reception that can be true."""
    clear_s: float = 1.0
    """How long a stuck receiver must be closed to count again: one that flutters is still stuck."""


_HEARD = frozenset({SquelchState.OPEN, SquelchState.HANG})
_LISTENS = frozenset({SquelchState.CLOSED, SquelchState.OPENING, SquelchState.WAITING})
_TIMED = frozenset(
    {SquelchState.OPENING, SquelchState.HANG, SquelchState.SETTLING, SquelchState.STUCK}
)
_LIMITED = frozenset({SquelchState.OPENING, SquelchState.OPEN, SquelchState.WAITING})


class Squelch:
    """Decides for one receiver; see the table at the top of the file.

    Each method takes `now` (monotonic s), not earlier than before, and returns what happened.
    """

    __slots__ = (
        "_cor",
        "_due",
        "_keyed",
        "_limit_at",
        "_muted",
        "_settings",
        "_state",
        "_stuck",
        "_vox",
    )

    def __init__(self, settings: SquelchSettings) -> None:
        self._settings = settings
        self._vox = Vox(settings.vox)
        self._state = SquelchState.CLOSED
        self._cor = False
        self._keyed = False
        self._muted = False
        self._stuck = False
        self._due = 0.0
        self._limit_at: float | None = None

    @property
    def state(self) -> SquelchState:
        """Return the state, for display."""
        return self._state

    @property
    def is_open(self) -> bool:
        """Tell whether what is heard now belongs to a spurt."""
        return self._state in _HEARD

    @property
    def is_stuck(self) -> bool:
        """Tell whether the receiver is out of the group for being open too long."""
        return self._stuck

    @property
    def listens(self) -> bool:
        """Tell whether audio now belongs into the preroll; clear the preroll when not."""
        return self._state in _LISTENS

    def cor(self, active: bool, now: float) -> SquelchEvent | None:
        """Take the receiver's COR."""
        self._settle(now)
        self._cor = active
        if self._settings.mode is SquelchMode.COR:
            return self._source(active=active, now=now)
        return None

    def audio(self, level_dbfs: float, now: float) -> SquelchEvent | None:
        """Take the level of the next 20 ms."""
        self._settle(now)
        if self._state in (SquelchState.BLOCKED, SquelchState.SETTLING):
            return None
        voice = self._vox.feed(level_dbfs)
        event = None
        if self._settings.mode is SquelchMode.VOX:
            event = self._source(active=voice, now=now)
        elif voice and self._state is SquelchState.WAITING:
            event = self._open()
        return event or self.tick(now)

    def own_transmission(self, keyed: bool, now: float) -> SquelchEvent | None:
        """Take our own PTT: from the request to transmit on, until the radio has unkeyed."""
        self._keyed = keyed
        return self._block(now)

    def mute(self, on: bool, now: float) -> SquelchEvent | None:
        """Take whether a spurt plays on our talkgroup, here or at another gateway."""
        self._muted = on
        return self._block(now)

    def tick(self, now: float) -> SquelchEvent | None:
        """Do what time alone does; to be called at `next_deadline`."""
        self._settle(now)
        if self._limit_at is not None and now >= self._limit_at and self._state in _LIMITED:
            self._state, self._stuck, self._limit_at = SquelchState.STUCK, True, None
            self._due = inf
            return SquelchEvent.STUCK
        if self._state is SquelchState.OPENING and now >= self._due:
            return self._open()
        if self._state is SquelchState.HANG and now >= self._due:
            return self._close()
        if self._state is SquelchState.STUCK and now >= self._due:
            self._state, self._stuck = SquelchState.CLOSED, False
            return SquelchEvent.CLEARED
        return None

    def next_deadline(self) -> float | None:
        """Return when `tick` is due, or None."""
        due = self._due if self._state in _TIMED else inf
        if self._limit_at is not None and self._state in _LIMITED:
            due = min(due, self._limit_at)
        return None if due == inf else due

    def _source(self, *, active: bool, now: float) -> SquelchEvent | None:
        """Follow COR (or VOX) in the states where it counts."""
        if active:
            return self._begin(now)
        if self._state is SquelchState.OPEN:
            self._state, self._due = SquelchState.HANG, now + self._settings.hang_s
            return self.tick(now)
        if self._state in (SquelchState.OPENING, SquelchState.WAITING):
            self._close()
        elif self._state is SquelchState.STUCK and self._due == inf:
            self._due = now + self._settings.clear_s
        return None

    def _begin(self, now: float) -> SquelchEvent | None:
        if self._state is SquelchState.HANG:
            self._state = SquelchState.OPEN
        elif self._state is SquelchState.STUCK:
            self._due = inf
        if self._state is not SquelchState.CLOSED:
            return None
        self._limit_at = now + self._settings.cor_limit_s
        debounced = self._settings.mode is SquelchMode.COR and self._settings.cor_debounce_s > 0
        if not debounced:
            return self._open()
        self._state, self._due = SquelchState.OPENING, now + self._settings.cor_debounce_s
        return None

    def _open(self) -> SquelchEvent:
        self._state = SquelchState.OPEN
        return SquelchEvent.OPENED

    def _close(self) -> SquelchEvent:
        self._state, self._limit_at = SquelchState.CLOSED, None
        return SquelchEvent.CLOSED

    def _block(self, now: float) -> SquelchEvent | None:
        self._settle(now)
        if self._keyed or self._muted:
            was_open, self._state = self.is_open, SquelchState.BLOCKED
            return SquelchEvent.CLOSED if was_open else None
        if self._state is SquelchState.BLOCKED:
            self._state, self._due = SquelchState.SETTLING, now + self._settings.settling_s
        return None

    def _settle(self, now: float) -> None:
        """Leave SETTLING when it is over; that alone is no event."""
        if self._state is not SquelchState.SETTLING or now < self._due:
            return
        self._vox.reset()
        self._limit_at = None
        cor = self._settings.mode is SquelchMode.COR and self._cor
        if self._stuck:
            self._state = SquelchState.STUCK
            self._due = inf if cor else now + self._settings.clear_s
        elif cor:
            self._state = SquelchState.WAITING
            self._limit_at = self._due + self._settings.cor_limit_s
        else:
            self._state = SquelchState.CLOSED
