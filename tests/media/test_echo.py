"""What has been heard before, through our codec and the air; and what only seems so."""

import itertools

import numpy as np
import pytest

from radiobridge.media.echo import Echo, EchoFinder
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.sound import FRAME, RATE, Pcm

PHRASES = {name: phrase.samples() for name, phrase in load_phrases().items()}
SHORT = sorted(name for name, samples in PHRASES.items() if 1.3 < len(samples) / RATE < 2.6)


HANG = RATE // 5


def coded(samples: Pcm) -> Pcm:
    """Return what comes out of our codec."""
    encoder, decoder = OpusEncoder(RATE), OpusDecoder(RATE)
    frames = [samples[at : at + FRAME] for at in range(0, len(samples) - FRAME + 1, FRAME)]
    return np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames])


def heard(
    *spurts: Pcm, gap: int = 1100, marks: bool = True, bounce: int = 0
) -> tuple[list[Echo], bool]:
    """Return what is found in transmissions one after the other; and whether one repeats itself.

    `bounce`: frames after which the carrier of each comes on once more.
    """
    silence = np.zeros(gap, np.int16)
    row = np.concatenate([np.concatenate([spurt, silence]) for spurt in spurts])
    noise = np.random.default_rng(1).standard_normal(len(row)) * 10.0
    row = np.clip(row + noise, -32768, 32767).astype(np.int16)
    lengths = [len(spurt) + gap for spurt in spurts]
    starts = {at // FRAME for at in itertools.accumulate(lengths, initial=0)}
    ends = [at - gap for at in itertools.accumulate(lengths)]
    finder, found, repeats = EchoFinder(RATE), [], False
    for number in range(len(row) // FRAME):
        now = 1000.0 + number * 0.02
        at = number * FRAME
        if any(end + HANG <= at < end + gap - FRAME for end in ends):
            continue  # the squelch is closed
        comes_on = number in starts or (bounce and number - bounce in starts)
        if comes_on and (marks or number == 0):
            finder.heard.begin(now)
        if finder.hear(row[number * FRAME : (number + 1) * FRAME], now):
            echo = finder.look()
            found += [echo] if echo is not None else []
            repeats = repeats or finder.repeats
    return found, repeats


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("gain", [0.3, 1.0])
def test_what_comes_back_is_found_with_its_distance(name: str, gain: float) -> None:
    samples = PHRASES[name]
    found, _ = heard(samples, (coded(samples) * gain).astype(np.int16))
    assert found, name
    assert found[0].back_s == pytest.approx((len(samples) + 1100) / RATE, abs=0.05)


@pytest.mark.parametrize("name", sorted(PHRASES))
def test_a_recording_that_is_played_again_is_none(name: str) -> None:
    assert heard(PHRASES[name], PHRASES[name], gap=8000) == ([], False)


@pytest.mark.parametrize("name", ["dont-shoot-en", "ne-tirez-pas-fr"])
@pytest.mark.parametrize("apart", range(800, 8000, 800))
def test_words_said_twice_soon_after_somebody_else_are_none(name: str, apart: int) -> None:
    assert heard(PHRASES["long-en"][:1600], PHRASES[name], gap=apart)[0] == []


@pytest.mark.parametrize("name", ["dont-shoot-en", "ne-tirez-pas-fr", "ne-tirez-pas-bref-fr"])
@pytest.mark.parametrize("apart_s", [0.7, 1.0, 2.0])
def test_who_cries_the_same_again_with_his_key_pressed_anew_is_none(
    name: str, apart_s: float
) -> None:
    words, gap = PHRASES[name], round(apart_s * RATE)
    assert heard(words, coded(words), gap=gap) == ([], False)
    assert heard(words, coded(words), gap=gap, bounce=10) == ([], False), "his carrier bounces"


@pytest.mark.parametrize("name", ["dont-shoot-en", "ne-tirez-pas-fr"])
@pytest.mark.parametrize("apart_s", [0.7, 1.0, 1.2])
def test_what_comes_back_late_is_found_when_it_does_so_again(name: str, apart_s: float) -> None:
    words, gap = PHRASES[name], round(apart_s * RATE)
    again = coded(words)
    found, _ = heard(words, again, coded(again), gap=gap)
    assert found
    assert found[0].back_s == pytest.approx(len(words) / RATE + apart_s, abs=0.05)


def test_other_words_are_none() -> None:
    names = ("call-en", "reply-fr", "position-en", "long-en", "radio-check-en", "still-there-fr")
    spurts = [PHRASES[name] for name in names]
    found, repeats = heard(*spurts, *reversed(spurts[:-1]), gap=4000)
    assert (found, repeats) == ([], False)


def test_what_was_not_begun_as_it_comes_back_is_none() -> None:
    samples = PHRASES["radio-check-en"]
    found, _ = heard(samples, coded(samples), marks=False)
    assert found == []


@pytest.mark.parametrize("period_s", [0.2, 0.35, 0.8, 1.1])
def test_a_piece_that_comes_again_and_again_is_seen(period_s: float) -> None:
    piece = PHRASES["long-en"][RATE : RATE + round(period_s * RATE)]
    found, repeats = heard(np.tile(coded(np.tile(piece, 3)), 10)[: 6 * RATE])
    assert repeats
    assert found == []


@pytest.mark.parametrize("steady", [0.0, 1000.0])
def test_silence_and_steady_tones_are_nothing(steady: float) -> None:
    wave = 6000.0 * np.sin(2.0 * np.pi * steady / RATE * np.arange(6 * RATE))
    assert heard(wave.astype(np.int16)) == ([], False)
