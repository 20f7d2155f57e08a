"""The recorded announcements of the package, encoded and ready to be played by any radio."""

import io
import wave
from importlib.resources import files

import numpy as np

from radiobridge.errors import DriverError
from radiobridge.media.opus import OpusEncoder
from radiobridge.model.announcement import Clip, Clips, News
from radiobridge.text import Language

RATE = 8000
FRAME = RATE // 50
LONGEST_FRAMES = 98
"""A jitter buffer holds two seconds."""


def load_clips() -> Clips:
    """Return every announcement in every language. Raises DriverError for a file that is wrong."""
    return {(language, news): _clip(language, news) for language in Language for news in News}


def _clip(language: Language, news: News) -> Clip:
    name = f"patch-{news.value}-{language.value}.wav"
    try:
        raw = (files("radiobridge") / "speech" / name).read_bytes()
        with wave.open(io.BytesIO(raw)) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except (OSError, wave.Error, EOFError) as error:
        raise _wrong(name) from error
    count = -(-len(samples) // FRAME)
    if shape != (1, 2, RATE) or not 0 < count <= LONGEST_FRAMES:
        raise _wrong(name)
    padded = np.zeros((count + 1) * FRAME, dtype=np.int16)
    padded[: len(samples)] = samples
    encoder = OpusEncoder(RATE)
    return tuple(encoder.encode(frame) for frame in padded.reshape(-1, FRAME))


def _wrong(name: str) -> DriverError:
    return DriverError(
        f"the announcement {name} is missing or damaged; install radiobridge again",
        f"l'annonce {name} manque ou est abîmée; réinstallez radiobridge",
    )
