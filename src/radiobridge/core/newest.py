"""The newest word of each gateway on each of its topics, whatever the order of arrival.

A higher version replaces a lower one. Two contents under one version contradict each other: then
neither counts, until a higher version settles it.
"""

from collections.abc import Callable, Iterator
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
    """Words by sender and topic: at most `most` of each sender.

    What has expired makes room first, then what is settled, the oldest version first. Is there
    neither, a further word is refused.
    """

    def __init__(self, most: int, refusal: str, settled: Callable[[W], bool]) -> None:
        """Refuse with the reason `refusal`; `settled`: whether a word may be forgotten early."""
        self._most = most
        self._refusal = refusal
        self._settled = settled
        self._said: dict[tuple[GatewayId, str], Said[W]] = {}

    def take(self, sender: GatewayId, topic: str, said: Said[W], now_ms: int) -> None:
        """Take an authentic word. Raises RemoteProtocolError when its sender fills its share."""
        known = self._said.get((sender, topic))
        if known is None and not self._room(sender, now_ms):
            raise RemoteProtocolError(self._refusal)
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

    def _room(self, sender: GatewayId, now_ms: int) -> bool:
        """Make room for one more word of `sender`; tell whether there is."""
        mine = [key for key in self._said if key[0] == sender]
        if len(mine) < self._most:
            return True
        old = [key for key in mine if self._said[key].expires_ms <= now_ms]
        if not old:
            over = [key for key in mine if self._over(self._said[key])]
            old = sorted(over, key=lambda key: self._said[key].version)[:1]
        for key in old:
            del self._said[key]
        return bool(old)

    def _over(self, said: Said[W]) -> bool:
        return said.word is None or self._settled(said.word)
