"""Voice over bad networks and two brokers, in virtual time, with the simulators' weather."""

import asyncio
from dataclasses import dataclass, field

import pytest

from radiobridge.core.floor import FloorChange
from radiobridge.model.voice import FRAME_S
from radiobridge_sim.weather import Impairment, Lane
from tests.services.fakes import FakeBroker, FakeClock
from tests.services.radios import Radio
from tests.services.virtual_time import START_S, in_virtual_time, now
from tests.services.voice_world import River

STALLS = Impairment(delay_s=0.02, stall_every_s=5.0, stall_s=0.35)
ROUGH = Impairment(delay_s=0.05, jitter_s=0.08, loss=0.03)
PACKET = 150
BEST_S = 0.2
"""From the microphone to the antenna without a network: lead-in, tail of the preroll, a frame."""


@dataclass
class Network:
    """Brokers, each behind weather of its own."""

    impairments: tuple[Impairment, ...]
    brokers: tuple[FakeBroker, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.brokers = tuple(FakeBroker() for _ in self.impairments)
        for number, impairment in enumerate(self.impairments):
            self.set(number, impairment)

    def set(self, number: int, impairment: Impairment) -> None:
        lane, last = Lane(impairment, f"1/{number}/up"), 0.0

        def fate(_topic: str) -> tuple[float, ...]:
            nonlocal last
            since = now() - START_S
            # Timers of the same instant fire in any order; TCP keeps it.
            last = max(lane.leaves_at(PACKET, since), last + 1e-6)
            return (last - since,)

        self.brokers[number].fate = fate


def lags_s(radio: Radio, began: float) -> list[float]:
    """Return how late each frame on the air is, should nothing be missing or left out."""
    return [one.at - began - n * FRAME_S for n, one in enumerate(radio.spoken())]


def floors(river: River) -> list[list[FloorChange]]:
    return [[event.change for event in side.told] for side in (river.windsor, river.detroit)]


ONCE = [FloorChange.TAKEN, FloorChange.ENDED]


@in_virtual_time
async def test_stalls_of_350_ms_key_once_for_each_spurt_and_the_floor_does_not_flap() -> None:
    network = Network((STALLS,))
    river = River(network.brokers)
    await river.start()
    for _ in range(3):
        await river.border.talk(16.0)
        await asyncio.sleep(2.0)
    assert river.tac1.line.changes() == ["key", "unkey"] * 3
    assert floors(river) == [ONCE * 3] * 2
    assert len(river.tac1.spoken()) >= 3 * 800 - 6
    counters = river.tac1.runner.status()["counters"]
    assert counters["lost"] == 0
    assert river.windsor.count("alarm-unproven") == 0


@in_virtual_time
async def test_delay_grows_by_the_longest_stall_and_no_more() -> None:
    network = Network((STALLS,))
    river = River(network.brokers)
    await river.start()
    began = now()
    await river.border.talk(29.0)
    await asyncio.sleep(2.0)
    late = lags_s(river.tac1, began)
    assert max(late) <= BEST_S + STALLS.stall_s + 0.05
    # Five stalls have cost as much as one.
    assert late[-1] <= BEST_S + STALLS.stall_s + 0.05


@in_virtual_time
async def test_what_a_stall_has_cost_is_given_back_in_the_pauses_of_speech() -> None:
    network = Network((Impairment(delay_s=0.02),))
    river = River(network.brokers)
    await river.start()
    river.border.cor(active=True)
    await river.border.speak(1.0)
    network.set(0, Impairment(delay_s=0.02, stall_every_s=1.0, stall_s=0.35))
    await river.border.speak(0.5)
    network.set(0, Impairment(delay_s=0.02))
    await river.border.speak(0.5)
    before = _depth_s(river.tac1)
    await river.border.quiet(1.0)
    await river.border.speak(0.5)
    after = _depth_s(river.tac1)
    assert before > 0.25
    assert after < before - 0.2


def _depth_s(radio: Radio) -> float:
    current = radio.runner.down._current
    assert current is not None
    return current.jitter.depth_s


@in_virtual_time
async def test_a_rough_network_plays_nearly_all_and_its_delay_stays() -> None:
    network = Network((ROUGH,))
    river = River(network.brokers)
    await river.start()
    began = now()
    await river.border.talk(29.0)
    await asyncio.sleep(2.0)
    assert river.tac1.line.changes() == ["key", "unkey"]
    assert floors(river) == [ONCE] * 2
    assert len(river.tac1.spoken()) >= 1448
    late = lags_s(river.tac1, began)
    assert max(late) <= BEST_S + ROUGH.delay_s + ROUGH.jitter_s + ROUGH.repeat_s + 0.05


@in_virtual_time
async def test_of_two_networks_the_better_one_counts() -> None:
    """One delays by 300 ms, stalls and loses; nobody hears of it."""
    worse = Impairment(delay_s=0.3, jitter_s=0.2, loss=0.1, stall_every_s=2.0, stall_s=0.9)
    network = Network((Impairment(delay_s=0.02), worse))
    river = River(network.brokers)
    await river.start()
    began = now()
    await river.border.talk(30.0)
    await asyncio.sleep(2.0)
    late = lags_s(river.tac1, began)
    assert len(late) >= 1498
    assert max(late) <= BEST_S + 0.05
    assert river.tac1.runner.status()["counters"]["concealed"] == 0
    assert river.tac1.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_two_networks_that_stall_in_turn_are_one_that_does_not() -> None:
    network = Network((Impairment(), Impairment()))
    river = River(network.brokers)
    await river.start()
    network.set(0, Impairment(delay_s=0.02, stall_every_s=1.0, stall_s=0.4))
    network.set(1, Impairment(delay_s=0.02, stall_every_s=1.5, stall_s=0.2))
    began = now()
    await river.border.talk(20.0)
    await asyncio.sleep(2.0)
    late = lags_s(river.tac1, began)
    assert len(late) >= 998
    # Both stall together at every third second, for 200 ms.
    assert max(late) <= BEST_S + 0.2 + 0.05


@in_virtual_time
async def test_what_a_network_holds_for_long_is_never_heard() -> None:
    network = Network((Impairment(), Impairment()))
    river = River(network.brokers)
    await river.start()
    for number in (0, 1):
        network.set(number, Impairment(stall_every_s=4.0, stall_s=3.5))
    await asyncio.sleep(4.0 - (now() - START_S) % 4.0 - 0.5)
    began = now()
    await river.border.talk(1.5)
    await asyncio.sleep(6.0)
    spoken = [one.at for one in river.tac1.spoken()]
    assert spoken
    assert max(spoken) < began + 1.5
    assert river.windsor.count("voice-stale") + river.windsor.count("dropped-at-receiver") > 40


@in_virtual_time
async def test_voice_a_second_later_than_ever_is_dropped_until_a_new_start_does_not_help() -> None:
    network = Network((Impairment(delay_s=0.02),))
    river = River(network.brokers)
    await river.start()
    await river.border.talk(0.5)
    await asyncio.sleep(2.0)
    network.set(0, Impairment(delay_s=1.5))
    played = len(river.tac1.spoken())
    await river.border.talk(1.0)
    await asyncio.sleep(3.0)
    dropped = river.windsor.count("dropped-at-receiver")
    assert 10 <= dropped <= 13
    assert len(river.tac1.spoken()) - played == pytest.approx(50 - dropped, abs=2)
    assert river.windsor.links[0].voice_restarts == 1


@pytest.mark.parametrize(("behind_ms", "heard"), [(1500, True), (2500, False), (60_000, False)])
def test_a_partners_slow_clock_costs_one_new_start_and_no_more(behind_ms: int, heard: bool) -> None:
    @in_virtual_time
    async def run() -> None:
        river = River((FakeBroker(), FakeBroker()), clock=FakeClock(ahead_ms=-behind_ms))
        await river.start()
        for _ in range(5):
            await river.border.talk(2.0)
            await asyncio.sleep(2.0)
        assert sum(link.voice_restarts for link in river.windsor.links) == 1
        assert len(river.tac1.spoken()) == (pytest.approx(500, abs=10) if heard else 0)

    run()


@in_virtual_time
async def test_of_two_links_one_that_is_1500_ms_late_starts_anew_and_costs_nothing() -> None:
    network = Network((Impairment(delay_s=0.02), Impairment(delay_s=1.5)))
    river = River(network.brokers)
    await river.start()
    await river.border.talk(3.0)
    await asyncio.sleep(3.0)
    here, there = river.windsor.links
    assert (here.voice_restarts, there.voice_restarts > 0) == (0, True)
    assert len(river.tac1.spoken()) >= 148
    assert river.tac1.line.changes() == ["key", "unkey"]
