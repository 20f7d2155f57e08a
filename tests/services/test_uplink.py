"""From the receiver to the network: what opens a spurt, what is in it, what ends it."""

from dataclasses import dataclass, field

import pytest

from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchMode, SquelchSettings
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusEncoder
from radiobridge.media.tone import Tone, silence
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, PcmFrame, TalkClass
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.words import KeyGrant
from tests.core.voice_world import EPOCH, KEYS, SIGNER
from tests.services.voices import RATE, decoded, loud

ME, TAC1 = parse_gateway("ca.opp/windsor"), parse_talkgroup("ca.opp/TAC1")
COR = SquelchSettings(hang_s=0.0, settling_s=0.15, cor_limit_s=10.0)
VOX = SquelchSettings(mode=SquelchMode.VOX, hang_s=0.2)
FRAME_S = 0.02


@dataclass
class Sent:
    """One packet as it left."""

    at: float
    media_time: int
    opus: bytes
    end: bool


class _Plain(SpurtWriter):
    """Writes down what was to be sent instead of encrypting it."""

    bench: "Bench"

    def packet(
        self, opus: bytes, media_time: int, *, end: bool = False, prove: bool = False
    ) -> bytes:
        self.bench.written = Sent(self.bench.now, media_time, opus, end)
        return super().packet(opus, media_time, end=end, prove=prove)


