"""What a receiver delivers: signals at a stated signal-to-noise ratio, and speech, in frames."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.model.voice import PcmFrame
from radiobridge_sim.phrases import load_phrases

T = TypeVar("T")

BAND_HZ = 3100.0
"""Noise is white; its power is that in the voice band, 300 to 3400 Hz."""


class Detector(Protocol[T]):
    """What all detectors have in common."""

    def feed(self, frame: PcmFrame) -> list[T]: ...


def framed(samples: NDArray[np.int16], rate: int) -> list[PcmFrame]:
    """Cut whole frames; what is left over is dropped."""
    size = rate // 50
    return list(samples[: len(samples) // size * size].reshape(-1, size))


def received(
    signal: NDArray[np.int16],
    rate: int,
    *,
    snr_db: float,
    seed: int,
    pad_s: float = 0.3,
    offset: int | None = None,
) -> list[PcmFrame]:
    """Return frames of `signal` with noise `snr_db` below it, and noise alone before and after.

    It starts `offset` samples after a frame does, anywhere when left out.
    """
    rng = np.random.default_rng(seed)
    size = rate // 50
    first = int(rng.integers(size)) if offset is None else offset
    quiet = round(pad_s * 50) * size
    wave = np.concatenate([np.zeros(quiet + first), signal.astype(float), np.zeros(quiet)])
    power = float(np.mean(signal.astype(float) ** 2)) / 10.0 ** (snr_db / 10.0)
    wave += rng.normal(size=len(wave)) * np.sqrt(power * (rate / 2.0) / BAND_HZ)
    return framed(np.clip(np.rint(wave), -32768, 32767).astype(np.int16), rate)


def heard(detector: Detector[T], frames: Iterable[PcmFrame]) -> list[T]:
    """Return all that a detector finds."""
    return [found for frame in frames for found in detector.feed(frame)]


def spoken(rate: int = 8000) -> NDArray[np.int16]:
    """Return all recorded phrases, one after the other: 39 seconds, −20 dBFS, 300 to 3400 Hz."""
    samples = np.concatenate([phrase.samples() for phrase in load_phrases().values()])
    if rate == 8000:
        return samples
    spectrum = np.fft.rfft(samples.astype(float))
    longer = np.zeros(len(samples) * (rate // 8000) // 2 + 1, dtype=complex)
    longer[: len(spectrum)] = spectrum
    wave = np.fft.irfft(longer, len(samples) * (rate // 8000)) * (rate // 8000)
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def through_opus(
    frames: Iterable[PcmFrame], rate: int, to: int, *, bitrate: int = 16_000
) -> Iterator[PcmFrame]:
    """Return what another gateway's radio at `to` Hz gets."""
    encoder, decoder = OpusEncoder(rate, bitrate=bitrate), OpusDecoder(to)
    for frame in frames:
        yield decoder.decode(encoder.encode(frame))
