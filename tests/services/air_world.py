"""Gateways' radios on the simulated air, in virtual time: repeaters and trunked systems included.

The machines and services are the real ones, from the squelch to the transmitter; the donor radios,
the repeaters and the people are those of the simulators. Keyer and sound device are fakes that the
donor radios hang on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from radiobridge.assembly import BELIEVED_WITHIN_S, PREROLL_S, longest_wait_s
from radiobridge.core.jitter import JitterSettings
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchSettings
from radiobridge.core.transmit import Transmit, TransmitSettings
from radiobridge.media.ctcss import HEARD_WITHIN_S
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.interface import CorChanged, KeyAnswer, KeyAnswered, UnkeyCause, Unkeyed
from radiobridge.model.voice import PcmFrame
from radiobridge.services.downlink import Downlink, DownlinkPorts
from radiobridge.services.in_band import InBand, InBandSettings
from radiobridge.services.loop_guard import LoopGuard
from radiobridge.services.radio import RadioRunner
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge_sim.air import Air, AirUnit
from radiobridge_sim.handheld import Handheld, Said
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.measure import PhraseMeasure, measure_phrase
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.repeater import Repeater, RepeaterSettings
from radiobridge_sim.sound import RATE, STEP_S, Pcm
from radiobridge_sim.tones import HighPass
from radiobridge_sim.trunked import Trunk
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket
from tests.services.fakes import FakeAudio, FakeLine
from tests.services.radios import Radio, make_timer
from tests.services.virtual_time import START_S, now
from tests.services.voice_world import River, Side

PHRASES = {name: phrase.samples() for name, phrase in load_phrases().items()}


class AirSocket(UsrpSocket):
    """The donor radio's sound goes straight to the gateway's device."""

    def __init__(self) -> None:
        self.audio: FakeAudio | None = None

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        del keyed
        if self.audio is not None and self.audio.opened and samples is not None:
            self.audio.hear(samples.copy())

    def close(self) -> None:
        """Do nothing: there is no socket."""


class AirAudio(FakeAudio):
    """What the gateway plays goes straight to the donor radio."""

    def __init__(self, donor: DonorRadio) -> None:
        super().__init__()
        self._donor = donor

    def write(self, samples: PcmFrame) -> None:
        super().write(samples)
        self._donor.take(UsrpPacket(True, samples.copy(), now()))


class AirLine(FakeLine):
    """A keyer line that keys the donor radio, and answers what its trunked system does."""

    def __init__(self, donor: DonorRadio) -> None:
        super().__init__()
        self._donor = donor
        donor.on_cor = lambda active: self.tell(CorChanged(active=active, at=now()))
        donor.on_trunk = self._answered
        self.denied: list[float] = []
        """When the radio was refused a channel."""

    def key(self) -> None:
        super().key()
        self._donor.ptt(True, now(), "key")
        if self._donor.trunking is None:
            self._tell(KeyAnswer.GRANTED)

    def unkey(self) -> None:
        super().unkey()
        self._donor.ptt(False, now(), "unkey")
        self._later(0.0, Unkeyed(cause=UnkeyCause.COMMAND, at=now()))

    def _answered(self, state: Trunk) -> None:
        if state is Trunk.DENIED:
            self.denied.append(now())
            self._donor.ptt(False, now(), "denied")
        if state in (Trunk.DENIED, Trunk.GRANTED, Trunk.QUEUED):
            self._tell(KeyAnswer[state.name])

    def _tell(self, answer: KeyAnswer) -> None:
        self._later(0.0, KeyAnswered(answer=answer, at=now()))


def in_order(delay_s: float) -> Callable[[str], tuple[float]]:
    """Return the fate of voice packets on a connection: none overtakes another.

    Calls for the very same moment would come in any order.
    """
    last = 0.0

    def fate(_topic: str) -> tuple[float]:
        nonlocal last
        last = max(last + 1e-6, now() + delay_s)
        return (last - now(),)

    return fate


@dataclass(frozen=True, kw_only=True)
class Post:
    """What one gateway's radio is and how it is set."""

    hz: int
    input_hz: int | None = None
    repeater: RepeaterSettings = field(default_factory=RepeaterSettings)
    donor: DonorSettings = field(default_factory=lambda: DonorSettings(keying=Keying.SERIAL))
    squelch: SquelchSettings = field(default_factory=SquelchSettings)
    transmit: TransmitSettings = field(default_factory=lambda: TransmitSettings(reports_grant=True))
    ctcss_hz: float | None = None


