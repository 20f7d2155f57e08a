"""A radio that must be on one channel, and alarms that end with the device that raised them."""

import pytest

from radiobridge.core.squelch import SquelchSettings
from radiobridge.model.interface import ChannelReported, RadioAlarm
from radiobridge.services.holds import ChannelChange
from tests.services.radios import COR, VOX
from tests.services.test_radio import Bench
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import claim, spurt


@pytest.mark.parametrize("squelch", [COR, VOX])
@in_virtual_time
async def test_a_radio_on_a_wrong_channel_is_cut_both_ways_until_it_is_right(
    squelch: SquelchSettings,
) -> None:
    bench = Bench(squelch=squelch, channel="12")
    radio = await bench.radio()
    changes: list[ChannelChange] = []
    radio.runner.channel_changed = changes.append
    radio.line.tell(ChannelReported(channel="000012", at=now()))
    radio.cor(active=True)
    await radio.speak(0.3)
    assert len(bench.starts) == 1
    radio.line.tell(ChannelReported(channel="000013", at=now()))
    assert len(bench.ends) == 1
    assert radio.runner.status()["alarms"] == ["wrong-channel"]
    await radio.speak(0.5)
    radio.cor(active=False)
    await radio.talk(0.3)
    assert len(bench.starts) == 1
    await radio.play(spurt(10))
    assert radio.line.changes() == []
    radio.line.tell(ChannelReported(channel="", at=now()))
    assert radio.runner.off_channel
    radio.line.tell(ChannelReported(channel="12", at=now()))
    assert radio.runner.status()["alarms"] == []
    assert [(one.reported, one.wrong) for one in changes] == [("000013", True), ("12", False)]
    await radio.talk(0.3)
    assert len(bench.starts) == 2
    await radio.play(spurt(10, of=claim(start_ms=2000)))
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_a_keyed_radio_that_changes_its_channel_is_unkeyed_at_once() -> None:
    bench = Bench(channel="12")
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    changed_at = now()
    radio.line.tell(ChannelReported(channel="13", at=changed_at))
    assert radio.line.times("unkey")[-1] == changed_at


@in_virtual_time
async def test_a_lost_device_takes_its_alarms_with_it_and_none_of_ours() -> None:
    bench = Bench()
    radio = await bench.radio()
    told: list[RadioAlarm] = []
    radio.runner.alarmed = told.append
    for kind in ("donor-emergency", "ptt-stuck", "restarted", "error"):
        radio.line.tell(RadioAlarm(kind=kind, active=True, at=now()))
    radio.runner.suspect_loop()
    radio.runner.open_loop("echo")
    radio.lose_interface()
    assert radio.runner.status()["alarms"] == ["loop", "loop-suspected"]
    assert all(event.active for event in told)
    radio.find_interface()
    assert radio.runner.status()["alarms"] == ["loop", "loop-suspected"]
