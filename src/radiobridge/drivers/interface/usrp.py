"""`usrp`: an AllStarLink node (or DVSwitch program) as a radio; key, COR and voice in one stream.

The stream is the dead-man: the far end releases about 80 ms after the last packet, whatever
happened to this process, this machine or the network between. While keyed and without voice,
silence keeps the stream alive. Unkeying is sent three times, and never as a packet of voice length,
which AllStarLink would take as keyed.

There is no connection to lose: a peer whose port is closed is noticed because its machine says so
(ICMP) when we send; for that, an idle stream sends a header that says "not keyed" twice a second.
There is no authentication: use the loopback or a trusted link. Only packets from the peer's
address count.
"""

import contextlib
import ipaddress
import select
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from radiobridge.drivers.interface import settings as read
from radiobridge.drivers.interface.port import because, failed
from radiobridge.errors import DriverError, RemoteProtocolError
from radiobridge.model.interface import NOT_OPEN, CorChanged, InterfaceEvent, KeyAnswer, KeyAnswered
from radiobridge.model.voice import PcmFrame
from radiobridge.text import Text
from radiobridge.wire import usrp

SILENCE_S = 0.045
"""A stream without voice for that long is kept alive, or keyed at a peer that goes by voice packets
alone, by silence. Not earlier: a peer plays packets one after the other, so that silence sent just
before the first voice would delay the whole spurt."""
COR_GONE_S = 0.2
"""COR ends when nothing has come for that long."""
PROBE_S = 0.5
OPEN_PROBE_S = 0.02
UNKEY_COPIES = 3

_KEYED_POLL_S = 0.01
_IDLE_POLL_S = 0.1
_IP_RECVERR = 11
"""Linux: report ICMP errors of an unconnected UDP socket."""
_BATCH = 32


class UsrpInterface:
    """One stream (settings: listen, peer)."""

    rate = usrp.RATE

    def __init__(self, listen: tuple[str, int], peer: tuple[str, int]) -> None:
        self._listen = listen
        self._peer_setting = peer
        self._peer: tuple[str, int] = peer
        self._socket: socket.socket | None = None
        self.poll_s = _IDLE_POLL_S
        self._reset()

    def _reset(self) -> None:
        self._seq = 0
        self._keyed = False
        self._send_by = 0.0
        self._cor = False
        self._heard_at = 0.0
        self._events: list[InterfaceEvent] = []
        self._voice: list[PcmFrame] = []
        self.poll_s = _IDLE_POLL_S

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from settings; raises ConfigError."""
        read.no_other_keys(settings, ("listen", "peer"))
        return cls(read.address(settings, "listen"), read.address(settings, "peer"))

    def open(self) -> None:
        """Bind, say "not keyed", and see whether the peer's machine refuses it."""
        self._reset()
        try:
            self._peer = _resolve(self._peer_setting)
            family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self._socket.bind(self._listen)
        except OSError as error:
            raise self._failed(because("cannot be opened", "ne peut être ouvert", error)) from error
        self._probe(time.monotonic())
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.poll(OPEN_PROBE_S * 1000)
        self._receive(time.monotonic())

    def fileno(self) -> int | None:
        """Return the descriptor of the socket."""
        return self._socket.fileno() if self._socket is not None else None

    def key(self) -> None:
        """Start the stream; the peer transmits while it sees it."""
        now = time.monotonic()
        self._keyed = True
        self.poll_s = _KEYED_POLL_S
        self._send_by = now + SILENCE_S
        self._send(usrp.key_only(self._next(), keyed=True))
        self._events.append(KeyAnswered(answer=KeyAnswer.GRANTED, at=now))

    def refresh(self) -> None:
        """Do nothing: the stream itself is the dead-man."""

    def unkey(self) -> None:
        """End the stream, and say so."""
        self._keyed = False
        self.poll_s = _IDLE_POLL_S
        self._send_by = time.monotonic() + PROBE_S
        for _ in range(UNKEY_COPIES):
            self._send(usrp.key_only(self._next(), keyed=False))

    def poll(self) -> Iterable[InterfaceEvent]:
        """Receive, and keep the stream alive."""
        now = time.monotonic()
        self._receive(now)
        if now >= self._send_by:
            if self._keyed:
                self._send_by = now + SILENCE_S
                self._send(usrp.voice(self._next(), usrp.SILENCE))
            else:
                self._probe(now)
        if self._cor and now - self._heard_at > COR_GONE_S:
            self._set_cor(now, active=False)
        events, self._events = self._events, []
        return events

    def write(self, samples: PcmFrame) -> None:
        """Send 20 ms while keyed."""
        if not self._keyed:
            return
        self._send_by = time.monotonic() + SILENCE_S
        self._send(usrp.voice(self._next(), samples.astype("<i2", copy=False).tobytes()))

    def read(self) -> Iterable[PcmFrame]:
        """Return voice received since the last call."""
        frames, self._voice = self._voice, []
        return frames

    def close(self) -> None:
        """End the stream and close."""
        with contextlib.suppress(DriverError):
            if self._socket is not None:
                self.unkey()
        self._keyed = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _probe(self, now: float) -> None:
        self._send_by = now + PROBE_S
        self._send(usrp.key_only(self._next(), keyed=False))

    def _send(self, raw: bytes) -> None:
        if self._socket is None:
            raise self._failed(NOT_OPEN)
        try:
            self._socket.sendto(raw, self._peer)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._failed(because("cannot be reached", "est injoignable", error)) from error

    def _receive(self, now: float) -> None:
        if self._socket is None:
            raise self._failed(NOT_OPEN)
        for _ in range(_BATCH):
            try:
                raw, sender = self._socket.recvfrom(usrp.MAX_PACKET + 1)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._failed(
                    because("cannot be reached", "est injoignable", error)
                ) from error
            if sender[0] == self._peer[0]:
                self._take(raw, now)

    def _take(self, raw: bytes, now: float) -> None:
        try:
            packet = usrp.decode(raw)
        except RemoteProtocolError:
            return
        if packet.type != usrp.UsrpType.VOICE:
            return
        self._heard_at = now
        self._set_cor(now, active=packet.keyed)
        if packet.payload:
            self._voice.append(np.frombuffer(packet.payload, dtype="<i2").astype(np.int16))

    def _set_cor(self, now: float, *, active: bool) -> None:
        if active is not self._cor:
            self._cor = active
            self._events.append(CorChanged(active=active, at=now))

    def _failed(self, why: Text) -> DriverError:
        host, port = self._peer_setting
        return failed(f"usrp {host}:{port}", why)


def _resolve(address: tuple[str, int]) -> tuple[str, int]:
    """Return the peer by number, because packets are known by it."""
    host, port = address
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host)), port
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return str(found[0][4][0]), port
