"""One transmitter: when it is keyed, when voice begins, when it is released.

What hangs on it: this machine is the only source of KEY. Rules, in the order in which they win:

1. KEY comes only from `_seek`, which is reached only with a spurt waiting, nothing inhibited or
   lost, no cool-down running, the last UNKEY confirmed (or half a second old), and the own
   receiver quiet. An emergency passes over the receiver, and over nothing else.
2. Each KEY starts the time-out timer. Nothing but UNKEY stops it: not a new spurt, not voice, not
   an answer. It is looked at before anything else in every call, so a late tick unkeys first.
3. BEGIN_VOICE comes at most once for each `start`, and only on a grant (radios that report one)
   and after the lead-in.
4. Whatever goes wrong unkeys first and explains after: UNKEY, DISCARD, NotDelivered.

`cor` is what the squelch made of the receiver: the hang of a repeater that we have keyed
ourselves is not a busy channel. Starts LOST: nothing keys before the device was seen (`back`).

States and inputs (a = what is emitted; "fail R" = UNKEY, DISCARD, NotDelivered(R); the states
from REQUESTED to TAIL are keyed; their time-out is fail TIME_OUT -> COOL_DOWN, always):

    state          input                 then
    IDLE           start                 quiet: KEY -> REQUESTED (reports a grant) or LEAD_IN
                                         busy, or UNKEY not confirmed: -> WAITING_CLEAR
    WAITING_CLEAR  cor, confirm, rank    KEY, as above, once it may
                   busy_wait_s           DISCARD, NotDelivered(BUSY) -> IDLE
    REQUESTED      answered GRANTED      -> LEAD_IN (lead-in 0: BEGIN_VOICE -> VOICE)
                   answered QUEUED       -> QUEUED
                   answer_time_out_s     fail FAILED -> IDLE
    QUEUED         answered GRANTED      as REQUESTED
                   queue_wait_s          fail BUSY -> IDLE
    LEAD_IN        lead_in_s             BEGIN_VOICE -> VOICE
    VOICE          voice                 stays
                   gap                   -> HOLD (hold 0: -> TAIL)
                   end                   -> TAIL
                   hold_s + 0.1 s        with neither voice nor gap told -> TAIL
    HOLD           voice                 -> VOICE
                   gap                   stays; the timer goes on
                   end, hold_s           -> TAIL
    TAIL           voice                 -> VOICE (the spurt has come back after a long gap)
                   tail_s                UNKEY -> IDLE
    COOL_DOWN      start                 waits here, up to busy_wait_s: DISCARD,
                                         NotDelivered(TIME_OUT)
                   cool_down_s           -> IDLE, and on as `start` if a spurt waits
    INHIBITED      start                 NotDelivered(INHIBITED)
                   allow                 -> LOST, COOL_DOWN or IDLE, whichever holds
    LOST           start                 NotDelivered(LOST)
                   back                  -> COOL_DOWN or IDLE

    any keyed      answered DENIED       fail DENIED -> IDLE
                   answered FAILED       fail FAILED -> IDLE
                   unkeyed               fail FAILED (TIME_OUT: fail TIME_OUT -> COOL_DOWN)
                   start                 before VOICE: DISCARD, the new spurt takes the place
                                         VOICE: DISCARD, BEGIN_VOICE; HOLD, TAIL: BEGIN_VOICE
    any            inhibit               fail INHIBITED (nothing keyed: no UNKEY) -> INHIBITED
                   lost                  fail LOST -> LOST
                   abort                 UNKEY, DISCARD -> COOL_DOWN or IDLE; nobody is told
    any not keyed  answered GRANTED      UNKEY: a grant that comes late must not stay on the air

NotDelivered and DISCARD come only when a spurt is still undelivered: not in TAIL. After
NotDelivered that spurt is over for this radio: the caller does not `start` it again. Once a spurt
is over, `voice`, `gap` and `end` mean nothing and do nothing; before BEGIN_VOICE they are our own
bug and raise LocalProtocolError. What the air and the device do (`cor`, `answered`, `unkeyed`,
`lost`, `back`) never raises.
"""

from dataclasses import dataclass, fields
from enum import Enum
from typing import Final, TypeAlias

