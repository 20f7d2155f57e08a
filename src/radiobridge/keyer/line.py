"""One radio inside the keyer: a thread that owns its interface, and the orders it follows.

    main thread                         this radio's thread
    KEY    -> a new Order with a lease  keys it, unless it has run out meanwhile
    RENEW  -> the lease moves on        refreshes the dead-man of the device
    UNKEY  -> the Order is off          unkeys
    (nothing) the lease runs out        unkeys

An Order is over at the earliest of: told so, lease run out, longest transmission. Once over it
never lives again; only a new KEY makes a new Order. The thread compares what it does (`_on`) with
that, in each turn before anything else; the main thread compares the same two (`overdue`) and ends
the process when the thread does not follow. Every KEY ends in one Unkeyed, unless it is answered
by DENIED or FAILED.

What raises in an interface means a failed device: unkeyed and closed, reported lost, opened again
with growing pauses. What raises elsewhere here is a bug: the process ends, and the closing of its
devices by the kernel unkeys.
"""

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from radiobridge.errors import RadioBridgeError
from radiobridge.keyer.protocol import LEASE_S, Kind, pack, pack_event
from radiobridge.model.interface import (
    NOT_OPEN,
    ChannelReported,
    CorChanged,
    DeviceBack,
    DeviceLost,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.spi import RadioInterface, VoiceInterface
from radiobridge.text import Text

CONFIRM_S = 0.28
"""How long a device may take to unkey before the keyer ends itself."""

REOPEN_S = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Pauses before a lost device is opened again; the last one stays."""

STEADY_S = 2.0
"""A device that worked for less is one that comes and goes: its pauses go on growing."""

EXIT_UNCONFIRMED = 70
EXIT_BUG = 71

_VOICE_QUEUE = 25
"""Frames that wait for the thread; the oldest are dropped above."""


class Order:
    """One request to transmit and what has become of it. Only `line.py` writes to it."""

    __slots__ = ("cause", "lease_until", "off_at", "serial", "stop_at")

    def __init__(self, serial: int, lease_until: float) -> None:
        self.serial = serial
        self.lease_until = lease_until
        self.stop_at = math.inf
        """The longest transmission ends here; set when it begins."""
        self.off_at = math.inf
        self.cause = UnkeyCause.COMMAND

    def over_at(self) -> float:
        """Return when it is over, as far as is known now."""
        return min(self.off_at, self.lease_until, self.stop_at)

    def why(self) -> UnkeyCause:
        """Return what ended it."""
        over = self.over_at()
        if over == self.off_at:
            return self.cause
        return UnkeyCause.LEASE if over == self.lease_until else UnkeyCause.TIME_OUT


class Line:
    """One radio in the keyer. Public methods are for the main thread; none of them blocks."""

    def __init__(
        self,
        index: int,
        interface: RadioInterface,
        voice: VoiceInterface | None,
        time_out_s: float,
        send: Callable[[bytes], bool],
    ) -> None:
        self._index = index
        self._interface = interface
        self._voice = voice
        self._time_out_s = time_out_s
        self._send = send
        self._order: Order | None = None
        self._on: Order | None = None
        self._done: Order | None = None
        self._closing = False
        self._refresh = False
        self._frames: deque[bytes] = deque(maxlen=_VOICE_QUEUE)
        self._open = False
        self._cor = False
        self._channel: ChannelReported | None = None
        self._reason = NOT_OPEN
        self._missed = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller = select.poll()
        self._poller.register(self._wake, select.POLLIN)
        self._polled: int | None = None
        self._reporting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"radio {index}", daemon=True)

    def start(self) -> None:
        """Start the thread: it opens the device."""
        self._thread.start()

    def key(self, serial: int, at: float) -> None:
        """Take a new order whose lease started at `at`; an older one is over."""
        self._finish(UnkeyCause.COMMAND)
        self._frames.clear()
        self._order = Order(serial, min(at, time.monotonic()) + LEASE_S)
        self.wake()

    def renew(self, serial: int, at: float) -> None:
        """Move the lease on, unless it has run out: what is over stays over."""
        order, now = self._order, time.monotonic()
        if order is None or order.serial != serial or order.over_at() <= now:
            return
        order.lease_until = max(order.lease_until, min(at, now) + LEASE_S)
        self._refresh = True
        self.wake()

    def unkey(self, serial: int) -> None:
        """End the order; answered by Unkeyed even when nothing was keyed."""
        order = self._order
        if order is None or order.serial != serial or self._done is order:
            event = Unkeyed(cause=UnkeyCause.COMMAND, at=time.monotonic())
            self._report_serial(serial, event)
        self._finish(UnkeyCause.COMMAND)
        self.wake()

    def write(self, samples: bytes) -> None:
        """Queue 20 ms of voice for an interface that carries it."""
        if self._voice is not None:
            self._frames.append(samples)
            self.wake()

    def stop(self) -> None:
        """Unkey, close the device, end the thread."""
        self._closing = True
        self._finish(UnkeyCause.CLOSING)
        self.wake()

    def silence(self) -> None:
        """Unkey because the process was told to end; the thread lives on."""
        self._finish(UnkeyCause.CLOSING)
        self.wake()

    def ended(self) -> bool:
        """Tell whether the thread has ended: unkeyed and closed."""
        return not self._thread.is_alive()

    def busy(self) -> bool:
        """Tell whether the radio is keyed or has an order that is not over."""
        order = self._order
        pending = order is not None and order is not self._done
        return pending or self._on is not None

    def overdue(self, now: float) -> bool:
        """Tell whether the radio should have been unkeyed for longer than it may take."""
        on = self._on
        return on is not None and now - on.over_at() > CONFIRM_S

    def resend(self) -> None:
        """Say again how things stand, when reports were lost because the gateway did not read."""
        if not self._missed:
            return
        self._missed = False
        now, channel = time.monotonic(), self._channel
        self._report(DeviceBack(at=now) if self._open else DeviceLost(reason=self._reason, at=now))
        self._report(CorChanged(active=self._cor, at=now))
        if channel is not None:
            self._report(channel)
        if self._on is None:
            self._report(Unkeyed(cause=UnkeyCause.LEASE, at=now))

    def wake(self) -> None:
        """Make the thread look at its orders now."""
        os.eventfd_write(self._wake, 1)

    def _finish(self, cause: UnkeyCause) -> None:
        order = self._order
        if order is not None and order.off_at == math.inf:
            order.cause = cause
            order.off_at = time.monotonic()

    # What follows runs in the radio's own thread.

    def _run(self) -> None:
        try:
            pause = 0
            while not self._closing:
                if self._try(self._open_device):
                    opened = time.monotonic()
                    while not self._closing and self._try(self._turn):
                        pass
                    if time.monotonic() - opened > STEADY_S:
                        pause = 0
                        continue
                self._idle(REOPEN_S[min(pause, len(REOPEN_S) - 1)])
                pause += 1
            if self._open:
                self._try(self._follow)
            self._close_device(UnkeyCause.CLOSING)
        except BaseException:  # noqa: BLE001 - a bug: a transmitter must not outlive its guard
            os._exit(EXIT_BUG)

    def _try(self, step: Callable[[], None]) -> bool:
        """Do one step with the device; a driver that raises anything has a failed device."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - third-party drivers: whatever it is, unkey
            self._lost(_words(error))
            return False
        return True

    def _open_device(self) -> None:
        self._interface.open()
        self._open = True
        self._report(DeviceBack(at=time.monotonic()))

    def _turn(self) -> None:
        self._follow()
        interface = self._interface
        if self._refresh:
            self._refresh = False
            if self._on is not None:
                interface.refresh()
        if self._voice is not None:
            self._speak(self._voice)
        for event in interface.poll():
            self._tell(event)
        if self._voice is not None:
            for samples in self._voice.read():
                self._send(pack(Kind.HEARD, self._index, 0, time.monotonic(), samples.tobytes()))
        self._wait()

    def _follow(self) -> None:
        """Make the device do what the order says; unkeying comes first."""
        on, order, now = self._on, self._order, time.monotonic()
        if on is not None and on.over_at() <= now:
            self._interface.unkey()
            self._released(on, on.why())
        if self._on is not None or order is None or order is self._done:
            return
        if order.over_at() <= now:
            self._released(order, order.why())
            return
        order.stop_at = now + self._time_out_s
        self._on = order
        self._interface.key()

    def _released(self, order: Order, cause: UnkeyCause) -> None:
        self._on = None
        self._done = order
        self._report_serial(order.serial, Unkeyed(cause=cause, at=time.monotonic()))

    @staticmethod
    def _end(on: Order, cause: UnkeyCause) -> None:
        """End what is keyed before the device is touched: no renewal lets a driver hang."""
        if on.off_at == math.inf:
            on.cause = cause
            on.off_at = time.monotonic()

    def _speak(self, voice: VoiceInterface) -> None:
        while self._frames:
            samples = np.frombuffer(self._frames.popleft(), dtype="<i2")
            if self._on is not None:
                voice.write(samples)

    def _tell(self, event: InterfaceEvent) -> None:
        match event:
            case CorChanged():
                self._cor = event.active
            case ChannelReported():
                self._channel = event
            case KeyAnswered(answer=KeyAnswer.DENIED | KeyAnswer.FAILED) if self._on is not None:
                self._refused(self._on, event)
                return
            case Unkeyed() if self._on is not None:
                on = self._on
                self._end(on, event.cause)
                self._interface.unkey()
                self._released(on, event.cause)
                return
            case Unkeyed() | KeyAnswered() if self._on is None:
                return
            case _:
                pass
        self._report(event)

    def _refused(self, on: Order, event: KeyAnswered) -> None:
        self._end(on, UnkeyCause.RADIO)
        self._interface.unkey()
        self._on = None
        self._done = on
        self._report_serial(on.serial, event)

    def _wait(self) -> None:
        """Sleep until the device or an order needs attention."""
        timeout = self._interface.poll_s
        on = self._on
        if on is not None:
            timeout = min(timeout, on.over_at() - time.monotonic())
        fd = self._interface.fileno()
        self._sleep(timeout, fd)

    def _idle(self, pause_s: float) -> None:
        """Wait before the device is opened again; orders are refused meanwhile."""
        until = time.monotonic() + pause_s
        while not self._closing:
            self._refuse_order()
            left = until - time.monotonic()
            if left <= 0:
                return
            self._sleep(left, None)

    def _sleep(self, timeout_s: float, fd: int | None) -> None:
        if fd != self._polled:
            if self._polled is not None:
                self._poller.unregister(self._polled)
            if fd is not None:
                self._poller.register(fd, select.POLLIN)
            self._polled = fd
        for ready, _ in self._poller.poll(max(0.0, timeout_s * 1000)):
            if ready == self._wake:
                os.eventfd_read(self._wake)

    def _refuse_order(self) -> None:
        order = self._order
        if order is None or order is self._done:
            return
        self._done = order
        now = time.monotonic()
        if order.over_at() <= now:
            self._report_serial(order.serial, Unkeyed(cause=order.why(), at=now))
            return
        failed = KeyAnswered(answer=KeyAnswer.FAILED, at=now, detail=self._reason.en)
        self._report_serial(order.serial, failed)

    def _lost(self, reason: Text) -> None:
        if self._on is not None:
            self._end(self._on, UnkeyCause.DEVICE)
        was_open = self._open
        first = self._reason == NOT_OPEN
        changed = reason != self._reason
        self._reason = reason
        self._close_device(UnkeyCause.DEVICE)
        if was_open or first or changed:
            self._report(DeviceLost(reason=reason, at=time.monotonic()))

    def _close_device(self, cause: UnkeyCause) -> None:
        """Close, which unkeys; the watchdog runs until it is done."""
        on = self._on
        self._interface.close()
        self._open = False
        self._channel = None
        self._refresh = False
        if on is not None:
            self._released(on, cause)
        if self._cor:
            self._cor = False
            self._report(CorChanged(active=False, at=time.monotonic()))

    def _report(self, event: InterfaceEvent) -> None:
        order = self._on or self._order
        self._report_serial(order.serial if order is not None else 0, event)

    def _report_serial(self, serial: int, event: InterfaceEvent) -> None:
        with self._reporting:
            if not self._send(pack_event(self._index, serial, event)):
                self._missed = True


def _words(error: Exception) -> Text:
    """Return what to say of a device whose driver raised `error`."""
    if isinstance(error, RadioBridgeError):
        return error.text
    said = str(error) or type(error).__name__
    return Text(said, said)
