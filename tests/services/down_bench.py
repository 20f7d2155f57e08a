"""One radio's way down, with a hand on the clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from radiobridge.core.jitter import JitterSettings
from radiobridge.core.transmit import NotDelivered, Transmit, TransmitSettings, TransmitState
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder
from radiobridge.model.interface import KeyAnswer, UnkeyCause
from radiobridge.model.voice import FRAME_S, Claim, VoicePacket
from radiobridge.services.downlink import Downlink, DownlinkPorts
from tests.services.fakes import FakeAudio, FakeLine, Played
from tests.services.voices import RATE, loud

SETTINGS = TransmitSettings(lead_in_s=0.1, tail_s=0.04, hold_s=0.8, reports_grant=True)


@dataclass
class DownBench:
    """A downlink whose radio answers when the test says so, or at once."""

    settings: TransmitSettings = SETTINGS
    grants: bool = True
    """The radio grants every request at once, and confirms every unkeying."""
    keyed_by_voice: bool = False
    jitter: JitterSettings = field(default_factory=JitterSettings)
    now: float = 100.0
    own: list[bool] = field(default_factory=list)
    """What the receiver was told of the own transmission."""
    failed: list[tuple[Claim | None, NotDelivered]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = FakeLine(lambda: self.now)
        self.audio = FakeAudio(lambda: self.now)
        self.down = Downlink(
            transmit=Transmit(self.settings),
            jitter=self.jitter,
            decoder=OpusDecoder(RATE),
            audio=self.audio,
            line=self.line,
            limiter=Limiter(RATE),
            ports=DownlinkPorts(
                own_transmission=lambda keyed, _now: self.own.append(keyed),
                not_delivered=lambda claim, why, _now: self.failed.append((claim, why)),
            ),
            keyed_by_voice=self.keyed_by_voice,
        )
        self._answered = 0
        self.down.back(self.now)

    # --- time ----------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass; the timer fires when it is due, the radio answers."""
        until = self.now + seconds
        self.answer()
        while (due := self.down.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.down.tick(self.now)
            self.answer()
        self.now = until

    def answer(self) -> None:
        """Answer what was asked of the radio since the last time, if it answers by itself."""
        while self.grants and self._answered < len(self.line.changes()):
            what = self.line.changes()[self._answered]
            self._answered += 1
            if what == "key":
                self.grant()
            else:
                self.down.unkeyed(UnkeyCause.COMMAND, self.now)

    def grant(self, answer: KeyAnswer = KeyAnswer.GRANTED, detail: str = "") -> None:
        self.down.answered(answer, detail, self.now)

    # --- voice ---------------------------------------------------------------------------------

    def hear(self, packets: Sequence[VoicePacket | None], every_s: float = FRAME_S) -> None:
        """Take one packet each 20 ms; None is one that was lost."""
        for packet in packets:
            if packet is not None:
                self.down.play(packet.claim, packet, self.now)
            self.wait(every_s)

    def spoken(self) -> list[Played]:
        """Return the frames on the air in which somebody speaks."""
        return [one for one in self.audio.played if loud([one.samples])[0]]

    @property
    def state(self) -> TransmitState:
        return self.down.transmit.state

    def reasons(self) -> list[str]:
        """Return why spurts were not delivered."""
        return [why.reason.value for _claim, why in self.failed]


def without(packets: Sequence[VoicePacket], *lost: int) -> list[VoicePacket | None]:
    """Return the packets with some lost."""
    return [None if i in lost else packet for i, packet in enumerate(packets)]


def ended(packets: Sequence[VoicePacket]) -> list[VoicePacket]:
    """Return the packets with the last one ending the spurt."""
    return [*packets[:-1], packets[-1]._replace(end=True)]


def plain(
    *, time_out_s: float = 60.0, cool_down_s: float = 2.0, tail_s: float = 0.04
) -> TransmitSettings:
    """Return settings of a radio without key-up time."""
    return replace(
        SETTINGS, lead_in_s=0.0, time_out_s=time_out_s, cool_down_s=cool_down_s, tail_s=tail_s
    )
