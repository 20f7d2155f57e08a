"""Opus through the real libopus."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.media.level import level_dbfs
from radiobridge.media.opus import MAX_PACKET, SIGNALLING_BITRATE, OpusDecoder, OpusEncoder
from radiobridge.media.tone import Tone, silence
from radiobridge.model.voice import RADIO_RATES, PcmFrame


def tone_packets(rate: int, count: int, *, bitrate: int = 16_000) -> list[bytes]:
    encoder, tone = OpusEncoder(rate, bitrate=bitrate), Tone(rate)
    return [encoder.encode(tone.frame()) for _ in range(count)]


@pytest.mark.parametrize("rate_in", RADIO_RATES)
@pytest.mark.parametrize("rate_out", RADIO_RATES)
def test_the_reference_tone_keeps_its_level_between_any_rates(rate_in: int, rate_out: int) -> None:
    decoder = OpusDecoder(rate_out)
    frames = [decoder.decode(packet) for packet in tone_packets(rate_in, 50)]
    assert all(f.shape == (rate_out // 50,) and f.dtype == np.int16 for f in frames)
    wave = np.concatenate(frames[10:])
    assert level_dbfs(wave) == pytest.approx(-20.0, abs=1.0)
    spectrum = np.abs(np.fft.rfft(wave.astype(float)))
    assert np.argmax(spectrum) * rate_out / wave.size == pytest.approx(1000.0, abs=3.0)


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_a_packet_takes_what_the_bitrate_says(rate: int) -> None:
    for bitrate in (12_000, 16_000, 24_000):
        sizes = [len(p) for p in tone_packets(rate, 100, bitrate=bitrate)]
        assert max(sizes) <= MAX_PACKET
        assert np.mean(sizes) * 8 * 50 < bitrate * 1.5


def test_constant_bitrate_is_constant() -> None:
    encoder, tone = OpusEncoder(16_000, vbr=False), Tone(16_000)
    assert {len(encoder.encode(tone.frame())) for _ in range(20)} == {40}


def test_silence_is_sent_too() -> None:
    """Every frame of a live spurt goes out: there is no DTX."""
    encoder, decoder = OpusEncoder(8000), OpusDecoder(8000)
    for _ in range(100):
        packet = encoder.encode(silence(8000))
        assert level_dbfs(decoder.decode(packet)) < -70.0
        assert len(packet) > 2


def test_the_delay_is_the_lookahead_of_6_5_ms() -> None:
    encoder, decoder = OpusEncoder(48_000), OpusDecoder(48_000)
    burst = Tone(48_000, level_dbfs=-6.0).frame()
    frames = [silence(48_000)] * 10 + [burst] + [silence(48_000)] * 5
    wave = np.concatenate([decoder.decode(encoder.encode(f)) for f in frames]).astype(float)
    before = np.concatenate(frames).astype(float)
    delay = int(np.argmax(np.correlate(wave, before, "full"))) - (before.size - 1)
    assert delay / 48.0 == pytest.approx(6.5, abs=0.5)


def test_conceal_goes_on_with_what_was_heard_and_fades() -> None:
    decoder = OpusDecoder(16_000)
    for packet in tone_packets(16_000, 20):
        decoder.decode(packet)
    levels = [level_dbfs(decoder.conceal()) for _ in range(10)]
    assert levels[0] > -26.0
    assert levels[-1] < levels[0] - 10.0


def test_decoding_goes_on_after_concealment() -> None:
    decoder, packets = OpusDecoder(16_000), tone_packets(16_000, 30)
    for n, packet in enumerate(packets):
        last = decoder.conceal() if n in (10, 20, 21, 22) else decoder.decode(packet)
    assert level_dbfs(last) == pytest.approx(-20.0, abs=1.0)


def test_conceal_before_any_packet_is_silence() -> None:
    frame = OpusDecoder(8000).conceal()
    assert frame.shape == (160,)
    assert not frame.any()


def test_a_frame_is_the_callers_own() -> None:
    decoder, packets = OpusDecoder(8000), tone_packets(8000, 3)
    first = decoder.decode(packets[0])
    copy = first.copy()
    decoder.decode(packets[1])
    assert np.array_equal(first, copy)
    assert first.flags.writeable


def test_reset_forgets() -> None:
    packets = tone_packets(8000, 20)
    used, new = OpusDecoder(8000), OpusDecoder(8000)
    for packet in packets:
        used.decode(packet)
    used.reset()
    assert np.array_equal(used.decode(packets[0]), new.decode(packets[0]))
    encoder = OpusEncoder(8000)
    frames = [Tone(8000).frame()] * 3
    first = [encoder.encode(f) for f in frames]
    encoder.reset()
    assert [encoder.encode(f) for f in frames] == first


def opus_of(duration_ms: float) -> bytes:
    """A packet of another length: TOC (RFC 6716, 3.1) of SILK or CELT, code 0, some payload."""
    config = {2.5: 16, 5: 17, 10: 0, 40: 2, 60: 3}[duration_ms]
    return bytes([config << 3]) + bytes(range(30))


@pytest.mark.parametrize("duration_ms", [2.5, 5, 10, 40, 60])
@pytest.mark.parametrize("rate", RADIO_RATES)
def test_a_packet_of_another_duration_is_refused(rate: int, duration_ms: float) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        OpusDecoder(rate).decode(opus_of(duration_ms))
    assert caught.value.reason == "bad-opus"


@pytest.mark.parametrize("packet", [b"", b"x" * (MAX_PACKET + 1), b"\xff", b"\x03" * 40])
def test_what_is_no_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        OpusDecoder(8000).decode(packet)


def test_two_frames_of_10_ms_are_20_ms() -> None:
    frame = OpusDecoder(8000).decode(bytes([0 << 3 | 1]) + bytes(40))
    assert frame.shape == (160,)


@given(st.data(), st.sampled_from(RADIO_RATES))
def test_hostile_packets_give_a_frame_or_a_protocol_error(data: st.DataObject, rate: int) -> None:
    decoder = OpusDecoder(rate)
    good = tone_packets(8000, 1)[0]
    for _ in range(data.draw(st.integers(1, 8))):
        packet = data.draw(st.binary(max_size=MAX_PACKET + 10) | mangled(good))
        try:
            frame = decoder.decode(packet)
        except RemoteProtocolError:
            frame = decoder.conceal()
        assert frame.shape == (rate // 50,)
        assert frame.dtype == np.int16
    assert decoder.decode(good).shape == (rate // 50,)


@st.composite
def mangled(draw: st.DrawFn, packet: bytes) -> bytes:
    """A good packet with some bytes changed, and cut short."""
    changed = bytearray(packet)
    for place in draw(st.lists(st.integers(0, len(packet) - 1), max_size=4)):
        changed[place] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(0, len(packet)))])


WRONG_FRAMES: list[PcmFrame] = [
    np.zeros(161, dtype=np.int16),
    np.zeros(0, dtype=np.int16),
    np.zeros((160, 1), dtype=np.int16),
    np.zeros(160, dtype=np.float32),
]


@pytest.mark.parametrize("frame", WRONG_FRAMES)
def test_a_frame_of_the_wrong_shape_is_our_own_mistake(frame: PcmFrame) -> None:
    with pytest.raises(LocalProtocolError):
        OpusEncoder(8000).encode(frame)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        OpusEncoder(44_100)
    with pytest.raises(LocalProtocolError):
        OpusDecoder(22_050)
    with pytest.raises(LocalProtocolError):
        OpusEncoder(8000, bitrate=1000)
    with pytest.raises(LocalProtocolError):
        OpusEncoder(8000, complexity=11)


def test_a_view_that_is_not_contiguous_encodes_as_its_samples() -> None:
    wide = np.repeat(Tone(8000).frame(), 2)
    assert OpusEncoder(8000).encode(wide[::2]) == OpusEncoder(8000).encode(wide[::2].copy())


def test_signalling_gets_more_bits_and_voice_after_it_no_more() -> None:
    rng = np.random.default_rng(1)
    frames = [(rng.normal(size=160) * 3000).astype(np.int16) for _ in range(90)]
    encoder = OpusEncoder(8000, bitrate=10_000)
    sizes = [len(encoder.encode(frame, signalling=30 <= n < 60)) for n, frame in enumerate(frames)]
    before, better, after = (sum(sizes[n + 5 : n + 30]) / 25 * 400 for n in (0, 30, 60))
    assert better == pytest.approx(SIGNALLING_BITRATE, rel=0.2)
    assert max(before, after) < 13_000


def test_signalling_never_gets_less_than_voice() -> None:
    frame = Tone(8000).frame()
    plain, other = (OpusEncoder(8000, bitrate=32_000) for _ in range(2))
    assert plain.encode(frame) == other.encode(frame, signalling=True)
