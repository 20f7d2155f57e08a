"""A radio that must be on one channel, and alarms that end with the device that raised them."""

from collections.abc import Callable

import pytest

from radiobridge.core.squelch import SquelchSettings
from radiobridge.model.interface import ChannelReported, RadioAlarm
from radiobridge.services.holds import ChannelChange
from tests.services.radios import COR, VOX, Radio
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
    radio.line.tell(ChannelReported(channel="12", at=now()))
    await radio.play(spurt(20, end=False))
    changed_at = now()
    radio.line.tell(ChannelReported(channel="13", at=changed_at))
    assert radio.line.times("unkey")[-1] == changed_at


def unheard_and_unkeyed(bench: Bench, radio: Radio) -> bool:
    return radio.runner.cut_off and radio.line.changes() == [] and bench.starts == []


@pytest.mark.parametrize("squelch", [COR, VOX])
@in_virtual_time
async def test_a_radio_is_cut_both_ways_until_it_has_said_that_it_is_on_its_channel(
    squelch: SquelchSettings,
) -> None:
    bench = Bench(squelch=squelch, channel="12")
    radio = await bench.radio()
    changes: list[ChannelChange] = []
    radio.runner.channel_changed = changes.append
    await radio.talk(0.3)
    await radio.play(spurt(10))
    assert unheard_and_unkeyed(bench, radio)
    assert radio.runner.status()["alarms"] == ["channel-unknown"]
    assert radio.runner.status()["channel"] is None
    radio.line.tell(ChannelReported(channel="13", at=now()))
    assert radio.runner.status()["alarms"] == ["wrong-channel"]
    assert radio.runner.status()["holds"] == {"channel": "13"}
    await radio.play(spurt(10, of=claim(start_ms=2000)))
    assert unheard_and_unkeyed(bench, radio)
    radio.line.tell(ChannelReported(channel="12", at=now()))
    assert radio.runner.status()["alarms"] == []
    assert [change.wrong for change in changes] == [True, False]
    await radio.talk(0.3)
    assert len(bench.starts) == 1
    await radio.play(spurt(10, of=claim(start_ms=4000)))
    assert radio.line.changes()[0] == "key"


def lost_and_back(radio: Radio) -> None:
    radio.lose_interface()
    radio.find_interface()


def started_anew(radio: Radio) -> None:
    radio.line.tell(RadioAlarm(kind="restarted", active=True, at=now()))


@pytest.mark.parametrize("forgets", [lost_and_back, started_anew])
@pytest.mark.parametrize("before", ["12", "13"])
@in_virtual_time
async def test_what_a_radio_said_of_its_channel_counts_no_more_after_it_was_away(
    forgets: Callable[[Radio], None], before: str
) -> None:
    bench = Bench(channel="12")
    radio = await bench.radio()
    changes: list[ChannelChange] = []
    radio.runner.channel_changed = changes.append
    radio.line.tell(ChannelReported(channel=before, at=now()))
    forgets(radio)
    await radio.talk(0.3)
    await radio.play(spurt(10))
    assert unheard_and_unkeyed(bench, radio)
    assert "channel-unknown" in radio.runner.status()["alarms"]
    assert "wrong-channel" not in radio.runner.status()["alarms"]
    radio.line.tell(ChannelReported(channel="12", at=now()))
    assert not radio.runner.cut_off
    assert [change.wrong for change in changes] == ([] if before == "12" else [True, False])
    await radio.play(spurt(10, of=claim(start_ms=4000)))
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_a_radio_that_may_be_on_any_channel_waits_for_no_report() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.line.tell(ChannelReported(channel="13", at=now()))
    lost_and_back(radio)
    started_anew(radio)
    assert radio.runner.status()["holds"] == {}
    assert radio.runner.status()["channel"] == "13"
    await radio.play(spurt(10))
    assert radio.line.changes()[0] == "key"


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
