import pytest

from radiobridge.drivers.interface.none import NoInterface
from radiobridge.errors import ConfigError
from radiobridge.model.interface import KeyAnswer, KeyAnswered


def test_a_radio_without_ptt_denies_each_request_once() -> None:
    radio = NoInterface.from_settings({"driver": "none"})
    radio.open()
    radio.key()
    (answer,) = radio.poll()
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.DENIED
    assert list(radio.poll()) == []


def test_it_has_no_settings() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'device'"):
        NoInterface.from_settings({"driver": "none", "device": "/dev/ttyUSB0"})
