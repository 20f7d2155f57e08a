import numpy as np
import pytest

from radiobridge_sim.air import Air
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.serial.usrp_peer import KeysOn
from radiobridge_sim.sound import FRAME, RATE, STEP, STEP_S, Pcm
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket

HZ = 151_137_500
ZERO = 1000.0


class FakeSocket(UsrpSocket):
    """Keeps what is sent, with the step in which it was."""

    def __init__(self) -> None:
        self.sent: list[tuple[Pcm | None, bool, int]] = []
        self.step = 0

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        self.sent.append((None if samples is None else samples.copy(), keyed, self.step))


class Bench:
    """A donor radio and a handheld on one frequency, in virtual time."""

    def __init__(self, settings: DonorSettings) -> None:
        self.log = LineLog()
        self.socket = FakeSocket()
        self.radio = DonorRadio(
            "donor", hz=HZ, settings=settings, socket=self.socket, log=self.log, zero=ZERO
        )
        self.unit = Handheld("opp-12", hz=HZ)
        self.air = Air([self.radio, self.unit])

    def run(self, until_s: float) -> None:
        while self.air.step * STEP_S < until_s - 1e-9:
            self.socket.step = self.air.step
            self.air.advance()

    def voice(self, at_s: float, value: int = 5000) -> None:
        self.radio.take(UsrpPacket(True, np.full(FRAME, value, np.int16), ZERO + at_s))

    def end(self, at_s: float) -> None:
        self.radio.take(UsrpPacket(False, None, ZERO + at_s))

    def line(self, name: str) -> list[tuple[float, int, str]]:
        return [(round(e.t, 6), e.value, e.cause) for e in self.log.events("donor", name)]


def usrp(**changes: float | KeysOn) -> DonorSettings:
    return DonorSettings(keying=Keying.USRP, playout_s=0.005, **changes)  # type: ignore[arg-type]  # test shorthand


def serial(**changes: float) -> DonorSettings:
    return DonorSettings(keying=Keying.SERIAL, playout_s=0.005, **changes)  # type: ignore[arg-type]  # same


def test_a_voice_packet_keys_and_a_header_unkeys_once_all_is_played() -> None:
    bench = Bench(usrp())
    bench.run(0.1)
    bench.voice(0.101)
    bench.run(0.12)
    bench.voice(0.121)
    bench.run(0.14)
    bench.end(0.141)
    bench.run(0.3)
    assert bench.line("PTT") == [(0.101, 1, "voice"), (0.146, 0, "end")]
    heard = bench.unit.heard.samples()
    loud = np.flatnonzero(heard > 2500)
    assert loud[0] == round(0.106 * RATE)
    assert len(loud) == 2 * FRAME


def test_a_header_that_says_so_keys_a_dvswitch_program_before_any_voice() -> None:
    bench = Bench(usrp(keys_on=KeysOn.FLAG))
    bench.run(0.1)
    bench.radio.take(UsrpPacket(True, None, ZERO + 0.1))
    bench.run(0.13)
    bench.voice(0.13)
    bench.end(0.151)
    bench.run(0.3)
    assert bench.line("PTT") == [(0.1, 1, "flag"), (0.155, 0, "end")]
    carrier = bench.unit.heard_carrier
    assert [(h.start, h.end) for h in carrier] == [(800, 1240)]


def test_no_header_keys_an_allstarlink_node() -> None:
    bench = Bench(usrp())
    bench.run(0.1)
    bench.radio.take(UsrpPacket(True, None, ZERO + 0.1))
    bench.voice(0.13)
    bench.radio.take(UsrpPacket(True, None, ZERO + 0.14))
    bench.end(0.151)
    bench.run(0.3)
    assert bench.line("PTT") == [(0.13, 1, "voice"), (0.155, 0, "end")]


