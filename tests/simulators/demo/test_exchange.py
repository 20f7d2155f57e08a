"""What an exchange and a silence report, over two donor radios wired back to back or not at all."""

from pathlib import Path

import pytest

from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.air import Air
from radiobridge_sim.demo.exchange import exchange, silence
from radiobridge_sim.handheld import Said
from radiobridge_sim.measure import percentile
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.sound import RATE, STEP, STEP_S, Pcm
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket
from radiobridge_sim.world import World

WIRE_S = 0.001


class Wire(UsrpSocket):
    """Hands every packet to the other radio 1 ms later, in virtual time; or loses it."""

    def __init__(self, world: "VirtualWorld") -> None:
        self.world = world
        self.other: DonorRadio | None = None
        self.lost: set[int] = set()
        self.sent = 0

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        self.sent += 1
        if self.other is None or self.sent in self.lost:
            return
        at = self.world.zero + (self.world.virtual.step + 1) * STEP_S + WIRE_S
        self.other.take(UsrpPacket(keyed, None if samples is None else samples.copy(), at))


class VirtualWorld(World):
    """Two sides whose donor radios are joined by a wire instead of gateways."""

    def __init__(self, folder: Path, *, joined: bool) -> None:
        super().__init__(folder, (OPP, CBP))
        self.wires = {side.unit: Wire(self) for side in self.sides}
        donors = {
            side.unit: DonorRadio(
                side.donor,
                hz=side.hz,
                settings=DonorSettings(keying=Keying.USRP, playout_s=0.005),
                socket=self.wires[side.unit],
                log=self.lines,
                zero=self.zero,
            )
            for side in self.sides
        }
        if joined:
            self.wires[OPP.unit].other = donors[CBP.unit]
            self.wires[CBP.unit].other = donors[OPP.unit]
        units = [self.unit(side) for side in self.sides]
        self.virtual = Air([*donors.values(), *units])

    def say(self, side: Side, phrase: str) -> Said:
        said = self.unit(side).say(phrase, self._phrases[phrase], step=self.virtual.step + 3)
        while self.virtual.step * STEP < said.end + RATE // 2:
            self.virtual.advance()
        return said

    def pause(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.virtual.advance()


def test_a_phrase_across_is_whole_and_as_late_as_frame_wire_and_buffer(tmp_path: Path) -> None:
    world = VirtualWorld(tmp_path, joined=True)
    found = exchange(world, CBP, "dont-shoot-en")
    assert found.measured.whole
    assert percentile(found.measured.lags_ms, 50) == pytest.approx(26.0, abs=0.2)
    assert (found.source, found.target) == (CBP, OPP)
    # COR is told at the end of the step, PTT comes with the frame that holds it.
    assert found.cor_to_ptt_ms is not None
    assert 1.0 - 1e-6 <= found.cor_to_ptt_ms <= 16.1


def test_a_lost_packet_is_missing(tmp_path: Path) -> None:
    world = VirtualWorld(tmp_path, joined=True)
    world.wires[CBP.unit].lost = {30}
    found = exchange(world, CBP, "dont-shoot-en")
    assert not found.measured.whole
    assert found.measured.missing_frames == 1


def test_silence_holds_when_nothing_crosses(tmp_path: Path) -> None:
    world = VirtualWorld(tmp_path, joined=False)
    found = silence(world, CBP, "radio-check-en")
    assert found.held
    assert found.target is OPP


def test_a_leak_is_no_silence(tmp_path: Path) -> None:
    world = VirtualWorld(tmp_path, joined=True)
    found = silence(world, CBP, "radio-check-en")
    assert not found.held
    assert found.keyed == 1
    assert found.carrier_s > 1.0
    assert not found.silent


def test_nothing_heard_is_no_exchange(tmp_path: Path) -> None:
    world = VirtualWorld(tmp_path, joined=False)
    found = exchange(world, OPP, "ne-tirez-pas-fr")
    assert not found.measured.whole
    assert found.cor_to_ptt_ms is None
    assert found.measured.matches == ()
