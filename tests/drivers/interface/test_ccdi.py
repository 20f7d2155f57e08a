import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.drivers.interface.ccdi import CcdiInterface
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
    UnkeyCause,
    Unkeyed,
)
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.log import LineHistory
from tests.drivers.interface.ccdi_line import driver, said_while_refreshed
from tests.drivers.interface.waiting import poll_for, until

pytestmark = pytest.mark.real


@pytest.fixture
def history() -> LineHistory:
    return LineHistory()


@pytest.fixture
def radio(history: LineHistory) -> Iterator[CcdiRadio]:
    radio = CcdiRadio(log=history)
    radio.start()
    yield radio
    radio.stop()


@pytest.fixture
def line(radio: CcdiRadio) -> Iterator[CcdiInterface]:
    line = driver(radio)
    line.open()
    yield line
    line.close()


def test_opening_says_off_first_and_never_keys(
    radio: CcdiRadio, line: CcdiInterface, history: LineHistory
) -> None:
    assert radio.commands == ["f3000", "f041", "f051", "q0"]
    line.close()
    assert history.of("PTT") == []


class WithLines:
    """The pty, and a modem line as a serial adapter has it."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.cts = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


@pytest.mark.parametrize("mute", ["CTS", "!CTS"])
def test_a_mute_line_is_cor_and_rf_is_not(radio: CcdiRadio, mute: str) -> None:
    line = driver(radio, mute=mute)
    line.open()
    port = WithLines(line._port)
    port.cts = mute == "!CTS"
    line._port = port  # type: ignore[assignment]  # a pty has no lines
    radio.set_cor(active=True)
    until(lambda: radio.commands[-1] == "q0")
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        assert list(line.poll()) == []
    port.cts = not port.cts
    opened = poll_for(line, CorChanged)
    port.cts = not port.cts
    closed = poll_for(line, CorChanged)
    line.close()
    assert isinstance(opened, CorChanged)
    assert isinstance(closed, CorChanged)
    assert (opened.active, closed.active) == (True, False)


def test_a_mute_line_that_cannot_be_read_is_a_failed_device(radio: CcdiRadio) -> None:
    line = driver(radio, mute="CTS")
    line.open()
    with pytest.raises(DriverError, match="CTS cannot be read"):
        line.poll()
    line.close()


def test_opening_releases_a_press_that_a_killed_keyer_left(
    radio: CcdiRadio, line: CcdiInterface
) -> None:
    line.close()
    constant = driver(radio, dead_man="constant", radio_time_out=60)
    constant.open()
    constant.key()
    until(lambda: radio.ptt)
    assert constant._port is not None
    constant._port.close()
    assert radio.ptt
    line.open()
    assert not radio.ptt


def test_a_key_is_granted_and_an_unkey_has_happened_when_it_returns(
    radio: CcdiRadio, line: CcdiInterface
) -> None:
    line.key()
    answer = poll_for(line, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.GRANTED
    assert radio.ptt
    line.unkey()
    assert not radio.ptt


def test_a_press_that_is_not_renewed_ends_in_the_radio(
    line: CcdiInterface, history: LineHistory
) -> None:
    line.key()
    off = history.wait("PTT", value=False, after=0.0)
    (on,) = [change for change in history.of("PTT") if change.value]
    assert off is not None
    assert off.cause == "press-ended"
    assert 0.45 < off.at - on.at < 2.0


def test_a_press_that_ended_is_reported_as_the_radios_doing(line: CcdiInterface) -> None:
    line.key()
    unkeyed = poll_for(line, Unkeyed)
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.RADIO


def test_a_constant_press_stays_until_released(radio: CcdiRadio) -> None:
    line = driver(radio, dead_man="constant", radio_time_out=60)
    line.open()
    line.key()
    poll_for(line, KeyAnswered)
    assert "f3009" in radio.commands
    line.refresh()
    line.close()
    until(lambda: not radio.ptt)


def test_an_inhibited_radio_denies(radio: CcdiRadio, line: CcdiInterface) -> None:
    radio.inhibited = True
    line.key()
    answer = poll_for(line, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.DENIED
    assert not radio.ptt


@pytest.mark.parametrize("settings", [{}, {"dead_man": "constant", "radio_time_out": 60}])
def test_a_radio_that_is_not_ready_has_queued_the_request(
    radio: CcdiRadio, history: LineHistory, settings: dict[str, Any]
) -> None:
    line = driver(radio, **settings)
    line.open()
    radio.not_ready = True
    line.key()
    queued = poll_for(line, KeyAnswered)
    assert isinstance(queued, KeyAnswered)
    assert queued.answer is KeyAnswer.QUEUED
    presses = len(radio.commands)
    assert not said_while_refreshed(line, lambda: len(radio.commands) >= presses + 2)
    radio.not_ready = False
    granted = said_while_refreshed(line, lambda: radio.ptt) or [poll_for(line, KeyAnswered)]
    assert isinstance(granted[0], KeyAnswered)
    assert granted[0].answer is KeyAnswer.GRANTED
    line.unkey()
    line.close()
    assert [change.value for change in history.of("PTT")] == [True, False]


def test_a_request_that_is_given_up_in_the_queue_keys_nothing_later(
    radio: CcdiRadio, line: CcdiInterface, history: LineHistory
) -> None:
    radio.not_ready = True
    line.key()
    poll_for(line, KeyAnswered)
    line.unkey()
    radio.not_ready = False
    line.refresh()
    radio.set_channel("000002")
    assert poll_for(line, ChannelReported)
    assert history.of("PTT") == []


NOISE = bytes(n for n in range(1, 256) if n != 0x0D) * 3


@pytest.mark.parametrize("noise", [NOISE, b"." * 700, b"p0205XX\r" * 90], ids=["any", ".", "sums"])
def test_a_line_that_babbles_is_a_failed_device(
    radio: CcdiRadio, line: CcdiInterface, noise: bytes
) -> None:
    radio.babble(noise)
    with pytest.raises(DriverError, match="nothing but noise: is `baud`"):
        poll_for(line, CorChanged)
    line.close()
    with pytest.raises(DriverError, match=r"nothing but noise|does not answer"):
        open_while_it_babbles(radio, line, noise)
    line.close()
    line.open()


def open_while_it_babbles(radio: CcdiRadio, line: CcdiInterface, noise: bytes) -> None:
    over = threading.Event()

    def babble() -> None:
        while not over.is_set():
            radio.babble(noise)
            over.wait(0.005)

    radio.mute = True
    babbling = threading.Thread(target=babble)
    babbling.start()
    try:
        line.open()
        poll_for(line, CorChanged)
    finally:
        over.set()
        babbling.join()
        radio.mute = False


def test_noise_between_messages_does_no_harm(radio: CcdiRadio, line: CcdiInterface) -> None:
    for turn in range(20):
        radio.babble(NOISE[:90] + b"\r")
        radio.set_channel(f"{turn:06}")
        assert poll_for(line, ChannelReported)


@pytest.mark.parametrize("event", ["drop_ptt", "restart"])
def test_a_radio_that_drops_ptt_says_so(radio: CcdiRadio, line: CcdiInterface, event: str) -> None:
    line.key()
    poll_for(line, KeyAnswered)
    line.poll()
    until(lambda: radio.ptt)
    getattr(radio, event)()
    unkeyed = poll_for(line, Unkeyed)
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.RADIO


def test_after_a_restart_progress_is_asked_for_again(radio: CcdiRadio, line: CcdiInterface) -> None:
    radio.restart()
    alarm = poll_for(line, RadioAlarm)
    assert isinstance(alarm, RadioAlarm)
    assert alarm.kind == "restarted"
    until(lambda: radio.commands.count("f041") == 2)
    radio.set_cor(active=True)
    assert poll_for(line, CorChanged)


def test_an_alarm_that_stood_when_the_line_was_lost_ends_when_it_is_back(
    radio: CcdiRadio, line: CcdiInterface
) -> None:
    radio.restart()
    poll_for(line, RadioAlarm)
    line.close()
    line.open()
    alarm = poll_for(line, RadioAlarm)
    assert isinstance(alarm, RadioAlarm)
    assert (alarm.kind, alarm.active) == ("restarted", False)


def test_cor_channel_and_emergency_are_reported(radio: CcdiRadio, line: CcdiInterface) -> None:
    radio.set_cor(active=True)
    opened = poll_for(line, CorChanged)
    assert isinstance(opened, CorChanged)
    assert opened.active
    radio.set_cor(active=False)
    closed = poll_for(line, CorChanged)
    assert isinstance(closed, CorChanged)
    assert not closed.active
    radio.set_channel("010012")
    channel = poll_for(line, ChannelReported)
    assert isinstance(channel, ChannelReported)
    assert channel.channel == "010012"
    radio.emergency(active=True)
    alarm = poll_for(line, RadioAlarm)
    assert isinstance(alarm, RadioAlarm)
    assert (alarm.kind, alarm.active) == ("donor-emergency", True)


def test_a_radio_that_starts_anew_in_mid_reception_receives_nobody(
    radio: CcdiRadio, line: CcdiInterface
) -> None:
    radio.set_cor(active=True)
    poll_for(line, CorChanged)
    radio.restart()
    closed = poll_for(line, CorChanged)
    assert isinstance(closed, CorChanged)
    assert not closed.active


def test_cor_can_be_left_to_others(radio: CcdiRadio, line: CcdiInterface) -> None:
    line.close()
    deaf = driver(radio, cor=False)
    deaf.open()
    radio.set_cor(active=True)
    radio.set_channel("000002")
    assert poll_for(deaf, ChannelReported)
    assert not [event for event in deaf.poll() if isinstance(event, CorChanged)]
    deaf.close()


def test_a_radio_that_says_yes_and_keeps_transmitting_raises_an_alarm(radio: CcdiRadio) -> None:
    line = driver(radio, dead_man="constant", radio_time_out=60)
    line.open()
    radio.deaf_to_off = True
    line.key()
    poll_for(line, KeyAnswered)
    until(lambda: radio.ptt)
    line.unkey()
    alarm = poll_for(line, RadioAlarm)
    assert isinstance(alarm, RadioAlarm)
    assert (alarm.kind, alarm.active) == ("ptt-stuck", True)
    radio.deaf_to_off = False
    line.unkey()
    ended = poll_for(line, RadioAlarm)
    assert isinstance(ended, RadioAlarm)
    assert (ended.kind, ended.active) == ("ptt-stuck", False)
    line.close()


def test_a_radio_that_answers_nothing_is_a_failed_device(
    radio: CcdiRadio, line: CcdiInterface
) -> None:
    line.key()
    poll_for(line, KeyAnswered)
    radio.mute = True
    with pytest.raises(DriverError, match="does not confirm PTT off"):
        line.unkey()


def test_a_radio_that_is_switched_off_cannot_be_opened(radio: CcdiRadio) -> None:
    radio.mute = True
    line = driver(radio)
    with pytest.raises(DriverError, match="does not answer"):
        line.open()
    line.close()


def test_a_radio_switched_off_later_is_noticed(radio: CcdiRadio, line: CcdiInterface) -> None:
    radio.mute = True
    with pytest.raises(DriverError, match="does not answer"):
        poll_for(line, CorChanged)


def test_a_line_that_vanishes_is_a_failed_device(radio: CcdiRadio, line: CcdiInterface) -> None:
    radio.vanish()
    with pytest.raises(DriverError, match="cannot be read"):
        poll_for(line, CorChanged)
    line.close()


def test_a_device_that_is_not_there_is_named() -> None:
    line = CcdiInterface.from_settings({"device": "/dev/serial/by-id/none"})
    with pytest.raises(DriverError, match="/dev/serial/by-id/none: cannot be opened"):
        line.open()


@pytest.mark.usefixtures("line")
def test_a_device_that_another_program_has_open_is_refused(radio: CcdiRadio) -> None:
    with pytest.raises(DriverError, match="cannot be opened"):
        driver(radio).open()


def test_the_link_follows_the_device(tmp_path: Path) -> None:
    radio = CcdiRadio(link=tmp_path / "usb-radio")
    radio.start()
    line = driver(radio)
    line.open()
    radio.vanish()
    with pytest.raises(DriverError):
        poll_for(line, CorChanged)
    line.close()
    radio.appear()
    line.open()
    line.close()
    radio.stop()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "'device' is missing"),
        ({"device": "x", "boud": 9600}, "unknown setting 'boud'"),
        ({"device": "x", "baud": "fast"}, "'baud'"),
        ({"device": "x", "baud": True}, "'baud'"),
        ({"device": "x", "dead_man": "none"}, "press, constant"),
        ({"device": "x", "dead_man": "constant"}, "radio_time_out"),
        ({"device": "x", "dead_man": "constant", "radio_time_out": 61}, "at most 60"),
        ({"device": "x", "cor": "CTS"}, "true or false"),
    ],
)
def test_wrong_settings_say_what_is_right(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CcdiInterface.from_settings(settings)
