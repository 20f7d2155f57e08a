"""One radio at work: devices that fail, a receiver and a transmitter that affect each other."""

import asyncio
from dataclasses import dataclass, field

import pytest

from radiobridge.core.squelch import SquelchSettings
from radiobridge.core.transmit import NotDelivered, TransmitSettings
from radiobridge.model.interface import ChannelReported, KeyAnswer, RadioAlarm, UnkeyCause, Unkeyed
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.holds import Hold
from radiobridge.services.outgoing import Outgoing, OutgoingPorts
from radiobridge.services.radio import RadioRunner
from tests.services.radios import COR, TRANSMIT, VOX, Ports, Radio, make_radio
from tests.services.virtual_time import in_virtual_time, now
from tests.services.voices import CLAIM, TAC1, WINDSOR, claim, spurt


@dataclass
class Bench:
    """What stands for the gateway around one radio."""

    squelch: SquelchSettings = COR
    transmit: TransmitSettings = TRANSMIT
    channel: str | None = None
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    failed: list[tuple[Claim | None, NotDelivered]] = field(default_factory=list)

    async def radio(self) -> Radio:
        ports = Ports(self._start, self._ended, self._not_delivered)
        radio = make_radio(
            "tac1",
            TAC1,
            ports,
            squelch=self.squelch,
            transmit=self.transmit,
            channel=self.channel,
        )
        await radio.open()
        return radio

    def _start(self, _runner: RadioRunner, started: float, at: float) -> Outgoing:
        self.starts.append(at)
        ports = OutgoingPorts(
            allowed=lambda _claim, _media_time: True,
            key=lambda: None,
            writer=lambda _claim, _grant: pytest.fail("nobody is to hear"),
            publish=lambda _packet: True,
        )
        mine = Claim(WINDSOR, TAC1, round(started * 1000), TalkClass.NORMAL, 0)
        return Outgoing(mine, ports)

    def _ended(self, _spurt: Outgoing, at: float) -> None:
        self.ends.append(at)

    def _not_delivered(self, runner: RadioRunner, who: Claim | None, why: NotDelivered) -> None:
        runner.not_delivered(who, why)
        self.failed.append((who, why))

    def reasons(self) -> list[str]:
        return [why.reason.value for _who, why in self.failed]


# --- what is heard, and what is keyed over ------------------------------------------------------


@in_virtual_time
async def test_what_the_receiver_hears_becomes_a_spurt() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.talk(0.5)
    await asyncio.sleep(1)
    assert len(bench.starts) == len(bench.ends) == 1
    assert radio.line.log == []


@in_virtual_time
async def test_who_is_heard_is_not_keyed_over() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.cor(active=True)
    await radio.play(spurt(50))
    assert radio.line.log == []
    radio.cor(active=False)
    await asyncio.sleep(2)
    assert radio.line.changes() == ["key", "unkey"]
    assert len(radio.audio.played) == 50
    assert bench.reasons() == []


@in_virtual_time
async def test_who_is_heard_is_not_keyed_over_when_the_same_floor_event_mutes_first() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.cor(active=True)
    radio.runner.mute(on=True, now=now())
    await radio.play(spurt(150))
    await asyncio.sleep(1)
    assert radio.line.log == []
    assert bench.reasons() == ["busy"]


@in_virtual_time
async def test_what_a_muted_receiver_hears_does_not_hold_up_the_transmitter() -> None:
    # It is the echo of what plays on the talkgroup, by another radio or another gateway.
    bench = Bench()
    radio = await bench.radio()
    radio.runner.mute(on=True, now=now())
    radio.cor(active=True)
    await radio.play(spurt(10))
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_the_squelch_hang_keeps_the_channel_a_little_longer() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.talk(0.2)
    released_at = now()
    await radio.play(spurt(20))
    await asyncio.sleep(1)
    assert radio.line.times("key")[0] >= released_at


@in_virtual_time
async def test_voice_alone_makes_a_vox_channel_busy() -> None:
    bench = Bench(squelch=VOX)
    radio = await bench.radio()
    await radio.speak(0.2)
    packets = spurt(20)
    radio.runner.play(CLAIM, packets[0], now())
    await radio.speak(0.2)
    assert radio.line.log == []
    await radio.quiet(0.5)
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_the_hang_of_a_repeater_that_we_keyed_is_not_busy() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20))
    radio.cor(active=True)
    await asyncio.sleep(1)
    assert radio.line.changes() == ["key", "unkey"]
    await radio.play(spurt(20, of=claim(start_ms=5000)))
    assert radio.line.changes() == ["key", "unkey", "key"]
    assert bench.reasons() == []
    assert bench.starts == []


