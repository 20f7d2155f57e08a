"""A whole radio of a gateway on fake devices, in virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from radiobridge.core.jitter import JitterSettings
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchMode, SquelchSettings
from radiobridge.core.transmit import NotDelivered, Transmit, TransmitSettings
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.media.tone import Tone, silence
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.interface import CorChanged, DeviceBack, DeviceLost, KeyAnswer
from radiobridge.model.voice import FRAME_S, Claim, VoicePacket
from radiobridge.services.downlink import Downlink, DownlinkPorts
from radiobridge.services.outgoing import Outgoing
from radiobridge.services.radio import RadioRunner
from radiobridge.services.timer import OneTimer
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.text import Text
from tests.services.fakes import FakeAudio, FakeLine, Played
from tests.services.virtual_time import now
from tests.services.voices import RATE, loud

HANG_S = 0.1
COR = SquelchSettings(hang_s=HANG_S, settling_s=0.15, cor_limit_s=30.0)
VOX = SquelchSettings(mode=SquelchMode.VOX, hang_s=HANG_S, settling_s=0.15)
TRANSMIT = TransmitSettings(tail_s=0.04, hold_s=0.8, reports_grant=True)


def make_timer(fire: Callable[[float], None]) -> OneTimer:
    return OneTimer(asyncio.get_running_loop(), fire)


@dataclass
class Ports:
    """What a radio asks of its gateway."""

    start: Callable[[RadioRunner, float, float], Outgoing | None]
    ended: Callable[[Outgoing, float], None]
    not_delivered: Callable[[RadioRunner, Claim | None, NotDelivered], None]


@dataclass
class Radio:
    """One donor radio: its devices, and what somebody does on its channel."""

    runner: RadioRunner
    line: FakeLine
    audio: FakeAudio
    tone: Tone = field(default_factory=lambda: Tone(RATE))
    devices_lost: int = 0
    """How often the runner asked to open the sound again."""

    async def open(self) -> None:
        """Open both devices, as keyer and sound keeper do."""
        self.line.tell(DeviceBack(at=now()))
        await self.audio.open(self.runner)
        self.runner.audio_opened()

    def cor(self, *, active: bool) -> None:
        self.line.tell(CorChanged(active=active, at=now()))

    def lose_interface(self) -> None:
        self.line.tell(DeviceLost(reason=Text("unplugged", "débranché"), at=now()))

    def find_interface(self) -> None:
        self.line.tell(DeviceBack(at=now()))

    async def speak(self, seconds: float) -> None:
        """Let somebody speak on the channel (the carrier is another matter)."""
        for _ in range(round(seconds / FRAME_S)):
            await asyncio.sleep(FRAME_S)
            self.audio.hear(self.tone.frame())

    async def quiet(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME_S)):
            await asyncio.sleep(FRAME_S)
            self.audio.hear(silence(RATE))

    async def talk(self, seconds: float) -> None:
        """Let somebody press the key, speak, and release it."""
        self.cor(active=True)
        await self.speak(seconds)
        self.cor(active=False)
        await self.quiet(HANG_S + 2 * FRAME_S)

    async def play(self, packets: Sequence[VoicePacket]) -> None:
        """Let the floor hand over one packet each 20 ms."""
        for packet in packets:
            self.runner.play(packet.claim, packet, now())
            await asyncio.sleep(FRAME_S)

    def spoken(self) -> list[Played]:
        """Return the frames on the air in which somebody speaks."""
        return [one for one in self.audio.played if loud([one.samples])[0]]


def make_radio(
    name: str,
    talkgroup: TalkgroupId,
    ports: Ports,
    *,
    squelch: SquelchSettings = COR,
    transmit: TransmitSettings = TRANSMIT,
    answer_s: float = 0.0,
    channel: str | None = None,
) -> Radio:
    """Build a radio whose transmitter grants each request after `answer_s`."""
    line = FakeLine(answer=KeyAnswer.GRANTED, answer_s=answer_s)
    audio = FakeAudio()
    radio: Radio

    def lost() -> None:
        radio.devices_lost += 1

    machine = Squelch(squelch)
    runner = RadioRunner(
        RadioName(name),
        talkgroup,
        squelch=machine,
        by_cor=squelch.mode is SquelchMode.COR,
        channel=channel,
        make_timer=make_timer,
        audio_failed=lost,
    )
    up = Uplink(
        squelch=machine,
        preroll=Preroll(PrerollSettings()),
        encoder=OpusEncoder(RATE),
        limiter=Limiter(RATE),
        rate=RATE,
        ports=UplinkPorts(
            start=partial(ports.start, runner), stuck=runner.stuck, ended=ports.ended
        ),
    )
    down = Downlink(
        transmit=Transmit(transmit),
        jitter=JitterSettings(),
        decoder=OpusDecoder(RATE),
        audio=audio,
        line=line,
        limiter=Limiter(RATE),
        ports=DownlinkPorts(
            own_transmission=runner.own_transmission,
            not_delivered=lambda claim, why, _now: ports.not_delivered(runner, claim, why),
        ),
    )
    runner.assemble(up, down)
    line.attach(runner)
    radio = Radio(runner, line, audio)
    return radio
