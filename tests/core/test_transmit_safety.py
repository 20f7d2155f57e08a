"""What must hold of `core.transmit` for every sequence of inputs and times."""

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.transmit import (
    BEGIN_VOICE,
    KEY,
    UNKEY,
    AbortReason,
    Effect,
    Transmit,
    TransmitSettings,
    TransmitState,
)
from radiobridge.errors import LocalProtocolError
from radiobridge.model.interface import KeyAnswer, UnkeyCause

S = TransmitState
Input: TypeAlias = tuple[str, object]
Step: TypeAlias = tuple[float, Input]

_INPUTS: st.SearchStrategy[Input] = st.one_of(
    st.tuples(st.just("start"), st.booleans()),
    st.tuples(st.just("start"), st.just(False)),
    st.tuples(st.just("cor"), st.booleans()),
    st.tuples(st.just("answered"), st.sampled_from(KeyAnswer)),
    st.tuples(st.just("answered"), st.just(KeyAnswer.GRANTED)),
    st.tuples(st.just("unkeyed"), st.sampled_from(UnkeyCause)),
    st.tuples(st.just("unkeyed"), st.just(UnkeyCause.COMMAND)),
    st.tuples(st.sampled_from(["voice", "gap", "end", "tick"]), st.none()),
    st.tuples(st.sampled_from(["inhibit", "allow", "lost", "back"]), st.none()),
    st.tuples(st.just("abort"), st.sampled_from(AbortReason)),
)
_TIMES = st.one_of(
    st.sampled_from([0.0, 0.02, 0.04, 0.1, 0.5, 0.8, 2.0, 3.0]),
    st.floats(0.0, 4.0, allow_nan=False),
)
_STEPS = st.lists(st.tuples(_TIMES, _INPUTS), max_size=60)
_SECONDS = st.sampled_from([0.0, 0.02, 0.1, 0.8, 2.0])
_SETTINGS = st.builds(
    TransmitSettings,
    lead_in_s=_SECONDS,
    tail_s=_SECONDS,
    hold_s=_SECONDS,
    time_out_s=st.sampled_from([0.5, 3.0, 10.0]),
    cool_down_s=_SECONDS,
    answer_time_out_s=_SECONDS,
    busy_wait_s=_SECONDS,
    queue_wait_s=_SECONDS,
    confirm_s=st.sampled_from([0.0, 0.5]),
    reports_grant=st.booleans(),
)


