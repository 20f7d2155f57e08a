"""One spurt of a radio of ours on its way out, under one key at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.words import KeyGrant

END_COPIES = 3
"""The end flag is sent three times (DESIGN, wire): no radio hangs keyed for one lost packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingPorts:
    """What a spurt asks of the gateway, for each packet."""

    allowed: Callable[[Claim, int], bool]
    """(claim, media time) -> whether the spurt still holds the floor."""
    key: Callable[[], KeyGrant | None]
    """The key to send with now; None while nobody is entitled to hear."""
    writer: Callable[[Claim, KeyGrant], SpurtWriter]
    publish: Callable[[bytes], bool]
    """False: it could not leave. The next packet then proves what came before it, in case that one
    was to."""


class Outgoing:
    """Writes the packets of one spurt.

    While nobody is entitled to hear there is no writer, and so no packet at all. A new key or
    another rank in mid-spurt makes a new writer; the spurt stays the same.
    """

    __slots__ = (
        "_grant",
        "_ports",
        "_prove",
        "_writer",
        "barred",
        "claim",
        "cut",
        "ended",
        "index",
        "packets",
        "spent",
    )

    def __init__(self, claim: Claim, ports: OutgoingPorts) -> None:
        self.claim = claim
        self.cut = False
        """Lost the floor: nothing more leaves."""
        self.spent = False
        """Has talked as long as it may."""
        self.ended = False
        self.barred = False
        """Its talker was excluded: nothing more leaves, whatever its rank."""
        self.index = 0
        """20 ms frames since the start of the spurt."""
        self.packets = 0
        self._ports = ports
        self._prove = False
        self._grant: KeyGrant | None = None
        self._writer: SpurtWriter | None = None

    def frame(self, opus: bytes, *, skipped: int = 0) -> None:
        """Send the next frame; `skipped` frames before it were lost on this side."""
        self.index += skipped
        self._packet(opus, end=False)
        self.index += 1

    def end(self, opus: bytes) -> None:
        """Send the last frame with the end flag; the copies are repeats that receivers drop."""
        if not self.ended:
            self._packet(opus, end=True)
            self.ended = True

    def rank(self, claim: Claim) -> None:
        """Go on as `claim`, the same spurt with another rank."""
        if claim == self.claim:
            return
        self.claim = claim
        self._grant = self._writer = None

    @property
    def may_return(self) -> bool:
        """Tell whether who is heard may begin anew: somebody else took the floor from him."""
        return self.cut and not (self.spent or self.barred)

    def bar(self) -> None:
        """Send nothing more."""
        self.barred = True

    def _packet(self, opus: bytes, *, end: bool) -> None:
        if self.cut or self.ended or self.barred:
            return
        media_time = self.index * FRAME_MEDIA_TIME
        if not self._ports.allowed(self.claim, media_time):
            # Its end is all that still leaves: else others would take it for live, and wait for it.
            self.cut = end = True
        grant = self._ports.key()
        if grant is not self._grant:
            self._grant = grant
            self._writer = None if grant is None else self._ports.writer(self.claim, grant)
        if self._writer is None:
            return
        packet = self._writer.packet(opus, media_time, end=end, prove=self._prove)
        for _ in range(END_COPIES if end else 1):
            self._prove = not self._ports.publish(packet)
        self.packets += 1
