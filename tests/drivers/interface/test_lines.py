import time
from collections.abc import Iterator
from typing import Any

import pytest

from radiobridge.drivers.interface.inputs import Input
from radiobridge.drivers.interface.lines import LinesInterface
from radiobridge.drivers.interface.port import UNREAD_BYTES, RemotePort
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.interface import CorChanged, KeyAnswer, KeyAnswered, UnkeyCause, Unkeyed
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.log import LineHistory
from radiobridge_sim.serial.rfc2217_lines import Rfc2217Lines
from tests.drivers.interface.waiting import poll_for, until

pytestmark = pytest.mark.real

WIRINGS = ["RTS", "DTR", "DTR!RTS", "RTS!DTR"]


@pytest.fixture
def history() -> LineHistory:
    return LineHistory()


def driver(port: Rfc2217Lines, ptt: str, **settings: Any) -> LinesInterface:
    return LinesInterface.from_settings(
        {
            "driver": "lines",
            "device": port.url,
            "ptt": ptt,
            "cor": "CTS",
            "radio_time_out": 60,
            **settings,
        }
    )


@pytest.mark.parametrize(
    ("ptt", "raised"),
    [(ptt, "") for ptt in WIRINGS] + [(ptt, "DTR RTS") for ptt in WIRINGS if "!" in ptt],
)
def test_keying_and_unkeying_are_the_only_changes_of_ptt(
    history: LineHistory, ptt: str, raised: str
) -> None:
    port = Rfc2217Lines(ptt=ptt, log=history, raises_on_open=raised)
    port.start()
    line = driver(port, ptt)
    line.open()
    line.key()
    answer = poll_for(line, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.GRANTED
    line.unkey()
    line.close()
    line.open()
    line.close()
    port.stop()
    assert [change.value for change in history.of("PTT")] == [True, False]


@pytest.mark.parametrize("ptt", WIRINGS)
def test_closing_while_keyed_unkeys_before_the_port_is_gone(history: LineHistory, ptt: str) -> None:
    port = Rfc2217Lines(ptt=ptt, log=history)
    port.start()
    line = driver(port, ptt)
    line.open()
    line.key()
    line.close()
    off = history.wait("PTT", value=False, after=0.0)
    port.stop()
    assert off is not None
    assert off.cause == "client"


@pytest.mark.parametrize(
    ("cor", "wire"), [("CTS", "CTS"), ("DSR", "DSR"), ("DCD", "DCD"), ("RI", "RI")]
)
def test_cor_on_each_line(cor: str, wire: str) -> None:
    port = Rfc2217Lines(cor=wire)
    port.start()
    line = driver(port, "RTS", cor=cor)
    line.open()
    port.set_cor(active=True)
    opened = poll_for(line, CorChanged)
    port.set_cor(active=False)
    closed = poll_for(line, CorChanged)
    line.close()
    port.stop()
    assert isinstance(opened, CorChanged)
    assert isinstance(closed, CorChanged)
    assert (opened.active, closed.active) == (True, False)


def test_cor_of_the_other_polarity() -> None:
    port = Rfc2217Lines()
    port.start()
    line = driver(port, "RTS", cor="!CTS")
    line.open()
    idle = poll_for(line, CorChanged)
    line.close()
    port.stop()
    assert isinstance(idle, CorChanged)
    assert idle.active


def answered(line: LinesInterface) -> KeyAnswer:
    event = poll_for(line, KeyAnswered)
    assert isinstance(event, KeyAnswered)
    return event.answer


def silent(line: LinesInterface) -> None:
    """Assert that nothing is told for a while (the port tells its lines within 5 ms)."""
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        assert list(line.poll()) == []
        time.sleep(line.poll_s)


@pytest.fixture
def trunked() -> Iterator[tuple[Rfc2217Lines, LinesInterface]]:
    port = Rfc2217Lines()
    port.start()
    line = driver(port, "RTS", grant="DSR", denied="DCD", queued="!RI")
    port.set_input("RI", active=True)
    line.open()
    yield port, line
    line.close()
    port.stop()


def test_a_grant_line_answers_instead_of_ptt(
    trunked: tuple[Rfc2217Lines, LinesInterface],
) -> None:
    port, line = trunked
    line.key()
    silent(line)
    port.set_input("RI", active=False)
    assert answered(line) is KeyAnswer.QUEUED
    silent(line)
    port.set_input("DSR", active=True)
    assert answered(line) is KeyAnswer.GRANTED
    silent(line)
    port.set_input("DSR", active=False)
    event = poll_for(line, Unkeyed)
    assert isinstance(event, Unkeyed)
    assert event.cause is UnkeyCause.RADIO


def test_a_denial_is_told_once(trunked: tuple[Rfc2217Lines, LinesInterface]) -> None:
    port, line = trunked
    line.key()
    port.set_input("DCD", active=True)
    assert answered(line) is KeyAnswer.DENIED
    silent(line)
    line.unkey()
    port.set_input("DCD", active=False)
    silent(line)


def test_a_line_that_was_on_before_answers_nothing(
    trunked: tuple[Rfc2217Lines, LinesInterface],
) -> None:
    port, line = trunked
    port.set_input("DSR", active=True)
    port.set_input("DCD", active=True)
    until(lambda: not list(line.poll()) and line._is(Input("DSR", level=True)))
    until(lambda: line._is(Input("DCD", level=True)))
    line.key()
    silent(line)
    port.set_input("DSR", active=False)
    silent(line)
    port.set_input("DSR", active=True)
    assert answered(line) is KeyAnswer.GRANTED


def test_a_grant_that_ends_with_ptt_is_no_news(
    trunked: tuple[Rfc2217Lines, LinesInterface],
) -> None:
    port, line = trunked
    line.key()
    port.set_input("DSR", active=True)
    assert answered(line) is KeyAnswer.GRANTED
    line.unkey()
    port.set_input("DSR", active=False)
    silent(line)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"grant": "CTS"}, "CTS is the input of cor, grant"),
        ({"grant": "DSR", "denied": "!DSR"}, "DSR is the input of grant, denied"),
        ({"denied": "DSR"}, "mean nothing without 'grant'"),
        ({"grant": "RTS"}, "'grant' is 'RTS'"),
    ],
)
def test_inputs_that_cannot_be(settings: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        LinesInterface.from_settings(
            {
                "driver": "lines",
                "device": "/dev/x",
                "ptt": "RTS",
                "cor": "CTS",
                "radio_time_out": 60,
                **settings,
            }
        )


def test_a_server_that_goes_is_a_failed_device() -> None:
    port = Rfc2217Lines()
    port.start()
    line = driver(port, "RTS")
    line.open()
    port.stop()
    with pytest.raises(DriverError, match="the connection is gone"):
        poll_for(line, KeyAnswered)
    line.close()
    with pytest.raises(DriverError, match="cannot be opened"):
        line.open()


def test_a_remote_line_that_babbles_does_no_harm_and_takes_no_memory(history: LineHistory) -> None:
    port = Rfc2217Lines(log=history)
    port.start()
    line = driver(port, "RTS")
    line.open()
    for _ in range(64):
        port.babble(bytes(range(256)) * 4)
    port.set_cor(active=True)
    opened = poll_for(line, CorChanged)
    line.key()
    line.unkey()
    held = line._port
    assert isinstance(held, RemotePort)
    assert held.in_waiting <= UNREAD_BYTES
    line.close()
    port.stop()
    assert isinstance(opened, CorChanged)
    assert opened.active
    assert [change.value for change in history.of("PTT")] == [True, False]


def test_a_server_that_freezes_fails_the_unkey_in_time_for_the_watchdog() -> None:
    port = Rfc2217Lines(ptt="DTR!RTS")
    port.start()
    line = driver(port, "DTR!RTS")
    line.open()
    line.key()
    port.frozen = True
    with pytest.raises(DriverError, match="cannot be set"):
        line.unkey()
    port_open = line._port
    assert isinstance(port_open, RemotePort)
    assert port_open._network_timeout == 0.0
    line.close()
    port.frozen = False
    until(lambda: not port.ptt)
    port.stop()


def test_a_pty_has_no_lines_and_says_so() -> None:
    radio = CcdiRadio()
    radio.start()
    line = LinesInterface.from_settings({"device": radio.path, "ptt": "RTS", "radio_time_out": 60})
    with pytest.raises(DriverError, match=radio.path):
        line.open()
    line.close()
    radio.stop()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ptt": "RTS", "radio_time_out": 60}, "'device' is missing"),
        ({"device": "x", "ptt": "CTS"}, "'ptt' is 'CTS'"),
        ({"device": "x", "ptt": "RTS", "radio_time_out": 60, "cor": "RTS"}, "'cor' is 'RTS'"),
        ({"device": "x", "ptt": "!DTR"}, "radio_time_out"),
        ({"device": "x", "ptt": "DTR!RTS"}, "radio_time_out"),
        ({"device": "x", "ptt": "!RTS", "radio_time_out": 0}, "at most 60"),
        ({"device": "x", "ptt": "RTS", "key": 1}, "unknown setting 'key'"),
    ],
)
def test_wrong_settings_say_what_is_right(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LinesInterface.from_settings(settings)


@pytest.mark.parametrize("ptt", ["RTS", "DTR!RTS", "!DTR"])
def test_a_line_whose_timer_is_declared_is_taken(ptt: str) -> None:
    settings = {"device": "x", "ptt": ptt, "radio_time_out": 30}
    assert LinesInterface.from_settings(settings) is not None
