"""From the receiver to the network, beside voice: what must not leave, who talks, COR and tone."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchMode, SquelchSettings
from radiobridge.media.ctcss import HEARD_WITHIN_S
from radiobridge.media.level import level_dbfs
from radiobridge.media.limiter import Limiter
from radiobridge.media.mdc1200 import Mdc1200Decoder, MdcPacket, mdc_burst
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.media.signalling import Signal
from radiobridge.media.tone import tones
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.model.voice import Claim, PcmFrame, TalkClass
from radiobridge.services.in_band import InBand, InBandSettings
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.words import KeyGrant
from tests.media.hearing import framed, spoken

RATE = 8000
FRAME_S = 0.02
CLAIM = Claim(parse_gateway("ca.opp/windsor"), parse_talkgroup("ca.opp/TAC1"), 1,
              TalkClass.NORMAL, 0)  # fmt: skip
COR = SquelchSettings(hang_s=0.1, settling_s=0.15, cor_limit_s=30.0)
VOX = SquelchSettings(mode=SquelchMode.VOX, hang_s=0.2)
PTT = MdcPacket(op=0x01, arg=0x80, unit=0x1234)
POST = MdcPacket(op=0x01, arg=0x00, unit=0x1234)
EMERGENCY = MdcPacket(op=0x40, arg=0x80, unit=0x0BAD)


class _Spurt(Outgoing):
    """Notes the Opus packets instead of writing them."""

    def __init__(self, claim: Claim) -> None:
        ports = OutgoingPorts(
            allowed=lambda _claim, _media_time: True,
            key=lambda: None,
            writer=_no_writer,
            publish=lambda _packet: True,
        )
        super().__init__(claim, ports)
        self.opus: list[bytes] = []

    def frame(self, opus: bytes, *, skipped: int = 0) -> None:
        self.opus.append(opus)
        super().frame(opus, skipped=skipped)


def _no_writer(_claim: Claim, _grant: KeyGrant) -> SpurtWriter:
    raise AssertionError("nobody is entitled to hear")


@dataclass
class Bench:
    """One radio's way up with everything listened to, and a hand on the clock."""

    settings: InBandSettings = field(default_factory=InBandSettings)
    squelch_settings: SquelchSettings = COR
    allowed: bool = True
    floor_free: bool = True
    now: float = 100.0
    spurts: list[_Spurt] = field(default_factory=list)
    identified: list[tuple[int, str]] = field(default_factory=list)
    emergencies: list[str] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.squelch = Squelch(self.squelch_settings)
        self.up = Uplink(
            squelch=self.squelch,
            preroll=Preroll(PrerollSettings(cor_delay_s=HEARD_WITHIN_S)),
            encoder=OpusEncoder(RATE),
            limiter=Limiter(RATE),
            rate=RATE,
            ports=UplinkPorts(
                start=self._start,
                stuck=lambda _stuck: None,
                ended=lambda _spurt, _now: None,
                allows=lambda: self.allowed,
                signal=self.signals.append,
                identified=lambda claim, who: self.identified.append((claim.start_ms, who)),
                emergency=self.emergencies.append,
            ),
            in_band=InBand(RATE, self.settings),
        )

    def _start(self, started: float, _now: float) -> Outgoing | None:
        if not self.floor_free:
            return None
        self.spurts.append(_Spurt(Claim(CLAIM.sender, CLAIM.talkgroup, round(started * 1000),
                                        TalkClass.NORMAL, 0)))  # fmt: skip
        return self.spurts[-1]

    def hear(self, *waves: NDArray[np.int16]) -> None:
        """Receive these, one after the other, cut into frames; what is over is padded."""
        wave = np.concatenate(waves)
        padded = np.concatenate([wave, np.zeros(-len(wave) % 160, np.int16)])
        for frame in framed(padded, RATE):
            self.now += FRAME_S
            while (due := self.up.next_deadline()) is not None and due <= self.now:
                self.up.tick(due)
            self.up.audio(frame.copy(), self.now, self.now)

    def cor(self, *, active: bool) -> None:
        self.up.cor(active=active, now=self.now)

    def sent(self) -> list[PcmFrame]:
        """Return what the far end hears of all spurts."""
        decoder = OpusDecoder(RATE)
        return [decoder.decode(opus) for spurt in self.spurts for opus in spurt.opus]


def quiet(seconds: float) -> NDArray[np.int16]:
    noise = np.random.default_rng(1).normal(size=round(seconds * RATE)) * 3.0
    return noise.astype(np.int16)


def voice(seconds: float, *, ctcss_hz: float = 0.0) -> NDArray[np.int16]:
    """Return speech as a transmitter with CTCSS makes it: nothing of it below 300 Hz."""
    spectrum = np.fft.rfft(spoken()[: round(seconds * RATE)].astype(float))
    spectrum[: round(300 * seconds)] = 0.0
    wave = np.rint(np.fft.irfft(spectrum, round(seconds * RATE))).astype(np.int16)
    return wave + tones(RATE, [(ctcss_hz, -30.0)], seconds) if ctcss_hz else wave


