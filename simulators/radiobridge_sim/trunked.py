"""The trunked system behind a donor radio: who asks to talk is granted a channel, or is not.

A request is granted after 0.15 to 1.5 s; one in twenty is first told that it is queued, and one in
fifty is denied. Both happen at whatever time the seed says; request n of a seed always fares alike,
whenever it comes. The radio tells its user by tones on its receive audio: three short beeps when he
may talk, a low beep while he is queued, the "bonk" when he may not. It holds what the system has
said on three lines (`GRANT`, `QUEUED`, `DENIED`) until PTT is released.

How it differs from the real thing: no control channel, no other talkgroups that fill the system;
the units on the talkgroup hear each other on one frequency, as on a simplex channel.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from radiobridge_sim.sound import RATE, Pcm
from radiobridge_sim.tones import Beep, Jingle, ms


class Trunk(Enum):
    """Where a request stands; the values of the last three name the radio's lines."""

    IDLE = "idle"
    ASKED = "asked"
    QUEUED = "QUEUED"
    GRANTED = "GRANT"
    DENIED = "DENIED"


LINES = (Trunk.GRANTED, Trunk.QUEUED, Trunk.DENIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkedSettings:
    """How the system answers; times in s, each drawn evenly from its range."""

    grant_s: tuple[float, float] = (0.15, 1.5)
    """From the request to the grant."""
    queued_share: float = 0.05
    """Share of the requests that wait in the queue."""
    queue_s: tuple[float, float] = (0.3, 1.2)
    """From `QUEUED` to the grant."""
    denied_share: float = 0.02
    seed: int = 1
    tones_open_cor: bool = False
    """Whether the radio's COR follows its loudspeaker, and so its own tones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request."""

    answer: Trunk
    """GRANTED, QUEUED (and granted later) or DENIED."""
    answer_s: float
    queue_s: float


def fates(settings: TrunkedSettings) -> Callable[[], Fate]:
    """Return what tells the fate of one request after the other, always the same for a seed."""
    draw = random.Random(settings.seed)

    def fate() -> Fate:
        lot, answer_s = draw.random(), draw.uniform(*settings.grant_s)
        queue_s = draw.uniform(*settings.queue_s)
        if lot < settings.denied_share:
            return Fate(answer=Trunk.DENIED, answer_s=answer_s, queue_s=0.0)
        if lot < settings.denied_share + settings.queued_share:
            return Fate(answer=Trunk.QUEUED, answer_s=answer_s, queue_s=queue_s)
        return Fate(answer=Trunk.GRANTED, answer_s=answer_s, queue_s=0.0)

    return fate


class Trunking:
    """One radio's requests. Positions are samples since the common time zero."""

    def __init__(self, settings: TrunkedSettings, changed: Callable[[Trunk, int], None]) -> None:
        """`changed` is told each new state and since when."""
        self.settings = settings
        self.state = Trunk.IDLE
        self.fates: list[Fate] = []
        """What has become of all requests so far, those among them that were taken back."""
        self._changed = changed
        self._next = fates(settings)
        self._fate: Fate | None = None
        self._due = 0
        self._permit = Jingle(*(Beep(910.0, ms(40)), Beep(0.0, ms(20))) * 3)
        self._queue = Jingle(Beep(440.0, ms(150)))
        self._bonk = Jingle(Beep(310.0, ms(500)))

    def press(self, at: int) -> None:
        """PTT: ask for a channel."""
        if self.state is Trunk.IDLE:
            self._fate = self._next()
            self.fates.append(self._fate)
            self._due = at + round(self._fate.answer_s * RATE)
            self._enter(Trunk.ASKED, at)

    def release(self, at: int) -> None:
        """PTT is released: the channel is given back, the request withdrawn."""
        self._queue.stop()
        self._enter(Trunk.IDLE, at)

    def advance(self, until: int) -> None:
        """Let time pass up to position `until`."""
        while self._fate is not None and self._due <= until:
            fate, at = self._fate, self._due
            if self.state is Trunk.ASKED and fate.answer is Trunk.QUEUED:
                self._due = at + round(fate.queue_s * RATE)
                self._queue.start(at)
                self._enter(Trunk.QUEUED, at)
                continue
            denied = fate.answer is Trunk.DENIED
            (self._bonk if denied else self._permit).start(at)
            self._fate = None
            self._enter(Trunk.DENIED if denied else Trunk.GRANTED, at)

    def sound(self, samples: Pcm, first: int) -> tuple[Pcm, bool]:
        """Return received samples with the radio's own tones; and whether there are any."""
        out = samples
        for jingle in (self._permit, self._queue, self._bonk):
            out = jingle.add(out, first)
        return out, out is not samples

    def _enter(self, state: Trunk, at: int) -> None:
        if state is Trunk.IDLE:
            self._fate = None
        if state is not self.state:
            self.state = state
            self._changed(state, at)