from radiobridge.errors import LocalProtocolError
from radiobridge.model.interface import KeyAnswer, UnkeyCause

STALL_S = 0.1
"""Five frames: beyond `hold_s` plus this, a caller that tells neither voice nor gap has stalled."""


class TransmitState(Enum):
    """Where one transmitter is."""

    IDLE = "idle"
    WAITING_CLEAR = "waiting-clear"
    REQUESTED = "requested"
    QUEUED = "queued"
    LEAD_IN = "lead-in"
    VOICE = "voice"
    HOLD = "hold"
    TAIL = "tail"
    COOL_DOWN = "cool-down"
    INHIBITED = "inhibited"
    LOST = "lost"


_S = TransmitState
_BEFORE_GRANT = frozenset({_S.REQUESTED, _S.QUEUED})
_BEFORE_VOICE = frozenset({_S.WAITING_CLEAR, _S.REQUESTED, _S.QUEUED, _S.LEAD_IN})
_KEYED = frozenset({_S.REQUESTED, _S.QUEUED, _S.LEAD_IN, _S.VOICE, _S.HOLD, _S.TAIL})


class Action(Enum):
    """What the caller does at once, in the order given."""

    KEY = "key"
    """Ask to transmit, and renew the lease while `keyed`."""
    UNKEY = "unkey"
    """Stop transmitting."""
    BEGIN_VOICE = "begin-voice"
    """Let the jitter buffer of the newest spurt play."""
    DISCARD = "discard"
    """Drop what is buffered and not yet played of the spurt before."""


KEY: Final = Action.KEY
UNKEY: Final = Action.UNKEY
BEGIN_VOICE: Final = Action.BEGIN_VOICE
DISCARD: Final = Action.DISCARD


class NotDeliveredReason(Enum):
    """Why a spurt was not heard, or not to its end, at this radio."""

    BUSY = "busy"
    DENIED = "denied"
    FAILED = "failed"
    TIME_OUT = "time-out"
    INHIBITED = "inhibited"
    LOST = "lost"


_REFUSALS = {
    answer: NotDeliveredReason(answer.value) for answer in (KeyAnswer.DENIED, KeyAnswer.FAILED)
}


class AbortReason(Enum):
    """Why our own side takes a spurt away."""

    FLOOR_LOST = "floor-lost"
    WITHDRAWN = "withdrawn"
    UNPROVEN = "unproven"
    EXCLUDED = "excluded"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDelivered:
    """The talker's side is told: not delivered at this radio. `detail` is a short constant."""

    reason: NotDeliveredReason
    detail: str = ""


Effect: TypeAlias = Action | NotDelivered


