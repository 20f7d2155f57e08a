"""The gateway's time: monotonic for deadlines, bridge time for the wire."""

import structlog

from radiobridge.core.bridge_clock import BridgeClock
from radiobridge.spi import Clock, StateStore

BRIDGE_TIME_KEY = "bridge-time-ms"
OBSERVE_S = 1.0
PERSIST_S = 10.0

log = structlog.get_logger()


class BridgeTime:
    """Bridge time of this gateway, kept in step with the machine's clock (DESIGN, words)."""

    def __init__(self, clock: Clock, store: StateStore) -> None:
        self._clock = clock
        self._store = store
        stored = store.get(BRIDGE_TIME_KEY)
        self._bridge = BridgeClock(
            clock.monotonic(),
            clock.wall_ms(),
            synchronised=clock.synchronised(),
            floor_ms=int(stored) if stored and stored.isdecimal() else 0,
        )
        self._persisted_at = clock.monotonic()

    @property
    def synchronised(self) -> bool:
        """Tell whether partners can rely on this time; else nothing foreign is joined."""
        return self._bridge.synchronised

    @property
    def misled(self) -> bool:
        """Tell whether it is off so that only a new start helps (core.bridge_clock)."""
        return self._bridge.misled

    @property
    def offset_ms(self) -> int:
        """Return wall clock minus bridge time."""
        return self._bridge.offset_ms

    def now_ms(self) -> int:
        """Return bridge time in ms since 1970."""
        return self._bridge.now_ms(self._clock.monotonic())

    def at_ms(self, monotonic: float) -> int:
        """Return bridge time at a monotonic time, in ms since 1970 (hot)."""
        return self._bridge.now_ms(monotonic)

    def monotonic_at(self, bridge_ms: int) -> float:
        """Return about when it will be `bridge_ms`."""
        return self._clock.monotonic() + (bridge_ms - self.now_ms()) / 1000

    def observe(self) -> bool:
        """Compare with the system's clock (each second); tell whether it is time to `persist`."""
        now = self._clock.monotonic()
        step = self._bridge.observe(
            now, self._clock.wall_ms(), synchronised=self._clock.synchronised()
        )
        if step is not None:
            log.error("clock-stepped", offset_ms=step.offset_ms)
        if now - self._persisted_at < PERSIST_S:
            return False
        self._persisted_at = now
        return True

    async def persist(self) -> None:
        """Store bridge time: it never starts below this again. Raises StoreError."""
        value = self._bridge.to_store_ms(self._clock.monotonic())
        if value is not None:
            await self._store.put(BRIDGE_TIME_KEY, str(value))
