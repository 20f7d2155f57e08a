"""What other gateways' heads show that we do not have: documents withheld, or old ones served.

A head names the newest version of each document that its gateway knows. A newer version than ours
is on its way, as a rule; when it has not come after a while, somebody keeps it from us. And when
one link has brought a document that another link does not bring, or brings in an old version, that
link's broker is behind. Neither decides anything: it is shown, so that people can.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from radiobridge.model.ids import GatewayId

WITHHELD_MS = 5_000
"""How long a document may be on its way."""

HEAD_LIFE_MS = 90_000
"""Heads older than this are not compared any more."""

LINK_S = 10.0
"""How long a link may need, after it came up, to bring what others have brought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A document that a head names, and that we do not have."""

    topic: str
    version: int
    known: int
    """The newest version that we have; 0 for none."""
    according_to: GatewayId
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkBehind:
    """A document that a link's broker does not have, and another's has."""

    link: str
    topic: str
    version: int
    delivered: int
    """The newest version that this link brought; 0 for none."""


@dataclass(slots=True)
class _Head:
    issued_ms: int
    versions: Mapping[str, int]


@dataclass(slots=True)
class _LinkState:
    up_at: float | None = None
    brought: dict[str, int] = field(default_factory=dict)
    served_old: int = 0


class HeadWatch:
    """Compares heads and links. Versions are those of documents by signed topic."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._heads: dict[GatewayId, _Head] = {}
        self._since: dict[tuple[GatewayId, str], int] = {}
        self._links: dict[str, _LinkState] = {}
        self._known_at: dict[str, tuple[int, float]] = {}

    def head(self, gateway: GatewayId, issued_ms: int, versions: Mapping[str, int]) -> None:
        """Take the head of a gateway."""
        known = self._heads.get(gateway)
        if known is None or issued_ms > known.issued_ms:
            self._heads[gateway] = _Head(issued_ms, dict(versions))

    def fresh(self, now_ms: int) -> dict[GatewayId, int]:
        """Return the gateways whose heads still count, and when those were issued."""
        return {
            gateway: head.issued_ms
            for gateway, head in self._heads.items()
            if now_ms - head.issued_ms < HEAD_LIFE_MS
        }

    def missing(
        self, gateway: GatewayId, known: Mapping[str, int], counts: Callable[[str], bool]
    ) -> list[str]:
        """Return the topics of which a gateway's head knows a newer version than `known`."""
        head = self._heads.get(gateway)
        if head is None:
            return []
        return sorted(
            topic
            for topic, version in head.versions.items()
            if version > known.get(topic, 0) and counts(topic)
        )

    def withheld(
        self, known: Mapping[str, int], counts: Callable[[str], bool], now_ms: int
    ) -> tuple[Withheld, ...]:
        """Return what has been missing for longer than a document is on its way."""
        found, seen = [], set()
        for gateway in sorted(self.fresh(now_ms)):
            for topic in self.missing(gateway, known, counts):
                pair = (gateway, topic)
                seen.add(pair)
                since_ms = self._since.setdefault(pair, now_ms)
                if now_ms - since_ms >= WITHHELD_MS:
                    found.append(
                        Withheld(
                            topic=topic,
                            version=self._heads[gateway].versions[topic],
                            known=known.get(topic, 0),
                            according_to=gateway,
                            since_ms=since_ms,
                        )
                    )
        self._since = {pair: at for pair, at in self._since.items() if pair in seen}
        return tuple(found)

    def link(self, link: str, *, up: bool, now: float) -> None:
        """A link has come up, or gone down: then what its broker keeps comes anew.

        What it keeps may come before the link says that it is up.
        """
        state = self._links.setdefault(link, _LinkState())
        state.up_at = now if up else None
        if not up:
            state.brought.clear()

    def delivered(self, link: str, topic: str, version: int, now: float) -> bool:
        """Take that a link brought a document; False when it brought a newer one before."""
        state = self._links.setdefault(link, _LinkState())
        newest = self._known_at.get(topic, (0, now))
        if version > newest[0]:
            self._known_at[topic] = (version, now)
        went_back = version < state.brought.get(topic, 0)
        state.served_old += went_back
        state.brought[topic] = max(version, state.brought.get(topic, 0))
        return not went_back

    def links_behind(self, now: float) -> tuple[LinkBehind, ...]:
        """Return what some links have brought and others should have by now."""
        return tuple(
            LinkBehind(
                link=name, topic=topic, version=version, delivered=state.brought.get(topic, 0)
            )
            for name, state in sorted(self._links.items())
            if state.up_at is not None and now - state.up_at >= LINK_S
            for topic, (version, at) in sorted(self._known_at.items())
            if now - at >= LINK_S and state.brought.get(topic, 0) < version
        )

    def served_old(self, link: str) -> int:
        """Return how often a link brought an older document than before."""
        state = self._links.get(link)
        return 0 if state is None else state.served_old

    def forget(self, topics: Iterable[str]) -> None:
        """Forget documents that are over."""
        for topic in topics:
            self._known_at.pop(topic, None)
            for state in self._links.values():
                state.brought.pop(topic, None)

    @property
    def topics(self) -> frozenset[str]:
        """Return the documents that links have brought."""
        return frozenset(self._known_at)
