"""Files in place of a radio."""

import wave
from pathlib import Path

import numpy as np
import pytest

from radiobridge.drivers.audio.wav import WavAudio
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.voice import PcmFrame
from tests.drivers.audio.sink import Sink, tone


def write(path: Path, frames: list[PcmFrame], rate: int = 8000, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.concatenate(frames).tobytes())


def read(path: Path) -> PcmFrame:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


async def test_the_input_is_heard_whole_then_silence(tmp_path: Path) -> None:
    frames = tone(8000, 4)
    write(tmp_path / "in.wav", [*frames, np.array([7, 8, 9], np.int16)])
    audio, sink = WavAudio.from_settings({"input": str(tmp_path / "in.wav")}), Sink()
    await audio.open(sink)
    await sink.until(lambda: len(sink.frames) >= 7)
    await audio.close()
    assert np.array_equal(sink.frames[:4], frames)
    assert list(sink.frames[4][:4]) == [7, 8, 9, 0]
    assert not np.any(sink.frames[5])
    assert np.allclose(np.diff(sink.times), 0.02)


async def test_repeated_it_starts_again(tmp_path: Path) -> None:
    frames = tone(16000, 2)
    write(tmp_path / "in.wav", frames, 16000)
    settings = {"input": str(tmp_path / "in.wav"), "rate": 16000, "repeat": True}
    audio, sink = WavAudio.from_settings(settings), Sink()
    await audio.open(sink)
    await sink.until(lambda: len(sink.frames) >= 4)
    await audio.close()
    assert np.array_equal(sink.frames[:4], frames + frames)


async def test_what_is_played_is_in_the_output_and_silence_around_it(tmp_path: Path) -> None:
    frames = tone(8000, 10)
    audio, sink = WavAudio.from_settings({"output": str(tmp_path / "out.wav")}), Sink()
    await audio.open(sink)
    await sink.until(lambda: len(sink.frames) >= 2)
    before = len(sink.frames)
    for frame in frames:
        audio.write(frame)
    await sink.until(lambda: len(sink.frames) >= before + 12)
    await audio.close()
    out = read(tmp_path / "out.wav")
    at = before * 160
    assert not np.any(out[:at])
    assert np.array_equal(out[at : at + 1600], np.concatenate(frames))
    assert not np.any(out[at + 1600 :])
    assert audio.underruns == 0


async def test_discard_and_the_bound(tmp_path: Path) -> None:
    audio, sink = (
        WavAudio.from_settings({"output": str(tmp_path / "out.wav"), "input": None}),
        Sink(),
    )
    await audio.open(sink)
    for frame in tone(8000, 30):
        audio.write(frame)
    assert audio.overruns == 5
    assert audio.queued_s() == 0.5
    audio.discard()
    assert audio.queued_s() == 0.0
    await audio.close()


@pytest.mark.parametrize("kind", ["missing", "stereo", "rate", "text"])
async def test_an_input_that_does_not_fit_is_a_driver_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.wav"
    if kind == "stereo":
        write(path, tone(8000, 2), channels=2)
    elif kind == "rate":
        write(path, tone(16000, 2), 16000)
    elif kind == "text":
        path.write_text("This is no sound at all")
    with pytest.raises(DriverError, match=r"in\.wav cannot be used") as caught:
        await WavAudio(8000, source=path, output=None).open(Sink())
    assert "inutilisable" in caught.value.text.fr


async def test_an_output_folder_that_is_missing_is_a_driver_error(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="cannot be used"):
        await WavAudio(8000, source=None, output=tmp_path / "no" / "out.wav").open(Sink())


def test_a_rate_that_no_radio_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="rate"):
        WavAudio.from_settings({"rate": 44100})