class AirWorld(River):
    """windsor with TAC1 and detroit with BORDER, each with a radio and somebody in the field."""

    def __init__(self, windsor: Post, detroit: Post, *others: AirUnit) -> None:
        super().__init__()
        for link in (*self.brokers, self.windsor.loopback.broker, self.detroit.loopback.broker):
            link.fate = in_order(0.001 if link in self.brokers else 0.0)
        self.log = LineLog()
        self.donors: dict[str, DonorRadio] = {}
        self.people: dict[str, Handheld] = {}
        self.said: dict[str, list[Said]] = {}
        self.loops: list[tuple[str, float, str]] = []
        """Radio, when it was cut for a loop, and why."""
        self._units: list[AirUnit] = list(others)
        self.tac1 = self._settle(self.windsor, "tac1", self.tac1.runner.talkgroup, windsor)
        self.border = self._settle(self.detroit, "border", self.border.runner.talkgroup, detroit)
        self.air = Air(self._units)
        self._turning: asyncio.Task[None] | None = None

    def _settle(self, side: Side, name: str, talkgroup: TalkgroupId, post: Post) -> Radio:
        donor = DonorRadio(
            name,
            hz=post.hz,
            tx_hz=post.input_hz,
            settings=post.donor,
            socket=AirSocket(),
            log=self.log,
            zero=START_S,
        )
        person = Handheld(
            name, hz=post.hz, tx_hz=post.input_hz, ctcss_hz=post.repeater.input_ctcss_hz
        )
        self.donors[name], self.people[name], self.said[name] = donor, person, []
        self._units += [donor, person]
        if post.input_hz is not None:
            self._units.append(
                Repeater(name, input_hz=post.input_hz, output_hz=post.hz, settings=post.repeater)
            )
        radio = self._radio(side, name, talkgroup, post, donor)
        side.radios[radio.runner.name] = radio
        side.plane.runners[radio.runner.name] = radio.runner
        return radio

    def _radio(
        self, side: Side, name: str, talkgroup: TalkgroupId, post: Post, donor: DonorRadio
    ) -> Radio:
        """Build a radio as `radiobridge.assembly` does."""
        line, audio, machine = AirLine(donor), AirAudio(donor), Squelch(post.squelch)
        assert isinstance(donor.socket, AirSocket)
        donor.socket.audio = audio
        runner = RadioRunner(
            RadioName(name),
            talkgroup,
            squelch=machine,
            by_cor=True,
            make_timer=make_timer,
            audio_failed=lambda: None,
        )
        guard = LoopGuard(RATE, machine, found=runner.open_loop, suspected=runner.suspect_loop)
        runner.looped = lambda why: self.loops.append((name, self.seconds, why))
        delay_s = HEARD_WITHIN_S if post.ctcss_hz is not None else 0.0
        delay_s += BELIEVED_WITHIN_S if post.squelch.quiet_s is not None else 0.0
        up = Uplink(
            squelch=machine,
            preroll=Preroll(PrerollSettings(cor_delay_s=delay_s)),
            encoder=OpusEncoder(RATE),
            limiter=Limiter(RATE),
            rate=RATE,
            ports=UplinkPorts(
                start=partial(side.plane.begin, runner),
                stuck=runner.stuck,
                ended=side.plane.ended,
                allows=lambda: False,
            ),
            in_band=InBand(RATE, InBandSettings(ctcss_hz=post.ctcss_hz)),
            guard=guard,
        )
        down = Downlink(
            transmit=Transmit(post.transmit),
            jitter=JitterSettings(limit_s=longest_wait_s(post.transmit) + PREROLL_S),
            decoder=OpusDecoder(RATE),
            audio=audio,
            line=line,
            limiter=Limiter(RATE),
            ports=DownlinkPorts(
                own_transmission=runner.own_transmission,
                not_delivered=lambda claim, why, _now: side.failed.append((runner, claim, why)),
            ),
        )
        runner.assemble(up, down)
        line.attach(runner)
        return Radio(runner, line, audio)

    async def start(self, *, join: bool = True) -> None:
        await super().start(join=join)
        self._turning = asyncio.create_task(self._turn())

    async def stop(self) -> None:
        """End the air; all that was under way must have ended by itself."""
        if self._turning is not None:
            self._turning.cancel()

    async def _turn(self) -> None:
        while True:
            due = START_S + (self.air.step + 1) * STEP_S
            await asyncio.sleep(max(0.0, due - now()))
            self.air.advance()

    @property
    def seconds(self) -> float:
        """Return the time since the common zero."""
        return now() - START_S

    def begin(self, who: str, phrase: str) -> Said:
        """Have somebody begin to speak with the next step of the air."""
        said = self.people[who].say(phrase, PHRASES[phrase], step=self.air.step + 1)
        self.said[who].append(said)
        return said

    async def say(self, who: str, phrase: str, then_s: float = 0.0) -> Said:
        """Have somebody say a phrase, and wait until it is said and `then_s` more."""
        said = self.begin(who, phrase)
        await asyncio.sleep(said.end / RATE - self.seconds + then_s)
        return said

    async def unkeyed(self, radio: str) -> None:
        """Wait until a radio that was keyed for somebody is unkeyed again."""
        line = (self.tac1 if radio == "tac1" else self.border).line
        while line.keyed:  # noqa: ASYNC110 - time is virtual, and nobody tells
            await asyncio.sleep(STEP_S)

    def measure(self, said: Said, ear: str, latest_s: float = 1.0) -> PhraseMeasure:
        """Measure what became of a phrase at somebody's ear.

        What lies below 300 Hz does not count: transmitters with a tone take it out.
        """
        return measure_phrase(
            HighPass().feed(self.people[said.unit].said.samples()),
            self.people[ear].heard.samples(),
            said.start,
            said.end,
            said.phrase,
            round(latest_s * RATE),
        )

    def keyed(self, radio: str) -> list[tuple[float, float]]:
        """Return when a radio's PTT was on."""
        return self.log.intervals(radio, "PTT", self.seconds)


def assert_whole(measured: PhraseMeasure) -> None:
    """Assert that a phrase was heard from its first sample to its last."""
    lost = (measured.clipped_start_ms, measured.clipped_end_ms, measured.missing_ms)
    assert measured.matches, measured
    assert max(lost) <= 10.0, (measured.phrase, lost)
