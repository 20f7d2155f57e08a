"""Two gateways over brokers that lose, delay and double: what is played, and for whom is keyed."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiobridge.model.ids import RadioName, parse_talkgroup
from radiobridge.model.voice import PcmFrame
from tests.services.fakes import FakeBroker
from tests.services.radios import Radio
from tests.services.virtual_time import in_virtual_time
from tests.services.voice_world import River, alone
from tests.services.voices import BORDER, RATE, TAC1

SECRET = parse_talkgroup("us.cbp/SECRET")
"""A talkgroup of detroit that is joined with nothing."""

Talk = list[tuple[float, float]]
"""Pauses and how long is spoken after each, in s."""


class Numbers:
    """Stands for an encoder: no two packets are alike, and each says whose it is."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._number = 0

    def encode(self, _frame: PcmFrame) -> bytes:
        self._number += 1
        return f"{self._whose} {self._number:06}".encode()

    def reset(self) -> None:
        pass


class Ear:
    """Stands for a decoder: notes what is played."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def decode(self, packet: bytes) -> PcmFrame:
        self.heard.append(packet.decode())
        return np.full(RATE // 50, 20_000, dtype=np.int16) * (-1) ** np.arange(RATE // 50)

    def conceal(self) -> PcmFrame:
        return np.zeros(RATE // 50, dtype=np.int16)

    def reset(self) -> None:
        pass


@dataclass
class World:
    """The river with numbered voice, a talkgroup apart, and brokers of an evil mind."""

    seed: int
    loss: float
    river: River = field(default_factory=lambda: River((FakeBroker(), FakeBroker())))
    ears: dict[str, Ear] = field(default_factory=dict)
    parted: list[tuple[str, int, int]] = field(default_factory=list)
    """Radio, and how often it was keyed before the two were parted, and before joined again."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.secret = self.river.detroit.add_radio("secret", SECRET)
        self.radios = {"tac1": self.river.tac1, "border": self.river.border, "secret": self.secret}
        for name, radio in self.radios.items():
            self.ears[name] = Ear()
            devices: Any = radio.runner
            devices.up._encoder = Numbers(name)
            devices.down._decoder = self.ears[name]
        for broker in self.river.brokers:
            broker.fate = self._fate

    def _fate(self, _topic: str) -> Iterable[float]:
        """Lose, delay for a moment or for seconds, or double a packet."""
        if self._random.random() < self.loss:
            return ()
        copies = 2 if self._random.random() < 0.1 else 1
        return tuple(self._delay() for _ in range(copies))

    def _delay(self) -> float:
        if self._random.random() < 0.02:
            return self._random.uniform(0.0, 3.0)
        return self._random.uniform(0.0, 0.08)

    def join(self) -> None:
        self.river.join()
        # detroit's other talkgroup stays by itself, with a key that nobody has.
        self._keep_secret()

    async def part(self, seconds: float) -> None:
        self.river.windsor.plane.apply(alone(TAC1, "tac1"))
        self.river.detroit.plane.apply(alone(BORDER, "border"))
        self._keep_secret()
        assert not any(radio.line.keyed for radio in self.radios.values())
        before = {name: len(radio.line.times("key")) for name, radio in self.radios.items()}
        await asyncio.sleep(seconds)
        for name, radio in self.radios.items():
            self.parted.append((name, before[name], len(radio.line.times("key"))))
        self.join()

    def _keep_secret(self) -> None:
        plane: Any = self.river.detroit.plane
        known = plane._map
        names = known.receivers | {RadioName("secret")}
        groups = (*known.groups, frozenset({SECRET}))
        plane.apply(type(known)(**{f: getattr(known, f) for f in known.__slots__}
                                | {"groups": groups, "receivers": names}))  # fmt: skip

    async def talk(self, name: str, script: Talk) -> None:
        radio = self.radios[name]
        for pause_s, length_s in script:
            await asyncio.sleep(pause_s)
            await radio.talk(length_s)


async def live(world: World, scripts: dict[str, Talk], parts: list[float]) -> None:
    await world.river.start(join=False)
    world.join()
    talking = [asyncio.create_task(world.talk(name, script)) for name, script in scripts.items()]
    for after_s in parts:
        await asyncio.sleep(after_s)
        await world.part(0.3)
    await asyncio.gather(*talking)
    await asyncio.sleep(8)


def check(world: World) -> None:
    assert world.ears["secret"].heard == []
    assert world.secret.line.log == []
    for _name, before, after in world.parted:
        assert after == before, "keyed while parted"
    for name, said_by in (("tac1", "border"), ("border", "tac1")):
        _check_radio(world, world.radios[name], world.ears[name].heard, said_by)


def _check_radio(world: World, radio: Radio, heard: list[str], said_by: str) -> None:
    assert {packet.split()[0] for packet in heard} <= {said_by}
    assert len(heard) == len(set(heard)), "played twice"
    if not world.parted:
        # Whoever is joined again may hear the late rest of what was taken away.
        assert heard == sorted(heard), "played out of order"
    assert not radio.line.keyed
    assert "lease" not in radio.line.changes()
    assert radio.line.longest_without_renewal() <= 0.06
    assert radio.runner.errors == 0


SPEECH = st.lists(
    st.tuples(st.floats(0.0, 1.5), st.floats(0.06, 0.8)), min_size=1, max_size=4
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    tac1=SPEECH,
    border=SPEECH,
    secret=SPEECH,
    parts=st.lists(st.floats(0.1, 1.5), max_size=2),
)
def test_nothing_is_played_twice_and_nobody_keyed_for_who_is_not_routed(
    seed: int, loss: float, tac1: Talk, border: Talk, secret: Talk, parts: list[float]
) -> None:
    @in_virtual_time
    async def run() -> None:
        world = World(seed, loss)
        scripts = {"tac1": tac1, "border": border, "secret": secret}
        await live(world, scripts, parts)
        check(world)

    run()