def tone(seconds: float, hz: float = 156.7) -> NDArray[np.int16]:
    return tones(RATE, [(hz, -30.0)], seconds)


def far_ids(frames: Iterable[PcmFrame]) -> list[int]:
    far = Mdc1200Decoder(RATE)
    return [packet.unit for frame in frames for packet in far.feed(frame)]


# --- what leaves ---------------------------------------------------------------------------------


def test_an_id_leaves_where_it_may() -> None:
    bench = Bench(allowed=True)
    bench.cor(active=True)
    bench.hear(quiet(0.1), mdc_burst(PTT, RATE), voice(0.5))
    assert far_ids(bench.sent()) == [0x1234]


def test_an_id_does_not_leave_where_it_may_not_and_voice_does() -> None:
    bench = Bench(allowed=False)
    bench.cor(active=True)
    bench.hear(quiet(0.1), mdc_burst(PTT, RATE), quiet(0.1), voice(1.0))
    assert far_ids(bench.sent()) == []
    assert level_dbfs(np.concatenate(bench.sent()[-40:])) > -25.0
    assert bench.up.silenced > 0


def test_what_the_preroll_holds_is_clean_too() -> None:
    """The burst came before COR did."""
    bench = Bench(allowed=False)
    bench.hear(quiet(0.1), mdc_burst(PTT, RATE), voice(0.2))
    bench.cor(active=True)
    bench.hear(voice(0.3))
    assert far_ids(bench.sent()) == []


def test_consent_counts_from_the_next_frame_on() -> None:
    bench = Bench(allowed=True)
    bench.cor(active=True)
    bench.hear(mdc_burst(PTT, RATE), quiet(0.1))
    bench.allowed = False
    bench.hear(mdc_burst(PTT, RATE), quiet(0.1))
    assert far_ids(bench.sent()) == [0x1234]


def test_ctcss_alone_is_not_voice_to_the_preroll() -> None:
    """A quiet receiver with a tone on it sends its newest frame only, and so adds no delay."""
    bench = Bench(allowed=False)
    bench.hear(tone(1.0))
    bench.cor(active=True)
    assert len(bench.spurts[0].opus) == 1


def test_the_level_that_is_shown_is_that_of_all_that_is_received() -> None:
    bench = Bench(allowed=False)
    bench.hear(tones(RATE, [(1000.0, -20.0)], 0.5))
    assert bench.up.level_dbfs == pytest.approx(-20.0, abs=0.1)
    bench.hear(tone(0.5, 100.0))
    assert bench.up.level_dbfs == pytest.approx(-30.0, abs=0.2)


# --- who talks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [True, False])
def test_who_talks_is_told_allowed_or_not(allowed: bool) -> None:
    bench = Bench(allowed=allowed)
    bench.cor(active=True)
    bench.hear(quiet(0.1), mdc_burst(PTT, RATE), voice(0.2))
    assert bench.identified == [(bench.spurts[0].claim.start_ms, "mdc:1234")]
    assert [type(signal) for signal in bench.signals] == [MdcPacket]
    assert bench.emergencies == []


def test_an_id_before_cor_belongs_to_the_spurt_that_follows() -> None:
    bench = Bench()
    bench.hear(mdc_burst(PTT, RATE), quiet(0.1))
    assert bench.identified == []
    bench.cor(active=True)
    bench.hear(voice(0.1))
    assert [who for _, who in bench.identified] == ["mdc:1234"]


def test_an_id_without_a_spurt_is_forgotten() -> None:
    bench = Bench()
    bench.hear(mdc_burst(PTT, RATE), quiet(1.2))
    bench.cor(active=True)
    bench.hear(voice(0.1))
    assert bench.identified == []


def test_a_post_id_belongs_to_the_spurt_that_ends() -> None:
    for code in (POST, MdcPacket(op=0x00, arg=0x80, unit=0x1234)):
        bench = Bench()
        bench.cor(active=True)
        bench.hear(voice(0.5), mdc_burst(code, RATE))
        bench.cor(active=False)
        bench.hear(quiet(0.3))
        assert [who for _, who in bench.identified] == ["mdc:1234"]
        assert bench.emergencies == []


@pytest.mark.parametrize(("op", "arg"), [(0x35, 0x89), (0x63, 0x85), (0x2B, 0x00), (0x46, 0x01)])
def test_what_is_addressed_to_a_unit_is_not_said_by_it(op: int, arg: int) -> None:
    bench = Bench()
    bench.cor(active=True)
    bench.hear(mdc_burst(MdcPacket(op=op, arg=arg, unit=0x1234), RATE), quiet(0.2))
    assert bench.identified == []
    assert bench.emergencies == []


