"""What this gateway shows of itself on each of its links: that it is there, and its radios."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from radiobridge.model.ids import GatewayId, RadioName
from radiobridge.services.clock import BridgeTime
from radiobridge.services.papers import Papers
from radiobridge.services.radio import RadioRunner
from radiobridge.spi import Link, StateStore
from radiobridge.wire.topics import presence_topic
from radiobridge.wire.words import WILL_SEQUENCE, Presence, RadioPresence, presence_version

CONNECTION_KEY = "presence-connection"
LIFE_MS = 366 * 24 * 3600 * 1000
"""A will is signed when its connection begins, and must still count when it ends."""

EVERY_S = 30.0
"""A gateway shows itself that often at least: who does not is lost (core.presence)."""


@dataclass(slots=True)
class _Connection:
    """The presence that one connection of a link shows."""

    number: int
    """Grows over restarts: bridge time in s when the connection began."""
    sequence: int
    given: int
    """The link's own count."""

    def advance(self) -> None:
        """Count one more presence; a connection that has used up its numbers takes a new one."""
        self.sequence += 1
        if self.sequence >= WILL_SEQUENCE:
            self.number, self.sequence = self.number + 1, 1


class OwnPresence:
    """Makes the presences of one gateway."""

    def __init__(
        self,
        me: GatewayId,
        boot: str,
        *,
        runners: Mapping[RadioName, RadioRunner],
        papers: Papers,
        bridge: BridgeTime,
        store: StateStore,
    ) -> None:
        self._me = me
        self._boot = boot
        self._runners = runners
        self._papers = papers
        self._bridge = bridge
        self._store = store
        self._connections: dict[str, _Connection] = {}
        stored = store.get(CONNECTION_KEY)
        self._before = int(stored) if stored and stored.isdecimal() else 0
        self._shown: tuple[RadioPresence, ...] = ()
        self._show_at = 0.0

    async def persist(self) -> None:
        """Store the last number: who starts again within the second must not look older.

        Raises StoreError.
        """
        last = max((one.number for one in self._connections.values()), default=0)
        await self._store.put(CONNECTION_KEY, str(last))

    def word(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        """Return topic and payload for a link that connects; or its will, when not `online`."""
        known = self._connections.get(link)
        if known is None or known.given != connection:
            last = known.number if known is not None else self._before
            number = max(last + 1, self._bridge.now_ms() // 1000)
            known = self._connections[link] = _Connection(number, 0, connection)
        if online:
            known.advance()
        return self._document(link, known, online=online)

    def show(self, links: Iterable[tuple[str, Link]], now: float) -> None:
        """Publish on links that are up when the radios have changed, or when it is time."""
        radios = self._radios()
        if radios == self._shown and now < self._show_at:
            return
        self._shown, self._show_at = radios, now + EVERY_S
        for name, link in links:
            known = self._connections.get(name)
            if known is not None:
                known.advance()
                link.publish_document(*self._document(name, known, online=True))

    def _document(self, link: str, known: _Connection, *, online: bool) -> tuple[str, bytes]:
        topic = presence_topic(self._me, link)
        body = Presence(
            boot=self._boot,
            connection=known.number,
            online=online,
            radios=self._radios() if online else (),
        ).to_body()
        version = presence_version(known.number, known.sequence if online else WILL_SEQUENCE)
        expires_ms = self._bridge.now_ms() + LIFE_MS
        return topic, self._papers.signed(topic, body, expires_ms=expires_ms, version=version)

    def _radios(self) -> tuple[RadioPresence, ...]:
        return tuple(
            RadioPresence(radio=r.name, talkgroup=r.talkgroup.name, state=r.shown)
            for r in self._runners.values()
        )