@in_virtual_time
async def test_somebody_who_answers_in_the_hang_of_a_repeater_is_heard_and_not_keyed_over() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20))
    radio.cor(active=True)
    await asyncio.sleep(0.5)
    await radio.speak(0.2)
    assert len(bench.starts) == 1
    packets = spurt(20, of=claim(start_ms=5000))
    radio.runner.play(packets[0].claim, packets[0], now())
    await radio.speak(0.2)
    assert radio.line.changes() == ["key", "unkey"]


@in_virtual_time
async def test_the_receiver_is_deaf_while_its_own_transmitter_is_keyed() -> None:
    bench = Bench()
    radio = await bench.radio()
    packets = spurt(50)
    for packet in packets:
        radio.runner.play(CLAIM, packet, now())
        await radio.speak(0.02)
        if packet.ctr == 10:
            radio.cor(active=True)
            radio.cor(active=False)
    assert bench.starts == []


@in_virtual_time
async def test_a_radio_says_which_spurt_came_in_by_it() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.cor(active=True)
    mine = Claim(WINDSOR, TAC1, round(now() * 1000), TalkClass.NORMAL, 0)
    assert radio.runner.says(mine)
    assert not radio.runner.says(claim())
    radio.cor(active=False)
    await asyncio.sleep(1)
    assert not radio.runner.says(mine)


# --- devices that come and go -------------------------------------------------------------------


@in_virtual_time
async def test_nothing_is_keyed_before_both_devices_are_open() -> None:
    bench = Bench()
    radio = make_radio("tac1", TAC1, Ports(bench._start, bench._ended, bench._not_delivered))
    await radio.play(spurt(5))
    radio.find_interface()
    await radio.play(spurt(5, of=claim(start_ms=1000)))
    assert radio.line.log == []
    assert bench.reasons() == ["lost", "lost"]
    assert not radio.runner.usable


@in_virtual_time
async def test_a_lost_interface_unkeys_and_what_comes_after_its_return_is_played() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    radio.lose_interface()
    assert radio.line.changes() == ["key", "unkey"]
    assert radio.runner.status()["interface"] == "lost"
    assert radio.runner.status()["interface_reason"] == {
        "en": "unplugged",
        "fr": "débranché",
    }
    await radio.play(spurt(20, of=claim(start_ms=2000)))
    assert radio.line.changes() == ["key", "unkey"]
    assert bench.reasons() == ["lost", "lost"]
    radio.find_interface()
    assert radio.line.changes() == ["key", "unkey"]
    await radio.play(spurt(20, of=claim(start_ms=4000)))
    assert radio.line.changes() == ["key", "unkey", "key"]


@in_virtual_time
async def test_a_lost_interface_ends_what_is_being_said_and_its_carrier_counts_no_more() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.cor(active=True)
    await radio.speak(0.2)
    radio.lose_interface()
    assert len(bench.ends) == 1
    assert radio.runner.status()["cor"] is False
    radio.find_interface()
    await radio.play(spurt(10))
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_lost_sound_unkeys_and_asks_to_be_opened_again() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    radio.audio.lose()
    assert radio.line.changes() == ["key", "unkey"]
    assert radio.devices_lost == 1
    assert radio.runner.status()["audio"] == "lost"
    assert radio.runner.status()["audio_reason"] == {"en": "broken", "fr": "cassé"}
    await radio.audio.open(radio.runner)
    radio.runner.audio_opened()
    await radio.play(spurt(20, of=claim(start_ms=2000)))
    assert radio.line.changes() == ["key", "unkey", "key"]


# --- what goes wrong inside -----------------------------------------------------------------------


@in_virtual_time
async def test_an_error_while_playing_unkeys_once_and_the_radio_goes_on() -> None:
    bench = Bench()
    radio = await bench.radio()
    packets = spurt(60, end=False)
    await radio.play(packets[:20])
    radio.audio.broken = True
    broke_at = now()
    await radio.play(packets[20:])
    # Not keyed again for each packet that breaks it.
    assert radio.line.changes() == ["key", "unkey"]
    assert radio.line.times("unkey")[0] - broke_at < 0.05
    assert radio.runner.errors == 1
    radio.audio.broken = False
    await radio.play(spurt(20, of=claim(start_ms=2000)))
    assert radio.line.changes() == ["key", "unkey", "key"]


@in_virtual_time
async def test_an_error_in_what_is_heard_unkeys_and_the_radio_goes_on() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    nothing = radio.tone.frame()[:0]
    radio.audio.hear(nothing)
    assert radio.runner.errors == 1
    assert radio.line.changes() == ["key", "unkey"]
    await asyncio.sleep(0.5)
    await radio.talk(0.1)
    assert len(bench.starts) == 1