def test_nothing_is_heard_while_the_radio_transmits() -> None:
    bench = Bench()
    bench.up.own_transmission(keyed=True, now=bench.now)
    bench.hear(mdc_burst(EMERGENCY, RATE), quiet(0.1))
    bench.up.own_transmission(keyed=False, now=bench.now)
    bench.hear(quiet(0.3))
    bench.cor(active=True)
    bench.hear(voice(0.3))
    assert (bench.identified, bench.emergencies, bench.signals) == ([], [], [])


# --- emergencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("op", "arg"), [(0x40, 0x80), (0x40, 0x81), (0x00, 0x81)])
@pytest.mark.parametrize("floor_free", [True, False])
def test_an_emergency_is_told_with_the_floor_or_without(
    op: int, arg: int, floor_free: bool
) -> None:
    bench = Bench(floor_free=floor_free, allowed=False)
    bench.cor(active=True)
    bench.hear(quiet(0.1), mdc_burst(MdcPacket(op=op, arg=arg, unit=0x0BAD), RATE), quiet(0.1))
    assert bench.emergencies == ["mdc:0BAD"]
    assert [who for _, who in bench.identified] == ["mdc:0BAD"] * floor_free


def test_which_codes_are_emergencies_is_the_fleets_to_say() -> None:
    bench = Bench(InBandSettings(mdc_emergency=frozenset({"00/80"})))
    bench.cor(active=True)
    bench.hear(mdc_burst(EMERGENCY, RATE), quiet(0.1))
    assert bench.emergencies == []
    bench.hear(mdc_burst(MdcPacket(op=0x00, arg=0x80, unit=0x0BAD), RATE), quiet(0.1))
    assert bench.emergencies == ["mdc:0BAD"]


def test_an_emergency_of_a_stranger_on_the_channel_is_not_ours() -> None:
    """COR, but not our tone."""
    bench = Bench(InBandSettings(ctcss_hz=156.7))
    bench.cor(active=True)
    bench.hear(mdc_burst(EMERGENCY, RATE), voice(1.0, ctcss_hz=100.0))
    assert (bench.emergencies, bench.identified, bench.spurts) == ([], [], [])


# --- COR and tone --------------------------------------------------------------------------------


def test_cor_without_the_tone_opens_nothing() -> None:
    bench = Bench(InBandSettings(ctcss_hz=156.7))
    bench.hear(quiet(0.5))
    bench.cor(active=True)
    bench.hear(voice(2.0))
    bench.hear(tone(2.0, 151.4))
    assert bench.spurts == []


def test_the_tone_without_cor_opens_nothing() -> None:
    bench = Bench(InBandSettings(ctcss_hz=156.7))
    bench.hear(tone(2.0))
    assert bench.spurts == []
    assert bench.up.ctcss_hz == 156.7


def test_cor_and_tone_open_in_time_and_lose_no_word() -> None:
    bench = Bench(InBandSettings(ctcss_hz=156.7), allowed=False)
    bench.hear(quiet(0.5))
    keyed_at = bench.now
    bench.cor(active=True)
    # As on the air: the tone is there from the start, somebody speaks 100 ms later.
    bench.hear(tone(0.1))
    bench.hear(voice(2.0, ctcss_hz=156.7))
    (spurt,) = bench.spurts
    assert spurt.claim.start_ms / 1000 <= keyed_at + 0.1
    assert len(spurt.opus) * FRAME_S >= 2.0
    frames = bench.sent()
    assert level_dbfs(np.concatenate(frames)) == pytest.approx(level_dbfs(voice(2.0)), abs=1.5)


def test_the_spurt_ends_with_cor_at_once_and_with_the_tone_soon() -> None:
    for by_cor in (True, False):
        bench = Bench(InBandSettings(ctcss_hz=156.7))
        bench.cor(active=True)
        bench.hear(tone(1.0))
        assert bench.up.is_open
        bench.cor(active=not by_cor)
        bench.hear(quiet(0.2 if by_cor else 0.9))
        assert not bench.up.is_open


def test_the_hang_of_a_repeater_is_nobody_until_somebody_speaks() -> None:
    """It holds carrier and tone for seconds after our own transmission."""
    bench = Bench(InBandSettings(ctcss_hz=156.7))
    bench.up.own_transmission(keyed=True, now=bench.now)
    bench.hear(quiet(1.0))
    bench.up.own_transmission(keyed=False, now=bench.now)
    bench.cor(active=True)
    bench.hear(tone(2.0))
    assert bench.spurts == []
    bench.hear(voice(1.0, ctcss_hz=156.7))
    assert len(bench.spurts) == 1
    bench.cor(active=False)
    bench.hear(quiet(0.5))
    assert not bench.up.is_open


def test_vox_and_tone() -> None:
    bench = Bench(InBandSettings(ctcss_hz=156.7), squelch_settings=VOX)
    bench.hear(voice(2.0))
    assert bench.spurts == []
    bench.hear(quiet(0.6))
    bench.hear(tone(0.5), voice(2.0, ctcss_hz=156.7))
    assert len(bench.spurts) == 1
    bench.hear(tone(1.0))
    assert not bench.up.is_open
