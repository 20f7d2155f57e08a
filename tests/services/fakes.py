"""Stand-ins for what a gateway drives: keyer line, sound, links, store, clock.

Each behaves as its Protocol in `radiobridge.spi` says, in virtual time, and writes down what it was
asked. What may go wrong with the real thing can be made to go wrong here.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple, Self

from radiobridge.drivers.link.filters import matches
from radiobridge.errors import DriverError, StoreError
from radiobridge.model.interface import KeyAnswer, KeyAnswered, UnkeyCause, Unkeyed
from radiobridge.model.voice import FRAME_S, PcmFrame
from radiobridge.spi import AudioSink, InterfaceSink, LinkSink
from radiobridge.text import Text
from tests.services import virtual_time
from tests.services.virtual_time import START_S
from tests.wire.people import NOW_MS

LEASE_S = 0.2
"""What the keyer gives (spi.KeyerLine)."""

_BROKEN = Text("broken", "cassé")


class FakeClock:
    """A Clock. Its wall clock can be stepped, and lose what synchronises it."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms
        self.is_synchronised = True

    def monotonic(self) -> float:
        return virtual_time.now()

    def wall_ms(self) -> int:
        return NOW_MS + self.ahead_ms + round((virtual_time.now() - START_S) * 1000)

    def synchronised(self) -> bool:
        return self.is_synchronised


