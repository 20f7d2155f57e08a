"""`ccdi`: Tait TM8000 and TM9000 by the computer-controlled data interface on a serial line.

Keyed by presses of half a second, renewed while the lease is (`dead_man: press`): whatever happens
to this machine, the radio releases 500 ms after the last press at the latest. `constant` uses the
press without an end and therefore needs `radio_time_out`, the time-out set in the radio.

Function commands are written at once; nothing waits for a prompt before an unkey. `unkey` returns
when the radio has answered, is repeated after 100 ms, and raises after 200 ms. A radio that takes
the command and still does not say that PTT is off raises the alarm `ptt-stuck`. One that is not
ready has queued the request: the press is repeated, at the pace of renewals, until it is taken.

A line that brings nothing but noise for longer than any message is a failed device.

A radio that must be on one channel (`report_channel`) is asked for it: after opening, after a
restart of the radio, every 2 s until it has said it, then twice a minute, in case a message of a
turned knob was lost. It is asked only while nothing is keyed, so that no unkey waits behind it. A
radio that refuses to say it raises `channel-not-told`.

COR (`cor: true`) is RF detected, not qualified by tone. On a shared channel wire the radio's mute
output to a modem line of the same serial port: `mute: CTS` makes that line COR.
"""

import contextlib
import math
import select
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

import serial

