"""One spurt on its way out: hole, end, cut, change of key."""

from dataclasses import dataclass, field

from radiobridge.model.voice import Claim
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.wire.spurt import SpurtWriter, epoch_of
from radiobridge.wire.voice import VoiceFrame, parse_voice
from radiobridge.wire.words import KeyGrant
from tests.core.voice_world import CLAIM, KEYS, SIGNER, TAC1


def grant(epoch: int) -> KeyGrant:
    return KeyGrant(talkgroup=TAC1, epoch=epoch, key=KEYS[epoch], since_ms=1)


@dataclass
class Line:
    """Where the packets go, with a floor and a key that the test holds."""

    key: KeyGrant | None = field(default_factory=lambda: grant(7))
    allowed: bool = True
    asked: list[int] = field(default_factory=list)
    sent: list[VoiceFrame] = field(default_factory=list)
    up: bool = True
    """A link takes what is sent."""

    def spurt(self) -> Outgoing:
        ports = OutgoingPorts(
            allowed=self._allowed,
            key=lambda: self.key,
            writer=lambda claim, key: SpurtWriter(
                claim, key.key, key.epoch, SIGNER, len(self.sent)
            ),
            publish=self._publish,
        )
        return Outgoing(CLAIM, ports)

    def _publish(self, packet: bytes) -> bool:
        self.sent.append(parse_voice(packet))
        return self.up

    def _allowed(self, claim: Claim, media_time: int) -> bool:
        assert claim is CLAIM
        self.asked.append(media_time)
        return self.allowed

    def media_times(self) -> list[int]:
        return [frame.header.media_time for frame in self.sent]


def test_media_time_grows_by_a_frame_and_leaves_holes_for_what_was_lost() -> None:
    line = Line()
    spurt = line.spurt()
    spurt.frame(b"a")
    spurt.frame(b"b", skipped=3)
    spurt.frame(b"c")
    assert line.media_times() == [0, 4 * 960, 5 * 960]
    assert line.asked == line.media_times()


def test_what_leaves_first_after_others_could_not_proves_what_came_before_it() -> None:
    line = Line()
    spurt = line.spurt()
    for up in (True, True, False, False, True, True):
        line.up = up
        spurt.frame(b"a")
    assert [frame.header.proof for frame in line.sent] == [True, False, False, True, True, False]


def test_the_end_is_said_three_times_in_equal_bytes_and_nothing_follows() -> None:
    line = Line()
    spurt = line.spurt()
    spurt.frame(b"a")
    spurt.end(b"z")
    assert [frame.header.end for frame in line.sent] == [False, True, True, True]
    assert len({frame.digest for frame in line.sent[1:]}) == 1
    spurt.end(b"z")
    spurt.frame(b"b")
    assert len(line.sent) == 4
    assert spurt.packets == 2


def test_who_loses_the_floor_says_so_with_an_end_and_nothing_more() -> None:
    line = Line()
    spurt = line.spurt()
    spurt.frame(b"a")
    line.allowed = False
    spurt.frame(b"b")
    assert spurt.cut
    line.allowed = True
    spurt.frame(b"c")
    spurt.end(b"z")
    assert line.media_times() == [0, 960, 960, 960]
    assert [frame.header.end for frame in line.sent] == [False, True, True, True]


def test_without_a_key_nothing_leaves_and_media_time_goes_on() -> None:
    line = Line(key=None)
    spurt = line.spurt()
    spurt.frame(b"a")
    assert line.sent == []
    assert line.asked == [0]
    line.key = grant(7)
    spurt.frame(b"b")
    assert line.media_times() == [960]


def test_a_new_key_goes_on_as_a_new_kid_with_the_same_claim() -> None:
    line = Line()
    spurt = line.spurt()
    spurt.frame(b"a")
    line.key = grant(8)
    spurt.frame(b"b")
    first, second = line.sent
    assert (epoch_of(first.sframe_header.kid), epoch_of(second.sframe_header.kid)) == (7, 8)
    assert second.sframe_header.ctr == 0
    assert second.header.proof
    assert (second.header.start_ms, second.header.media_time) == (CLAIM.start_ms, 960)


def test_a_key_that_is_taken_away_stops_the_packets_at_once() -> None:
    line = Line()
    spurt = line.spurt()
    spurt.frame(b"a")
    line.key = None
    spurt.frame(b"b")
    spurt.end(b"z")
    assert line.media_times() == [0]
