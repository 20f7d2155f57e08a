"""What must hold in each history, looked at after each call and at the end."""

from collections import Counter

import pytest

from radiobridge.core import floor
from radiobridge.core.floor import FloorSettings
from radiobridge.model.voice import FRAME_S, Claim
from tests.floor_network.history import LAST_S, History
from tests.floor_network.kernel import Kernel, living
from tests.floor_network.radios import Played, Radio, SpurtName, name_of
from tests.floor_network.world import LAST_TALK, Gateway, Offered, World
from tests.services.virtual_time import START_S

HEAL_S = 0.5
"""One holder, so long after a partition has healed."""
LET_IN_S = 0.9
"""Who is heard for so long while the floor is free comes in: longer than any mute or wait."""
TAIL_S = 1.0
"""What begins so soon after a talker whom another receiver hears as well may be his tail."""
_TINY_S = 1e-6


class Judged:
    """A history that was lived, and what was found in it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.found: Counter[str] = Counter()
        """How often each rule was put to the test."""
        self.heals_s: list[float] = []
        """How long after each heal the gateways still named several holders."""
        self.kernel = Kernel()
        self.world: World
        self._healing: tuple[float, float] | None = None
        """Since when, and the last time at which there were several holders."""

    def judge(self) -> "Judged":
        """Live the history; raise AssertionError when it broke a rule."""
        history = self.history
        settings = FloorSettings(
            talk_limit_s=history.limit_s, warning_s=min(5.0, history.limit_s / 2)
        )
        with living(self.kernel), pytest.MonkeyPatch.context() as patch:
            patch.setattr(floor, "FloorSettings", lambda: settings)
            self.world = World(history, self.kernel)
            for channels in self.world.channels.values():
                for channel in channels:
                    channel.heard = self._heard
            self.kernel.after = self._look
            self._watch_heals()
            self.kernel.run(START_S + LAST_S)
            self._end()
        return self

    @property
    def _clean(self) -> bool:
        """Tell whether nothing was lost or long late, nobody cut off, and no talker went away."""
        network = self.history.network
        whole = network.calm_s == 0.0 or network.loss == network.late == 0.0
        stayed = all(talk.away_s > talk.length_s for talk in self.history.talks)
        return whole and stayed and not self.history.partitions

    # --- always --------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self.kernel.now
        for gateway in self.world.gateways:
            if gateway.busy:
                gateway.busy = False
                assert not gateway.wrong, f"{gateway.me}: {gateway.wrong}"
                self._look_at_holder(gateway, now)
        self._look_at_air(now)
        if self._healing is not None:
            self._look_at_heal(now)

    def _look_at_holder(self, gateway: Gateway, now: float) -> None:
        """Each gateway names the holder that the rules favour by what it knows."""
        actual = gateway.holder
        named = name_of(actual) if actual is not None else None
        known = gateway.knows.holder(now)
        favoured = known.name if known is not None else None
        if named != favoured:
            # At the very moment of silence its timer may still be to come.
            before = gateway.knows.holder(now - _TINY_S)
            favoured = before.name if before is not None else None
        if favoured is not None:
            gateway.spent = {n: where for n, where in gateway.spent.items() if where == favoured[1]}
        assert named == favoured, f"{gateway.me} at {now - START_S}: {named}, not {favoured}"
        self.found["holder"] += 1

    def _look_at_air(self, now: float) -> None:
        keyed = [(g, r, c) for g, r in self.world.radios if (c := r.on_air) is not None]
        for gateway, radio, claim in keyed:
            assert radio.transmits, f"{gateway.me} keyed {radio.runner.name}"
            known = gateway.knows.live(name_of(claim), now)
            if known is not None:
                holder = gateway.knows.holder(now)
                assert holder is known, f"{gateway.me} at {now - START_S}: keyed for {known}"
        for n, (one, _radio, claim) in enumerate(keyed):
            for other, _other_radio, rival in keyed[n + 1 :]:
                if name_of(claim) != name_of(rival):
                    self._look_at_two(one, other, claim, rival, now)

    def _look_at_two(
        self, one: Gateway, other: Gateway, claim: Claim, rival: Claim, now: float
    ) -> None:
        """Two radios are keyed for two talkers: somebody must not know of one yet, or any more."""
        known = [
            gateway.knows.live(name_of(spurt), now)
            for gateway in (one, other)
            for spurt in (claim, rival)
        ]
        self.found["keyed for two"] += 1
        if all(known):
            orders = [spurt.order for spurt in known if spurt is not None]
            assert orders[:2] != orders[2:], f"{one.me} and {other.me} at {now - START_S}: {known}"

    def _heard(self, radio: Radio) -> None:
        """A radio has heard somebody for 20 ms: while the floor is free, he soon comes in."""
        gateway = next(g for g in self.world.gateways if radio in g.radios)
        spurt = radio.runner.up.spurt
        free = gateway.knows.holder(self.kernel.now) is None and (spurt is None or spurt.cut)
        heard = not (radio.runner.forgone or radio.runner.muted)
        radio.idle_s = radio.idle_s + FRAME_S if free and heard else 0.0
        assert radio.idle_s < LET_IN_S, f"{gateway.me} at {self.kernel.now - START_S}: kept out"
        self.found["let in"] += 1

    # --- partitions that heal ------------------------------------------------------------------

    def _watch_heals(self) -> None:
        partitions = self.history.partitions
        for at_s in {healed.at_s + healed.length_s for healed in partitions}:
            cut = any(p.at_s < at_s + HEAL_S and at_s < p.at_s + p.length_s for p in partitions)
            if at_s >= self.history.network.calm_s and not cut:
                self.kernel.call_at(START_S + at_s, self._heal)
                self.kernel.call_at(START_S + at_s + HEAL_S, self._healed)

    def _heal(self) -> None:
        self._healing = self.kernel.now, self.kernel.now
        self._look_at_heal(self.kernel.now)

    def _look_at_heal(self, now: float) -> None:
        assert self._healing is not None
        since, _last = self._healing
        if self._several(since):
            self._healing = since, now

    def _healed(self) -> None:
        assert self._healing is not None
        since, last = self._healing
        several = self._several(since)
        self._healing = None
        assert not several, f"{HEAL_S} s after the heal at {since - START_S}: {several}"
        if last > since:
            self.heals_s.append(last - since)

    def _several(self, since: float) -> list[tuple[SpurtName, SpurtName]]:
        """Return holders that differ, of spurts that both gateways can hear for long enough."""
        found = []
        gateways = self.world.gateways
        for n, one in enumerate(gateways):
            for other in gateways[n + 1 :]:
                mine, theirs = self._lasting(one, since), self._lasting(other, since)
                if mine is None or theirs is None or name_of(mine) == name_of(theirs):
                    continue
                if all(self._can_hear(g, c) for g in (one, other) for c in (mine, theirs)):
                    found.append((name_of(mine), name_of(theirs)))
        return found

    def _lasting(self, gateway: Gateway, since: float) -> Claim | None:
        """Return the holder, if its spurt began before `since` and is still sent."""
        holder, now = gateway.holder, self.kernel.now
        if holder is None:
            return None
        known = gateway.knows.live(name_of(holder), now)
        sent = self._sender(holder).knows.live(name_of(holder), now)
        return holder if known is not None and sent is not None and known.first_at < since else None

    def _sender(self, claim: Claim) -> Gateway:
        return next(g for g in self.world.gateways if g.me == claim.sender)

    def _can_hear(self, listener: Gateway, claim: Claim) -> bool:
        """Tell whether a gateway may and can hear a spurt."""
        sender = self._sender(claim)
        if listener is sender:
            return True
        return claim.talkgroup in listener.map.hears and _in_time(listener, sender)

    # --- at the end ----------------------------------------------------------------------------

    def _end(self) -> None:
        for gateway in self.world.gateways:
            assert gateway.holder is None, f"{gateway.me}: {gateway.holder}"
            for radio in gateway.radios:
                self._look_at_radio(gateway, radio)
        self._look_at_last_talk()

    def _look_at_radio(self, gateway: Gateway, radio: Radio) -> None:
        where = f"{gateway.me} {radio.runner.name}"
        assert radio.runner.errors == 0, where
        assert not radio.line.keyed, where
        assert radio.runner.up.spurt is None, where
        frames = [played.frame for played in radio.sound.played]
        assert len(frames) == len(set(frames)), f"{where}: played twice"
        mine = {s: o for (name, s), o in gateway.offered.items() if name == radio.runner.name}
        given = {frame for offered in mine.values() for frame in (*offered.frames, *offered.fills)}
        assert given >= set(frames), f"{where}: played what was not for it"
        lost = 0
        for spurt, offered in mine.items():
            if self._clean and offered.frames:
                self.found["spurts"] += 1
                assert not _is_tail(spurt, mine), f"{where}: keyed for a squelch tail, {spurt}"
            if spurt not in gateway.dropped:
                lost += self._missing(radio, spurt, offered, set(frames))
        path = radio.runner.down.path()
        # What comes when later frames have been played counts as late or, before the first, as old.
        late = path["late"] + path["duplicate"] + path["overflow"] + path["skipped"]
        assert lost <= late, f"{where}: {lost} frames not played, {late} late"

    def _missing(
        self, radio: Radio, spurt: SpurtName, offered: Offered, frames: set[object]
    ) -> int:
        """Return how many frames a radio should have played and has not."""
        if any(failure.spurt == spurt for failure in radio.failed):
            self.found["not delivered"] += 1
            return 0
        cuts = [at for name, at in radio.runner.cuts if name == spurt]
        since = max(cuts, default=0.0)
        wanted = {f for f, at in offered.frames.items() if at > since and f.is_voice}
        self.found["frames"] += len(wanted)
        return len(wanted - frames)

    def _look_at_last_talk(self) -> None:
        """Who speaks when all is calm is heard whole by everybody who may."""
        talkgroup = self.world.main(self.history.last)
        number = len(self.history.talks) + 1
        wanted = set(range(1, round(LAST_TALK.length_s / FRAME_S) + 1))
        home = [g for g in self.world.gateways if g.me.agency == talkgroup.agency]
        if self.history.agencies[self.history.last].separate:
            home = home[:1]
        for gateway, radio in self.world.radios:
            plays = radio.runner.name in gateway.map.plays.get(talkgroup, ())
            if not plays or not all(_in_time(gateway, sender) for sender in home):
                continue
            if gateway is home[0] and radio.runner.talkgroup == talkgroup:
                continue
            if any(one.runner.cut_off for _, one in self.world.radios):
                # Short spurts to and fro, each at once after the other, count as a loop.
                self.found["loops"] += 1
                continue
            heard = _of_talk(radio.sound.played, number)
            assert heard >= wanted, f"{gateway.me} {radio.runner.name}: not heard {wanted - heard}"
            self.found["last talk"] += 1


def _of_talk(played: list[Played], number: int) -> set[int]:
    return {one.frame.place for one in played if one.frame.talk == number}


def _is_tail(spurt: SpurtName, given: dict[SpurtName, Offered]) -> bool:
    """Tell whether nobody speaks in a spurt, and a sibling's of the same talker was just over."""
    offered = given[spurt]
    if any(frame.is_voice for frame in (*offered.frames, *offered.fills)):
        return False
    began = min(offered.frames.values())
    return any(
        other[1] == spurt[1] and other[0] != spurt[0] and began - TAIL_S < at < began
        for other, its in given.items()
        for frame, at in its.frames.items()
        if frame.is_voice
    )


def _in_time(listener: Gateway, sender: Gateway) -> bool:
    """Tell whether the clocks of two gateways are near enough for all of a spurt to be fresh."""
    return listener is sender or -900 <= listener.site.offset_ms - sender.site.offset_ms <= 1400
