"""One group of joined talkgroups at work: its floor, its radios, and who is muted meanwhile."""

from collections.abc import Callable, Iterable

from radiobridge.core.floor import Floor, FloorChange, FloorEvent, Verdict
from radiobridge.core.ping_pong import PingPong
from radiobridge.core.transmit import AbortReason
from radiobridge.model.ids import TalkgroupId
from radiobridge.model.voice import Claim
from radiobridge.services.radio import RadioRunner
from radiobridge.services.timer import OneTimer, earliest

MUTE_AFTER_S = 0.3
"""How long receivers of a talkgroup stay muted after a spurt that played on it: the far gateway's
jitter buffer and tail, which this one cannot see."""

MUTE_LONGEST_S = 2.5
"""How long a receiver that still receives stays muted then, if its radio does not transmit: another
one of the talkgroup may have waited for a busy channel or a grant, and be on the air with that
spurt. Who has spoken over it all the while is heard by that other one, or after this."""

_LOOK_S = 0.1
"""How often is looked whether it still receives."""

SIBLING_S = 0.4
"""How long another receiver of a talkgroup waits when a spurt on it has ended: what it still hears
is the squelch tail of the same talker, or, after that, a talker whom only it still hears."""

_CUT = {
    FloorChange.CUT_OFF: AbortReason.FLOOR_LOST,
    FloorChange.TALK_LIMIT: AbortReason.FLOOR_LOST,
    FloorChange.WITHDRAWN: AbortReason.WITHDRAWN,
}


