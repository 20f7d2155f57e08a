"""One donor radio at work: its interface, its sound, its way up and its way down.

All state of a radio belongs to its runner and is touched only in the event loop, by callbacks that
end with one timer being set (a task for each radio would cost a wake-up for each frame). A callback
that raises stops the transmitter and is logged; the radio goes on with the next event.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import structlog

from radiobridge.core.squelch import Squelch, SquelchState
from radiobridge.core.transmit import AbortReason, NotDelivered
from radiobridge.media.dtmf import DtmfSymbol
from radiobridge.media.mdc1200 import MdcPacket
from radiobridge.media.signalling import Signal
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    DeviceBack,
    DeviceLost,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
    Unkeyed,
)
from radiobridge.model.voice import Claim, PcmFrame, VoicePacket
from radiobridge.services.condition import Condition
from radiobridge.services.downlink import Downlink
from radiobridge.services.holds import (
    CHANNEL_UNKNOWN,
    DEAF,
    LOOP,
    LOOP_SUSPECTED,
    OWN_ALARMS,
    WRONG_CHANNEL,
    ChannelChange,
    Hold,
    channel_alarm,
    with_hold,
    without_hold,
)
from radiobridge.services.radio_status import radio_status
from radiobridge.services.timer import OneTimer, earliest
from radiobridge.services.uplink import Uplink
from radiobridge.text import Text
from radiobridge.wire.words import RadioState

log = structlog.get_logger()

_DEAF = frozenset({SquelchState.BLOCKED, SquelchState.SETTLING, SquelchState.WAITING})


RESTARTED = "restarted"
"""The alarm of a driver whose radio has started anew: it may be on another channel."""


class RadioRunner:
    """Owns one radio. Implements `spi.InterfaceSink` and `spi.AudioSink`."""

    def __init__(
        self,
        name: RadioName,
        talkgroup: TalkgroupId,
        *,
        squelch: Squelch,
        by_cor: bool,
        channel: str | None = None,
        make_timer: Callable[[Callable[[float], None]], OneTimer],
        audio_failed: Callable[[], None],
    ) -> None:
        self.name = name
        self.talkgroup = talkgroup
        self.condition = Condition()
        self.errors = 0
        self.signals: dict[str, int] = {}
        """What was heard beside voice, by kind."""
        self.unkeyed_by: dict[str, int] = {}
        self.alarmed: Callable[[RadioAlarm], None] = _nothing
        """Who is told of the radio's own alarms; never raises."""
        self.looped: Callable[[str], None] = _nothing
        """Who is told, with the reason, that this radio was cut for a loop; never raises."""
        self.channel_changed: Callable[[ChannelChange], None] = _nothing
        """Told when the radio leaves its channel or is back; never raises."""
        self.looped_times = 0
        """How often it was cut for a loop."""
        self._heard = False
        self._stopped = False
        self._cor_at = 0.0
        """When COR rose last."""
        self._muted_by: set[object] = set()
        self._squelch = squelch
        self._by_cor = by_cor
        self.channel_expected = channel
        self._told_wrong = False
        """The last that was told of the channel is that it is wrong."""
        self._timer = make_timer(self._tick)
        self._audio_failed = audio_failed
        self._up: Uplink
        self._down: Downlink
        self._log = log.bind(radio=str(name), talkgroup=str(talkgroup))

    def assemble(self, up: Uplink, down: Downlink) -> None:
        """Give the runner its two ways; once, before any event. Its channel is not known yet."""
        self._up = up
        self._down = down
        self._judge_channel(None, time.monotonic())

    @property
    def up(self) -> Uplink:
        """Return the way from the receiver to the network."""
        return self._up

    @property
    def down(self) -> Downlink:
        """Return the way from the network to the transmitter."""
        return self._down

    # --- what the devices tell -----------------------------------------------------------------

    def audio(self, samples: PcmFrame, at: float) -> None:
        """Take 20 ms of received audio (spi.AudioSink)."""
        now = time.monotonic()
        try:
            if self.cut_off:
                samples = np.zeros_like(samples)
            self._up.audio(samples, at, now)
            self._busy(now)
            self._arm()
        except Exception:  # noqa: BLE001 - one bad frame must not end the radio
            self._failed("audio", now)

    def audio_opened(self) -> None:
        """The sound device is open."""
        self._change(audio_lost=None)
        self._log.info("audio-open")
        self._devices_changed()

    def audio_lost(self, reason: Text) -> None:
        """The sound device is gone (spi.AudioSink): nothing is sent, nothing is keyed."""
        if self.condition.audio_lost is None:
            self._log.warning("audio-lost", reason=reason.en)
        self._change(audio_lost=reason)
        self._devices_changed()
        self._audio_failed()

    def interface_event(self, event: InterfaceEvent) -> None:
        """Take what the interface tells, through the keyer (spi.InterfaceSink)."""
        now = time.monotonic()
        try:
            self._interface_event(event, now)
            self._arm()
        except Exception:  # noqa: BLE001 - see above
            self._failed("interface", now)

    def _interface_event(self, event: InterfaceEvent, now: float) -> None:
        if isinstance(event, CorChanged):
            self._change(cor=event.active)
            self._cor_at = now if event.active else self._cor_at
            self._up.cor(active=event.active and not self.cut_off, now=now)
            self._busy(now)
        elif isinstance(event, KeyAnswered):
            self._log.info("key-answered", answer=event.answer.value, detail=event.detail)
            if event.answer is KeyAnswer.DENIED:
                self._squelch.refused()
            self._down.answered(event.answer, event.detail, now)
        elif isinstance(event, Unkeyed):
            self.unkeyed_by[event.cause.value] = self.unkeyed_by.get(event.cause.value, 0) + 1
            self._log.info("unkeyed", cause=event.cause.value)
            self._down.unkeyed(event.cause, now)
        elif isinstance(event, DeviceLost):
            self._log.warning("interface-lost", reason=event.reason.en)
            self._change(interface_lost=event.reason, alarms=self.condition.alarms & OWN_ALARMS)
            self._lose_cor(now)
            self._devices_changed()
            self._judge_channel(None, now)
        elif isinstance(event, DeviceBack):
            self._log.info("interface-open")
            self._change(interface_lost=None)
            self._devices_changed()
        elif isinstance(event, ChannelReported):
            if event.channel != self.condition.channel:
                self._log.info("channel", channel=event.channel)
            self._change(channel=event.channel)
            self._judge_channel(event.channel, now)
        elif isinstance(event, RadioAlarm):
            self._log.warning("radio-alarm", kind=event.kind, active=event.active)
            self._alarm(event.kind, active=event.active)
            if event.kind == RESTARTED and event.active:
                self._judge_channel(None, now)
            self.alarmed(event)

    def _alarm(self, kind: str, *, active: bool) -> None:
        one, alarms = frozenset({kind}), self.condition.alarms
        self._change(alarms=alarms | one if active else alarms - one)

    def _judge_channel(self, reported: str | None, now: float) -> None:
        """Cut a radio both ways until it has said that it is on its channel; None: not said yet."""
        expected, was = self.channel_expected, self.off_channel
        if expected is None:
            return
        alarm = channel_alarm(expected, reported)
        self._change(channel=reported)
        if alarm is not None and not was:
            self.hold(Hold.CHANNEL, reported or alarm)
            self._up.cor(active=False, now=now)
            self._up.drop(now)
        elif alarm is not None:
            self._change(holds=with_hold(self.condition.holds, Hold.CHANNEL, reported or alarm))
        elif was:
            self.release(Hold.CHANNEL, reported or "?")
        if alarm is not None and alarm not in self.condition.alarms:
            level = self._log.warning if reported is None else self._log.error
            level(alarm, channel=reported, expected=expected)
        for kind in (WRONG_CHANNEL, CHANNEL_UNKNOWN):
            self._alarm(kind, active=kind == alarm)
        wrong = alarm == WRONG_CHANNEL
        if reported is not None and wrong is not self._told_wrong:
            self._told_wrong = wrong
            self.channel_changed(ChannelChange(reported=reported, expected=expected, wrong=wrong))

    @property
    def off_channel(self) -> bool:
        """Tell whether the radio has not said that it is on its channel: it is cut both ways."""
        return Hold.CHANNEL in self.condition.holds

    @property
    def cut_off(self) -> bool:
        """Tell whether the radio is cut both ways: nothing of it is heard or keyed."""
        return not DEAF.isdisjoint(self.condition.holds)

    def suspect_loop(self) -> None:
        """A carrier without a sound has fallen when we let go: it may have been a loop."""
        self._log.warning("loop-suspected")
        self._alarm(LOOP_SUSPECTED, active=True)

    def open_loop(self, why: str) -> None:
        """What was sent before is heard again: cut this radio both ways until it is allowed."""
        if Hold.LOOP in self.condition.holds:
            return
        now = time.monotonic()
        self.looped_times += 1
        self.hold(Hold.LOOP, why)
        self._guarded("loop", partial(self._up.cor, active=False, now=now))
        self.unhear(now)
        self._log.error("loop-opened", why=why)
        self._alarm(LOOP, active=True)
        self.looped(why)

    def _lose_cor(self, now: float) -> None:
        """A lost device says nothing: its last COR no longer counts."""
        if self.condition.cor:
            self._change(cor=False)
            self._up.cor(active=False, now=now)
            self._busy(now)

    def _busy(self, now: float) -> None:
        """Tell the way down whether somebody is heard, so that nobody is keyed over.

        What the receiver reports while this radio transmits, settles, or sits in the hang of a
        repeater that it has keyed itself, is nobody (`core.squelch`). A mute changes nothing: who
        was heard before it is still there until COR ends.
        """
        if not self._by_cor:
            heard = self._up.is_open
        elif not self.condition.cor:
            heard = False
        elif self._squelch.quiet_s is None:
            heard = self._heard or self._squelch.state not in _DEAF
        else:
            heard = self._somebody(self._squelch.quiet_s, now)
        if heard is not self._heard:
            self._heard = heard
            self._down.cor(active=heard, now=now)

    def _somebody(self, quiet_s: float, now: float) -> bool:
        """Tell whether anybody is under a carrier that stays when nobody is (a repeater's)."""
        state = self._squelch.state
        if state is SquelchState.WAITING:
            return False
        if self._squelch.transmits or state is SquelchState.SETTLING:
            return self._heard
        return self._up.is_open or now - max(self._up.loud_at, self._cor_at) < quiet_s

    def _devices_changed(self) -> None:
        now = time.monotonic()
        try:
            if self.usable:
                self._down.back(now)
                self._up.back(now)
            else:
                self._up.lost(now)
                self._down.lost(now)
            self._arm()
        except Exception:  # noqa: BLE001 - see above
            self._failed("devices", now)

    @property
    def usable(self) -> bool:
        """Tell whether interface and sound are both there."""
        return self.condition.interface_lost is None and self.condition.audio_lost is None

    # --- what the gateway asks -----------------------------------------------------------------

    def play(self, claim: Claim, packet: VoicePacket, now: float) -> None:
        """Play one packet of a spurt that holds the floor."""
        try:
            self._down.play(claim, packet, now)
            self._arm()
        except Exception:  # noqa: BLE001 - one radio never stops the others
            self._failed("play", now)

    def says(self, claim: Claim) -> bool:
        """Tell whether a spurt came in by this radio: it is never keyed for that."""
        spurt = self._up.spurt
        return spurt is not None and spurt.claim.start_ms == claim.start_ms

    def spoke(self, claim: Claim) -> bool:
        """Tell whether a spurt, over or not, was the newest that came in by this radio."""
        last = self._up.last_claim
        return last is not None and last.start_ms == claim.start_ms

    def fill(self, claim: Claim, packet: VoicePacket, now: float) -> None:
        """Take a late packet of a spurt that has ended."""
        self._guarded("fill", self._down.fill, claim, packet, now)

    def cut(self, claim: Claim, reason: AbortReason, now: float) -> None:
        """Stop playing a spurt at once."""
        self._guarded("cut", self._down.cut, claim, reason, now)

    def mute(self, *, on: bool, now: float, by: object = None) -> None:
        """Something plays on this radio's talkgroup: what the receiver hears is its echo.

        `by` says for whom it is muted; it hears again when nobody mutes it any more.
        """
        (self._muted_by.add if on else self._muted_by.discard)(by)
        self._guarded("mute", partial(self._up.mute, on=bool(self._muted_by), now=now))

    def announce(self, claim: Claim, packets: Sequence[bytes], now: float) -> bool:
        """Play an announcement, if this radio is free and may transmit; tell whether it begins."""
        if self._stopped or not self.usable or self.condition.holds:
            return False
        began = False

        def begin() -> None:
            nonlocal began
            began = self._down.announce(claim, packets, now)

        self._guarded("announce", begin)
        return began

    @property
    def announces(self) -> bool:
        """Tell whether an announcement is or may still be on the air."""
        return self._down.announcing or self._down.keying

    def unhear(self, now: float) -> None:
        """What the receiver hears counts no more: end what is being said."""
        self._guarded("unhear", self._up.drop, now)

    def floor_free(self, now: float) -> None:
        """The floor of this radio's group has become free."""
        self._guarded("floor", self._up.floor_free, now)

    @property
    def receives(self) -> bool:
        """Tell whether the receiver hears a carrier, or what is as loud as voice, even if muted."""
        return self.condition.cor if self._by_cor else self._up.is_loud

    def forgo(self) -> None:
        """Who is heard on this radio's talkgroup has talked as long as he may."""
        self._up.forgo()

    def hold(self, hold: Hold, by: str) -> None:
        """Silence the transmitter at once, until this hold is released."""
        now = time.monotonic()
        self._guarded("inhibit", self._down.inhibit, now)
        self._change(holds=with_hold(self.condition.holds, hold, by))
        self._log.warning("inhibited", by=by, hold=hold.value)

    def release(self, hold: Hold, by: str) -> None:
        """Let the transmitter key again, unless something else holds it."""
        if hold is Hold.LOOP:
            self._alarm(LOOP_SUSPECTED, active=False)
        if hold not in self.condition.holds:
            return
        self._change(holds=without_hold(self.condition.holds, hold))
        if hold is Hold.LOOP:
            self._alarm(LOOP, active=False)
        if hold in DEAF and not self.cut_off:
            cor = partial(self._up.cor, active=self.condition.cor, now=time.monotonic())
            self._guarded("hear", cor)
        if not self.condition.holds and not self._stopped:
            self._guarded("allow", self._down.allow, time.monotonic())
        self._log.warning("allowed", by=by, hold=hold.value)

    def stop(self) -> None:
        """Unkey and end what is being said; nothing more leaves this radio, nothing keys it."""
        now = time.monotonic()
        self._stopped = True
        self._guarded("stop", self._down.stop, now)
        self._guarded("stop", self._down.inhibit, now)
        self._guarded("stop", self._up.drop, now)
        self._timer.set(None)

    def stuck(self, stuck: bool) -> None:
        """The receiver stayed open past its limit: it is out of the group until it closes."""
        self._change(stuck=stuck)
        self._log.error("cor-stuck" if stuck else "cor-no-longer-stuck")

    def signalled(self, signal: Signal) -> None:
        """Log what was heard in the audio beside voice."""
        if isinstance(signal, MdcPacket):
            kind, said = "mdc1200", {"code": signal.code, "unit": f"{signal.unit:04X}"}
        elif isinstance(signal, DtmfSymbol):
            kind, said = "dtmf", {"symbol": signal.symbol}
        else:
            tones = [tone.frequency_hz for tone in (signal.a, signal.b) if tone is not None]
            kind, said = "page", {"tones": " ".join(f"{hz:.1f}" for hz in tones)}
        self.signals[kind] = self.signals.get(kind, 0) + 1
        self._log.info(kind, **said)

    def own_transmission(self, keyed: bool, now: float) -> None:
        """Deafen the receiver while this radio asks to transmit or transmits."""
        self._up.own_transmission(keyed=keyed, now=now)

    def not_delivered(self, claim: Claim | None, why: NotDelivered) -> None:
        """Log what could not be put on the air."""
        self._log.warning(
            "not-delivered", reason=why.reason.value, spurt=str(claim.sender) if claim else None
        )

    @property
    def shown(self) -> RadioState:
        """Return how this radio stands, for partners."""
        if not self.usable:
            return RadioState.LOST
        if self.condition.holds:
            return RadioState.INHIBITED
        if self.down.keying:
            return RadioState.KEYED
        return RadioState.RECEIVING if self.condition.cor else RadioState.READY

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return radio_status(self)

    # --- inside --------------------------------------------------------------------------------

    def _change(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Condition
        self.condition = replace(self.condition, **changes)

    def _tick(self, now: float) -> None:
        try:
            self._down.tick(now)
            self._up.tick(now)
            # The squelch closes after COR, when its hang is over.
            self._busy(now)
            self._arm()
        except Exception:  # noqa: BLE001 - see above
            self._failed("tick", now)

    def _arm(self) -> None:
        self._timer.set(earliest(self._up.next_deadline(), self._down.next_deadline()))

    def _guarded(self, what: str, call: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        try:
            call(*arguments)
            self._arm()
        except Exception:  # noqa: BLE001 - see above
            self._failed(what, time.monotonic())

    def _failed(self, where: str, now: float) -> None:
        """Something of ours is broken: unkey first, then say so."""
        self.errors += 1
        try:
            self._down.stop(now)
            self._arm()
        finally:
            self._log.exception("radio-error", where=where)


def _nothing(_news: object) -> None:
    """Tell nobody else."""
