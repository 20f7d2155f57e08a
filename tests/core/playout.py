"""A virtual network and a virtual event loop around a jitter buffer."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from radiobridge.core.jitter import JitterBuffer, PullKind

FRAME_S = 0.02


class Arrival(NamedTuple):
    at: float
    frame: int


class Played(NamedTuple):
    at: float
    kind: PullKind
    frame: int
    """Index of the frame when `kind` is VOICE, else -1."""


@dataclass(kw_only=True)
class Playout:
    """Runs one spurt in virtual time, as a radio's runner does."""

    buffer: JitterBuffer
    arrivals: Sequence[Arrival]
    begin_at: float = 0.0
    last: int = -1
    """Index that `finish` names, if it is called."""
    finish_at: float | None = None
    """When `finish` is called, if not with the last arrival."""
    silent: Container[int] = ()
    """Indices whose frames are silent once decoded: left out where the buffer allows it."""
    lateness: Callable[[int], float] = lambda _: 0.0
    """How late the event loop comes to its n-th pull, in s."""
    until: float = 60.0
    played: list[Played] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    deepest: float = 0.0

    def run(self) -> list[Played]:
        """Return what was played, in order; ends at END, or at `until`."""
        inputs = sorted(self._inputs(), key=lambda item: item[0])
        now, pulls = 0.0, 0
        while now < self.until:
            deadline = self.buffer.next_deadline()
            wake = None if deadline is None else max(now, deadline + self.lateness(pulls))
            if inputs and (wake is None or inputs[0][0] <= wake):
                now, action = inputs.pop(0)
                action(now)
            elif wake is None:
                return self.played
            else:
                now, pulls = wake, pulls + 1
                if self._pull(now) is PullKind.END:
                    return self.played
            self.deepest = max(self.deepest, len(self.buffer._frames) * FRAME_S)
        return self.played

    def _inputs(self) -> Iterable[tuple[float, Callable[[float], None]]]:
        for at, index in self.arrivals:
            yield at, self._putter(index)
        yield self.begin_at, self.buffer.begin
        if self.last >= 0:
            newest = max((at for at, _ in self.arrivals), default=0.0)
            finish_at = newest if self.finish_at is None else self.finish_at
            yield finish_at, lambda _now: self.buffer.finish(self.last)

    def _putter(self, index: int) -> Callable[[float], None]:
        return lambda now: self.buffer.put(index, str(index).encode(), now)

    def _pull(self, now: float) -> PullKind:
        while True:
            pull = self.buffer.pull(now)
            index = int(pull.payload) if pull.kind is PullKind.VOICE else -1
            if index in self.silent and self.buffer.can_skip:
                self.buffer.skip_head()
                self.skipped.append(index)
                continue
            if pull.kind is not PullKind.NOT_YET:
                self.played.append(Played(now, pull.kind, index))
            return pull.kind


def steady(count: int, *, start: float = 0.0, first: int = 0) -> list[Arrival]:
    """Packets that arrive each 20 ms to the microsecond."""
    return [Arrival(start + n * FRAME_S, first + n) for n in range(count)]


def voices(played: Iterable[Played]) -> list[int]:
    return [item.frame for item in played if item.kind is PullKind.VOICE]


def kinds(played: Iterable[Played]) -> str:
    """One letter for each pull: V, C, G, E."""
    return "".join(item.kind.name[0] for item in played)
