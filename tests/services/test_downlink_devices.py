"""What the way down does for the device at its end: one that the voice keys, one that runs dry."""

import pytest

from radiobridge.core.jitter import JitterSettings
from radiobridge.model.voice import FRAME_S
from tests.services.down_bench import DownBench, plain
from tests.services.voices import claim, loud, spurt

LONG_SPURT = 70


def usrp(jitter: JitterSettings | None = None) -> DownBench:
    """Return a radio that is on the air with the first frame, and says nothing."""
    return DownBench(plain(), grants=True, keyed_by_voice=True, jitter=jitter or JitterSettings())


def test_silence_brings_a_radio_that_voice_keys_on_the_air_while_no_voice_is_there() -> None:
    bench = usrp()
    bench.hear(spurt(20, quiet=1))
    bench.wait(1.0)
    first, second = bench.audio.played[:2]
    assert not loud([first.samples])[0]
    assert first.at == pytest.approx(100.010)
    assert second.at == pytest.approx(first.at + FRAME_S)
    assert len(bench.audio.played) == 20


def test_no_silence_is_sent_before_voice_that_is_there() -> None:
    bench = usrp()
    packets = spurt(20, quiet=1)
    for packet in packets[:2]:
        bench.down.play(packet.claim, packet, bench.now)
    bench.wait(FRAME_S)
    bench.hear(packets[2:])
    bench.wait(1.0)
    assert loud([bench.audio.played[0].samples])[0]
    assert len(bench.audio.played) == 19


def test_a_radio_that_a_line_keys_is_sent_no_silence_first() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(20, quiet=1))
    bench.wait(1.0)
    assert loud([bench.audio.played[0].samples])[0]
    assert len(bench.audio.played) == 19


def test_once_on_the_air_no_silence_is_sent_first() -> None:
    bench = usrp()
    bench.hear(spurt(20))
    bench.hear(spurt(20, of=claim(600), quiet=1))
    bench.wait(1.0)
    assert bench.line.changes() == ["key", "unkey"]
    assert len(bench.audio.played) == 39


def test_each_time_it_is_keyed_silence_may_bring_it_on_the_air() -> None:
    bench = usrp()
    for n in range(2):
        bench.hear(spurt(20, of=claim(n * 5000), quiet=1))
        bench.wait(3.0)
    assert bench.line.changes() == ["key", "unkey"] * 2
    assert len(bench.audio.played) == 40


def test_what_comes_in_time_goes_to_the_device_as_it_comes() -> None:
    bench = DownBench(plain(), jitter=JitterSettings(ahead_s=0.015))
    handed_over = []
    for packet in spurt(20, end=False):
        bench.down.play(packet.claim, packet, bench.now)
        handed_over.append(bench.down.counters["played"])
        bench.wait(FRAME_S)
    assert handed_over == [0, *range(2, 21)]
    starts = [one.at for one in bench.audio.played]
    assert starts == [pytest.approx(100.010 + n * FRAME_S) for n in range(20)]


def test_the_next_spurt_profits_from_what_the_one_before_has_taught() -> None:
    bench = DownBench(plain())
    bench.hear(spurt(LONG_SPURT))
    bench.wait(3.0)
    second_at = bench.now
    bench.hear(spurt(5, of=claim(5000)))
    bench.wait(1.0)
    assert bench.audio.played[LONG_SPURT].at == pytest.approx(second_at + 0.005)