@dataclass
class Bench:
    """One radio's way up, and a hand on the clock."""

    settings: SquelchSettings = COR
    cor_delay_s: float = 0.0
    now: float = 100.0
    floor_free: bool = True
    """Whether a spurt may start."""
    holds_floor: bool = True
    """Whether a spurt in progress may go on."""
    started: list[float] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    stuck: list[bool] = field(default_factory=list)
    written: Sent | None = None

    def __post_init__(self) -> None:
        self.tone = Tone(RATE)
        self.up = Uplink(
            squelch=Squelch(self.settings),
            preroll=Preroll(PrerollSettings(cor_delay_s=self.cor_delay_s)),
            encoder=OpusEncoder(RATE),
            limiter=Limiter(RATE),
            rate=RATE,
            ports=UplinkPorts(
                start=self._start,
                stuck=self.stuck.append,
                ended=lambda _spurt, now: self.ended.append(now),
            ),
        )

    def _start(self, started: float, now: float) -> Outgoing | None:
        assert started <= now == self.now
        self.started.append(started)
        if not self.floor_free:
            return None
        claim = Claim(ME, TAC1, round(started * 1000), TalkClass.NORMAL, 0)
        ports = OutgoingPorts(
            allowed=lambda _claim, _media_time: self.holds_floor,
            key=lambda: self.grant,
            writer=self._writer,
            publish=self._publish,
        )
        return Outgoing(claim, ports)

    grant = KeyGrant(talkgroup=TAC1, epoch=EPOCH, key=KEYS[EPOCH], since_ms=1)

    def _writer(self, claim: Claim, grant: KeyGrant) -> SpurtWriter:
        writer = _Plain(claim, grant.key, grant.epoch, SIGNER, 1)
        writer.bench = self
        return writer

    def _publish(self, _packet: bytes) -> bool:
        assert self.written is not None
        self.sent.append(self.written)
        return True

    def wait(self, seconds: float) -> None:
        """Let time pass without audio; the timer fires when it is due."""
        until = self.now + seconds
        while (due := self.up.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.up.tick(self.now)
        self.now = until

    def frame(self, samples: PcmFrame) -> None:
        self.wait(FRAME_S)
        self.up.audio(samples, self.now, self.now)

    def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.frame(silence(RATE))

    def speak(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.frame(self.tone.frame())

    def cor(self, *, active: bool) -> None:
        self.up.cor(active=active, now=self.now)

    def spoken(self) -> list[bool]:
        """Tell of each frame sent, in order, whether somebody speaks in it."""
        whole = [packet for packet in self.sent if not packet.end]
        return loud(decoded([packet.opus for packet in whole]))

    def media_frames(self) -> list[int]:
        return [packet.media_time // FRAME_MEDIA_TIME for packet in self.sent]


def test_what_was_said_before_cor_is_in_the_spurt() -> None:
    bench = Bench(cor_delay_s=0.1)
    bench.quiet(1.0)
    spoke_at = bench.now
    bench.speak(0.16)
    bench.cor(active=True)
    # One frame of margin, then all that was spoken; it leaves at once.
    assert bench.started == [pytest.approx(spoke_at - FRAME_S)]
    assert bench.media_frames() == list(range(9))
    assert {packet.at for packet in bench.sent} == {bench.now}
    assert bench.spoken()[2:] == [True] * 7
    bench.speak(0.1)
    assert bench.media_frames() == list(range(14))


def test_a_squelched_receiver_starts_with_its_newest_frame_only() -> None:
    bench = Bench()
    bench.quiet(1.0)
    bench.cor(active=True)
    assert bench.started == [pytest.approx(bench.now - FRAME_S)]
    assert bench.media_frames() == [0]


def test_without_any_audio_a_spurt_starts_now() -> None:
    bench = Bench()
    bench.cor(active=True)
    assert bench.started == [bench.now]
    bench.speak(0.04)
    assert bench.media_frames() == [0, 1]


def test_the_frame_in_progress_is_sent_before_the_end() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.2)
    bench.wait(0.01)
    bench.cor(active=False)
    assert not any(packet.end for packet in bench.sent)
    bench.up.audio(bench.tone.frame(), bench.now + 0.01, bench.now + 0.01)
    ends = [packet for packet in bench.sent if packet.end]
    assert bench.media_frames() == [*range(11), 11, 11, 11]
    assert [packet.media_time // 960 for packet in ends] == [11] * 3
    # It pushes the last milliseconds out of the encoder: what it holds is over, then silence.
    assert loud(decoded([packet.opus for packet in bench.sent[-4:-2]]))[-1] is False
    assert len(bench.ended) == 1


def test_the_end_does_not_wait_for_a_frame_that_never_comes() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.2)
    closed_at = bench.now
    bench.cor(active=False)
    bench.wait(1.0)
    assert [packet.end for packet in bench.sent].count(True) == 3
    assert bench.sent[-1].at == pytest.approx(closed_at + 0.03)
    assert bench.ended == [pytest.approx(closed_at + 0.03)]


def test_a_fade_inside_the_hang_is_one_spurt() -> None:
    bench = Bench(SquelchSettings(hang_s=0.2))
    bench.cor(active=True)
    bench.speak(0.2)
    bench.cor(active=False)
    bench.quiet(0.1)
    bench.cor(active=True)
    bench.speak(0.1)
    assert len(bench.started) == 1
    assert bench.media_frames() == list(range(20))


def test_cor_that_is_back_before_the_end_left_goes_on() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.2)
    bench.cor(active=False)
    bench.wait(0.01)
    bench.cor(active=True)
    bench.speak(0.2)
    assert len(bench.started) == 1
    assert not any(packet.end for packet in bench.sent)


def test_frames_that_the_device_lost_leave_a_hole_in_media_time() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.wait(0.06)
    bench.speak(0.04)
    assert bench.media_frames() == [0, 1, 2, 3, 4, 8, 9]


def test_uneven_delivery_leaves_no_hole() -> None:
    bench = Bench()
    bench.cor(active=True)
    for n in range(10):
        bench.now += FRAME_S
        late = 0.009 if n % 2 else 0.0
        bench.up.audio(bench.tone.frame(), bench.now + late, bench.now + late)
    assert bench.media_frames() == list(range(10))


def test_who_is_refused_the_floor_comes_in_when_it_is_free() -> None:
    bench = Bench(floor_free=False)
    bench.quiet(0.5)
    bench.cor(active=True)
    bench.speak(0.5)
    assert bench.sent == []
    bench.floor_free = True
    freed_at = bench.now
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    # What was said while refused is gone: it would be late.
    assert bench.started[1:] == [freed_at]
    assert bench.media_frames() == [0, 1, 2, 3, 4]
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    assert len(bench.started) == 2


def test_who_is_cut_off_goes_on_as_a_new_spurt_when_the_floor_is_free() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.holds_floor = False
    bench.speak(0.1)
    bench.holds_floor = True
    assert len(bench.started) == 1
    freed_at = bench.now
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    assert bench.started[1:] == [freed_at]
    assert len(bench.ended) == 1
    # The end of what was cut off goes out with the frame that could not.
    assert bench.media_frames() == [0, 1, 2, 3, 4, 5, 5, 5, 0, 1, 2, 3, 4]


def test_who_has_talked_as_long_as_he_may_comes_in_after_he_has_stopped_only() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.holds_floor = False
    bench.up.forgo()
    bench.speak(0.02)
    # The packet beyond the limit says that it is reached.
    assert [sent.end for sent in bench.sent[-1:]] == [True]
    bench.holds_floor = True
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    assert len(bench.started) == 1
    bench.cor(active=False)
    bench.quiet(0.3)
    bench.cor(active=True)
    bench.speak(0.1)
    assert len(bench.started) == 2


def test_another_receiver_of_the_one_who_has_had_his_time_stays_out() -> None:
    bench = Bench(floor_free=False)
    bench.cor(active=True)
    bench.speak(0.1)
    bench.up.forgo()
    bench.floor_free = True
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    assert len(bench.started) == 1


def test_who_has_stopped_speaking_does_not_come_in() -> None:
    bench = Bench(floor_free=False)
    bench.cor(active=True)
    bench.speak(0.5)
    bench.cor(active=False)
    bench.wait(0.1)
    bench.floor_free = True
    bench.up.floor_free(bench.now)
    assert len(bench.started) == 1
    assert bench.sent == []


def test_a_free_floor_starts_nothing_where_nobody_was_refused() -> None:
    bench = Bench()
    bench.up.floor_free(bench.now)
    assert bench.started == []


def test_a_cut_spurt_sends_its_end_and_nothing_more_and_the_next_one_starts_anew() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.holds_floor = False
    bench.speak(0.5)
    bench.cor(active=False)
    bench.wait(0.1)
    assert bench.media_frames() == [*range(5), 5, 5, 5]
    assert len(bench.ended) == 1
    bench.holds_floor = True
    bench.cor(active=True)
    bench.speak(0.06)
    assert bench.media_frames()[8:] == [0, 1, 2]


def test_vox_opens_with_what_made_it_open_and_closes_after_its_hang() -> None:
    bench = Bench(VOX)
    bench.quiet(1.0)
    bench.speak(1.0)
    spoke_until = bench.now
    bench.quiet(1.0)
    assert len(bench.started) == 1
    spoken = bench.spoken()
    # Margin frame, 50 spoken frames (the two that opened it among them), then the hang.
    assert spoken[2:50] == [True] * 48
    assert bench.ended == [pytest.approx(spoke_until + 0.02 + 0.2 + 0.02, abs=0.021)]


def test_carrier_says_nothing_in_vox_mode() -> None:
    bench = Bench(VOX)
    bench.cor(active=True)
    bench.quiet(0.5)
    assert bench.started == []


def test_own_transmission_deafens_until_settled_and_a_fresh_edge() -> None:
    bench = Bench()
    bench.up.own_transmission(keyed=True, now=bench.now)
    bench.cor(active=True)
    bench.speak(0.5)
    bench.up.own_transmission(keyed=False, now=bench.now)
    bench.quiet(1.0)
    # The repeater that was keyed still hangs: that is nobody.
    assert bench.started == []
    bench.cor(active=False)
    bench.cor(active=True)
    bench.speak(0.1)
    assert len(bench.started) == 1
    assert all(bench.spoken()[1:])


def test_nothing_of_an_own_transmission_is_in_the_next_spurt() -> None:
    bench = Bench(cor_delay_s=1.0)
    bench.speak(0.2)
    bench.up.own_transmission(keyed=True, now=bench.now)
    bench.speak(0.1)
    bench.up.own_transmission(keyed=False, now=bench.now)
    bench.quiet(0.2)
    bench.cor(active=True)
    assert bench.media_frames() == [0]


def test_own_transmission_ends_what_is_being_said() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.up.own_transmission(keyed=True, now=bench.now)
    bench.wait(0.1)
    assert len(bench.ended) == 1
    assert [packet.end for packet in bench.sent].count(True) == 3


def test_a_mute_ends_a_spurt_and_lets_none_begin() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.up.mute(on=True, now=bench.now)
    bench.cor(active=False)
    bench.cor(active=True)
    bench.speak(0.5)
    assert len(bench.started) == 1
    assert len(bench.ended) == 1


def test_a_stuck_receiver_ends_its_spurt_says_so_and_counts_again_when_quiet() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(10.1)
    assert bench.stuck == [True]
    assert len(bench.ended) == 1
    sent = len(bench.sent)
    bench.speak(30.0)
    assert len(bench.sent) == sent
    bench.cor(active=False)
    bench.wait(1.1)
    assert bench.stuck == [True, False]
    bench.cor(active=True)
    assert len(bench.started) == 2


def test_a_stuck_receiver_that_was_refused_does_not_come_in_later() -> None:
    bench = Bench(floor_free=False)
    bench.cor(active=True)
    bench.wait(10.1)
    assert bench.stuck == [True]
    bench.floor_free = True
    bench.up.floor_free(bench.now)
    assert len(bench.started) == 1


def test_drop_ends_a_spurt_at_once() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.up.drop(bench.now)
    assert [packet.end for packet in bench.sent][-3:] == [True] * 3
    assert bench.ended == [bench.now]
    bench.up.drop(bench.now)
    assert len(bench.ended) == 1


def test_the_rest_of_what_a_lost_device_cut_short_is_sent_when_it_is_back() -> None:
    """COR is still open, and says nothing new: without that, all until it closes would be lost."""
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    for _ in range(3):
        bench.up.lost(bench.now)
        bench.wait(0.5)
    assert len(bench.ended) == 1
    bench.up.back(bench.now)
    back = len(bench.sent)
    bench.speak(0.1)
    assert len(bench.started) == 2
    assert [packet.media_time for packet in bench.sent[back:]] == [
        n * FRAME_MEDIA_TIME for n in range(5)
    ]
    bench.cor(active=False)
    bench.wait(1.0)
    assert len(bench.ended) == 2


@pytest.mark.parametrize("why", ["closed", "talked out", "cut", "muted", "dropped", "nothing"])
def test_what_was_over_before_the_device_is_back_stays_over(why: str) -> None:
    bench = Bench()
    if why != "nothing":
        bench.cor(active=True)
        bench.speak(0.1)
    if why == "talked out":
        bench.up.forgo()
    if why == "cut":
        bench.holds_floor = False
        bench.speak(0.04)
    if why == "dropped":
        bench.up.drop(bench.now)
    begun = len(bench.started)
    bench.up.lost(bench.now)
    if why == "closed":
        bench.cor(active=False)
        bench.wait(0.5)
        bench.cor(active=True)
        begun += 1
    if why == "muted":
        bench.up.mute(on=True, now=bench.now)
    bench.up.back(bench.now)
    bench.speak(0.1)
    assert len(bench.started) == begun


def test_who_is_refused_the_floor_when_the_device_is_back_comes_in_when_it_is_free() -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.speak(0.1)
    bench.up.lost(bench.now)
    bench.floor_free = False
    bench.up.back(bench.now)
    bench.speak(0.1)
    sent = len(bench.sent)
    bench.floor_free = True
    bench.up.floor_free(bench.now)
    bench.speak(0.1)
    assert len(bench.sent) == sent + 5


def test_a_spurt_knows_nothing_of_the_one_before() -> None:
    bench = Bench()
    for _ in range(2):
        bench.tone = Tone(RATE)
        bench.cor(active=True)
        bench.speak(0.1)
        bench.cor(active=False)
        bench.wait(1.0)
    sounds = [packet.opus for packet in bench.sent if not packet.end]
    assert sounds[:5] == sounds[5:]


def test_loud_voice_is_limited_before_it_is_sent() -> None:
    bench = Bench()
    bench.tone = Tone(RATE, level_dbfs=0.0)
    bench.cor(active=True)
    bench.speak(0.1)
    assert bench.up.level_dbfs < -0.5
    assert bench.up.frames == 5