class FakeStore:
    """A StateStore on a disk that takes its time, and fails while `failing`."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})
        self.failing = False
        self.takes_s = 0.01
        self.puts: list[str] = []
        """Keys that were asked to be stored, in order."""

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def items(self, prefix: str) -> Mapping[str, str]:
        return {key: value for key, value in self.values.items() if key.startswith(prefix)}

    async def put(self, key: str, value: str) -> None:
        self.puts.append(key)
        await asyncio.sleep(self.takes_s)
        if self.failing:
            raise StoreError("the disk is full", "le disque est plein")
        self.values[key] = value

    async def close(self) -> None:
        pass


class LineEvent(NamedTuple):
    """One thing that was asked of a line, or that it did: key, renew, unkey, lease."""

    at: float
    what: str


class FakeLine:
    """A KeyerLine. With an `answer` it answers by itself; without, the test does."""

    def __init__(
        self,
        now: Callable[[], float] = virtual_time.now,
        *,
        answer: KeyAnswer | None = None,
        answer_s: float = 0.0,
    ) -> None:
        self.log: list[LineEvent] = []
        self.answer = answer
        self.answer_s = answer_s
        self.broken = False
        """Every call raises."""
        self._now = now
        self._sink: InterfaceSink | None = None
        self._lease: asyncio.TimerHandle | None = None

    def attach(self, sink: InterfaceSink) -> None:
        self._sink = sink

    def key(self) -> None:
        self._note("key")
        if self.answer is not None:
            self._later(self.answer_s, KeyAnswered(answer=self.answer, at=self._now()))
            self._hold()

    def renew(self) -> None:
        self._note("renew")
        if self._lease is not None:
            self._hold()

    def unkey(self) -> None:
        self._note("unkey")
        if self.answer is not None:
            self._drop()
            self._later(0.0, Unkeyed(cause=UnkeyCause.COMMAND, at=self._now()))

    @property
    def keyed(self) -> bool:
        """Tell whether the transmitter is on the air."""
        events = [event.what for event in self.log if event.what != "renew"]
        return bool(events) and events[-1] == "key"

    def changes(self) -> list[str]:
        """Return what changed on the air: key, unkey, lease."""
        return [event.what for event in self.log if event.what != "renew"]

    def times(self, what: str) -> list[float]:
        return [event.at for event in self.log if event.what == what]

    def longest_without_renewal(self) -> float:
        """Return the longest that a lease had to last while keyed, in s."""
        longest, since = 0.0, None
        for at, what in self.log:
            if since is not None:
                longest = max(longest, at - since)
            since = at if what in ("key", "renew") else None
        return longest

    def tell(self, event: Any) -> None:
        """Report an event of the interface to the gateway."""
        assert self._sink is not None
        self._sink.interface_event(event)

    def _note(self, what: str) -> None:
        if self.broken:
            raise RuntimeError("the line is broken")
        self.log.append(LineEvent(self._now(), what))

    def _later(self, delay_s: float, event: Any) -> None:
        asyncio.get_running_loop().call_later(delay_s, self.tell, event)

    def _hold(self) -> None:
        self._drop()
        self._lease = asyncio.get_running_loop().call_later(LEASE_S, self._lapse)

    def _drop(self) -> None:
        if self._lease is not None:
            self._lease.cancel()
            self._lease = None

    def _lapse(self) -> None:
        self._note("lease")
        self._lease = None
        self.tell(Unkeyed(cause=UnkeyCause.LEASE, at=self._now()))


class Played(NamedTuple):
    """One frame on the air, and when it begins."""

    at: float
    samples: PcmFrame


class FakeAudio:
    """An AudioDevice that plays one frame after the other."""

    def __init__(self, now: Callable[[], float] = virtual_time.now, *, rate: int = 8000) -> None:
        self.rate = rate
        self.underruns = 0
        self.overruns = 0
        self.played: list[Played] = []
        self.failures: deque[Exception] = deque()
        """What the next attempts to open raise."""
        self.opened: list[float] = []
        """When `open` was called."""
        self.closes = 0
        self.broken = False
        """Every write raises."""
        self._now = now
        self._until = 0.0
        self._sink: AudioSink | None = None

    async def open(self, sink: AudioSink) -> None:
        self.opened.append(self._now())
        if self.failures:
            raise self.failures.popleft()
        self._sink = sink

    def write(self, samples: PcmFrame) -> None:
        if self.broken:
            raise RuntimeError("the sound is broken")
        start = max(self._now(), self._until)
        self.played.append(Played(start, samples.copy()))
        self._until = start + FRAME_S

    def queued_s(self) -> float:
        return max(0.0, self._until - self._now())

    def discard(self) -> None:
        now = self._now()
        self.played = [frame for frame in self.played if frame.at <= now]
        self._until = min(self._until, now)

    async def close(self) -> None:
        self.closes += 1
        self._sink = None

    def hear(self, samples: PcmFrame) -> None:
        """Deliver 20 ms of what the receiver hears."""
        assert self._sink is not None
        self._sink.audio(samples, self._now())

    def lose(self) -> None:
        """Say that the device is gone."""
        assert self._sink is not None
        self._sink.audio_lost(_BROKEN)


def device_error() -> DriverError:
    """Return what an audio device raises that cannot be opened."""
    return DriverError(*_BROKEN)


class FakeBroker:
    """Joins FakeLinks, and keeps documents, as an MQTT broker does."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.retained: dict[str, bytes] = {}
        self.fate: Callable[[str], Iterable[float]] = lambda _topic: (0.001,)
        """Delays in s of the copies of a voice packet that arrive; none: it is lost."""
        self.voice: list[tuple[str, bytes]] = []
        """Every voice packet that was published here."""
        self.notices: list[tuple[str, bytes]] = []
        self.when_published: Callable[[str], None] = lambda _topic: None
        """Called with the topic of each document, before it goes anywhere."""

    def take_voice(self, topic: str, payload: bytes) -> None:
        self.voice.append((topic, payload))
        loop = asyncio.get_running_loop()
        for delay_s in self.fate(topic):
            for link in self.links:
                loop.call_later(delay_s, link.deliver_voice, topic, payload)

    def take_document(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.when_published(topic)
        if retain:
            self.retained[topic] = payload
        else:
            self.notices.append((topic, payload))
        for link in self.links:
            link.deliver_document(topic, payload)

    def topics(self, word: str) -> set[str]:
        """Return the topics of retained documents that contain `word`."""
        return {topic for topic in self.retained if f"/{word}" in topic}


class FakeLink:
    """A Link to a FakeBroker. It connects when told, and drops with its will."""

    def __init__(self, name: str, broker: FakeBroker | None = None) -> None:
        self.name = name
        self.broker = broker or FakeBroker()
        self.up = False
        self.choked = False
        """Too much is unsent: voice is dropped."""
        self.voice_filters: frozenset[str] = frozenset()
        self.document_filters: frozenset[str] = frozenset()
        self.voice_restarts = 0
        self.closed = False
        self.when_asked: Callable[[], None] = _nothing
        """Called when other voice is asked for."""
        self._sink: LinkSink | None = None
        self._own: dict[str, bytes] = {}
        self._connects = 0
        self._will = ("", b"")

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], base: PurePath) -> Self:
        del settings, base
        return cls(name)

    async def open(self, sink: LinkSink) -> None:
        self._sink = sink
        self.connect()

    def connect(self) -> None:
        """Connect: presence first, own documents, what is retained."""
        assert self._sink is not None
        self.up = True
        self.broker.links.append(self)
        self._connects += 1
        self._will = self._sink.presence(self.name, self._connects, online=False)
        self._own.update([self._sink.presence(self.name, self._connects, online=True)])
        for topic, payload in self._own.items():
            self.broker.take_document(topic, payload, retain=True)
        self._deliver_retained(self.document_filters)
        self._sink.link_up(self.name)

    def drop(self, reason: Text = _BROKEN) -> None:
        """Lose the connection: the broker says the last will."""
        assert self._sink is not None
        self.up = False
        self.broker.links.remove(self)
        self.broker.take_document(*self._will, retain=True)
        self._sink.link_down(self.name, reason)

    def want_voice(self, topics: frozenset[str]) -> None:
        self.voice_filters = topics
        self.when_asked()

    def want_documents(self, filters: frozenset[str]) -> None:
        new, self.document_filters = filters - self.document_filters, filters
        if self.up:
            self._deliver_retained(new)

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        if not self.up or self.choked:
            return False
        self.broker.take_voice(topic, payload)
        return True

    def restart_voice(self) -> bool:
        self.voice_restarts += 1
        return True

    def publish_document(self, topic: str, payload: bytes) -> None:
        self._own[topic] = payload
        if self.up:
            self.broker.take_document(topic, payload, retain=True)

    def publish_notice(self, topic: str, payload: bytes) -> None:
        if self.up:
            self.broker.take_document(topic, payload, retain=False)

    def stats(self) -> Mapping[str, int]:
        return {"connects": self._connects}

    async def close(self) -> None:
        self.closed = True
        if self.up:
            assert self._sink is not None
            goodbye = self._sink.presence(self.name, self._connects, online=False)
            self.broker.take_document(*goodbye, retain=True)
            self.up = False
            self.broker.links.remove(self)
            self._sink.link_down(self.name, Text("closed", "fermée"))

    def deliver_voice(self, topic: str, payload: bytes) -> None:
        if self._sink is not None and self.up and _wanted(self.voice_filters, topic):
            self._sink.voice(topic, payload, self.name)

    def deliver_document(self, topic: str, payload: bytes) -> None:
        if self._sink is not None and _wanted(self.document_filters, topic):
            loop = asyncio.get_running_loop()
            loop.call_soon(self._sink.document, topic, payload, self.name)

    def _deliver_retained(self, filters: frozenset[str]) -> None:
        for topic, payload in self.broker.retained.items():
            if _wanted(filters, topic):
                self.deliver_document(topic, payload)


def _nothing() -> None:
    pass


def _wanted(filters: frozenset[str], topic: str) -> bool:
    return any(matches(wanted, topic) for wanted in filters)
