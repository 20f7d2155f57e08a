"""The far end of a USRP stream: an AllStarLink node or a DVSwitch program with a radio behind.

PTT follows the stream and drops 100 ms after its last packet (chan_usrp: 80 ms). `KeysOn.FLAG`
(DVSwitch) obeys the `keyup` word of every packet; `KeysOn.VOICE` (AllStarLink) takes each packet
of 352 bytes as keyed, whatever it says, and nothing else.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum

from radiobridge_sim.serial.log import LineCallback, LineChange
from radiobridge_sim.sound import Pcm
from radiobridge_sim.usrp import VOICE_BYTES, pack, unpack

STREAM_GONE_S = 0.1


class KeysOn(Enum):
    """What makes the peer transmit."""

    FLAG = "flag"
    VOICE = "voice"


class UsrpPeer:
    """One peer in a thread. Methods may be called from any thread.

    `on_ptt(on, cause)` (cause `stream`, `unkey`, `stream-gone`) and `on_voice(frame, at)` are
    called in the peer's thread.
    """

    def __init__(
        self,
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        keys_on: KeysOn = KeysOn.FLAG,
        on_ptt: Callable[[bool, str], None] | None = None,
        on_voice: Callable[[Pcm, float], None] | None = None,
        log: LineCallback | None = None,
    ) -> None:
        self._listen = listen
        self._keys_on = keys_on
        self._on_ptt = on_ptt
        self._on_voice = on_voice
        self._log = log
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._running = False
        self._seq = 0
        self._last = 0.0
        self.ptt = False
        """Whether it transmits."""
        self.peer: tuple[str, int] | None = None
        """Where to send to: the `listen` of the driver."""

    def start(self) -> None:
        """Bind and serve."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(self._listen)
        self._listen = sock.getsockname()
        self._socket = sock
        self._running = True
        self._thread = threading.Thread(target=self._run, name="usrp peer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, close the socket; `start` binds the same UDP port again."""
        self._running = False
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def address(self) -> str:
        """Return `host:port`, the `peer` of the driver."""
        host, port = self._listen
        return f"{host}:{port}"

    def set_cor(self, *, active: bool) -> None:
        """The receiver opens (a silent frame is sent) or closes."""
        self._note("COR", active, "air")
        self.send(None, keyed=active)

    def send(self, samples: Pcm | None, *, keyed: bool = True) -> None:
        """Send 20 ms of received voice, or a header alone."""
        if self._socket is not None and self.peer is not None:
            self._seq += 1
            self._socket.sendto(pack(self._seq, samples, keyed=keyed), self.peer)

    def _run(self) -> None:
        sock = self._socket
        if sock is None:
            return
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(sock, select.POLLIN)
        while self._running:
            left = (self._last + STREAM_GONE_S - time.monotonic()) if self.ptt else 1.0
            for fd, _ in poller.poll(max(0.0, left * 1000)):
                if fd == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._take(sock.recv(2048))
            if self.ptt and time.monotonic() - self._last >= STREAM_GONE_S:
                self._set("stream-gone", on=False)
        self._set("stopped", on=False)

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        packet = unpack(data, now)
        voice = len(data) == VOICE_BYTES
        keyed = voice if self._keys_on is KeysOn.VOICE else packet is not None and packet.keyed
        if keyed:
            self._last = now
            self._set("stream", on=True)
        elif self._keys_on is KeysOn.FLAG and packet is not None:
            self._set("unkey", on=False)
        if packet is not None and packet.samples is not None and self._on_voice is not None:
            self._on_voice(packet.samples, now)

    def _set(self, cause: str, *, on: bool) -> None:
        if on is self.ptt:
            return
        self.ptt = on
        self._note("PTT", on, cause)
        if self._on_ptt is not None:
            self._on_ptt(on, cause)

    def _note(self, line: str, value: bool, cause: str) -> None:
        if self._log is not None:
            self._log(LineChange(time.monotonic(), line, value, cause))
