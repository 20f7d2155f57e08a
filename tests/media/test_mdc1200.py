"""MDC1200 bursts out of audio: down to 0 dB of signal to noise, and out of nothing else."""

import numpy as np
import pytest

from radiobridge.media.mdc1200 import Mdc1200Decoder, MdcPacket, mdc_burst
from radiobridge.model.voice import RADIO_RATES
from tests.media.hearing import framed, heard, received, spoken, through_opus

PTT = MdcPacket(op=0x01, arg=0x80, unit=0x1234)
EMERGENCY = MdcPacket(op=0x40, arg=0x80, unit=0x2BAD)

REFERENCE_TONES = (
    "0111111111111111111111111111111111111111111111111111111110000100100011011011111101100110010110"
    "000100100111011110001111110011100100000101110101011011001100000110000000000001001000010100111100"
    "110011101011001100"
)
"""1 for each bit that is 1800 Hz, of 01/80 from unit 1234 with seven bytes of preamble, by the
encoder that most tools are built on (docs/signalling.md)."""


def _ids(found: list[MdcPacket]) -> list[tuple[int, int, int]]:
    return [(packet.op, packet.arg, packet.unit) for packet in found]


def test_the_wave_is_the_references_tones() -> None:
    wave = mdc_burst(PTT, 48_000).reshape(-1, 40)
    at = np.arange(40) / 48_000
    power = [np.abs(wave @ np.exp(-2j * np.pi * hz * at)) for hz in (1200, 1800)]
    tones = "".join("1" if high > low else "0" for low, high in zip(*power, strict=True))
    assert tones == REFERENCE_TONES


def test_a_wave_made_of_the_references_tones_is_heard() -> None:
    phase, wave = 0.0, []
    for tone in REFERENCE_TONES:
        turn = 2 * np.pi * (1800 if tone == "1" else 1200) / 48_000
        wave.append(np.sin(phase + turn * np.arange(40)))
        phase += 40 * turn
    samples = (np.concatenate([*wave, np.zeros(4800)]) * 3000).astype(np.int16)
    assert _ids(heard(Mdc1200Decoder(48_000), framed(samples, 48_000))) == [(0x01, 0x80, 0x1234)]


@pytest.mark.parametrize("rate", RADIO_RATES)
@pytest.mark.parametrize("snr_db", [40.0, 6.0, 0.0])
def test_decodes_down_to_0_db(rate: int, snr_db: float) -> None:
    for seed in range(10):
        packet = MdcPacket(op=0x01, arg=0x80, unit=0x1000 + 977 * seed)
        found = heard(
            Mdc1200Decoder(rate), received(mdc_burst(packet, rate), rate, snr_db=snr_db, seed=seed)
        )
        assert _ids(found) == _ids([packet])


@pytest.mark.parametrize("level_dbfs", [-45.0, -3.0])
def test_loudness_does_not_matter(level_dbfs: float) -> None:
    wave = mdc_burst(PTT, 8000, level_dbfs=level_dbfs)
    found = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=20.0, seed=1))
    assert _ids(found) == _ids([PTT])


@pytest.mark.parametrize("phase", [0.0, 1.0, np.pi / 2, np.pi])
@pytest.mark.parametrize("sign", [1, -1])
def test_neither_phase_nor_polarity_matters(phase: float, sign: int) -> None:
    wave = mdc_burst(PTT, 8000, phase=phase) * np.int16(sign)
    found = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=10.0, seed=2))
    assert _ids(found) == _ids([PTT])


@pytest.mark.parametrize("preamble_bits", [0, 7, 24, 96])
def test_no_preamble_is_needed(preamble_bits: int) -> None:
    wave = mdc_burst(PTT, 8000, preamble_bits=preamble_bits)
    found = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=10.0, seed=3))
    assert _ids(found) == _ids([PTT])


def test_a_fade_of_five_milliseconds_is_repaired() -> None:
    wave = mdc_burst(PTT, 8000)
    wave[1000:1040] = 0
    (found,) = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=15.0, seed=4))
    assert found.unit == PTT.unit
    assert found.repaired > 0