@dataclass(frozen=True, slots=True, kw_only=True)
class TransmitSettings:
    """Times of one transmitter, all in s."""

    lead_in_s: float = 0.0
    """Key-up time before voice."""
    tail_s: float = 0.04
    """Hold after voice."""
    hold_s: float = 0.8
    """Longest gap inside a spurt that is bridged."""
    time_out_s: float = 60.0
    """Longest transmission, lead-in and tail included."""
    cool_down_s: float = 2.0
    """Rest after a time-out."""
    answer_time_out_s: float = 2.0
    """How long a radio that reports grants may take to answer at all."""
    busy_wait_s: float = 2.0
    """How long a spurt waits for a busy channel or a cool-down."""
    queue_wait_s: float = 2.0
    """How long a spurt waits once the radio has said that it is queued."""
    confirm_s: float = 0.5
    """How long the next KEY waits for the last UNKEY to be confirmed."""
    reports_grant: bool = False
    """Whether the radio tells when it may talk; voice then never begins before."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value < float("inf"):
                raise LocalProtocolError(f"{field.name} must be a length of time, not {value}")
        if self.time_out_s == 0.0:
            raise LocalProtocolError("time_out_s must be above 0")


class Transmit:
    """The machine of one transmitter. Every input returns what to do, in order."""

    def __init__(self, settings: TransmitSettings) -> None:
        self._s = settings
        self._state = _S.LOST
        self._busy = False
        self._inhibited = False
        self._lost = True
        self._emergency = False
        self._undelivered = False
        self._give_up_at = 0.0
        """When a spurt that waits unkeyed is given up."""
        self._due_at = 0.0
        """When the keyed state ends by itself (VOICE: see `_voice_at`)."""
        self._voice_at = 0.0
        self._time_out_at = 0.0
        self._cool_until: float | None = None
        self._confirm_by: float | None = None
        self._ended_by = ""

    @property
    def state(self) -> TransmitState:
        """Where the transmitter is, as of the last call."""
        return self._state

    @property
    def keyed(self) -> bool:
        """Whether KEY was emitted and UNKEY was not: the lease has to be renewed."""
        return self._state in _KEYED

    @property
    def ended_by(self) -> str:
        """What ended the last spurt here: a short constant for the status page."""
        return self._ended_by

    def start(self, now: float, *, emergency: bool = False) -> tuple[Effect, ...]:
        """Begin a spurt. One that is still here is replaced; let it `end` first to hear it out.

        `tick(now)` first: then everything that comes out here is about the new spurt, but for
        DISCARD.
        """
        due = tuple(effect for effect in self._pass(now) if effect is not BEGIN_VOICE)
        return (*due, *self._start(now, emergency=emergency))

    def rank(self, now: float, *, emergency: bool) -> tuple[Effect, ...]:
        """Note that the spurt here has become an emergency, or is none any more."""
        self._emergency = emergency and self._undelivered
        return self._pass(now)

    def cor(self, active: bool, now: float) -> tuple[Effect, ...]:
        """Take what the squelch says of the own receiver."""
        self._busy = active
        return self._pass(now)

    def answered(self, answer: KeyAnswer, now: float, detail: str = "") -> tuple[Effect, ...]:
        """Take the radio's answer to KEY."""
        effects = self._pass_keyed(now)
        if self._state not in _KEYED:
            return (*effects, *self._late_answer(answer, now), *self._pass(now))
        if (refusal := _REFUSALS.get(answer)) is not None:
            return (*effects, *self._fail(refusal, detail, now))
        if answer is KeyAnswer.GRANTED and self._state in _BEFORE_GRANT:
            return (*effects, *self._lead_in(now))
        if self._state is _S.REQUESTED:
            self._enter(_S.QUEUED, now + self._s.queue_wait_s)
        return effects

    def unkeyed(self, cause: UnkeyCause, now: float) -> tuple[Effect, ...]:
        """Take the news that PTT is off: the confirmation of UNKEY, or the radio's own doing."""
        effects = self._pass_keyed(now)
        if self._state in _KEYED:
            timed_out = cause is UnkeyCause.TIME_OUT
            reason = NotDeliveredReason.TIME_OUT if timed_out else NotDeliveredReason.FAILED
            detail = "keyer-time-out" if timed_out else f"unkeyed-{cause.value}"
            return (*effects, *self._fail(reason, detail, now))
        if cause is UnkeyCause.COMMAND:
            self._confirm_by = None
        return (*effects, *self._pass(now))

    def voice(self, now: float) -> tuple[Effect, ...]:
        """A real frame was played."""
        if self._state is _S.VOICE and now < self._time_out_at:
            self._voice_at = now
            return ()
        self._must_have_begun("voice")
        effects = self._pass(now)
        if self._state in (_S.VOICE, _S.HOLD, _S.TAIL):
            self._undelivered = True
            self._enter_voice(now)
        return effects

    def gap(self, now: float) -> tuple[Effect, ...]:
        """There was nothing to play, though the spurt has not ended."""
        self._must_have_begun("gap")
        effects = self._pass(now)
        if self._state is _S.VOICE:
            self._enter(_S.HOLD, now + self._s.hold_s)
        return (*effects, *self._pass(now))

    def end(self, now: float) -> tuple[Effect, ...]:
        """The spurt has ended, and everything of it was played."""
        self._must_have_begun("end")
        effects = self._pass(now)
        if self._state in (_S.VOICE, _S.HOLD):
            self._enter_tail("end", now)
        return (*effects, *self._pass(now))

    def abort(self, reason: AbortReason, now: float) -> tuple[Effect, ...]:
        """Take the spurt away at once, whatever is left of it."""
        return (*self._pass_keyed(now), *self._release(reason.value, now))

    def inhibit(self, now: float) -> tuple[Effect, ...]:
        """Keep this transmitter off until `allow`: the local kill switch."""
        return self._forbid(NotDeliveredReason.INHIBITED, now)

    def allow(self, now: float) -> tuple[Effect, ...]:
        """Lift the inhibit."""
        self._inhibited = False
        return self._rest(now) if self._state is _S.INHIBITED else self._pass(now)

    def lost(self, now: float) -> tuple[Effect, ...]:
        """The device cannot be used."""
        return self._forbid(NotDeliveredReason.LOST, now)

    def back(self, now: float) -> tuple[Effect, ...]:
        """The device is open (first time or again); opening never keys."""
        self._lost = False
        return self._rest(now) if self._state is _S.LOST else self._pass(now)

    def tick(self, now: float) -> tuple[Effect, ...]:
        """Let time pass."""
        return self._pass(now)

    def next_deadline(self) -> float | None:
        """Return when `tick` must be called; never None while keyed."""
        if self._state in _KEYED:
            return min(self._time_out_at, self._state_ends_at())
        ends = self._cool_until if self._state is _S.COOL_DOWN else None
        if not self._undelivered:
            return ends
        ends = self._confirm_by if self._state is _S.WAITING_CLEAR else ends
        return self._give_up_at if ends is None else min(self._give_up_at, ends)

    # What time does

    def _pass(self, now: float) -> tuple[Effect, ...]:
        """Do everything that is due at `now`. The time-out goes before all else."""
        effects: tuple[Effect, ...] = ()
        while (more := self._step(now)) is not None:
            effects += more
        return effects

    def _pass_keyed(self, now: float) -> tuple[Effect, ...]:
        """Do what is due while keyed: old news, and what takes away, must not find a new KEY."""
        return self._pass(now) if self._state in _KEYED else ()

    def _step(self, now: float) -> tuple[Effect, ...] | None:
        """Do the one thing that is due first, or return None. Each step leaves its state."""
        if self._state is _S.WAITING_CLEAR:
            return self._waiting_step(now)
        if self._state is _S.COOL_DOWN:
            return self._cool_down_step(now)
        return self._keyed_step(now) if self._state in _KEYED else None

    def _keyed_step(self, now: float) -> tuple[Effect, ...] | None:
        if now >= self._time_out_at:
            return self._fail(NotDeliveredReason.TIME_OUT, "time-out", now)
        if now < self._state_ends_at():
            return None
        match self._state:
            case _S.REQUESTED:
                return self._fail(NotDeliveredReason.FAILED, "no-answer", now)
            case _S.QUEUED:
                return self._fail(NotDeliveredReason.BUSY, "queued", now)
            case _S.LEAD_IN:
                self._enter_voice(now)
                return (BEGIN_VOICE,)
            case _S.TAIL:
                return self._release(self._ended_by, now)
            case _:
                self._enter_tail("gap", now)
                return ()

    def _waiting_step(self, now: float) -> tuple[Effect, ...] | None:
        if self._confirm_by is not None and now >= self._confirm_by:
            self._confirm_by = None
        if self._may_key(now):
            return self._seek(now)
        if now >= self._give_up_at:
            return self._fail(NotDeliveredReason.BUSY, "channel-busy", now)
        return None

    def _cool_down_step(self, now: float) -> tuple[Effect, ...] | None:
        if self._cool_until is None or now >= self._cool_until:
            self._cool_until = None
            return self._rest(now)
        if self._undelivered and now >= self._give_up_at:
            return self._fail(NotDeliveredReason.TIME_OUT, "cool-down", now)
        return None

    def _state_ends_at(self) -> float:
        if self._state is _S.VOICE:
            return self._voice_at + self._s.hold_s + STALL_S
        return self._due_at

    # Towards the air

    def _start(self, now: float, *, emergency: bool) -> tuple[Effect, ...]:
        if self._state is _S.INHIBITED:
            return (NotDelivered(reason=NotDeliveredReason.INHIBITED),)
        if self._state is _S.LOST:
            return (NotDelivered(reason=NotDeliveredReason.LOST),)
        replaces = self._undelivered and self._state is not _S.HOLD
        dropped = (DISCARD,) if replaces else ()
        self._undelivered = True
        self._emergency = emergency
        if self._state in (_S.VOICE, _S.HOLD, _S.TAIL):
            self._enter_voice(now)
            return (*dropped, BEGIN_VOICE)
        if self._state not in _KEYED:
            self._give_up_at = now + self._s.busy_wait_s
        if self._state in (_S.IDLE, _S.WAITING_CLEAR):
            return (*dropped, *self._seek(now))
        return dropped

    def _may_key(self, now: float) -> bool:
        confirmed = self._confirm_by is None or now >= self._confirm_by
        return confirmed and (self._emergency or not self._busy)

    def _seek(self, now: float) -> tuple[Effect, ...]:
        """Key if the channel is quiet, else wait. The only place that emits KEY."""
        if not self._may_key(now):
            self._state = _S.WAITING_CLEAR
            return ()
        self._confirm_by = None
        self._time_out_at = now + self._s.time_out_s
        if self._s.reports_grant:
            self._enter(_S.REQUESTED, now + self._s.answer_time_out_s)
            return (KEY,)
        return (KEY, *self._lead_in(now))

    def _lead_in(self, now: float) -> tuple[Effect, ...]:
        if self._s.lead_in_s > 0.0:
            self._enter(_S.LEAD_IN, now + self._s.lead_in_s)
            return ()
        self._enter_voice(now)
        return (BEGIN_VOICE,)

    def _enter(self, state: TransmitState, due_at: float) -> None:
        self._state = state
        self._due_at = due_at

    def _enter_voice(self, now: float) -> None:
        self._state = _S.VOICE
        self._voice_at = now

    def _enter_tail(self, ended_by: str, now: float) -> None:
        self._undelivered = False
        self._ended_by = ended_by
        self._enter(_S.TAIL, now + self._s.tail_s)

    # Off the air

    def _release(self, ended_by: str, now: float) -> tuple[Effect, ...]:
        """Unkey if keyed, drop the spurt if there is one, and rest."""
        effects: tuple[Effect, ...] = ()
        if self._state in _KEYED:
            self._confirm_by = now + self._s.confirm_s
            effects += (UNKEY,)
        if self._undelivered:
            effects += (DISCARD,)
        self._ended_by = ended_by if effects else self._ended_by
        self._undelivered = self._emergency = False
        return (*effects, *self._rest(now))

    def _fail(self, reason: NotDeliveredReason, detail: str, now: float) -> tuple[Effect, ...]:
        """Release, and say why if a spurt was still undelivered."""
        told = (NotDelivered(reason=reason, detail=detail),) if self._undelivered else ()
        if reason is NotDeliveredReason.TIME_OUT and self._state in _KEYED:
            self._cool_until = now + self._s.cool_down_s
        return (*self._release(detail or reason.value, now), *told)

    def _forbid(self, reason: NotDeliveredReason, now: float) -> tuple[Effect, ...]:
        effects = self._pass_keyed(now)
        self._lost = self._lost or reason is NotDeliveredReason.LOST
        self._inhibited = self._inhibited or reason is NotDeliveredReason.INHIBITED
        return (*effects, *self._fail(reason, "", now))

    def _rest(self, now: float) -> tuple[Effect, ...]:
        """Take the resting state that the facts ask for; go on with a spurt that waits."""
        if self._inhibited:
            self._state = _S.INHIBITED
        elif self._lost:
            self._state = _S.LOST
        elif self._cool_until is not None and now < self._cool_until:
            self._state = _S.COOL_DOWN
        elif self._undelivered:
            return self._seek(now)
        else:
            self._cool_until = None
            self._state = _S.IDLE
        return ()

    def _late_answer(self, answer: KeyAnswer, now: float) -> tuple[Effect, ...]:
        if answer is not KeyAnswer.GRANTED:
            return ()
        self._confirm_by = now + self._s.confirm_s
        return (UNKEY,)

    def _must_have_begun(self, what: str) -> None:
        if self._state in _BEFORE_VOICE:
            raise LocalProtocolError(f"{what} before voice has begun, in {self._state.value}")