class GroupFloor:
    """The floor of one group, with the one timer it needs."""

    def __init__(
        self,
        talkgroups: frozenset[TalkgroupId],
        make_timer: Callable[[Callable[[float], None]], OneTimer],
        told: Callable[["GroupFloor", FloorEvent], None],
        *,
        listeners: frozenset[TalkgroupId] = frozenset(),
    ) -> None:
        """Begin with a free floor; `listeners` are the talkgroups that may only listen."""
        self.talkgroups = talkgroups
        self.runners: tuple[RadioRunner, ...] = ()
        self.mutes: dict[TalkgroupId, tuple[RadioRunner, ...]] = {}
        """Talkgroup that speaks to receivers that hear its echo on the air."""
        self.transmitters: frozenset[RadioRunner] = frozenset()
        """Radios that play something. Each knows by itself when it is on the air."""
        self._floor = Floor(listeners=listeners)
        self._near_limit = False
        self._timer = make_timer(self._tick)
        self._unmute_timer = make_timer(self._unmute)
        self._sibling_timer = make_timer(self._free)
        self._muted: dict[RadioRunner, float | None] = {}
        """Who is muted, and since when nothing plays on its talkgroup any more."""
        self._told = told
        self._armed = False
        self._ping_pong = PingPong()

    @property
    def holder(self) -> Claim | None:
        """Return who holds the floor."""
        return self._floor.holder

    @property
    def near_limit(self) -> bool:
        """Tell whether the holder has been warned that its time is nearly over."""
        return self._near_limit

    def heard(self, claim: Claim, media_time: int, now: float) -> Verdict:
        """Judge one packet (hot). Once it is handed over, `settle`."""
        return self._floor.heard(claim, media_time, now)

    def settle(self, now: float) -> None:
        """Tell what the last packet changed, if it did (hot).

        Told after that packet was handed over, a radio that is cut off goes on with it at once,
        and does not unkey in between.
        """
        due = self._floor.next_deadline()
        if due is not None and (due <= now or not self._armed):
            self._settle(now)

    def request(self, claim: Claim, now: float) -> Verdict:
        """Judge the start of a spurt of ours."""
        verdict = self._floor.request(claim, now)
        self._settle(now)
        return verdict

    def released(self, claim: Claim, now: float) -> None:
        """A spurt has ended."""
        self._floor.released(claim, now)
        self._settle(now)

    def change_members(
        self,
        talkgroups: frozenset[TalkgroupId],
        now: float,
        *,
        listeners: frozenset[TalkgroupId] = frozenset(),
    ) -> None:
        """The group has other members from now on; what a former one says no longer counts."""
        self.talkgroups = talkgroups
        self._floor.restrict(talkgroups, now, listeners=listeners)
        self._settle(now)

    def close(self, now: float) -> None:
        """The group is no more: nobody stays muted for it."""
        self._timer.set(None)
        self._unmute_timer.set(None)
        self._sibling_timer.set(None)
        for runner in self._muted:
            runner.mute(on=False, now=now)
        self._muted = {}

    def _tick(self, now: float) -> None:
        self._armed = False
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Tell what changed, and wait for the next change.

        The timer is left alone while it runs: each packet moves the deadline, and an early call
        costs less than moving it.
        """
        for event in self._floor.tick(now):
            self._event(event, now)
        deadline = self._floor.next_deadline()
        if deadline is not None and not self._armed:
            self._armed = True
            self._timer.set(deadline)

    def _event(self, event: FloorEvent, now: float) -> None:
        self._near_limit = event.change is FloorChange.NEAR_LIMIT
        if event.change is not FloorChange.NEAR_LIMIT:
            self._holder_changed(event, now)
            self._watch(event, now)
        self._told(self, event)
        if event.change is FloorChange.TALK_LIMIT:
            for runner in self._receivers(event.claim):
                runner.forgo()
        if event.change is FloorChange.ENDED:
            self._free(now, siblings=self._receivers(event.claim))
        else:
            self._free(now)

    def _watch(self, event: FloorEvent, now: float) -> None:
        """Open a loop that shows by its rhythm, at the radios of ours that spoke in it."""
        if event.change is FloorChange.TAKEN:
            self._ping_pong.took(event.claim, now)
            return
        if event.change is not FloorChange.ENDED:
            self._ping_pong.broken()
            return
        for claim in self._ping_pong.left(event.claim, now):
            for runner in self.runners:
                if runner.spoke(claim):
                    runner.open_loop("short spurts to and fro")

    def _receivers(self, claim: Claim) -> frozenset[RadioRunner]:
        """Return the radios that may hear the talker of a spurt as well."""
        return frozenset(r for r in self.runners if r.talkgroup == claim.talkgroup)

    def _free(self, now: float, siblings: frozenset[RadioRunner] = frozenset()) -> None:
        """Let who was refused come in, if the floor is free."""
        if self._floor.holder is not None:
            return
        for runner in self.runners:
            if runner not in siblings:
                runner.floor_free(now)
        if siblings:
            self._sibling_timer.set(now + SIBLING_S)

    def _holder_changed(self, event: FloorEvent, now: float) -> None:
        if event.change is FloorChange.TAKEN:
            self._mute(self.mutes.get(event.claim.talkgroup, ()), now)
            return
        if event.change in _CUT:
            reason = _CUT[event.change]
            for runner in self.runners:
                runner.cut(event.claim, reason, now)
        self._mute((), now)

    def _mute(self, wanted: Iterable[RadioRunner], now: float) -> None:
        """Mute `wanted`; the others that are muted hear again in a while."""
        playing = frozenset(wanted)
        for runner in playing - self._muted.keys():
            runner.mute(on=True, now=now)
        over = {r: now if since is None else since for r, since in self._muted.items()}
        self._muted = {**over, **dict.fromkeys(playing)}
        self._unmute(now)

    def _unmute(self, now: float) -> None:
        """Let those hear again whose time has come."""
        due = {r: self._unmute_at(r, since, now) for r, since in self._muted.items()}
        for runner, when in due.items():
            if when is not None and now >= when:
                del self._muted[runner]
                runner.mute(on=False, now=now)
        self._unmute_timer.set(earliest(*(due[runner] for runner in self._muted)))

    def _unmute_at(self, runner: RadioRunner, since: float | None, now: float) -> float | None:
        """Return when a muted receiver may hear again, or when to look again."""
        if since is None:
            return None
        if now < since + MUTE_AFTER_S:
            return since + MUTE_AFTER_S
        longest = since + MUTE_LONGEST_S
        if runner in self.transmitters or not runner.receives or now >= longest:
            return now
        return min(now + _LOOK_S, longest)