def test_a_stream_that_stops_unkeys() -> None:
    bench = Bench(usrp())
    bench.run(0.1)
    bench.voice(0.1)
    bench.run(0.5)
    (on, off) = bench.line("PTT")
    assert on == (0.1, 1, "voice")
    assert off[1:] == (0, "stream stopped")
    assert 0.2 <= off[0] <= 0.206


def test_serial_key_drops_the_carrier_at_once() -> None:
    bench = Bench(serial())
    bench.radio.ptt(True, ZERO + 0.0501, "press")
    bench.run(0.06)
    bench.voice(0.0601)
    bench.voice(0.0602)
    bench.radio.ptt(False, ZERO + 0.0801, "release")
    bench.run(0.3)
    assert bench.line("PTT") == [(0.0501, 1, "press"), (0.0801, 0, "release")]
    heard = bench.unit.heard.samples()
    loud = np.flatnonzero(heard > 2500)
    assert loud[0] == round(0.0651 * RATE)
    assert loud[-1] == round(0.0801 * RATE) - 1


def test_sound_without_a_key_is_never_on_the_air() -> None:
    bench = Bench(serial())
    for n in range(10):
        bench.voice(0.02 * n)
    bench.run(0.4)
    assert bench.unit.heard_carrier == []
    assert bench.line("PTT") == []


def test_key_up_time_loses_what_is_played_before_it() -> None:
    bench = Bench(serial(key_up_s=0.03))
    bench.radio.ptt(True, ZERO, "press")
    bench.voice(0.0)
    bench.voice(0.02)
    bench.run(0.1)
    heard = bench.unit.heard.samples()
    assert int(np.flatnonzero(heard > 2500)[0]) == round(0.03 * RATE)


def test_usrp_sends_voice_only_while_its_receiver_is_open() -> None:
    bench = Bench(usrp())
    words = np.full(2 * FRAME, 7000, np.int16)
    said = bench.unit.say("x", words, step=10)
    bench.run(0.5)
    sent = bench.socket.sent
    assert [(s is None, keyed) for s, keyed, _ in sent] == [
        (False, True),
        (False, True),
        (False, True),
        (True, False),
    ]
    stream = np.concatenate([s for s, _, _ in sent if s is not None])
    loud = np.flatnonzero(stream > 3500)
    assert len(loud) == 2 * FRAME
    assert loud[0] == said.start % FRAME
    assert bench.line("COR") == [(0.055, 1, "carrier"), (0.095, 0, "carrier")]


def test_serial_radio_sends_sound_always_and_tells_cor() -> None:
    bench = Bench(serial())
    told: list[bool] = []
    bench.radio.on_cor = told.append
    bench.unit.say("x", np.full(FRAME, 7000, np.int16), step=10)
    bench.run(0.2)
    assert [step for _, _, step in bench.socket.sent] == list(range(3, 40, 4))
    assert told == [True, False]


def test_cor_delay_holds_cor_back_but_not_the_sound() -> None:
    bench = Bench(serial(cor_delay_s=0.05))
    bench.unit.say("x", np.full(20 * STEP, 7000, np.int16), step=0)
    bench.run(0.2)
    assert bench.line("COR") == [(0.055, 1, "carrier"), (0.105, 0, "carrier")]
    first = bench.socket.sent[0][0]
    assert first is not None
    assert (first > 3500).all()


def test_a_keyed_half_duplex_radio_is_deaf() -> None:
    bench = Bench(serial())
    bench.radio.ptt(True, ZERO, "press")
    bench.unit.say("x", np.full(20 * STEP, 7000, np.int16), step=5)
    bench.run(0.3)
    assert bench.line("COR") == []


@pytest.mark.parametrize("grid", [0, 1, 2, 3])
def test_a_frame_leaves_in_the_step_that_fills_it(grid: int) -> None:
    bench = Bench(serial(grid_steps=grid))
    bench.run(0.2)
    assert all((step - grid) % 4 == 3 for _, _, step in bench.socket.sent)
