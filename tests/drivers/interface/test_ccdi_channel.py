"""A Tait radio whose channel matters: what it is asked, and what it may answer."""

import time
from collections.abc import Iterator

import pytest

from radiobridge.drivers.interface import ccdi
from radiobridge.drivers.interface.ccdi import CcdiInterface
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
)
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from tests.drivers.interface.ccdi_line import driver, said_while_refreshed
from tests.drivers.interface.waiting import poll_for, until

pytestmark = pytest.mark.real


@pytest.fixture
def radio() -> Iterator[CcdiRadio]:
    radio = CcdiRadio()
    radio.start()
    yield radio
    radio.stop()


@pytest.fixture
def watched(radio: CcdiRadio) -> Iterator[CcdiInterface]:
    """The radio must be on one channel."""
    line = driver(radio, report_channel=True)
    yield line
    line.close()


def channel(line: CcdiInterface) -> str:
    event = poll_for(line, ChannelReported)
    assert isinstance(event, ChannelReported)
    return event.channel


def test_without_a_channel_that_matters_no_radio_is_asked(radio: CcdiRadio) -> None:
    line = driver(radio)
    line.open()
    radio.set_cor(active=True)
    poll_for(line, CorChanged)
    radio.restart()
    poll_for(line, RadioAlarm)
    end = time.monotonic() + 2 * ccdi.CHANNEL_RESTART_S
    while time.monotonic() < end:
        assert not [event for event in line.poll() if isinstance(event, ChannelReported)]
    assert "f052" not in radio.commands
    line.close()


def test_a_radio_says_its_channel_when_opened_and_when_started_anew(
    radio: CcdiRadio, watched: CcdiInterface
) -> None:
    radio.set_channel("000007")
    watched.open()
    assert channel(watched) == "000007"
    watched.close()
    radio.set_channel("000008")
    watched.open()
    assert channel(watched) == "000008"
    radio.restart()
    radio.set_channel("000009")
    assert channel(watched) == "000009"


def test_a_radio_that_drops_the_question_is_asked_again(
    radio: CcdiRadio, watched: CcdiInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccdi, "CHANNEL_RETRY_S", 0.02)
    radio.drops_channel = True
    watched.open()
    until(lambda: not list(watched.poll()) and radio.commands.count("f052") >= 2)
    radio.drops_channel = False
    assert channel(watched) == "000001"


def test_a_message_of_a_turned_knob_that_is_lost_is_made_good(
    radio: CcdiRadio, watched: CcdiInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccdi, "CHANNEL_AGAIN_S", 0.05)
    watched.open()
    assert channel(watched) == "000001"
    radio.silent = True
    radio.set_channel("000002")
    radio.silent = False
    until(lambda: channel(watched) == "000002")


def test_a_radio_that_cannot_say_its_channel_raises_an_alarm_until_it_does(
    radio: CcdiRadio, watched: CcdiInterface
) -> None:
    radio.channel_error = 1
    watched.open()
    alarm = poll_for(watched, RadioAlarm)
    assert isinstance(alarm, RadioAlarm)
    assert (alarm.kind, alarm.detail) == ("channel-not-told", "unsupported command")
    watched.key()
    answer = poll_for(watched, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.GRANTED
    watched.unkey()
    assert not radio.ptt
    radio.set_channel("000003")
    ended = poll_for(watched, RadioAlarm)
    assert isinstance(ended, RadioAlarm)
    assert (ended.kind, ended.active) == ("channel-not-told", False)


def test_a_radio_that_is_not_ready_to_say_its_channel_is_no_alarm(
    radio: CcdiRadio, watched: CcdiInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccdi, "CHANNEL_RETRY_S", 0.02)
    radio.channel_error = 5
    watched.open()
    until(lambda: not list(watched.poll()) and radio.commands.count("f052") >= 2)
    assert not list(watched.poll())
    radio.channel_error = None
    assert channel(watched) == "000001"


@pytest.mark.parametrize("error", [None, 1, 5])
def test_the_answer_to_the_question_answers_no_key_and_no_unkey(
    radio: CcdiRadio, watched: CcdiInterface, error: int | None
) -> None:
    radio.channel_error = error
    watched.open()
    watched.poll()
    watched.key()
    answer = poll_for(watched, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.GRANTED
    until(lambda: radio.ptt)
    watched.unkey()
    assert not radio.ptt


def test_a_question_that_was_lost_delays_no_unkey_beyond_its_second_try(
    radio: CcdiRadio, watched: CcdiInterface
) -> None:
    radio.drops_channel = True
    watched.open()
    watched.poll()
    until(lambda: "f052" in radio.commands)
    watched.key()
    poll_for(watched, KeyAnswered)
    watched.unkey()
    assert not radio.ptt


def test_a_keyed_radio_is_not_asked(
    radio: CcdiRadio, watched: CcdiInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccdi, "CHANNEL_AGAIN_S", 0.02)
    watched.open()
    channel(watched)
    watched.key()
    presses, asked = len(radio.commands), radio.commands.count("f052")
    said_while_refreshed(watched, lambda: radio.commands[presses:].count("f3004") >= 3)
    assert radio.commands.count("f052") == asked
    watched.unkey()
    until(lambda: not list(watched.poll()) and radio.commands.count("f052") > asked)
