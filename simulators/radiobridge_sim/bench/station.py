"""One gateway reduced to its voice, in this process: real code between devices that do nothing."""

import asyncio
import os
from collections.abc import Mapping
from functools import partial

from radiobridge.core.jitter import JitterSettings
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchSettings
from radiobridge.core.transmit import Transmit, TransmitSettings
from radiobridge.core.voice_keys import Listener, PersistEpoch, VoiceKeys
from radiobridge.drivers.clock import Synchronised, SystemClock
from radiobridge.drivers.link.loopback import LoopbackLink
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.model.ids import RadioName
from radiobridge.model.interface import DeviceBack
from radiobridge.model.voice import PcmFrame
from radiobridge.services.clock import BridgeTime
from radiobridge.services.downlink import Downlink, DownlinkPorts
from radiobridge.services.in_band import InBand, InBandSettings
from radiobridge.services.lateness import Lateness
from radiobridge.services.radio import RadioRunner
from radiobridge.services.timer import OneTimer
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.services.voice import VoiceMap, VoicePlane, VoicePorts
from radiobridge.spi import AudioSink, InterfaceSink
from radiobridge.wire.words import KeyGrant
from radiobridge_sim.bench import cast
from radiobridge_sim.sound import RATE

RADIO = RadioName("tac1")


class Nowhere(LoopbackLink):
    """A link that counts voice and sends it nowhere."""

    sent = 0

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        """Count the packet."""
        del topic, payload
        self.sent += 1
        return True


class Memory:
    """A StateStore without a disk."""

    def get(self, key: str) -> str | None:
        """Return nothing: nothing is ever kept."""
        del key
        return None

    def items(self, prefix: str) -> Mapping[str, str]:
        """Return nothing."""
        del prefix
        return {}

    async def put(self, key: str, value: str) -> None:
        """Keep nothing."""

    async def close(self) -> None:
        """Do nothing."""


class SilentLine:
    """A KeyerLine that keys nothing."""

    def attach(self, sink: InterfaceSink) -> None:
        """See KeyerLine."""

    def key(self) -> None:
        """See KeyerLine."""

    def renew(self) -> None:
        """See KeyerLine."""

    def unkey(self) -> None:
        """See KeyerLine."""


class SilentAudio:
    """An AudioDevice that counts what it is to play."""

    rate = RATE
    underruns = 0
    overruns = 0
    played = 0

    async def open(self, sink: AudioSink) -> None:
        """See AudioDevice."""

    def write(self, samples: PcmFrame) -> None:
        """Count one frame."""
        del samples
        self.played += 1

    def queued_s(self) -> float:
        """See AudioDevice."""
        return 0.0

    def discard(self) -> None:
        """See AudioDevice."""

    async def close(self) -> None:
        """See AudioDevice."""


class Station:
    """Windsor with one radio on TAC1, joined with BORDER of Detroit. Needs a running event loop."""

    def __init__(self) -> None:
        self.bridge = BridgeTime(SystemClock(Synchronised.TRUSTED), Memory())
        self.link = Nowhere("nowhere")
        self.audio = SilentAudio()
        self.down: Downlink
        make_timer = partial(OneTimer, asyncio.get_running_loop(), lateness=Lateness())
        self.plane = VoicePlane(
            cast.WINDSOR,
            bridge=self.bridge,
            signing_key=cast.SIGNER,
            keys=self._keys(),
            priority=0,
            loopback=Nowhere("loopback"),
            ports=VoicePorts(
                signer_of={cast.DETROIT: cast.SIGNER.public_key()}.get,
                make_timer=make_timer,
                told=lambda _event: None,
            ),
        )
        self.radio = self._radio(make_timer)
        self.plane.runners[RADIO] = self.radio
        self.plane.start([self.link])
        self.plane.apply(
            VoiceMap(
                groups=(frozenset({cast.TAC1, cast.BORDER}),),
                plays={cast.BORDER: frozenset({RADIO})},
                hears=frozenset({cast.BORDER}),
                receivers=frozenset({RADIO}),
                remote=frozenset({cast.TAC1}),
            )
        )

    def close(self) -> None:
        """Stop all timers."""
        self.plane.stop()

    def _keys(self) -> VoiceKeys:
        keys = VoiceKeys(cast.WINDSOR, os.urandom, {})
        now_ms = self.bridge.now_ms()
        listener = Listener(cast.DETROIT, b"not sealed here")
        for effect in keys.follow(cast.TAC1, [listener], now_ms):
            if isinstance(effect, PersistEpoch):
                keys.epoch_stored(effect.talkgroup, effect.epoch, now_ms)
        grant = KeyGrant(talkgroup=cast.BORDER, epoch=cast.EPOCH, key=cast.KEY, since_ms=now_ms)
        keys.receive(cast.DETROIT, grant, now_ms)
        return keys

    def _radio(self, make_timer: partial[OneTimer]) -> RadioRunner:
        squelch = Squelch(SquelchSettings())
        runner = RadioRunner(
            RADIO,
            cast.TAC1,
            squelch=squelch,
            by_cor=True,
            make_timer=make_timer,
            audio_failed=lambda: None,
        )
        up = Uplink(
            squelch=squelch,
            preroll=Preroll(PrerollSettings()),
            encoder=OpusEncoder(RATE),
            limiter=Limiter(RATE),
            rate=RATE,
            ports=UplinkPorts(
                start=partial(self.plane.begin, runner),
                stuck=runner.stuck,
                ended=self.plane.ended,
            ),
            in_band=InBand(RATE, InBandSettings()),
        )
        self.down = Downlink(
            transmit=Transmit(TransmitSettings()),
            jitter=JitterSettings(),
            decoder=OpusDecoder(RATE),
            audio=self.audio,
            line=SilentLine(),
            limiter=Limiter(RATE),
            ports=DownlinkPorts(
                own_transmission=runner.own_transmission,
                not_delivered=lambda _claim, _why, _now: None,
            ),
        )
        runner.assemble(up, self.down)
        runner.interface_event(DeviceBack(at=0.0))
        runner.audio_opened()
        return runner