def test_a_clock_that_is_off_by_500_ppm_does_not_matter() -> None:
    wave = mdc_burst(PTT, 8000).astype(float)
    slower = np.interp(np.arange(len(wave) * 1.0005) / 1.0005, np.arange(len(wave)), wave)
    found = heard(
        Mdc1200Decoder(8000), received(slower.astype(np.int16), 8000, snr_db=15.0, seed=5)
    )
    assert _ids(found) == _ids([PTT])


def test_repeats_are_told_each() -> None:
    wave = np.concatenate([mdc_burst(EMERGENCY, 8000), np.zeros(3000, np.int16)] * 3)
    found = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=15.0, seed=6))
    assert _ids(found) == _ids([EMERGENCY] * 3)


def test_a_double_packet_has_both_units() -> None:
    call = MdcPacket(op=0x35, arg=0x89, unit=0x5678, extra=(0x83, 0x0D, 0x1234))
    (found,) = heard(
        Mdc1200Decoder(8000), received(mdc_burst(call, 8000), 8000, snr_db=15.0, seed=7)
    )
    assert found == call
    assert found.code == "35/89"


def test_a_double_packet_cut_in_the_middle_keeps_its_first_half() -> None:
    call = MdcPacket(op=0x35, arg=0x89, unit=0x5678, extra=(0x83, 0x0D, 0x1234))
    wave = mdc_burst(call, 8000)[: -60 * 8]
    (found,) = heard(Mdc1200Decoder(8000), received(wave, 8000, snr_db=15.0, seed=8))
    assert (found.unit, found.extra) == (0x5678, None)


def test_in_burst_from_the_sync_word_to_the_end() -> None:
    decoder = Mdc1200Decoder(8000)
    states = []
    for frame in received(mdc_burst(PTT, 8000), 8000, snr_db=20.0, seed=9, offset=0):
        decoder.feed(frame)
        states.append(decoder.in_burst)
    first = states.index(True)
    # 0.3 s before it; preamble and sync word take 80 ms; 112 bits 93.
    assert first == 15 + 4
    # It is told at the end of the frame in which the last bit lies.
    assert states.count(True) == 4


def test_reset_forgets_a_burst_under_way() -> None:
    decoder = Mdc1200Decoder(8000)
    frames = received(mdc_burst(PTT, 8000), 8000, snr_db=20.0, seed=10, offset=0)
    assert not heard(decoder, frames[:21])
    decoder.reset()
    assert not heard(decoder, frames[21:])


@pytest.mark.parametrize("rate", RADIO_RATES)
def test_speech_is_nothing(rate: int) -> None:
    decoder = Mdc1200Decoder(rate)
    for frame in framed(spoken(rate), rate):
        assert not decoder.feed(frame)
        assert not decoder.in_burst


def test_noise_and_silence_are_nothing() -> None:
    decoder = Mdc1200Decoder(8000)
    noise = np.random.default_rng(11).normal(size=8000 * 60) * 3000
    assert not heard(decoder, framed(noise.astype(np.int16), 8000))
    assert not heard(decoder, framed(np.zeros(8000, np.int16), 8000))


@pytest.mark.parametrize("hz", [600.0, 1200.0, 1500.0, 1800.0, 2400.0])
def test_bare_tones_are_nothing(hz: float) -> None:
    wave = (np.sin(2 * np.pi * hz * np.arange(16_000) / 8000) * 3000).astype(np.int16)
    assert not heard(Mdc1200Decoder(8000), framed(wave, 8000))


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (8000, 48_000), (48_000, 8000),
                                          (16_000, 16_000), (48_000, 48_000)])  # fmt: skip
def test_crosses_opus_at_16_kbit_s(rate: int, to: int) -> None:
    """Between words, 15 dB above the noise: 20 of 20. Measured over more: docs/signalling.md."""
    words = spoken(rate)[: rate // 2]
    for seed in range(4):
        wave = np.concatenate([words, mdc_burst(PTT, rate), words])
        frames = received(wave, rate, snr_db=15.0, seed=seed)
        found = heard(Mdc1200Decoder(to), through_opus(frames, rate, to))
        assert _ids(found) == _ids([PTT])
