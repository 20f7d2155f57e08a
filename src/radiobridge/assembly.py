"""One radio put together from its settings: part of the composition root."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.radio import RadioConfig
from radiobridge.core.jitter import JitterSettings
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.core.squelch import Squelch, SquelchMode, SquelchSettings
from radiobridge.core.transmit import Transmit, TransmitSettings
from radiobridge.drivers.registry import Group, load
from radiobridge.errors import ConfigError, os_reason
from radiobridge.keyer.client import KeyerClient
from radiobridge.media.ctcss import HEARD_WITHIN_S
from radiobridge.media.limiter import Limiter
from radiobridge.media.opus import OpusDecoder, OpusEncoder
from radiobridge.media.vox import VoxSettings
from radiobridge.model.ids import RadioName
from radiobridge.model.talker import Talker
from radiobridge.services.downlink import Downlink, DownlinkPorts
from radiobridge.services.gateway import Gateway
from radiobridge.services.in_band import InBand, InBandSettings
from radiobridge.services.loop_guard import LoopGuard
from radiobridge.services.radio import RadioRunner
from radiobridge.services.sound import SoundKeeper
from radiobridge.services.timer import OneTimer
from radiobridge.services.uplink import Uplink, UplinkPorts
from radiobridge.services.voice import VoicePlane
from radiobridge.spi import AudioDevice

BELIEVED_WITHIN_S = 0.1
"""How long it takes to believe in a voice under a carrier that stood before."""

PREROLL_S = 1.0
"""What a spurt may begin with at once: more than any receiver's preroll."""

AHEAD_S = 0.015
"""How long before its time a voice frame goes to the device: less than one frame, so that no more
than that is beyond recall when a talker is cut off."""

GRACE_S = 0.005
"""How long a device plays on when the next frame is late: the least that one keeps in store."""


def build_radio(
    name: RadioName,
    radio: RadioConfig,
    config: GatewayConfig,
    audio: AudioDevice,
    keyer: KeyerClient,
    voice: VoicePlane,
    gateway: Gateway,
    make_timer: Callable[[Callable[[float], None]], OneTimer],
) -> tuple[RadioRunner, SoundKeeper]:
    """Return the runner of one radio, and who keeps its sound open."""
    squelch = Squelch(_squelch_settings(radio))
    keeper: SoundKeeper
    runner = RadioRunner(
        name,
        config.radio_talkgroup(name),
        squelch=squelch,
        by_cor=radio.receive.squelch.value == SquelchMode.COR.value,
        channel=radio.channel,
        make_timer=make_timer,
        audio_failed=lambda: keeper.failed(),
    )
    keeper = SoundKeeper(runner, audio)
    runner.looped = partial(gateway.loop_opened, name, runner.talkgroup)
    guard = LoopGuard(audio.rate, squelch, found=runner.open_loop, suspected=runner.suspect_loop)
    up = Uplink(
        squelch=squelch,
        preroll=Preroll(PrerollSettings(cor_delay_s=_open_delay_s(radio))),
        encoder=OpusEncoder(
            audio.rate,
            bitrate=config.voice.bitrate,
            complexity=config.voice.complexity,
            vbr=config.voice.vbr,
        ),
        limiter=Limiter(audio.rate, gain_db=radio.receive.gain),
        rate=audio.rate,
        ports=_uplink_ports(radio, runner, voice, gateway),
        in_band=InBand(audio.rate, _in_band_settings(radio)),
        guard=guard,
    )
    down = Downlink(
        transmit=Transmit(_transmit_settings(radio)),
        jitter=JitterSettings(
            ahead_s=AHEAD_S,
            grace_s=GRACE_S,
            awaits_second=_keyed_by_voice(radio),
            limit_s=longest_wait_s(_transmit_settings(radio)) + PREROLL_S,
        ),
        decoder=OpusDecoder(audio.rate),
        audio=audio,
        line=keyer.line(name),
        limiter=Limiter(audio.rate, gain_db=radio.transmit.gain),
        ports=DownlinkPorts(
            own_transmission=runner.own_transmission,
            not_delivered=lambda claim, why, _now: gateway.not_delivered(runner, claim, why),
        ),
        keyed_by_voice=_keyed_by_voice(radio),
    )
    runner.channel_changed = partial(gateway.channel_changed, name)
    runner.assemble(up, down)
    return runner, keeper


