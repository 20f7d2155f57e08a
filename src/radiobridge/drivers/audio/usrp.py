"""A radio's sound over USRP/UDP, when something else keys it (a serial line, CCDI).

Sends only while there is something to play: each frame at once, as long as that is no more than
40 ms ahead of real time, the rest paced; 100 ms after the last frame one header without key, which
peers take for the end. Packets count from the peer's host only; USRP has no authentication, so
both ends belong on the loopback or a trusted link.
"""

import asyncio
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any, Self

import numpy as np

from radiobridge.drivers.audio.heard import HeardAt
from radiobridge.drivers.audio.ring import PlayRing
from radiobridge.drivers.interface import settings as read
from radiobridge.errors import DriverError, RemoteProtocolError
from radiobridge.model.voice import FRAME_S, PcmFrame
from radiobridge.spi import AudioSink
from radiobridge.text import Text
from radiobridge.wire import usrp

_AHEAD_S = FRAME_S
"""A frame goes out when no more than this is still to be played: it bridges our own jitter, and
any peer buffers two frames."""

_END_S = 0.1
"""Silence after which the transmission is over for the peer."""

_UNDERRUN_S = FRAME_S
"""A later frame than this, in the middle of a spurt, was heard as a gap."""


class UsrpAudio(asyncio.DatagramProtocol):
    """An AudioDevice (see `spi`) at 8 kHz."""

    rate = usrp.RATE

    def __init__(self, listen: tuple[str, int], peer: tuple[str, int]) -> None:
        self._listen = listen
        self._peer = peer
        self._ring = PlayRing(usrp.RATE)
        self._transport: asyncio.DatagramTransport | None = None
        self._sink: AudioSink | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._played_until = 0.0
        self._keyed = False
        self._seq = 0
        self._heard = HeardAt()
        self.underruns = 0
        self.refused = 0
        """Packets from elsewhere, or that are no USRP."""

    @property
    def overruns(self) -> int:
        """See AudioDevice."""
        return self._ring.overruns

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from `{listen: "host:port", peer: "host:port"}`; raise ConfigError."""
        read.no_other_keys(settings, ("listen", "peer", "rate"))
        return cls(read.address(settings, "listen"), read.address(settings, "peer"))

    async def open(self, sink: AudioSink) -> None:
        """See AudioDevice."""
        loop, self._sink = asyncio.get_running_loop(), sink
        host, port = self._peer
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            self._peer = (str(found[0][4][0]), port)
            here = await loop.getaddrinfo(*self._listen, type=socket.SOCK_DGRAM)
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, sock=_bound(here[0][0], here[0][4])
            )
        except OSError as error:
            shown, why = f"{self._listen[0]}:{self._listen[1]}", error.strerror or str(error)
            raise DriverError(
                f"USRP at {shown} (peer {host}) cannot be opened: {why}",
                f"USRP en {shown} (pair {host}) ne peut être ouvert : {why}",
            ) from None

    def write(self, samples: PcmFrame) -> None:
        """See AudioDevice."""
        if self._transport is None:
            return
        now = monotonic()
        gap = now - self._played_until
        if gap > 0:
            self.underruns += self._keyed and gap > _UNDERRUN_S
            self._played_until = now
        self._ring.push(samples.astype("<i2", copy=False).tobytes())
        self._send(now)

    def queued_s(self) -> float:
        """See AudioDevice; what the peer has not played yet is counted."""
        return max(0.0, self._played_until - monotonic()) + self._ring.queued_s()

    def discard(self) -> None:
        """See AudioDevice; what was sent cannot be called back (40 ms at most)."""
        self._ring.clear()

    async def close(self) -> None:
        """See AudioDevice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ring.clear()
        self._unkey()
        transport, self._transport, self._sink = self._transport, None, None
        if transport is not None:
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hand voice from the peer to the sink."""
        if addr[0] != self._peer[0]:
            self.refused += 1
            return
        try:
            packet = usrp.decode(data)
        except RemoteProtocolError:
            self.refused += 1
            return
        if packet.type != usrp.UsrpType.VOICE or not packet.payload:
            return
        if self._sink is not None:
            # A copy of our own, since whoever hears it may change it in place.
            samples = np.frombuffer(packet.payload, "<i2").astype(np.int16)
            self._sink.audio(samples, self._heard.at(packet.seq, monotonic()))

    def error_received(self, exc: Exception) -> None:
        """Go on: the peer is not there yet, or no longer."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner when the socket failed by itself."""
        if self._transport is not None and self._sink is not None:
            self._transport = None
            why = str(exc or "closed")
            self._sink.audio_lost(
                Text(f"the USRP socket failed: {why}", f"la prise USRP a échoué : {why}")
            )

    def _send(self, now: float) -> None:
        while self._played_until - now <= _AHEAD_S:
            pcm = self._ring.pull(usrp.FRAME_BYTES)
            if not pcm:
                break
            self._seq += 1
            self._keyed = True
            self._played_until += FRAME_S
            self._put(usrp.voice(self._seq, pcm))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        """Set the one timer: for the next frame that waits, or for the end of the spurt."""
        at = self._played_until + (-_AHEAD_S if self._ring.queued_s() else _END_S)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.001, at - monotonic()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = monotonic()
        if self._ring.queued_s():
            self._send(now)
        elif now < self._played_until + _END_S:
            self._arm()
        else:
            self._unkey()

    def _unkey(self) -> None:
        if self._keyed:
            self._keyed = False
            self._seq += 1
            self._put(usrp.key_only(self._seq, keyed=False))

    def _put(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(packet, self._peer)


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Return a UDP socket at `address`, or none left open."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