from radiobridge.drivers.interface import settings as read
from radiobridge.drivers.interface.inputs import INPUTS, Input, line_level
from radiobridge.drivers.interface.port import Port, because, descriptor, failed, open_port
from radiobridge.errors import ConfigError
from radiobridge.model.interface import (
    NOT_OPEN,
    ChannelReported,
    CorChanged,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.text import Text
from radiobridge.wire import ccdi

PRESS_EIGHTHS = 4
RENEW_S = 0.18
"""A press of 500 ms is renewed at the first renewal of the lease after that."""

ANSWER_S = 1.0
"""A radio that says nothing for that long after a key request is lost."""
UNKEY_TRY_S = 0.1
UNKEY_TRIES = 2
ALIVE_S = 2.0
"""An idle radio is asked for its model that often."""
ALIVE_ANSWER_S = 0.7
STUCK_S = 1.0
"""A radio that said PTT on and does not say PTT off that long after it took the command."""
ALARM_S = 60.0
"""How long an alarm about something momentary (`restarted`, `error`) stays."""
OPEN_S = 1.0
NOISE_BYTES = 300
"""More than the longest message: a line that brings so much without one that is whole babbles."""
CHANNEL_ANSWER_S = 0.5
"""A radio that has not answered by then has dropped the question for its channel."""
CHANNEL_RETRY_S = 2.0
CHANNEL_AGAIN_S = 30.0
CHANNEL_RESTART_S = 0.2
"""A radio that has just restarted is asked only after what it may have to be told first: unkey."""
LOCAL_POLL_S = 0.1
REMOTE_POLL_S = 0.005

_CONSTANT = 9

_SILENT = Text("the radio does not answer", "la radio ne répond pas")
_NO_ANSWER = Text(
    "the radio does not answer a key request", "la radio ne répond pas à une demande d'émission"
)
_BABBLES = Text(
    "the line brings nothing but noise: is `baud` what the radio is programmed for?",
    "la ligne n'apporte que du bruit : `baud` est-il celui que la radio a en programme ?",
)
_NOT_OFF = Text(
    "the radio does not confirm PTT off", "la radio ne confirme pas la fin de l'émission"
)


class CcdiInterface:
    """One radio on one serial line (settings: device, baud, dead_man, cor, mute, ...)."""

    poll_s = LOCAL_POLL_S
    reports_channel = True

    def __init__(
        self,
        device: str,
        baud: int,
        *,
        eighths: int,
        cor: bool,
        mute: Input | None = None,
        report_channel: bool = False,
    ) -> None:
        self._device = device
        self._baud = baud
        self._eighths = eighths
        self._use_cor = cor and mute is None
        self._mute = mute
        self._report_channel = report_channel
        self._port: Port | None = None
        self._raised: dict[str, float] = {}
        """Alarms that stand, and when each ends."""
        self._reset()

    def _reset(self) -> None:
        self._reader = ccdi.CcdiReader()
        self._events: list[InterfaceEvent] = []
        self._unanswered = 0
        self._noise = 0
        """Bytes since the last that made sense."""
        self._asked_at: float | None = None
        self._queued = self._told_queued = False
        """The prompt that follows says that the request is not taken yet; and that was told."""
        self._pressed_at: float | None = None
        self._ptt_seen = False
        self._released = False
        self._heard_at = 0.0
        self._alive_at: float | None = None
        self._keyed_at = 0.0
        self._off_refused = False
        self._off_by: float | None = None
        self._unmuted = False
        self._channel_due = self._channel_asked = 0.0
        self._channel_turn = 0
        """How many prompts are to come until the one that ends its answer; 0: not asked."""
        self._raised = dict.fromkeys(self._raised, 0.0)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from settings; raises ConfigError."""
        known = (
            "device", "baud", "dead_man", "cor", "mute", "radio_time_out", "report_channel",
        )  # fmt: skip
        read.no_other_keys(settings, known)
        dead_man = read.choice(settings, "dead_man", ("press", "constant"))
        if dead_man == "constant" and read.radio_time_out(settings) is None:
            raise ConfigError(
                "'dead_man: constant' has no dead-man: set a time-out of at most 60 s in the radio "
                "and declare it as 'radio_time_out', or use 'dead_man: press'",
                "« dead_man: constant » n'a pas d'homme mort : réglez une limite d'émission d'au "
                "plus 60 s dans la radio et déclarez-la par « radio_time_out », ou utilisez "
                "« dead_man: press »",
            )
        return cls(
            read.text(settings, "device"),
            read.whole(settings, "baud", 28800),
            eighths=PRESS_EIGHTHS if dead_man == "press" else _CONSTANT,
            cor=read.flag(settings, "cor", default=True),
            mute=Input.named(read.choice(settings, "mute", INPUTS)) if "mute" in settings else None,
            report_channel=read.flag(settings, "report_channel", default=False),
        )

    def open(self) -> None:
        """Open the line, say PTT off first of all, and wait for the radio's answer."""
        self._reset()
        self._port = open_port(self._device, self._baud, dtr=False, rts=False)
        local = self.fileno() is not None and self._mute is None
        self.poll_s = LOCAL_POLL_S if local else REMOTE_POLL_S
        for command in (ccdi.PTT_OFF, ccdi.PROGRESS_ON, ccdi.CHANNEL_PROGRESS_ON, ccdi.QUERY_MODEL):
            self._write(command)
        if not self._answered(OPEN_S):
            raise failed(self._device, _SILENT)

    def fileno(self) -> int | None:
        """Return the descriptor of the serial line, None for a remote one."""
        return descriptor(self._port) if self._port is not None else None

    def key(self) -> None:
        """Press PTT."""
        now = time.monotonic()
        self._ptt_seen = self._told_queued = False
        self._asked_at = self._keyed_at = now
        self._press(now)

    def refresh(self) -> None:
        """Renew the press when it is due."""
        now = time.monotonic()
        due = self._pressed_at is not None and now - self._pressed_at >= RENEW_S
        if due and (self._queued or self._eighths != _CONSTANT):
            self._press(now)

    def unkey(self) -> None:
        """Release PTT; returns when the radio has answered, else raises DriverError."""
        if self._ptt_seen:
            self._off_by = time.monotonic() + STUCK_S
        self._asked_at = self._pressed_at = None
        self._ptt_seen = False
        for _ in range(UNKEY_TRIES):
            self._off_refused = False
            self._write(ccdi.PTT_OFF)
            if self._answered(UNKEY_TRY_S) and (self._released or not self._off_refused):
                return
        raise failed(self._device, _NOT_OFF)

    def poll(self) -> Iterable[InterfaceEvent]:
        """Return what the radio has said."""
        now = time.monotonic()
        self._receive(now)
        if self._asked_at is not None and now - self._asked_at > ANSWER_S:
            raise failed(self._device, _NO_ANSWER)
        self._check_alive(now)
        if self._mute is not None:
            self._follow_mute(self._mute, now)
        if self._report_channel:
            self._follow_channel(now)
        if self._off_by is not None and now > self._off_by:
            self._off_by = None
            self._raise("ptt-stuck", now, math.inf)
        for kind in [kind for kind, end in self._raised.items() if end <= now]:
            self._end_alarm(kind, now)
        events, self._events = self._events, []
        return events

    def _follow_mute(self, mute: Input, now: float) -> None:
        """Report what the radio's mute output says: it opens with the right tone only."""
        if self._port is None:
            return
        try:
            unmuted = line_level(self._port, mute.line) is mute.level
        except (OSError, ValueError, serial.SerialException) as error:
            raise failed(
                self._device,
                because(f"{mute.line} cannot be read", f"{mute.line} ne peut pas être lue", error),
            ) from error
        if unmuted is not self._unmuted:
            self._unmuted = unmuted
            self._events.append(CorChanged(active=unmuted, at=now))

    def _follow_channel(self, now: float) -> None:
        """Ask for the channel when that is due, nothing is keyed and no news waits to be told."""
        if self._channel_turn and now - self._channel_asked > CHANNEL_ANSWER_S:
            self._unanswered = max(0, self._unanswered - 1)
            self._channel_turn = 0
        idle = self._pressed_at is None and self._asked_at is None and not self._events
        if not idle or now < self._channel_due:
            return
        if self._unanswered:
            if now < self._channel_due + CHANNEL_ANSWER_S:
                return
            self._unanswered = 0
        self._channel_asked = now
        self._channel_due = now + CHANNEL_RETRY_S
        self._write(ccdi.QUERY_CHANNEL)
        self._channel_turn = self._unanswered

    def _not_told(self, error: int, now: float) -> None:
        """The radio has an error for an answer to the question for its channel."""
        if error in ccdi.FOR_GOOD and "channel-not-told" not in self._raised:
            self._raise("channel-not-told", now, math.inf, ccdi.ERRORS[error])

    def close(self) -> None:
        """Say PTT off and close the line."""
        port, self._port = self._port, None
        if port is None:
            return
        with contextlib.suppress(OSError, serial.SerialException):
            port.write(ccdi.PTT_OFF)
        with contextlib.suppress(OSError, serial.SerialException):
            port.close()

    def _press(self, now: float) -> None:
        self._pressed_at = now
        self._queued = False
        self._write(ccdi.press(self._eighths))

    def _write(self, command: bytes) -> None:
        if self._port is None:
            raise failed(self._device, NOT_OPEN)
        self._unanswered += 1
        self._released = False
        try:
            self._port.write(command)
        except (OSError, serial.SerialException) as error:
            raise failed(
                self._device, because("cannot be written", "ne peut être écrit", error)
            ) from error

    def _receive(self, now: float) -> None:
        if self._port is None:
            raise failed(self._device, NOT_OPEN)
        try:
            data = self._port.read(512)
        except (OSError, serial.SerialException) as error:
            raise failed(
                self._device, because("cannot be read", "ne peut être lu", error)
            ) from error
        if not data:
            return
        items = self._reader.feed(data)
        self._listen(len(data), items)
        for item in items:
            self._heard_at = now
            if isinstance(item, ccdi.Prompt):
                self._prompted(now)
            else:
                self._take(item, now)

    def _listen(self, size: int, items: Iterable[ccdi.CcdiItem]) -> None:
        """Tell a radio from noise, in which prompts that answer nothing may well be."""
        if any(self._unanswered or not isinstance(item, ccdi.Prompt) for item in items):
            self._noise = 0
            return
        self._noise += size
        if self._noise > NOISE_BYTES:
            raise failed(self._device, _BABBLES)

    def _answered(self, limit_s: float) -> bool:
        """Wait until each command has its prompt, or PTT is reported off; False when too late."""
        end = time.monotonic() + limit_s
        while self._unanswered and not self._released:
            left = end - time.monotonic()
            if left <= 0:
                self._unanswered = self._channel_turn = 0
                return False
            self._await_bytes(left)
            self._receive(time.monotonic())
        return True

    def _await_bytes(self, limit_s: float) -> None:
        fd = self.fileno()
        if fd is None:
            time.sleep(min(limit_s, REMOTE_POLL_S))
            return
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(limit_s * 1000)

    def _prompted(self, now: float) -> None:
        self._unanswered = max(0, self._unanswered - 1)
        self._channel_turn = max(0, self._channel_turn - 1)
        self._alive_at = None
        if self._unanswered == 0 and self._asked_at is not None and not self._queued:
            self._answer(KeyAnswer.GRANTED, now)

    def _take(self, message: ccdi.CcdiMessage, now: float) -> None:
        error = ccdi.error_of(message)
        if error is not None:
            self._refused(error, now)
            return
        match ccdi.progress_of(message):
            case ccdi.Progress.BUSY | ccdi.Progress.NOT_BUSY as progress:
                if self._use_cor:
                    active = progress is ccdi.Progress.BUSY
                    self._events.append(CorChanged(active=active, at=now))
            case ccdi.Progress.PTT_ON:
                if self._pressed_at is not None:
                    self._ptt_seen = True
                    self._answer(KeyAnswer.GRANTED, now)
            case ccdi.Progress.PTT_OFF:
                self._ptt_off(now)
            case ccdi.Progress.INHIBITED:
                self._inhibited(now)
            case ccdi.Progress.EMERGENCY | ccdi.Progress.EMERGENCY_ENDED as progress:
                active = progress is ccdi.Progress.EMERGENCY
                self._events.append(RadioAlarm(kind="donor-emergency", active=active, at=now))
            case ccdi.Progress.RESTARTED:
                self._restarted(now)
            case ccdi.Progress.CHANNEL:
                channel = ccdi.channel_of(message)
                self._channel_due = now + CHANNEL_AGAIN_S
                self._end_alarm("channel-not-told", now)
                self._events.append(ChannelReported(channel=channel, at=now))
            case _:
                pass

    def _answer(self, answer: KeyAnswer, now: float, detail: str = "") -> None:
        if self._asked_at is None:
            return
        self._asked_at = None
        self._events.append(KeyAnswered(answer=answer, at=now, detail=detail))

    def _raise(self, kind: str, now: float, for_s: float, detail: str = "") -> None:
        self._raised[kind] = now + for_s
        self._events.append(RadioAlarm(kind=kind, active=True, at=now, detail=detail))

    def _end_alarm(self, kind: str, now: float) -> None:
        if self._raised.pop(kind, None) is not None:
            self._events.append(RadioAlarm(kind=kind, active=False, at=now))

    def _ptt_off(self, now: float) -> None:
        self._off_by = None
        self._end_alarm("ptt-stuck", now)
        if self._pressed_at is None:
            self._released = True
        elif self._ptt_seen:
            self._dropped(now)

    def _dropped(self, now: float) -> None:
        """The radio ended a transmission that we want."""
        self._pressed_at = self._asked_at = None
        self._ptt_seen = False
        self._events.append(Unkeyed(cause=UnkeyCause.RADIO, at=now))

    def _inhibited(self, now: float) -> None:
        if self._asked_at is not None:
            self._answer(KeyAnswer.DENIED, now, "transmit inhibited")
            self._pressed_at = None
        elif self._pressed_at is not None:
            self._dropped(now)

    def _refused(self, error: int, now: float) -> None:
        if self._channel_turn == 1:
            self._not_told(error, now)
            return
        detail = ccdi.ERRORS.get(error, f"error {error}")
        self._off_refused = True
        if error == ccdi.NOT_READY and self._asked_at is not None:
            self._wait_in_queue(now, detail)
        elif self._asked_at is not None:
            self._answer(KeyAnswer.FAILED, now, detail)
            self._pressed_at = None
        else:
            self._raise("error", now, ALARM_S, detail)

    def _wait_in_queue(self, now: float, detail: str) -> None:
        self._asked_at = now
        self._queued = True
        if not self._told_queued:
            self._told_queued = True
            self._events.append(KeyAnswered(answer=KeyAnswer.QUEUED, at=now, detail=detail))

    def _restarted(self, now: float) -> None:
        self._raise("restarted", now, ALARM_S)
        if self._pressed_at is not None:
            self._dropped(now)
        if self._use_cor:
            self._events.append(CorChanged(active=False, at=now))
        self._unanswered = self._channel_turn = 0
        self._channel_due = now + CHANNEL_RESTART_S
        self._write(ccdi.PROGRESS_ON)
        self._write(ccdi.CHANNEL_PROGRESS_ON)

    def _check_alive(self, now: float) -> None:
        """Ask a silent radio for its model, so that one switched off is noticed."""
        silent = now - self._heard_at
        if self._pressed_at is not None:
            asked = silent > ALIVE_ANSWER_S and now - self._keyed_at > ALIVE_ANSWER_S
        else:
            asked = self._alive_at is not None and now - self._alive_at > ALIVE_ANSWER_S
        if asked:
            raise failed(self._device, _SILENT)
        if self._pressed_at is None and self._alive_at is None and silent > ALIVE_S:
            self._alive_at = now
            self._write(ccdi.QUERY_MODEL)
