import numpy as np

from radiobridge_sim.air import Air, AirUnit, Emission, Reception
from radiobridge_sim.sound import STEP, Pcm, level_dbfs

HERE, THERE = 151_137_500, 154_452_500


def tone(value: int) -> Pcm:
    return np.full(STEP, value, np.int16)


class Unit(AirUnit):
    """Sends what it is told, keeps what it hears."""

    def __init__(
        self,
        name: str,
        hz: int,
        *,
        sends: int | None = None,
        power_db: float = 0.0,
        full_duplex: bool = False,
    ) -> None:
        super().__init__(name, tx_hz=hz, power_db=power_db, full_duplex=full_duplex)
        self.sends = sends
        self.heard: list[Reception] = []

    def emit(self, step: int) -> Emission | None:
        assert step == len(self.heard)
        return None if self.sends is None else Emission(tone(self.sends))

    def hear(self, step: int, reception: Reception) -> None:
        assert step == len(self.heard)
        self.heard.append(reception)


def test_a_unit_is_heard_on_its_frequency_only() -> None:
    talker, near, far = Unit("a", HERE, sends=5000), Unit("b", HERE), Unit("c", THERE)
    Air([talker, near, far]).advance()
    assert near.heard[0].carrier
    assert abs(near.heard[0].samples.astype(int) - 5000).max() < 100
    assert not far.heard[0].carrier
    assert not far.heard[0].samples.any()


def test_a_transmitting_unit_is_deaf() -> None:
    one, other = Unit("a", HERE, sends=5000), Unit("b", HERE, sends=6000)
    Air([one, other]).advance()
    assert not one.heard[0].carrier
    assert not other.heard[0].carrier


def test_full_duplex_hears_others_but_not_itself() -> None:
    one, other = Unit("a", HERE, sends=5000, full_duplex=True), Unit("b", HERE, sends=6000)
    Air([one, other]).advance()
    assert one.heard[0].carrier
    assert abs(one.heard[0].samples.astype(int) - 6000).max() < 100


def test_the_stronger_carrier_captures_the_receiver() -> None:
    weak, strong = Unit("a", HERE, sends=5000), Unit("b", HERE, sends=-6000, power_db=10.0)
    ear = Unit("c", HERE)
    Air([weak, strong, ear]).advance()
    assert abs(ear.heard[0].samples.astype(int) + 6000).max() < 100


def test_carriers_of_like_strength_collide() -> None:
    one, other = Unit("a", HERE, sends=5000), Unit("b", HERE, sends=-5000, power_db=3.0)
    ear = Unit("c", HERE)
    Air([one, other, ear]).advance()
    heard = ear.heard[0]
    assert heard.carrier
    assert level_dbfs(heard.samples) > -30.0
    assert abs(heard.samples.astype(int) - 5000).max() > 1000


def test_no_carrier_is_digital_silence() -> None:
    ear = Unit("c", HERE)
    air = Air([ear])
    air.advance()
    air.advance()
    assert air.step == 2
    assert not any(r.carrier or r.samples.any() for r in ear.heard)
