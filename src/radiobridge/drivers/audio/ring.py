"""The bounded ring between who writes sound and who plays it."""

from collections import deque

LIMIT_S = 0.5
"""Most that waits to be played; above it the oldest goes."""

SAMPLE_BYTES = 2


class PlayRing:
    """PCM (s16, mono) on its way to a device.

    One thread pushes, another may pull: appending to a deque and popping from it are atomic.
    Bound: 500 ms; above it the oldest 20 ms go, counted in `overruns`.
    """

    def __init__(self, rate: int) -> None:
        """`rate` in Hz."""
        self._bytes_per_s = rate * SAMPLE_BYTES
        self._limit = round(LIMIT_S * self._bytes_per_s)
        self._chunks: deque[bytes] = deque()
        self._rest = b""
        self.overruns = 0

    def push(self, pcm: bytes) -> None:
        """Queue a frame; never blocks."""
        self._chunks.append(pcm)
        while self._queued() > self._limit:
            try:
                self._chunks.popleft()
            except IndexError:
                return
            self.overruns += 1

    def pull(self, size: int) -> bytes:
        """Take up to `size` bytes, whatever the frames were; empty when nothing waits."""
        parts, missing = [], size
        while missing:
            if not self._rest:
                try:
                    self._rest = self._chunks.popleft()
                except IndexError:
                    break
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def queued_s(self) -> float:
        """Return how much waits, in s."""
        return self._queued() / self._bytes_per_s

    def clear(self) -> None:
        """Drop what waits, but for the rest of a frame that is being played."""
        self._chunks.clear()

    def _queued(self) -> int:
        # A copy, because the other thread may pop meanwhile; at most 25 frames.
        return len(self._rest) + sum(map(len, tuple(self._chunks)))
