"""Recorded phrases by name, with their words."""

from dataclasses import dataclass
from pathlib import Path

from radiobridge_sim.sound import Pcm, read_wav

SPEECH = Path(__file__).parent / "speech"
"""Where the recordings are; `phrases.tsv` there is what they were made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One recorded phrase."""

    name: str
    voice: str
    """The espeak-ng voice: language and, where it matters, country (`en-us`, `fr-fr`)."""
    words: str

    def samples(self) -> Pcm:
        """Return the recording."""
        return read_wav(SPEECH / f"{self.name}.wav")


def load_phrases() -> dict[str, Phrase]:
    """Return all phrases by name."""
    phrases = {}
    for line in (SPEECH / "phrases.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, voice, _speed, words = line.split("\t")
            phrases[name] = Phrase(name=name, voice=voice, words=words)
    return phrases
