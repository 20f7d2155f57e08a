"""Our code and code written from the pages alone agree."""

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.core.floor import Floor, Verdict
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import Claim, TalkClass
from tests.core.voice_world import CLAIM, EPOCH, KEYS, SIGNER, T0, Listener, opus, spurt, writer
from tests.wire.second_implementation import SecondFloor, Topic

TOPIC = Topic(names=("ca.opp", "windsor", "ca.opp", "TAC1"), keys=KEYS)
LONG = 300
"""Packets: more than one byte of CTR."""


def test_the_second_reads_what_we_write() -> None:
    heard = TOPIC.read(spurt(LONG), SIGNER.public_key())
    assert heard.frames == {index: opus(index) for index in range(LONG)}
    assert heard.ended
    assert set(heard.ranks) == {CLAIM.talk_class << 4 | CLAIM.priority}


def test_the_second_follows_our_change_of_key() -> None:
    first = writer()
    packets = [first.packet(opus(i), 960 * i, prove=i == 14) for i in range(15)]
    second = writer(epoch=EPOCH + 1, kid_random=2)
    packets += [second.packet(opus(i), 960 * i, end=i == 29) for i in range(15, 30)]
    heard = TOPIC.read(packets, SIGNER.public_key())
    assert heard.frames == {index: opus(index) for index in range(30)}


def test_we_hear_what_the_second_writes() -> None:
    frames = [opus(index) for index in range(LONG)]
    kid = EPOCH << 48 | 0xABCDEF012345
    packets = list(TOPIC.write(frames, start=T0, rank=0x13, kid=kid, signer=SIGNER))
    listener = Listener()
    heard = listener.hear_all(packets)
    assert [packet.opus for packet in heard] == frames
    assert heard[-1].end
    assert listener.losses == []
    assert {packet.claim for packet in heard} == {
        Claim(CLAIM.sender, CLAIM.talkgroup, T0, TalkClass.IMMINENT_PERIL, 3)
    }


GATEWAYS = ("ca.opp/windsor", "ca.opp/sarnia", "us.cbp/detroit")
TALKGROUPS = ("ca.opp/TAC1", "us.cbp/BORDER", "us.cbp/LISTENS")
LISTENERS = frozenset({"us.cbp/LISTENS"})
LIMIT = 2_640_000

_WHO = st.tuples(st.sampled_from(GATEWAYS), st.sampled_from(TALKGROUPS))
_RANK = st.tuples(st.integers(0, 2), st.integers(0, 2))
_GAP = st.integers(0, 50).map(lambda n: 7 * n)
"""ms; no sum of them is just 400, where rounding would decide."""
_ARRIVAL = st.tuples(
    _GAP,
    _WHO,
    _RANK,
    st.integers(0, 3),
    st.none() | st.integers(0, 3).map(lambda n: 960 * n) | st.sampled_from((LIMIT, LIMIT + 960)),
)


def _claim(who: tuple[str, str], rank: tuple[int, int], start: int) -> Claim:
    gateway, talkgroup = parse_gateway(who[0]), parse_talkgroup(who[1])
    return Claim(gateway, talkgroup, start, TalkClass(rank[0]), rank[1])


@given(st.lists(_ARRIVAL, max_size=18), _GAP, _WHO, _RANK)
def test_both_name_the_same_holder(
    arrivals: list[tuple[int, tuple[str, str], tuple[int, int], int, int | None]],
    pause: int,
    starter: tuple[str, str],
    rank_of_starter: tuple[int, int],
) -> None:
    ours = Floor(listeners=frozenset(map(parse_talkgroup, LISTENERS)))
    second = SecondFloor(LISTENERS)
    now = 0
    for gap, who, rank, start, media_time in arrivals:
        now += gap
        claim = _claim(who, rank, start)
        if media_time is None:
            ours.released(claim, now / 1000)
            second.end(who, rank, start)
        else:
            played = ours.heard(claim, media_time, now / 1000) is Verdict.PLAY
            assert played == second.packet(who, rank, start, media_time, now)
        assert _named(ours) == second.holder(now)
    now += pause
    ours.tick(now / 1000)
    assert _named(ours) == second.holder(now)
    begun = ours.request(_claim(starter, rank_of_starter, 4), now / 1000) is Verdict.PLAY
    assert begun == second.may_start(starter[1], rank_of_starter, now)


def _named(floor: Floor) -> tuple[str, str, int] | None:
    holder = floor.holder
    return None if holder is None else (str(holder.sender), str(holder.talkgroup), holder.start_ms)