def _uplink_ports(
    radio: RadioConfig, runner: RadioRunner, voice: VoicePlane, gateway: Gateway
) -> UplinkPorts:
    def talker(who: str) -> Talker:
        return Talker(id=who, alias=radio.talkers.get(who, ""))

    return UplinkPorts(
        start=partial(voice.begin, runner),
        stuck=runner.stuck,
        ended=voice.ended,
        allows=partial(voice.signalling, runner.talkgroup),
        signal=runner.signalled,
        identified=lambda claim, who: gateway.identified(claim, talker(who)),
        emergency=lambda who: gateway.emergency.field(
            runner.name, runner.talkgroup, who, talker(who).alias
        ),
    )


def _in_band_settings(radio: RadioConfig) -> InBandSettings:
    receive = radio.receive
    return InBandSettings(ctcss_hz=receive.ctcss, mdc_emergency=frozenset(receive.mdc_emergency))


def _open_delay_s(radio: RadioConfig) -> float:
    """Return how much later than the voice the receiver is known to receive."""
    receive = radio.receive
    tone_s = HEARD_WITHIN_S if receive.ctcss is not None else 0.0
    return receive.cor_delay + tone_s + (BELIEVED_WITHIN_S if receive.quiet is not None else 0.0)


def _squelch_settings(radio: RadioConfig) -> SquelchSettings:
    receive = radio.receive
    return SquelchSettings(
        mode=SquelchMode(receive.squelch.value),
        cor_debounce_s=receive.debounce,
        hang_s=receive.hang,
        vox=VoxSettings(open_dbfs=receive.vox_open, close_dbfs=receive.vox_close),
        settling_s=receive.settling,
        cor_limit_s=receive.cor_limit,
        quiet_s=receive.quiet,
    )


def _keyed_by_voice(radio: RadioConfig) -> bool:
    """Tell whether the interface carries the voice (`usrp`), and so the key in it."""
    return radio.audio is None


def _transmit_settings(radio: RadioConfig) -> TransmitSettings:
    """The keyer answers every request, so voice waits for that answer.

    Not where the voice is the key: nothing is on the air before it, and nothing can be granted.
    """
    transmit = radio.transmit
    return TransmitSettings(
        lead_in_s=transmit.lead_in,
        tail_s=transmit.tail,
        hold_s=transmit.hold,
        time_out_s=transmit.time_out,
        cool_down_s=transmit.cool_down,
        answer_time_out_s=transmit.answer_time_out,
        reports_grant=not _keyed_by_voice(radio),
    )


def longest_wait_s(transmit: TransmitSettings) -> float:
    """Return how long a spurt may wait for the air and still be put on it: whole, if at all."""
    granted_s = transmit.answer_time_out_s + transmit.queue_wait_s if transmit.reports_grant else 0
    return transmit.busy_wait_s + granted_s


def interface_settings(radio: RadioConfig) -> dict[str, Any]:
    """Return what the driver is built from; one whose channel matters asks the radio for it."""
    if radio.channel is None:
        return radio.interface
    return {**radio.interface, "report_channel": True}


def audio_device(
    name: RadioName, radio: RadioConfig, keyer: KeyerClient, config: GatewayConfig
) -> AudioDevice:
    """Return the radio's sound: a driver's, or the voice that its interface carries."""
    if radio.audio is None:
        return keyer.voice_device(name)
    driver = load(Group.AUDIO, radio.audio["driver"], simulation=config.simulation)
    device: AudioDevice = driver.from_settings(radio.audio)
    return device


def state_folder(config: GatewayConfig) -> Path:
    """Return the folder of what survives a restart; raise ConfigError where it cannot be made."""
    try:
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason, path = os_reason(error), config.state
        raise ConfigError(
            f"state: {path} cannot be made: {reason.en}; choose another folder for `state`",
            f"state : {path} ne peut être créé : {reason.fr}; changez le dossier de `state`",
        ) from error
    return config.state
