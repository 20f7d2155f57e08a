"""Each measurement does what it says: its own checks hold, whatever it costs."""

from pathlib import Path

import pytest

from radiobridge_sim.bench import cast, micro_gateway, micro_voice
from radiobridge_sim.bench.micro import run_micro
from radiobridge_sim.bench.micro_voice import GARBAGE_US
from radiobridge_sim.bench.station import Station
from radiobridge_sim.bench.stopwatch import Micro


@pytest.mark.parametrize("micro", micro_voice.micros(), ids=lambda micro: micro.id)
def test_a_batch_of_the_pure_parts_runs(micro: Micro) -> None:
    batch = micro.batch()
    batch.run()
    assert batch.calls > 0


@pytest.mark.parametrize("micro", micro_gateway.micros(), ids=lambda micro: micro.id)
async def test_a_batch_of_a_gateways_way_runs(micro: Micro) -> None:
    batch = micro.batch()
    batch.run()
    assert batch.calls > 0


def test_each_kind_of_garbage_has_its_target() -> None:
    garbage = [micro for micro in micro_voice.micros() if micro.id.startswith("garbage")]
    assert len(garbage) == 5
    assert all(micro.limit_us == GARBAGE_US for micro in garbage)


async def test_a_station_that_hears_nobody_sends_nothing() -> None:
    station = Station()
    for n, frame in enumerate(cast.speech()[:20]):
        station.radio.audio(frame, n * 0.02)
    station.close()
    assert station.link.sent == 0


@pytest.mark.real
def test_everything_is_measured_once_and_named(tmp_path: Path) -> None:
    costs = run_micro(tmp_path, 1, lambda _doing: None)
    ids = [cost.micro.id for cost in costs]
    assert len(set(ids)) == len(ids)
    assert {"opus-encode", "plane-send", "publish-loopback", "publish-mqtt"} <= set(ids)
    assert all(cost.micro.name.en and cost.micro.name.fr for cost in costs)
