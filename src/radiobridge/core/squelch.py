"""When a receiver counts as receiving voice.

States and what leaves them (COR is the receiver's own word, VOX the level of its audio):

    CLOSED    COR or voice            -> OPENING when there is a debounce, else OPEN: OPENED
    OPENING   debounce over           -> OPEN: OPENED
              COR ends                -> CLOSED
    OPEN      COR or voice ends       -> HANG
              quiet for long enough   -> WAITING: CLOSED
    HANG      COR or voice again      -> OPEN
              hang over               -> CLOSED: CLOSED
    BLOCKED   we transmit, or a spurt plays on our talkgroup. Nothing heard counts.
              both over               -> SETTLING
    SETTLING  settling over           -> WAITING when COR is still or again active, else CLOSED
    WAITING   COR ends                -> CLOSED
              voice, and it is one    -> OPEN: OPENED
    STUCK     quiet for a second      -> CLOSED: CLEARED

Any state goes to BLOCKED when we transmit or play (event CLOSED if it was open), any but BLOCKED
and SETTLING to STUCK (event STUCK) when COR or voice lasts longer than the limit. WAITING is there
because a repeater holds its carrier for seconds after we unkey: that is not a spurt, but somebody
who answers in it is one. It holds it after others too: with `quiet_s`, a spurt ends when nobody has
been heard for so long, and the carrier alone opens nothing more. Without it, a spurt ends when its
carrier has been dead for 1.8 s, and any sound opens it again: a loop of radio waves may hold itself
up by nothing but carriers, and falls when one gateway lets go. Who is heard must sound like a
voice there: a repeater's squelch tail and courtesy tone do not. A receiver that is stuck
stays so through own transmissions; only silence outside them clears it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from radiobridge.media.vox import Vox, VoxSettings
from radiobridge.model.voice import FRAME_S


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
    quiet_s: float | None = None
    """How long nobody may be heard under an open COR before the spurt ends; None: COR alone ends
    it. For a repeater, whose carrier stays after the voice."""
    dead_s: float = 1.8
    """How long a carrier may be without any sound before the spurt ends."""
    dead_dbfs: float = -55.0
    """Below this there is no sound: the softest voice is above, the noise of a carrier below."""
    clear_s: float = 1.0
    """How long a stuck receiver must be closed to count again: one that flutters is still stuck."""


_HEARD = frozenset({SquelchState.OPEN, SquelchState.HANG})
_LISTENS = frozenset({SquelchState.CLOSED, SquelchState.OPENING, SquelchState.WAITING})
_TIMED = frozenset(
    {SquelchState.OPENING, SquelchState.HANG, SquelchState.SETTLING, SquelchState.STUCK}
)
REFUSED_S = 0.7
"""How long the receiver may talk nonsense after a denial: the "bonk" lasts half a second."""

_VOICED, _UNVOICED = 2, -1
_BELIEVED, _HELD = 6, 4
"""What frames that sound like a voice, and others, weigh; and how much it takes to believe in a
voice under a carrier that stood before (three frames in a row), or to go on with one (two). The
edges of a tone may sound like a voice for one frame."""

_LIMITED = frozenset({SquelchState.OPENING, SquelchState.OPEN, SquelchState.WAITING})


def _yes() -> bool:
    """Say that everything sounds like a voice."""
    return True


class Squelch:
    """Decides for one receiver; see the table at the top of the file.

    Each method takes `now` (monotonic s), not earlier than before, and returns what happened.
    """

    __slots__ = (
        "_cor",
        "_dead",
        "_doubt_until",
        "_due",
        "_keyed",
        "_limit_at",
        "_muted",
        "_quiet_at",
        "_refused",
        "_settings",
        "_sound",
        "_state",
        "_stuck",
        "_unkeyed_at",
        "_voiced",
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
        self._quiet_at = inf
        self._dead = False
        self._doubt_until = 0.0
        self._sound = 0
        self._refused = False
        self._unkeyed_at: float | None = None
        self._voiced = 0

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

    @property
    def quiet_s(self) -> float | None:
        """Return how long a carrier without a voice may still be somebody; None: for ever."""
        return self._settings.quiet_s

    @property
    def loud_dbfs(self) -> float:
        """Return the level below which nobody speaks."""
        return self._settings.vox.close_dbfs

    @property
    def transmits(self) -> bool:
        """Tell whether this radio transmits, or was asked to."""
        return self._keyed

    def cor(self, active: bool, now: float) -> SquelchEvent | None:
        """Take the receiver's COR."""
        self._settle(now)
        self._cor = active
        if self._settings.mode is SquelchMode.COR:
            return self._source(active=active, now=now)
        return None

    def audio(
        self, level_dbfs: float, now: float, voiced: Callable[[], bool] = _yes
    ) -> SquelchEvent | None:
        """Take the level of the next 20 ms; `voiced` is asked whether they sound like a voice."""
        self._settle(now)
        if self._state in (SquelchState.BLOCKED, SquelchState.SETTLING):
            return None
        loud = self._vox.feed(level_dbfs)
        event = None
        if self._settings.mode is SquelchMode.VOX:
            event = self._source(active=loud, now=now)
        elif self._state is SquelchState.WAITING:
            event = self._wake(level_dbfs, now, voiced)
        elif self._state is SquelchState.OPEN:
            event = self._hold(level_dbfs, now, voiced)
        return event or self.tick(now)

    def _wake(
        self, level_dbfs: float, now: float, voiced: Callable[[], bool]
    ) -> SquelchEvent | None:
        """Tell whether somebody is there under a carrier that stood before."""
        if self._dead:
            self._sound = max(self._sound, 0) + 1 if level_dbfs >= self._settings.dead_dbfs else 0
            return self._open(now) if self._sound >= 2 and now >= self._doubt_until else None
        return self._open(now) if self._weigh(voiced) >= _BELIEVED else None

    def _hold(
        self, level_dbfs: float, now: float, voiced: Callable[[], bool]
    ) -> SquelchEvent | None:
        """Let the spurt go on while somebody speaks, or until the carrier is dead."""
        if self._settings.quiet_s is not None:
            if self._weigh(voiced) >= _HELD:
                self._quiet_at = now + self._settings.quiet_s
            return None
        self._sound = 0 if level_dbfs >= self._settings.dead_dbfs else self._sound - 1
        if -self._sound * FRAME_S < self._settings.dead_s:
            return None
        return self._let_go(now, now)

    def _let_go(self, now: float, doubt_until: float) -> SquelchEvent:
        self._wait(now)
        self._dead, self._doubt_until = True, doubt_until
        return SquelchEvent.CLOSED

    @property
    def let_go(self) -> bool:
        """Tell whether the spurt was ended under a carrier that stands."""
        return self._state is SquelchState.WAITING and self._dead

    def doubt(self, for_s: float, now: float) -> SquelchEvent | None:
        """End the spurt for a moment: a carrier that is our own doing falls then."""
        if self._state is not SquelchState.OPEN:
            return None
        return self._let_go(now, now + for_s)

    def _weigh(self, voiced: Callable[[], bool]) -> int:
        """Return how sure we are that somebody speaks, after one more frame."""
        more = _VOICED if self._vox.loud and voiced() else _UNVOICED
        self._voiced = min(max(0, self._voiced + more), _BELIEVED)
        return self._voiced

    def own_transmission(self, keyed: bool, now: float) -> SquelchEvent | None:
        """Take our own PTT: from the request to transmit on, until the radio has unkeyed."""
        if self._keyed and not keyed:
            self._unkeyed_at = now
        self._keyed = keyed
        return self._block(now)

    def refused(self) -> None:
        """Our request to transmit was denied: the radio tells its user so, by a tone."""
        self._refused = self._keyed

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
            return self._open(now)
        if self._state is SquelchState.OPEN and now >= self._quiet_at:
            self._wait(now)
            return SquelchEvent.CLOSED
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
        if self._state is SquelchState.OPEN:
            due = min(due, self._quiet_at)
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
            return self._open(now)
        self._state, self._due = SquelchState.OPENING, now + self._settings.cor_debounce_s
        return None

    def _open(self, now: float) -> SquelchEvent:
        self._state, self._sound = SquelchState.OPEN, 0
        quiet_s = self._settings.quiet_s
        if quiet_s is not None and self._settings.mode is SquelchMode.COR:
            # A carrier that lasts through many spurts is no stuck one.
            self._quiet_at = now + quiet_s
            self._limit_at = now + self._settings.cor_limit_s
        return SquelchEvent.OPENED

    def _wait(self, now: float) -> None:
        """A carrier is there, and nobody under it."""
        self._state, self._voiced, self._sound, self._dead = SquelchState.WAITING, 0, 0, False
        self._limit_at = now + self._settings.cor_limit_s

    def _close(self) -> SquelchEvent:
        self._state, self._limit_at = SquelchState.CLOSED, None
        return SquelchEvent.CLOSED

    def _block(self, now: float) -> SquelchEvent | None:
        self._settle(now)
        if self._keyed or self._muted:
            was_open, self._state = self.is_open, SquelchState.BLOCKED
            return SquelchEvent.CLOSED if was_open else None
        if self._state is SquelchState.BLOCKED:
            settling_s = self._settings.settling_s
            if self._refused:
                self._refused, settling_s = False, max(settling_s, REFUSED_S)
            # Where we transmitted ourselves, we know when it was over; a mute lasts longer.
            over = now if self._unkeyed_at is None else self._unkeyed_at
            self._unkeyed_at = None
            self._state, self._due = SquelchState.SETTLING, over + settling_s
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
            self._wait(self._due)
        else:
            self._state = SquelchState.CLOSED
