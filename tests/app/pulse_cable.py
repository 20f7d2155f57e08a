"""A donor radio whose sound comes and goes by a sound card: PulseAudio null sinks, and two pipes.

radio -> pacat -> null sink `receiver`, whose monitor the gateway captures
radio <- parec <- monitor of null sink `transmitter`, into which the gateway plays
"""

import fcntl
import os
import subprocess
import termios
import time
from array import array

import numpy as np

from radiobridge_sim.sound import FRAME, RATE, Pcm
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket

RECEIVER, TRANSMITTER = "receiver", "transmitter"

_FORMAT = ("--raw", f"--rate={RATE}", "--channels=1", "--format=s16le", "--latency-msec=20")


LATENCY_BYTES = 2 * RATE * 60 // 1000
"""What may wait for pacat: 60 ms. More would stay there for good, as delay."""


class PulseCable(UsrpSocket):
    """What a donor radio takes for its sound socket.

    Both ends of both pipes are held open, so that nothing breaks when PulseAudio goes and takes
    pacat and parec with it; `connect` starts them again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._in, self._from_parec = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._to_pacat, self._out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._out, False)
        self._tools: list[subprocess.Popen[bytes]] = []
        self._heard = bytearray()
        self.connect()

    def connect(self) -> None:
        """Start pacat and parec (again)."""
        self._end_tools()
        play = ["pacat", f"--device={RECEIVER}", *_FORMAT]
        record = ["parec", f"--device={TRANSMITTER}.monitor", *_FORMAT]
        quiet = subprocess.DEVNULL
        self._tools = [
            subprocess.Popen(play, stdin=self._to_pacat, stderr=quiet),
            subprocess.Popen(record, stdout=self._from_parec, stderr=quiet),
        ]

    def _end_tools(self) -> None:
        for tool in self._tools:
            tool.kill()
            tool.wait()
        self._tools.clear()

    def fileno(self) -> int:
        """Return the descriptor that has something when the gateway plays."""
        return self._in

    def send(self, samples: Pcm | None, *, keyed: bool) -> None:
        """Play 20 ms of what the receiver hears."""
        del keyed
        waiting = array("i", [0])
        fcntl.ioctl(self._to_pacat, termios.FIONREAD, waiting)
        if samples is not None and waiting[0] < LATENCY_BYTES:
            os.write(self._out, samples.astype("<i2").tobytes())

    def receive(self) -> list[UsrpPacket]:
        """Return what the gateway has played, in frames."""
        try:
            while part := os.read(self._in, 65_536):
                self._heard += part
        except BlockingIOError:
            pass
        size, now = 2 * FRAME, time.monotonic()
        packets = []
        while len(self._heard) >= size:
            samples = np.frombuffer(bytes(self._heard[:size]), "<i2").astype(np.int16)
            del self._heard[:size]
            packets.append(UsrpPacket(keyed=False, samples=samples, at=now))
        return packets

    def close(self) -> None:
        """End everything."""
        super().close()
        self._end_tools()
        for descriptor in (self._in, self._from_parec, self._to_pacat, self._out):
            os.close(descriptor)
