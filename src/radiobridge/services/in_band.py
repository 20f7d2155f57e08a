"""What a receiver's audio says beside voice: who talks, an emergency, a tone that lets it in.

A radio may tell who it is a moment before its COR is seen, or just after its voice has ended. So
what is heard waits up to a second for a spurt that it belongs to; what belongs to none, as from a
stranger on the channel without our tone, is forgotten.
"""

from dataclasses import dataclass
from typing import NamedTuple

from radiobridge.media.mdc1200 import MdcPacket
from radiobridge.media.signalling import Signal, SignallingFilter
from radiobridge.media.voiced import voiced
from radiobridge.model.talker import mdc_talker
from radiobridge.model.voice import PcmFrame

WAIT_S = 1.0
"""How long what was heard may wait for the squelch to open."""

MDC_EMERGENCY = frozenset({"40/80", "40/81", "00/81"})
"""Operation/argument of an emergency. Fleets differ: docs/signalling.md."""

_MDC_ID = 0x01
_MDC_POST_ID = "00/80"
"""Said by some; operation 01 with argument 00 is the usual post-ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InBandSettings:
    """What one receiver's audio is listened to for."""

    ctcss_hz: float | None = None
    """The tone without which nothing counts; None when COR alone decides."""
    mdc_emergency: frozenset[str] = MDC_EMERGENCY


class Identity(NamedTuple):
    """A talker that has told who it is."""

    talker: str
    """Typed, see `model.talker`."""
    emergency: bool


class InBand:
    """Listens to one receiver. Every call is quick: 0.1 ms for a frame."""

    def __init__(self, rate: int, settings: InBandSettings | None = None) -> None:
        """Take frames of 20 ms at `rate` Hz."""
        self.settings = settings or InBandSettings()
        self.signals: list[Signal] = []
        """What ended in the last frame, of any kind."""
        self._filter = SignallingFilter(rate, ctcss_hz=self.settings.ctcss_hz)
        self._waiting: list[tuple[float, Identity]] = []
        self._deaf = False

    @property
    def tone_there(self) -> bool:
        """Tell whether the tone that is waited for is heard."""
        return self.settings.ctcss_hz is not None and self._filter.ctcss_hz is not None

    @property
    def ctcss_hz(self) -> float | None:
        """Return the tone that is heard: the one waited for, or any when none is."""
        return self._filter.ctcss_hz

    @property
    def voice_dbfs(self) -> float:
        """Return the level of the last frame as received, without CTCSS."""
        return self._filter.voice_dbfs

    def voiced(self) -> bool:
        """Tell whether the last frame sounds like a voice, rather than like noise or tones."""
        return voiced(self._filter.samples_8k)

    @property
    def active(self) -> bool:
        """Tell whether the last frame held signalling."""
        return self._filter.active

    @property
    def silenced(self) -> int:
        """Return how many frames were silenced."""
        return self._filter.silenced

    def hear(self, frame: PcmFrame, now: float, *, allow: bool) -> PcmFrame:
        """Take 20 ms and return what may leave of it."""
        self._deaf = False
        out = self._filter.process(frame, allow=allow)
        self.signals = self._filter.signals
        for signal in self.signals:
            if isinstance(signal, MdcPacket):
                self._mdc(signal, now)
        return out

    def deafen(self) -> None:
        """The receiver hears nothing that means anything: forget what was half heard."""
        if not self._deaf:
            self._deaf = True
            self._filter.reset()
            self.signals = []
            self._waiting.clear()

    def forget_tone(self) -> None:
        """Somebody else may be heard now: the tone counts once it is heard anew."""
        self._filter.forget_tone()

    def take(self, now: float) -> list[Identity]:
        """Return who has told who it is and not been taken yet, once each."""
        if not self._waiting:
            return []
        found = [identity for at, identity in self._waiting if now - at <= WAIT_S]
        self._waiting.clear()
        return found

    def _mdc(self, packet: MdcPacket, now: float) -> None:
        """Other operations are addressed to somebody; these are said of oneself."""
        emergency = packet.code in self.settings.mdc_emergency
        if emergency or packet.op == _MDC_ID or packet.code == _MDC_POST_ID:
            self._waiting.append((now, Identity(mdc_talker(packet.unit), emergency)))
