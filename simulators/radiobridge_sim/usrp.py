"""USRP over UDP, as a simulated radio speaks it.

Written apart from the daemon's codec on purpose: a mistake in one then shows against the other.
Source: AllStarLink chan_usrp; a 32-byte header, big-endian but for the type, then 160 samples of
16 bits, little-endian. A header alone, not keyed, ends a transmission.
"""

import contextlib
import socket
import struct
import time
from typing import NamedTuple

import numpy as np

from radiobridge_sim.sound import FRAME, Pcm

_HEAD = struct.Struct(">4s4I")
_TYPE_VOICE = 0
HEADER_BYTES = 32
VOICE_BYTES = HEADER_BYTES + 2 * FRAME

_SO_TIMESTAMPNS = 35
"""Linux: the kernel tells when a packet came in, however late we read it."""

_TIMESPEC = struct.Struct("@qq")


class UsrpPacket(NamedTuple):
    """One packet: voice, or (without samples) the end of a transmission."""

    keyed: bool
    samples: Pcm | None
    at: float
    """When it arrived, CLOCK_MONOTONIC s."""


def pack(seq: int, samples: Pcm | None, *, keyed: bool) -> bytes:
    """Return one packet: a header alone when `samples` is None, else 20 ms of voice."""
    head = _HEAD.pack(b"USRP", seq & 0xFFFFFFFF, 0, int(keyed), 0)
    body = b"" if samples is None else samples.astype("<i2").tobytes()
    return head + _TYPE_VOICE.to_bytes(4, "little") + bytes(8) + body


def unpack(data: bytes, at: float) -> UsrpPacket | None:
    """Return the packet in `data`, None for what is no voice and no unkey."""
    if len(data) < HEADER_BYTES or data[:4] != b"USRP":
        return None
    if int.from_bytes(data[20:24], "little") != _TYPE_VOICE:
        return None
    keyed = int.from_bytes(data[12:16], "big") != 0
    if len(data) == HEADER_BYTES:
        return UsrpPacket(keyed, None, at)
    if len(data) != VOICE_BYTES:
        return None
    return UsrpPacket(keyed, np.frombuffer(data, "<i2", offset=HEADER_BYTES).astype(np.int16), at)


class UsrpSocket:
    """A UDP socket on the loopback that sends and receives USRP."""

    def __init__(self, peer: tuple[str, int] | None = None) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.address: tuple[str, int] = self._socket.getsockname()
        self.peer = peer
        """Where to send; nothing is sent while None."""
        self._seq = 0

    def fileno(self) -> int:
        """Return the descriptor, for select."""
        return self._socket.fileno()

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        """Send one packet now; nobody listening is no error."""
        if self.peer is None:
            return
        self._seq += 1
        with contextlib.suppress(OSError):
            self._socket.sendto(pack(self._seq, samples, keyed=keyed), self.peer)

    def receive(self) -> list[UsrpPacket]:
        """Return everything that has come in, oldest first."""
        packets: list[UsrpPacket] = []
        while True:
            try:
                data, extra, _, _ = self._socket.recvmsg(2048, 64)
            except OSError:
                return packets
            packet = unpack(data, _arrival(extra))
            if packet is not None:
                packets.append(packet)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _arrival(extra: list[tuple[int, int, bytes]]) -> float:
    now = time.monotonic()
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            age = time.time() - (seconds + nanoseconds * 1e-9)
            return now - age if 0.0 <= age < 1.0 else now
    return now
