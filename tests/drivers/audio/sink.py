"""An AudioSink that remembers, and a peer that speaks plain USRP."""

import asyncio
import socket
from collections.abc import Callable

import numpy as np

from radiobridge.model.voice import PcmFrame
from radiobridge.text import Text

LIMIT_S = 30.0
"""Longest wait for anything in these tests: far above what it takes, so only a fault reaches it."""


class Sink:
    """Records what an audio device delivers."""

    def __init__(self) -> None:
        self.frames: list[PcmFrame] = []
        self.times: list[float] = []
        self.lost: list[Text] = []
        self._news = asyncio.Event()

    def audio(self, samples: PcmFrame, at: float) -> None:
        self.frames.append(samples)
        self.times.append(at)
        self._news.set()

    def audio_lost(self, reason: Text) -> None:
        self.lost.append(reason)
        self._news.set()

    async def until(self, held: Callable[[], bool]) -> None:
        """Wait until `held()`, looking again after everything delivered."""
        async with asyncio.timeout(LIMIT_S):
            while not held():
                self._news.clear()
                await self._news.wait()


def tone(rate: int, frames: int, *, hz: float = 1000.0, peak: int = 3277) -> list[PcmFrame]:
    """Return `frames` frames of a steady tone."""
    at = np.arange(frames * rate // 50) / rate
    samples = np.round(peak * np.sin(2 * np.pi * hz * at)).astype(np.int16)
    return list(samples.reshape(frames, -1))


def udp_socket() -> socket.socket:
    """Return a UDP socket on a free port of the loopback."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))
    peer.setblocking(False)
    return peer