@in_virtual_time
async def test_a_line_that_cannot_unkey_loses_its_lease() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    radio.line.broken = True
    broke_at = now()
    radio.runner.stop()
    radio.line.broken = False
    assert radio.runner.errors == 1
    await asyncio.sleep(0.3)
    assert radio.line.changes()[-1] == "lease"
    assert radio.line.times("lease")[0] - broke_at < 0.201


# --- people ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_inhibited_radio_is_off_the_air_until_allowed() -> None:
    bench = Bench()
    radio = await bench.radio()
    await radio.play(spurt(20, end=False))
    radio.runner.hold(Hold.INHIBIT, "ann")
    assert radio.line.changes() == ["key", "unkey"]
    assert radio.runner.status()["inhibited_by"] == "ann"
    await radio.play(spurt(20, of=claim(start_ms=2000, talk_class=TalkClass.EMERGENCY)))
    assert radio.line.changes() == ["key", "unkey"]
    # It still hears: only its transmitter is off.
    await radio.talk(0.2)
    assert len(bench.starts) == 1
    radio.runner.release(Hold.INHIBIT, "bob")
    await asyncio.sleep(1)
    await radio.play(spurt(20, of=claim(start_ms=4000)))
    assert radio.line.changes() == ["key", "unkey", "key"]
    assert radio.runner.status()["inhibited"] is False


@in_virtual_time
async def test_each_hold_is_lifted_by_itself() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.runner.hold(Hold.INHIBIT, "ann")
    radio.runner.hold(Hold.STOP, "bob")
    radio.runner.release(Hold.STOP, "bob")
    await radio.play(spurt(10))
    assert radio.line.changes() == []
    radio.runner.release(Hold.INHIBIT, "ann")
    await radio.play(spurt(10, of=claim(start_ms=2000)))
    assert radio.line.changes()[0] == "key"


@in_virtual_time
async def test_stop_unkeys_and_ends_what_is_said_and_nothing_follows() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.cor(active=True)
    await radio.speak(0.1)
    radio.runner.stop()
    assert len(bench.ends) == 1
    radio.cor(active=False)
    other = await bench.radio()
    await other.play(spurt(20, end=False))
    assert other.line.changes() == ["key"]
    other.runner.stop()
    assert other.line.changes() == ["key", "unkey"]
    for one in (radio, other):
        events = len(one.line.log)
        await one.play(spurt(20, of=claim(start_ms=round(now() * 1000)), end=False))
        assert not one.runner.announce(claim(), [], now())
        await asyncio.sleep(5)
        assert len(one.line.log) == events


@in_virtual_time
async def test_status_shows_the_radio_as_it_is() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.line.tell(ChannelReported(channel="12", at=now()))
    radio.line.tell(RadioAlarm(kind="donor-emergency", active=True, at=now()))
    radio.line.tell(RadioAlarm(kind="restarted", active=True, at=now()))
    radio.line.tell(RadioAlarm(kind="restarted", active=False, at=now()))
    await radio.play(spurt(20, end=False))
    status = radio.runner.status()
    assert status["name"] == "tac1"
    assert status["talkgroup"] == "ca.opp/TAC1"
    assert (status["interface"], status["audio"]) == ("up", "up")
    assert status["ptt"] is True
    assert status["state"] == "voice"
    assert status["channel"] == "12"
    assert status["alarms"] == ["donor-emergency"]
    assert status["counters"]["played"] > 10
    radio.line.tell(Unkeyed(cause=UnkeyCause.DEVICE, at=now()))
    assert radio.runner.status()["counters"]["unkeyed_device"] == 1
    assert radio.runner.status()["ptt"] is False


@in_virtual_time
async def test_a_stuck_receiver_is_shown_until_it_is_quiet() -> None:
    bench = Bench(squelch=SquelchSettings(cor_limit_s=2.0))
    radio = await bench.radio()
    radio.cor(active=True)
    await radio.speak(2.1)
    assert radio.runner.status()["stuck"] is True
    assert len(bench.ends) == 1
    radio.cor(active=False)
    await asyncio.sleep(2)
    assert radio.runner.status()["stuck"] is False


@in_virtual_time
async def test_a_denial_is_told_to_the_gateway_with_its_spurt() -> None:
    bench = Bench()
    radio = await bench.radio()
    radio.line.answer = KeyAnswer.DENIED
    await radio.play(spurt(20))
    assert [(who, why.reason.value) for who, why in bench.failed] == [(CLAIM, "denied")]
    assert radio.line.changes() == ["key", "unkey"]