class Guard:
    """A transmitter watched from outside: what came in, what came out, and what must hold."""

    def __init__(self, settings: TransmitSettings, *, ticks_on_time: bool) -> None:
        self.machine = Transmit(settings)
        self.settings = settings
        self.ticks_on_time = ticks_on_time
        self.now = 0.0
        self.keyed_at: float | None = None
        self.may_begin_at: float | None = None
        self.cool_until = 0.0
        self.spurts_waiting = 0
        self.busy = self.emergency = self.inhibited = False
        self.lost = True
        self.seen: set[Effect] = set()

    def go(self, after: float, given: Input) -> None:
        until = self.now + after
        while self.ticks_on_time and (due := self.machine.next_deadline()) is not None:
            if due > until:
                break
            self.now = max(self.now, due)
            self._take(self.machine.tick(self.now))
            later = self.machine.next_deadline()
            assert later is None or later > self.now, "a tick does everything that is due"
        self.now = until
        self._feed(*given)

    def _feed(self, name: str, argument: object) -> None:
        self._note(name, argument)
        try:
            effects = self._call(name, argument)
        except LocalProtocolError:
            assert name in ("voice", "gap", "end"), "nothing from the air or the device may raise"
            assert self.machine.state in (S.WAITING_CLEAR, S.REQUESTED, S.QUEUED, S.LEAD_IN)
            return
        if name == "answered" and argument is KeyAnswer.GRANTED and self.keyed_at is not None:
            self._granted()
        self._take(effects)
        if name != "start" and (self.inhibited or self.lost):
            assert not self.machine.keyed

    def _call(self, name: str, argument: object) -> tuple[Effect, ...]:
        if name == "start":
            return self.machine.start(self.now, emergency=argument is True)
        method: Callable[..., tuple[Effect, ...]] = getattr(self.machine, name)
        return method(self.now) if argument is None else method(argument, self.now)

    def _note(self, name: str, argument: object) -> None:
        if name == "cor":
            self.busy = argument is True
        elif name in ("inhibit", "allow"):
            self.inhibited = name == "inhibit"
        elif name in ("lost", "back"):
            self.lost = name == "lost"
        elif name == "start" and not (self.inhibited or self.lost):
            self.spurts_waiting = 1
            self.emergency = argument is True

    def _granted(self) -> None:
        if self.may_begin_at is None:
            self.may_begin_at = self.now + self.settings.lead_in_s

    def _take(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            self.seen.add(effect)
            if effect is KEY:
                self._key()
            elif effect is UNKEY:
                self._unkey()
            elif effect is BEGIN_VOICE:
                self._begin()
        assert self.machine.keyed is (self.keyed_at is not None)
        if self.machine.keyed:
            due = self.machine.next_deadline()
            assert due is not None
            assert self.keyed_at is not None
            assert due <= self.keyed_at + self.settings.time_out_s
            assert self.now < self.keyed_at + self.settings.time_out_s

    def _key(self) -> None:
        assert self.keyed_at is None, "keyed twice"
        assert not self.inhibited
        assert not self.lost
        assert self.now >= self.cool_until
        assert self.emergency or not self.busy
        assert self.spurts_waiting == 1, "keyed for nobody"
        self.keyed_at = self.now
        if not self.settings.reports_grant:
            self.may_begin_at = self.now + self.settings.lead_in_s

    def _unkey(self) -> None:
        if self.keyed_at is None:
            return
        if self.now >= self.keyed_at + self.settings.time_out_s:
            self.cool_until = self.now + self.settings.cool_down_s
        self.keyed_at = self.may_begin_at = None

    def _begin(self) -> None:
        assert self.keyed_at is not None
        assert self.may_begin_at is not None, "voice without a grant"
        assert self.now >= self.may_begin_at, "voice within the lead-in"
        assert self.spurts_waiting == 1, "voice begun twice for one spurt"
        self.spurts_waiting = 0


@settings(max_examples=400, deadline=None)
@given(_SETTINGS, _STEPS, st.booleans())
def test_no_sequence_keys_when_it_must_not_or_stays_keyed(
    transmit: TransmitSettings, steps: list[Step], ticks_on_time: bool
) -> None:
    guard = Guard(transmit, ticks_on_time=ticks_on_time)
    guard.go(0.0, ("back", None))
    for after, given_input in steps:
        guard.go(after, given_input)
    guard.go(transmit.time_out_s, ("tick", None))
    assert guard.keyed_at is None or guard.now < guard.keyed_at + transmit.time_out_s


@settings(max_examples=200, deadline=None)
@given(_SETTINGS, _STEPS)
def test_left_alone_every_sequence_comes_to_rest(
    transmit: TransmitSettings, steps: list[Step]
) -> None:
    guard = Guard(transmit, ticks_on_time=True)
    guard.go(0.0, ("back", None))
    for after, given_input in steps:
        guard.go(after, given_input)
    for _ in range(20):
        guard.go(10.0, ("cor", False))
    assert guard.machine.next_deadline() is None
    assert guard.machine.state in (S.IDLE, S.INHIBITED, S.LOST)


def test_the_guard_sees_keys_and_voice_at_all() -> None:
    guard = Guard(TransmitSettings(), ticks_on_time=True)
    for step in [("back", None), ("start", False), ("voice", None), ("end", None)]:
        guard.go(0.02, step)
    guard.go(1.0, ("tick", None))
    assert guard.seen == {KEY, BEGIN_VOICE, UNKEY}
