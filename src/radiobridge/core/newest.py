"""The newest word of each gateway on each of its topics, whatever the order of arrival.

A higher version replaces a lower one. Two contents under one version contradict each other: then
neither counts, until a higher version settles it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import GatewayId

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Said(Generic[W]):
    """One word as published; `word` is None when two contradict. Times are ms of bridge time."""

    version: int
    expires_ms: int
    word: W | None


class Newest(Generic[W]):
    """Words by sender and topic: at most `most` of each sender, further ones are refused."""

    def __init__(self, most: int, refusal: str) -> None:
        """Refuse with the reason `refusal`."""
        self._most = most
        self._refusal = refusal
        self._said: dict[tuple[GatewayId, str], Said[W]] = {}

    def take(self, sender: GatewayId, topic: str, said: Said[W], now_ms: int) -> None:
        """Take an authentic word. Raises RemoteProtocolError when its sender fills its share."""
        known = self._said.get((sender, topic))
        if known is None:
            self._make_room(sender, now_ms)
        if known is None or said.version > known.version:
            self._said[sender, topic] = said
        elif said.version == known.version and said != known:
            expires_ms = max(said.expires_ms, known.expires_ms)
            self._said[sender, topic] = Said(said.version, expires_ms, None)

    def words(self, now_ms: int) -> Iterator[tuple[GatewayId, W]]:
        """Yield what counts, by sender and topic."""
        for (sender, _), said in sorted(self._said.items(), key=lambda item: item[0]):
            if said.word is not None and now_ms < said.expires_ms:
                yield sender, said.word

    def next_expiry_ms(self, now_ms: int) -> int | None:
        """Return when the next word stops counting."""
        ends = (said.expires_ms for said in self._said.values() if said.expires_ms > now_ms)
        return min(ends, default=None)

    def _make_room(self, sender: GatewayId, now_ms: int) -> None:
        """Forget what has expired of one sender when its share is full."""
        mine = [key for key in self._said if key[0] == sender]
        if len(mine) < self._most:
            return
        over = [key for key in mine if self._said[key].expires_ms <= now_ms]
        for key in over:
            del self._said[key]
        if not over:
            raise RemoteProtocolError(self._refusal)
