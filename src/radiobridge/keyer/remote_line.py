"""One radio as the gateway sees it: orders out, events in, and what is known right now."""

import asyncio
import time
from collections.abc import Callable

from radiobridge.errors import LocalProtocolError
from radiobridge.keyer.protocol import Kind, Message, pack
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
from radiobridge.spi import InterfaceSink
from radiobridge.text import Text


class RemoteLine:
    """An `spi.KeyerLine`. Lives as long as the client, over restarts of the keyer process.

    Each `key` is followed by KeyAnswered, and by Unkeyed in the end unless the answer is DENIED or
    FAILED. Each `unkey` is followed by Unkeyed, whatever happens to the device or the keyer.
    Events that belong to an older request than the last are dropped.
    """

    rate = 0
    """Sample rate in Hz of an interface that carries voice, 0 when it carries none."""

    def __init__(
        self, index: int, loop: asyncio.AbstractEventLoop, send: Callable[[bytes], bool]
    ) -> None:
        self._index = index
        self._loop = loop
        self._send = send
        self._sink: InterfaceSink | None = None
        self._serial = 0
        self._live = False
        self._unkey_at: float | None = None
        self._device: DeviceBack | DeviceLost | None = None
        self._cor: CorChanged | None = None
        self._channel: ChannelReported | None = None
        self.heard: Callable[[Message], None] = _nobody
        """Who takes received voice."""
        self.device_changed: Callable[[], None] = _nothing
        """Who else wants to know that the device is lost or back."""

    def attach(self, sink: InterfaceSink) -> None:
        """Say who gets the events; what is known already is told at once."""
        if self._sink is not None:
            raise LocalProtocolError("a keyer line has one sink")
        self._sink = sink
        for known in (self._device, self._channel, self._cor):
            if known is not None:
                sink.interface_event(known)

    @property
    def device_open(self) -> bool:
        """Tell whether the device can be used."""
        return isinstance(self._device, DeviceBack)

    @property
    def lost_reason(self) -> Text:
        """Return why the device cannot be used."""
        return self._device.reason if isinstance(self._device, DeviceLost) else NOT_OPEN

    @property
    def live(self) -> bool:
        """Tell whether there is a request that has not ended."""
        return self._live

    def key(self) -> None:
        """Ask to transmit, starting a lease of 200 ms."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        self._live = True
        self._unkey_at = None
        if not self.device_open or not self._order(Kind.KEY):
            self._loop.call_soon(self._cannot, self._serial)

    def renew(self) -> None:
        """Renew the lease."""
        if self._live and self._unkey_at is None:
            self._order(Kind.RENEW)

    def unkey(self) -> None:
        """Stop transmitting now."""
        if self._unkey_at is None:
            self._unkey_at = time.monotonic()
        if not self._order(Kind.UNKEY):
            self._loop.call_soon(self._released, self._serial, UnkeyCause.DEVICE)

    def write(self, samples: bytes) -> bool:
        """Send 20 ms of voice (s16le); False when the keyer is gone."""
        return self._send(
            pack(Kind.VOICE, self._index, self._serial, time.monotonic(), samples),
        )

    def unkey_overdue(self, now: float, limit_s: float) -> bool:
        """Tell whether an unkeying has not been confirmed for longer than `limit_s`."""
        return self._unkey_at is not None and now - self._unkey_at > limit_s

    def event(self, serial: int, event: InterfaceEvent) -> None:
        """Take an event of the request `serial` from the keyer."""
        match event:
            case Unkeyed():
                self._unkeyed(serial, event)
                return
            case KeyAnswered():
                self._answered(serial, event)
                return
            case DeviceBack() | DeviceLost():
                if isinstance(event, DeviceBack) and self.device_open:
                    return
                self._device = event
                if isinstance(event, DeviceLost):
                    self._channel = None
            case CorChanged():
                if event.active == (self._cor is not None and self._cor.active):
                    return
                self._cor = event
            case ChannelReported():
                if not self.device_open:
                    return
                self._channel = event
        self._tell(event)
        if isinstance(event, DeviceBack | DeviceLost):
            self.device_changed()

    def gone(self, reason: Text) -> None:
        """The keyer process ended: its devices are closed, nothing is keyed."""
        now = time.monotonic()
        self.released()
        self.event(self._serial, CorChanged(active=False, at=now))
        self.event(self._serial, DeviceLost(reason=reason, at=now))

    def released(self) -> None:
        """The keyer process ended: what was keyed is not any more."""
        self._released(self._serial, UnkeyCause.DEVICE)

    def _order(self, kind: Kind) -> bool:
        return self._send(pack(kind, self._index, self._serial, time.monotonic()))

    def _cannot(self, serial: int) -> None:
        failed = KeyAnswered(
            answer=KeyAnswer.FAILED, at=time.monotonic(), detail=self.lost_reason.en
        )
        self.event(serial, failed)

    def _released(self, serial: int, cause: UnkeyCause) -> None:
        self._unkeyed(serial, Unkeyed(cause=cause, at=time.monotonic()))

    def _answered(self, serial: int, event: KeyAnswered) -> None:
        if serial != self._serial or not self._live:
            return
        if event.answer in (KeyAnswer.DENIED, KeyAnswer.FAILED):
            self._live = False
        self._tell(event)

    def _unkeyed(self, serial: int, event: Unkeyed) -> None:
        if serial != self._serial or not (self._live or self._unkey_at is not None):
            return
        self._live = False
        self._unkey_at = None
        self._tell(event)

    def _tell(self, event: InterfaceEvent) -> None:
        if self._sink is not None:
            self._sink.interface_event(event)


def _nobody(_message: Message) -> None:
    """Drop voice that nobody listens to."""


def _nothing() -> None:
    """Tell nobody."""
