"""What must hold of the floor for any spurts, in any order of arrival, in virtual time."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.core.floor import Floor, FloorChange, FloorSettings, Verdict
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import FRAME_MEDIA_TIME, MEDIA_RATE, Claim, TalkClass

SENDERS = [parse_gateway(f"ca.opp/g{n}") for n in range(3)]
TALKGROUPS = [parse_talkgroup(f"us.cbp/T{n}") for n in range(2)]
LIMIT = FloorSettings(talk_limit_s=1.0)

_CLAIMS = st.builds(
    Claim,
    st.sampled_from(SENDERS),
    st.sampled_from(TALKGROUPS),
    st.integers(0, 5),
    st.sampled_from(TalkClass),
    st.integers(0, 2),
)


def _spurt(claim: Claim) -> tuple[object, ...]:
    return claim.sender, claim.talkgroup, claim.start_ms


_SPURTS = st.lists(_CLAIMS, min_size=1, max_size=8, unique_by=_spurt)
_MEDIA = st.lists(st.integers(0, MEDIA_RATE), min_size=1, max_size=4)


class Part:
    """One arrival: a packet, or (media_time None) the end of the spurt."""

    def __init__(self, claim: Claim, media_time: int | None) -> None:
        self.claim = claim
        self.media_time = media_time

    def __repr__(self) -> str:
        return f"{self.claim} at {self.media_time}"


@st.composite
def _arrivals(draw: st.DrawFn) -> list[Part]:
    parts = []
    for claim in draw(_SPURTS):
        parts += [Part(claim, media_time) for media_time in draw(_MEDIA)]
        if draw(st.booleans()):
            parts.append(Part(claim, None))
        if draw(st.integers(0, 4)) == 0:
            parts.append(Part(claim, MEDIA_RATE + 1))
    return parts


def _hear(parts: list[Part], *, spread_s: float) -> Claim | None:
    floor = Floor(LIMIT)
    for index, part in enumerate(parts):
        now = 10.0 + spread_s * index / len(parts)
        if part.media_time is None:
            floor.released(part.claim, now)
        else:
            verdict = floor.heard(part.claim, part.media_time, now)
            assert (verdict is Verdict.PLAY) is (floor.holder == part.claim)
    return floor.holder


def _expected(parts: list[Part]) -> Claim | None:
    """Say who must hold: the best of each sender's latest spurts that neither ended nor overran."""
    newest: dict[object, int] = {}
    for part in parts:
        key = (part.claim.sender, part.claim.talkgroup)
        newest[key] = max(newest.get(key, 0), part.claim.start_ms)
    over = {
        _spurt(part.claim)
        for part in parts
        if part.media_time is None or part.media_time > MEDIA_RATE
    }
    live = [
        part.claim
        for part in parts
        if newest[part.claim.sender, part.claim.talkgroup] == part.claim.start_ms
        and _spurt(part.claim) not in over
    ]
    return min(live, key=lambda claim: claim.order, default=None)


@settings(deadline=None)
@given(_arrivals(), st.randoms(use_true_random=False))
def test_same_spurts_seen_same_holder_in_any_order(
    parts: list[Part], shuffle: random.Random
) -> None:
    here = list(parts)
    there = list(parts)
    shuffle.shuffle(there)
    assert _hear(here, spread_s=0.39) == _hear(there, spread_s=0.0) == _expected(parts)


@settings(deadline=None)
@given(_SPURTS, st.randoms(use_true_random=False))
def test_partitions_that_heal_agree_within_one_packet_of_each_talker(
    claims: list[Claim], shuffle: random.Random
) -> None:
    floors = [Floor(), Floor()]
    for claim in claims:
        shuffle.choice(floors).heard(claim, 0, 1.0)
    for floor in floors:
        shuffle.shuffle(claims)
        for claim in claims:
            floor.heard(claim, FRAME_MEDIA_TIME, 1.1)
    assert floors[0].holder == floors[1].holder


@settings(deadline=None)
@given(_SPURTS)
def test_only_strictly_higher_rank_starts_over_a_live_holder(claims: list[Claim]) -> None:
    floor = Floor()
    for index, claim in enumerate(claims):
        holder, now = floor.holder, 1.0 + index * 0.01
        if floor.request(claim, now) is Verdict.PLAY:
            assert holder is None or claim.beats(holder)
            assert floor.holder == claim
        else:
            assert floor.holder == holder
            assert holder is not None


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), _CLAIMS), min_size=1, max_size=30))
def test_the_events_tell_every_change_and_silence_always_ends(
    heard: list[tuple[float, Claim]],
) -> None:
    floor = Floor()
    now = 0.0
    told: Claim | None = None
    for after, claim in heard:
        now += after
        floor.heard(claim, 0, now)
        told = _replay(floor, now, told)
        assert _name(told) == _name(floor.holder)
        due = floor.next_deadline()
        assert (due is None) is (floor.holder is None)
        assert due is None or now < due <= now + 0.4
    told = _replay(floor, now + 0.4, told)
    assert told is None
    assert floor.holder is None
    assert floor.next_deadline() is None


def _name(claim: Claim | None) -> tuple[object, ...] | None:
    return None if claim is None else _spurt(claim)


def _replay(floor: Floor, now: float, told: Claim | None) -> Claim | None:
    for event in floor.tick(now):
        if event.change is FloorChange.TAKEN:
            assert told is None, "a loss is told before the next holder"
            told = event.claim
        else:
            assert told is not None
            assert _name(event.claim) == _name(told)
            told = None
    return told
