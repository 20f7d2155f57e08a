import pytest

from radiobridge_sim.phrases import SPEECH, load_phrases
from radiobridge_sim.sound import RATE, level_dbfs

PHRASES = load_phrases()


def test_every_recording_has_its_words() -> None:
    assert {path.stem for path in SPEECH.glob("*.wav")} == set(PHRASES)


def test_both_languages_are_spoken() -> None:
    voices = {phrase.voice[:2] for phrase in PHRASES.values()}
    assert voices == {"en", "fr"}
    assert all(phrase.name.endswith(f"-{phrase.voice[:2]}") for phrase in PHRASES.values())


@pytest.mark.parametrize("name", sorted(PHRASES))
def test_speech_has_its_level_and_begins_and_ends_with_sound(name: str) -> None:
    samples = PHRASES[name].samples()
    assert 0.5 < len(samples) / RATE < 10.0
    assert -24.0 < level_dbfs(samples) < -19.0
    assert abs(samples).max() < 32_000
    edge = RATE // 20
    assert level_dbfs(samples[:edge]) > -60.0
    assert level_dbfs(samples[-edge:]) > -60.0
