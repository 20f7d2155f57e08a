"""Brokers as the services see them, that lose, delay, double, reorder and part."""

import random
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Self

from radiobridge.drivers.link.filters import matches
from radiobridge.spi import LinkSink
from tests.floor_network.history import END_S, History
from tests.floor_network.kernel import Kernel
from tests.services.virtual_time import START_S

LATE_S = 1.5
CALM_DELAY_S = 0.06
"""No copy takes longer on a calm network."""
_wanted = lru_cache(1024)(matches)


class Net:
    """All brokers, and who is cut from whom."""

    def __init__(self, kernel: Kernel, history: History) -> None:
        self.kernel = kernel
        self.random = random.Random(history.network.seed)
        self.spec = history.network
        self.links: list[list[NetLink]] = [[] for _ in range(history.network.brokers)]
        self._partitions = history.partitions

    @property
    def calm(self) -> bool:
        return self.kernel.now >= START_S + self.spec.calm_s

    def apart(self, one: int, other: int) -> bool:
        """Tell whether two gateways are cut from each other."""
        now = self.kernel.now - START_S
        return any(
            p.at_s <= now < p.at_s + p.length_s and (one in p.apart) is not (other in p.apart)
            for p in self._partitions
        )

    def known_down(self, gateway: int) -> bool:
        """Tell whether a gateway knows that its connections are down."""
        now = self.kernel.now - START_S
        return any(
            p.known and p.at_s <= now < p.at_s + p.length_s and gateway in p.apart
            for p in self._partitions
        )

    def delays(self) -> list[float]:
        """Return when the copies of a packet arrive that goes one way now."""
        spec, draw = self.spec, self.random.random
        if self.calm:
            uneven_s = draw() * spec.jitter_s if self.kernel.now < START_S + END_S else 0.0
            return [min(CALM_DELAY_S, spec.delay_s + uneven_s)]
        if draw() < spec.loss:
            return []
        copies = 2 if draw() < spec.double else 1
        return [self._delay() for _ in range(copies)]

    def _delay(self) -> float:
        draw = self.random.random
        late = LATE_S * draw() if draw() < self.spec.late else 0.0
        return self.spec.delay_s + draw() * self.spec.jitter_s + late


class NetLink:
    """A Link of one gateway to one broker."""

    def __init__(self, name: str, net: Net, broker: int, gateway: int) -> None:
        self.name = name
        self.gateway = gateway
        self._net = net
        self._broker = broker
        self._wants: frozenset[str] = frozenset()
        self._sink: LinkSink
        self._last_at: dict[int, float] = {}
        """When the last packet for each gateway arrives there."""
        net.links[broker].append(self)

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], base: PurePath) -> Self:
        raise NotImplementedError

    async def open(self, sink: LinkSink) -> None:
        self._sink = sink

    def want_voice(self, topics: frozenset[str]) -> None:
        self._wants = topics

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        net = self._net
        if net.known_down(self.gateway):
            return False
        for link in net.links[self._broker]:
            if link is self or not link.wants(topic) or net.apart(self.gateway, link.gateway):
                continue
            for delay_s in net.delays():
                at = net.kernel.now + delay_s
                if net.spec.in_order and not net.calm:
                    at = max(at, self._last_at.get(link.gateway, 0.0))
                    self._last_at[link.gateway] = at
                net.kernel.call_at(at, link.deliver, topic, payload, self.gateway)
        return True

    def wants(self, topic: str) -> bool:
        return any(_wanted(wanted, topic) for wanted in self._wants)

    def deliver(self, topic: str, payload: bytes, sender: int) -> None:
        if not self._net.apart(self.gateway, sender):
            self._sink.voice(topic, payload, self.name)

    def want_documents(self, filters: frozenset[str]) -> None:
        pass

    def restart_voice(self) -> bool:
        return False

    def publish_document(self, topic: str, payload: bytes) -> None:
        pass

    def publish_notice(self, topic: str, payload: bytes) -> None:
        pass

    def stats(self) -> Mapping[str, int]:
        return {}

    async def close(self) -> None:
        pass
