"""Who is online, link by link: for display, never authority.

A gateway shows itself on each of its links by a retained document that its will replaces. Rules:

* A gateway is online while it is on at least one link; it is lost when it is lost on all of them.
* A link of its own is named in the topic, because a bridged broker carries the will of one link to
  where another still lives. The same word may reach us by several links of ours.
* An offline word counts against the run and the connection that it names, and earlier ones of that
  run: the will of a connection that has already been replaced changes nothing.
* An online word of another run replaces the run before (documents come here newest first). Within
  a run, the higher connection counts; of one connection, offline is its last word.
* A living gateway shows itself anew every 30 s. A link on which nothing newer came for 95 s has
  died together with the broker that held its will: other brokers go on serving its last word for
  ever. How old a word is by its own clock does not count, only that a newer one has come.
* When a link of ours goes down, what only that link told is not known any more: lost. The retained
  documents come again when it is back.

Bound: 8 links for each gateway; words about further ones are refused. Gateways come from rosters.
"""

from dataclasses import dataclass

from radiobridge.model.ids import GatewayId

SILENT_S = 95.0
"""Three words of a living gateway."""

MAX_LINKS = 8
"""No gateway has more brokers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceWord:
    """What a gateway (or its will) says of one of its links."""

    gateway: GatewayId
    link: str
    """The gateway's own name of the link, from the topic."""
    boot: str
    """Random id of its run."""
    connection: int
    """Counts the connections of that run on that link."""
    online: bool
    version: int
    """Of the document: grows with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPresence:
    """One gateway as an operator sees it."""

    gateway: GatewayId
    online: bool
    since: float
    """When it came online or was lost, monotonic s."""
    links: tuple[str, ...]
    """Its links that are up, sorted."""


class _LinkRecord:
    """What is known of one link of one gateway."""

    __slots__ = ("boot", "connection", "newer_at", "online", "silent", "told_by", "version")

    def __init__(self) -> None:
        self.boot = ""
        self.connection = -1
        self.online = False
        self.told_by: set[str] = set()
        self.version = -1
        self.newer_at = 0.0
        """When the newest word came."""
        self.silent = False

    @property
    def is_up(self) -> bool:
        return self.online and bool(self.told_by) and not self.silent

    def take(self, word: PresenceWord, via: str, now: float) -> None:
        """Take a word, unless it is an old one."""
        told, known = (word.connection, not word.online), (self.connection, not self.online)
        if word.boot != self.boot:
            if self.boot and not word.online:
                return
        elif told < known:
            return
        if word.boot != self.boot or told != known:
            self.told_by.clear()
        self.boot, self.connection, self.online = word.boot, word.connection, word.online
        self.told_by.add(via)
        if word.version > self.version:
            self.version, self.newer_at, self.silent = word.version, now, False


class _Gateway:
    __slots__ = ("links", "online", "since")

    def __init__(self, now: float) -> None:
        self.links: dict[str, _LinkRecord] = {}
        self.online = False
        self.since = now


class PresenceBook:
    """All gateways that were ever heard of since we started."""

    __slots__ = ("_gateways", "refused")

    def __init__(self) -> None:
        self._gateways: dict[GatewayId, _Gateway] = {}
        self.refused = 0
        """Words about more links than a gateway may have."""

    def heard(self, word: PresenceWord, via: str, now: float) -> GatewayPresence | None:
        """Take an authenticated word that came by our link `via`; return a change, if it is one."""
        gateway = self._gateways.setdefault(word.gateway, _Gateway(now))
        record = gateway.links.get(word.link)
        if record is None:
            if len(gateway.links) >= MAX_LINKS:
                self.refused += 1
                return None
            record = gateway.links[word.link] = _LinkRecord()
        record.take(word, via, now)
        return self._changed(word.gateway, gateway, now)

    def link_down(self, via: str, now: float) -> tuple[GatewayPresence, ...]:
        """Note that our link `via` is down; return who is lost by that."""
        changes = []
        for name, gateway in sorted(self._gateways.items()):
            for record in gateway.links.values():
                record.told_by.discard(via)
            change = self._changed(name, gateway, now)
            changes += [change] if change else []
        return tuple(changes)

    def tick(self, now: float) -> tuple[GatewayPresence, ...]:
        """Return who is lost because nothing new comes of him; to be called each second or so."""
        changes = []
        for name, gateway in sorted(self._gateways.items()):
            for record in gateway.links.values():
                record.silent = record.silent or now - record.newer_at > SILENT_S
            change = self._changed(name, gateway, now)
            changes += [change] if change else []
        return tuple(changes)

    def gateway(self, gateway: GatewayId) -> GatewayPresence | None:
        """Return what is known of one gateway, None when nothing was ever heard."""
        known = self._gateways.get(gateway)
        return None if known is None else _seen(gateway, known)

    def gateways(self) -> tuple[GatewayPresence, ...]:
        """Return everybody, sorted by name."""
        return tuple(_seen(name, known) for name, known in sorted(self._gateways.items()))

    def _changed(self, name: GatewayId, gateway: _Gateway, now: float) -> GatewayPresence | None:
        online = any(record.is_up for record in gateway.links.values())
        if online is gateway.online:
            return None
        gateway.online, gateway.since = online, now
        return _seen(name, gateway)


def _seen(name: GatewayId, known: _Gateway) -> GatewayPresence:
    links = sorted(link for link, record in known.links.items() if record.is_up)
    return GatewayPresence(gateway=name, online=known.online, since=known.since, links=tuple(links))
