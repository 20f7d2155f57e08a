"""The sound-card driver on a real PulseAudio, and how it finds its card."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from radiobridge.drivers.audio.soundcard import SoundCard
from radiobridge.drivers.audio.soundcard_process import find_device
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.voice import FRAME_S, PcmFrame
from tests.drivers.audio.pulse import PulseServer
from tests.drivers.audio.sink import Sink, tone

ODD_HZ = 997.0
"""No whole number of periods in a frame: a lost or doubled block shows as a jump in phase."""


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    server = PulseServer(tmp_path / "pulse", radios=("radio1", "radio2"))
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.start()
    yield server
    server.kill()


SLOW_S = 0.1
"""Latency for tests that look for gaps: a busy machine must not make one."""

ATTEMPTS = 4
"""PulseAudio itself may skip on a busy machine and tells nobody; a driver that loses blocks does
so each time."""


@asynccontextmanager
async def opened(
    rate: int, device: str = "radio1", latency: float = 0.02
) -> AsyncIterator[tuple[SoundCard, Sink]]:
    settings = {"device": device, "rate": rate, "latency": latency}
    card, sink = SoundCard.from_settings(settings), Sink()
    await card.open(sink)
    try:
        yield card, sink
    finally:
        await card.close()


async def play(card: SoundCard, frames: list[PcmFrame]) -> None:
    start = monotonic()
    for n, frame in enumerate(frames):
        card.write(frame)
        await asyncio.sleep(max(0.0, start + (n + 1) * FRAME_S - monotonic()))


def sounding(frames: list[PcmFrame]) -> PcmFrame:
    """Return the samples from the first to the last that is no silence."""
    samples = np.concatenate(frames)
    loud = np.nonzero(np.abs(samples) > 300)[0]
    return samples[loud[0] : loud[-1] + 1]


def phase_jump(samples: PcmFrame, rate: int) -> float:
    """Return how far the tone's phase ever jumps between two frames: not at all if all is there."""
    size = rate // 50
    whole = samples[: len(samples) // size * size].astype(float)
    turns = np.exp(-2j * np.pi * ODD_HZ / rate * np.arange(len(whole)))
    phases = np.angle((whole * turns).reshape(-1, size).sum(axis=1))
    return float(np.abs(np.diff(np.unwrap(phases))).max())


async def heard_tone(rate: int) -> PcmFrame:
    """Play a tone of 2 s, some of it written ahead, and return what came back."""
    frames = tone(rate, 100, hz=ODD_HZ)
    async with opened(rate, latency=SLOW_S) as (card, sink):
        await sink.until(lambda: len(sink.frames) > 5)
        before = len(sink.frames)
        for frame in frames[:10]:
            card.write(frame)
        await play(card, frames[10:])
        assert 0.0 < card.queued_s() < 0.7
        await sink.until(lambda: len(sink.frames) >= before + len(frames) + 30)
        assert card.queued_s() == 0.0
        assert np.all(np.diff(sink.times) > 0)
    return sounding(sink.frames[before:])


@pytest.mark.real
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
async def test_a_tone_comes_through_whole_and_at_its_level(
    pulse: PulseServer, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    del pulse
    monkeypatch.setenv("PULSE_LATENCY_MSEC", str(round(SLOW_S * 1000)))
    for _ in range(ATTEMPTS):
        heard = await heard_tone(rate)
        whole = abs(len(heard) - 2 * rate) < rate // 500 and phase_jump(heard, rate) < 0.05
        if whole:
            break
    assert whole
    level = 20 * np.log10(np.sqrt(np.mean(heard.astype(float) ** 2)) / 32768)
    assert abs(level - (-23.01)) < 0.2


@pytest.mark.real
async def test_two_cards_do_not_hear_each_other(pulse: PulseServer) -> None:
    del pulse
    async with opened(8000) as (card, sink), opened(8000, "radio2") as (_, other):
        await sink.until(lambda: len(sink.frames) > 5)
        await other.until(lambda: len(other.frames) > 5)
        for frame in tone(8000, 20):
            card.write(frame)
        await sink.until(lambda: bool(np.any(np.abs(sink.frames[-1]) > 300)))
        assert not np.any(np.concatenate(other.frames))


@pytest.mark.real
async def test_a_burst_is_bounded_and_can_be_discarded(pulse: PulseServer) -> None:
    del pulse
    async with opened(8000) as (card, sink):
        await sink.until(lambda: len(sink.frames) > 5)
        for frame in tone(8000, 60):
            card.write(frame)
        assert card.queued_s() > 0.4
        await sink.until(lambda: card.overruns > 0)
        card.discard()
        before = len(sink.frames)
        await sink.until(lambda: len(sink.frames) > before + 15)
        assert card.queued_s() == 0.0
        assert not np.any(sink.frames[-1])


@pytest.mark.real
async def test_a_card_that_vanishes_is_lost_and_opens_again_when_it_is_back(
    pulse: PulseServer,
) -> None:
    card, sink = SoundCard.from_settings({"device": "radio1", "rate": 8000}), Sink()
    await card.open(sink)
    await sink.until(lambda: len(sink.frames) > 5)
    pulse.kill()
    await sink.until(lambda: bool(sink.lost))
    assert sink.lost[0].fr
    card.write(tone(8000, 1)[0])
    await card.close()
    with pytest.raises(DriverError, match="sound card"):
        await card.open(sink)
    pulse.start()
    await card.open(sink)
    before = len(sink.frames)
    await sink.until(lambda: len(sink.frames) > before + 5)
    assert len(sink.lost) == 1
    await card.close()
    await card.close()


LOST_S = 1.0
"""A card that is gone, or works no more, is told within that time (issue 4, F)."""


@pytest.mark.real
async def test_a_card_that_gives_sound_and_takes_none_is_lost_and_opens_again(
    pulse: PulseServer,
) -> None:
    """One that does neither is tried on a whole gateway (`tests/app/test_soundcard.py`)."""
    card = SoundCard(source="radio1", output="radio2", rate=8000)
    sink = await hearing(card)
    at = monotonic()
    pulse.control("suspend-sink", "radio2", "1")
    await sink.until(lambda: bool(sink.lost))
    assert monotonic() - at <= LOST_S
    await card.close()
    pulse.control("suspend-sink", "radio2", "0")
    await opens_again(card)


@pytest.mark.real
async def test_a_card_that_is_unplugged_and_plugged_in_again(pulse: PulseServer) -> None:
    """It has another number then; the driver goes by its name.

    There is no other: PulseAudio would move the streams to it.
    """
    pulse.unplug("radio2")
    card = SoundCard(source="radio1", output="radio1", rate=8000)
    sink = await hearing(card)
    before = pulse.control("list", "short", "sinks")
    at = monotonic()
    pulse.unplug("radio1")
    await sink.until(lambda: bool(sink.lost))
    assert monotonic() - at <= LOST_S
    await card.close()
    pulse.plug_in("radio1")
    assert pulse.control("list", "short", "sinks") != before
    await opens_again(card)


async def hearing(card: SoundCard) -> Sink:
    """Open a card, as often as it takes: a busy PulseAudio may wake it too late."""
    while not await hears(card, sink := Sink()):
        await card.close()
    return sink


async def hears(card: SoundCard, sink: Sink) -> bool:
    await card.open(sink)
    await sink.until(lambda: len(sink.frames) > 25 or bool(sink.lost))
    return not sink.lost


async def opens_again(card: SoundCard) -> None:
    sink = await hearing(card)
    before = len(sink.frames)
    card.write(tone(8000, 1)[0])
    await sink.until(lambda: len(sink.frames) > before + 5)
    assert not sink.lost
    await card.close()


@pytest.mark.real
async def test_a_name_that_no_card_has_lists_those_there_are(pulse: PulseServer) -> None:
    del pulse
    with pytest.raises(DriverError, match=r'no sound card "radio9".*"radio1"') as caught:
        await SoundCard(source="radio9", output="radio9", rate=8000).open(Sink())
    assert "pas de carte son" in caught.value.text.fr


CARDS = [
    {"index": 0, "name": "HDA Intel PCH: ALC (hw:0,0)", "max_input_channels": 2},
    {"index": 1, "name": "USB Audio CODEC: Audio (hw:1,0)", "max_input_channels": 1},
    {"index": 2, "name": "USB Audio CODEC: Audio (hw:2,0)", "max_input_channels": 1},
    {"index": 3, "name": "HDMI (hw:3,3)", "max_input_channels": 0},
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("ALC", 0), ("hda intel", 0), ("hw:2,0", 2), ("USB Audio CODEC: Audio (hw:1,0)", 1)],
)
def test_a_name_or_a_part_of_it_finds_the_card(wanted: str, index: int) -> None:
    assert find_device(CARDS, wanted, "max_input_channels") == index


def test_a_path_finds_the_card_whatever_its_number() -> None:
    assert find_device(CARDS, "/dev/snd/controlC1", "max_input_channels") == 1
    assert find_device(CARDS, "/dev/snd/pcmC2D0c", "max_input_channels") == 2


def test_a_path_that_points_to_another_number_after_a_reboot_finds_the_same_card(
    tmp_path: Path,
) -> None:
    by_id = tmp_path / "usb-C-Media_USB_Audio-00"
    for number in (1, 2):
        by_id.unlink(missing_ok=True)
        by_id.symlink_to(f"/dev/snd/controlC{number}")
        assert find_device(CARDS, str(by_id), "max_input_channels") == number


@pytest.mark.parametrize("wanted", ["USB Audio", "HDMI", "nothing", "/dev/snd/controlC7"])
def test_never_a_guess(wanted: str) -> None:
    with pytest.raises(DriverError, match="sound card"):
        find_device(CARDS, wanted, "max_input_channels")


def test_one_name_stands_for_both_ways_unless_one_is_named_apart() -> None:
    card = SoundCard.from_settings({"device": "fob", "input": None, "output": "speaker"})
    assert (card._settings["input"], card._settings["output"]) == ("fob", "speaker")
    assert (card.rate, card._settings["latency"]) == (48000, 0.02)


@pytest.mark.parametrize("settings", [{}, {"device": "x", "rate": 44100}, {"devise": "x"}])
def test_wrong_settings_are_a_config_error(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SoundCard.from_settings(settings)
