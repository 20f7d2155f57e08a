"""Whether a gateway may rely on what its disk remembers: nothing foreign before that is settled.

A gateway that lost its state, or got an old copy of it back, may have forgotten that it withdrew,
and a broker that serves old documents would have it join again. So:

    CHECKING   from the start until the brokers have had a moment to show what we once said
    LOST       the disk remembers nothing, or less than what we said: nothing foreign is joined
    TRUSTED    the disk is as we left it; or a sibling's fresh head tells us nothing new; or an
               operator has confirmed

Each head is noted on the disk (the marker) before it is published. So a head of ours that comes
back from a broker, higher than the marker, proves that the disk is older than what we said. It does
so at any time, for a broker may come late; a sibling's or an operator's word settles it for good.

A disk without a marker is a first start, or all is lost: only somebody else can tell. A simulation
may be trusted by itself, unless a broker shows that we have spoken before (docs/decisions/0006).
"""

from enum import StrEnum

CHECK_S = 1.0
"""How long after the first link is up: retained documents have come by then."""

TOLERANCE_MS = 1000
"""How far two synchronised clocks may be apart."""

FRESH_MS = 90_000
"""A sibling's head older than this says nothing about now."""


class Trust(StrEnum):
    """How far the own state is trusted."""

    CHECKING = "checking"
    LOST = "lost"
    TRUSTED = "trusted"


class StateTrust:
    """See the top of the file. Monotonic times in s, others in ms of bridge time."""

    __slots__ = (
        "_check_at", "_confirmed", "_evidence", "_fresh_is_trusted", "_listening_ms", "_marker",
        "_run", "by",
    )  # fmt: skip

    def __init__(self, marker: int | None, *, fresh_is_trusted: bool) -> None:
        """Start with the marker of the disk, None when there is none."""
        self._marker = marker
        self._fresh_is_trusted = fresh_is_trusted
        self._check_at: float | None = None
        self._evidence: int | None = None
        self._confirmed = False
        self._listening_ms = 0
        self._run: tuple[int, int] | None = None
        """The first and the last version that this run has published."""
        self.by = ""
        """Who settled it: a gateway, an operator; empty for the disk itself."""

    def trust(self, now: float) -> Trust:
        """Return how far the state is trusted at `now`."""
        if self._confirmed:
            return Trust.TRUSTED
        if self._evidence is not None:
            return Trust.LOST
        if self._check_at is None or now < self._check_at:
            return Trust.CHECKING
        known = self._marker is not None or self._fresh_is_trusted
        return Trust.TRUSTED if known else Trust.LOST

    def link_up(self, now: float, now_ms: int) -> None:
        """A link is up: what the broker keeps is on its way."""
        if self._check_at is None:
            self._check_at = now + CHECK_S
            self._listening_ms = now_ms - TOLERANCE_MS

    def published(self, version: int) -> None:
        """A head of this run is about to be published: it proves nothing when it comes back."""
        first = version if self._run is None else self._run[0]
        self._run = (first, version)

    def own_head(self, version: int) -> None:
        """A head of ours came from a broker."""
        if self._run is not None and self._run[0] <= version <= self._run[1]:
            return
        if self._marker is None or version > self._marker:
            self._evidence = max(version, self._evidence or 0)

    def own_word(self, version: int) -> None:
        """A word of ours on a patch came from a broker, said before this run.

        A disk that has a marker may just have been cut off before it was written; the word counts
        again in any case. A disk that has none has forgotten that we ever spoke.
        """
        if self._marker is None:
            self._evidence = max(version, self._evidence or 0)

    def sibling_head(self, gateway: str, issued_ms: int, now_ms: int, *, missing: bool) -> None:
        """A gateway of our agency says what it knows; `missing`: we do not know all of it yet.

        It must be fresh, and said after we began to listen: one from before may have been kept to
        hide what was said since.
        """
        fresh = now_ms - issued_ms < FRESH_MS and issued_ms >= self._listening_ms
        if fresh and not missing and not self._confirmed:
            self._confirmed, self.by = True, gateway

    def confirm(self, by: str) -> None:
        """An operator says that nothing was withdrawn that we do not know."""
        self._confirmed, self.by = True, by

    def next_deadline(self, now: float) -> float | None:
        """Return when `trust` may change by itself."""
        return self._check_at if self._check_at is not None and now < self._check_at else None
