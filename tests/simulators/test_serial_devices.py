"""What the simulated devices do on the wire, without any driver of ours."""

import os
import select
import socket
import time
import tty
from collections.abc import Iterator

import numpy as np
import pytest
import serial

from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from radiobridge_sim.serial.log import LineChange, LineHistory
from radiobridge_sim.serial.rfc2217_lines import Rfc2217Lines
from radiobridge_sim.serial.usrp_peer import KeysOn, UsrpPeer
from radiobridge_sim.usrp import pack

pytestmark = pytest.mark.real

LIMIT_S = 10.0


def test_a_history_waits_for_its_line_its_value_and_its_time() -> None:
    history = LineHistory()
    for at, value in ((1.0, True), (2.0, False), (3.0, True)):
        history(LineChange(at, "PTT", value, "test"))
    history(LineChange(9.0, "COR", True, "test"))
    found = history.wait("PTT", value=True, after=1.5)
    assert found is not None
    assert found.at == 3.0
    assert history.wait("PTT", value=False, after=2.5, limit_s=0.0) is None
    assert len(history.of("COR")) == 1


class Terminal:
    """A terminal program on the radio's serial line."""

    def __init__(self, radio: CcdiRadio) -> None:
        self._fd = os.open(radio.path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)

    def ask(self, command: bytes, answer: bytes) -> None:
        os.write(self._fd, command)
        got = b""
        while not got.endswith(answer):
            ready, _, _ = select.select([self._fd], [], [], LIMIT_S)
            assert ready, got
            got += os.read(self._fd, 100)
        assert got == answer

    def close(self) -> None:
        os.close(self._fd)


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
def terminal(radio: CcdiRadio) -> Iterator[Terminal]:
    terminal = Terminal(radio)
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"f0430096A\r", b"."),
        (b"q010FE\r", b"m0813102.03A3\r."),
        (b"q010FF\r", b"e03002A6\r."),
        (b"z0026\r", b"e03001A7\r."),
        (b"f03041A2\rf0430096A\r", b".p0207C7\r."),
    ],
)
def test_commands_are_answered_as_the_manual_says(
    terminal: Terminal, command: bytes, answer: bytes
) -> None:
    terminal.ask(command, answer)


def test_a_timed_press_is_prolonged_by_the_next_and_then_ends(
    radio: CcdiRadio, terminal: Terminal, history: LineHistory
) -> None:
    for _ in range(3):
        terminal.ask(b"f04300271\r", b".")
        time.sleep(0.1)
    off = history.wait("PTT", value=False, after=0.0)
    assert off is not None
    on = history.of("PTT")[0]
    assert off.cause == "press-ended"
    assert off.at - on.at >= 0.44
    assert not radio.ptt


def test_a_constant_press_outlives_the_line(radio: CcdiRadio, terminal: Terminal) -> None:
    terminal.ask(b"f0430096A\r", b".")
    radio.vanish()
    assert radio.ptt


def test_a_radio_told_of_nobody_and_deaf_to_off_keeps_transmitting(
    radio: CcdiRadio, terminal: Terminal
) -> None:
    radio.deaf_to_off = True
    terminal.ask(b"f0430096A\r", b".")
    terminal.ask(b"f04300073\r", b".")
    assert radio.ptt


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)")  # pyserial 3.5 names its thread the old way
def test_pyserials_own_client_sees_and_sets_the_lines(history: LineHistory) -> None:
    device = Rfc2217Lines(ptt="RTS", cor="DSR", log=history)
    device.start()
    port = serial.serial_for_url(device.url, do_not_open=True)
    port.dtr = False
    port.rts = False
    port.open()
    port.rts = True
    assert device.ptt
    device.set_cor(active=True)
    end = time.monotonic() + LIMIT_S
    while not port.dsr:
        assert time.monotonic() < end
        time.sleep(0.005)
    port.close()
    off = history.wait("PTT", value=False, after=0.0)
    device.stop()
    assert off is not None
    assert off.cause == "disconnect"


def test_a_peer_drops_when_the_stream_stops_and_obeys_what_it_is_told_to() -> None:
    history = LineHistory()
    peer = UsrpPeer(keys_on=KeysOn.VOICE, log=history)
    peer.start()
    host, _, port = peer.address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(pack(1, None, keyed=True), (host, int(port)))
        sender.sendto(pack(2, np.zeros(160, dtype=np.int16), keyed=False), (host, int(port)))
    off = history.wait("PTT", value=False, after=0.0)
    peer.stop()
    assert off is not None
    assert off.cause == "stream-gone"
    assert [change.value for change in history.of("PTT")] == [True, False]
