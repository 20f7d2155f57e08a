"""The link over an MQTT 5 broker: documents on one connection, voice on another.

Two connections, so that neither waits behind the other and late voice can be thrown away: at the
sender when more than 4 KiB stay unsent, at the receiver by `restart_voice`. Each connects for ever,
with jittered backoff, clean start and no session; whatever this gateway said last is published
again at each connect, and the will says that it is offline.

Bounds: own documents, one for each topic; notices waiting, 64 (the oldest go, `notices_dropped`);
documents coming in, as many as `read_budget` lets (more wait at the broker, then the connection
starts anew and what stands there comes again); voice waiting to leave, 4 KiB, or 64 KiB for 100 ms
(the newest go, `voice_dropped`).
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any, Self

import aiomqtt
import structlog

from radiobridge.drivers.link import control_connection as control
from radiobridge.drivers.link import reasons
from radiobridge.drivers.link.backoff import Backoff
from radiobridge.drivers.link.settings import MqttSettings, read_credentials
from radiobridge.drivers.link.voice_connection import VoiceConnection
from radiobridge.errors import DriverError, LocalProtocolError
from radiobridge.spi import LinkSink
from radiobridge.text import Text

_log = structlog.get_logger(__name__)

_STEADY_S = 30.0
"""A connection that held this long starts over with short waits."""

_RESTART_S = 2.0
_RESTART_AT_MOST_S = 8.0
"""Voice starts anew at most this often: the wait doubles while it is needed again and again."""

_CALM_S = 30.0
"""After so long without need the waits are short again."""

_CHOKED_S = 1.0
"""Voice that could not leave for so long is late: its connection starts anew."""

_BATCH = 8
"""Documents on their way at a time."""

_NOTICES = 64
_GOODBYE_S = 1.0
_CLOSE_S = 3.0

_HALVES = frozenset({"control", "voice"})


class MqttLink:
    """A Link (see `spi`) to one broker."""

    def __init__(
        self,
        name: str,
        settings: MqttSettings,
        *,
        make_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self.name = name
        self._settings = settings
        self._make_backoff = make_backoff
        # Random, so that nobody who shares the broker can guess it and take our place.
        self._id = secrets.token_hex(9)
        self._sink: LinkSink | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._closing = False
        self._up: set[str] = set()
        self._reported_up = False
        self._last_reason: Text | None = None
        self._connects = 0

        self._voice: VoiceConnection | None = None
        self._voice_topics: frozenset[str] = frozenset()
        self._choked_since: float | None = None
        self._restarted_at = float("-inf")
        self._restart_wait_s = _RESTART_S
        self._restarting = False

        self._filters: frozenset[str] = frozenset()
        self._ask_again = False
        self._forgotten = False
        """Since documents were asked for last, the gateway was told to forget what had come."""
        self._documents: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._notices: deque[tuple[str, bytes]] = deque(maxlen=_NOTICES)
        self._work = asyncio.Event()

        self._voice_sent = self._voice_dropped = self._voice_received = self._voice_restarts = 0
        self._documents_sent = self._documents_received = self._documents_refused = 0
        self._filters_refused = self._notices_dropped = self._losses = 0
        self._last_voice: VoiceConnection | None = None
        """The voice connection that there is, is being made, or was last."""

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], base: PurePath) -> Self:
        """Build from `{url, tls, username, password_file, keepalive}`; raise ConfigError."""
        return cls(name, MqttSettings.from_mapping(settings, base))

    async def open(self, sink: LinkSink) -> None:
        """See Link."""
        self._sink = sink
        self._tasks = (
            asyncio.create_task(self._forever("control", self._control_once), name="link control"),
            asyncio.create_task(self._forever("voice", self._voice_once), name="link voice"),
        )

    def want_voice(self, topics: frozenset[str]) -> None:
        """See Link."""
        before, self._voice_topics = self._voice_topics, topics
        if self._voice is not None and not self._voice.lost.is_set():
            self._voice.change(add=topics - before, drop=before - topics)

    def want_documents(self, filters: frozenset[str]) -> None:
        """See Link."""
        self._filters = filters
        self._work.set()

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        """See Link."""
        voice = self._voice
        if voice is not None:
            if voice.publish(topic, payload):
                self._voice_sent += 1
                self._choked_since = None
                return True
            self._choked()
        self._voice_dropped += 1
        return False

    def restart_voice(self) -> bool:
        """See Link; every 2 s at first, then more and more rarely if that does not help."""
        voice, now = self._voice, asyncio.get_running_loop().time()
        since_s, wait_s = now - self._restarted_at, self._restart_wait_s
        if voice is None or since_s < wait_s:
            return False
        again = since_s < wait_s + _CALM_S
        self._restart_wait_s = min(wait_s * 2, _RESTART_AT_MOST_S) if again else _RESTART_S
        self._restarted_at = now
        self._voice_restarts += 1
        self._restarting = True
        _log.info("voice-restarted", link=self.name)
        voice.abort()
        return True

    def publish_document(self, topic: str, payload: bytes) -> None:
        """See Link. An empty payload clears the topic at the broker and is not kept."""
        _check_topic(topic)
        self._documents[topic] = payload
        self._dirty[topic] = None
        self._work.set()

    def publish_notice(self, topic: str, payload: bytes) -> None:
        """See Link."""
        _check_topic(topic)
        if "control" not in self._up or len(self._notices) == _NOTICES:
            self._notices_dropped += 1
        if "control" in self._up:
            self._notices.append((topic, payload))
            self._work.set()

    def stats(self) -> Mapping[str, int]:
        """See Link."""
        return {
            "voice_sent": self._voice_sent,
            "voice_dropped": self._voice_dropped,
            "voice_received": self._voice_received,
            "voice_restarts": self._voice_restarts,
            "voice_connected": int(self._voice is not None),
            "documents_sent": self._documents_sent,
            "documents_received": self._documents_received,
            "documents_refused": self._documents_refused,
            "filters_refused": self._filters_refused,
            "voice_filters_refused": self._deaf_to(),
            "notices_dropped": self._notices_dropped,
            "connects": self._connects,
            "losses": self._losses,
        }

    async def close(self) -> None:
        """See Link. Takes at most 3 s, however stuck the broker is."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # A thread that still connects is left to end by itself.
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        self._tasks = ()
        if self._reported_up:
            self._half_down("control", reasons.closing(self._settings.address))

    # --- both connections -----------------------------------------------------------------

    async def _forever(self, half: str, once: Callable[[], Awaitable[None]]) -> None:
        loop, backoff = asyncio.get_running_loop(), self._make_backoff()
        while True:
            started = loop.time()
            try:
                await once()
            except Exception as error:  # noqa: BLE001  whatever a library raises, connect again
                self._half_down(half, self._reason(error))
                if loop.time() - started > _STEADY_S:
                    backoff.reset()
                await asyncio.sleep(backoff.wait_s())

    def _reason(self, error: Exception) -> Text:
        address = self._settings.address
        if isinstance(error, OverflowError):
            return reasons.flooded(address)
        for each in (error, control.cause_of(error)):
            if (code := control.refusal_of(each)) is not None:
                return reasons.refused(address, code)
        cause = control.cause_of(error)
        if not isinstance(cause, (aiomqtt.MqttError, OSError, DriverError)):
            _log.warning("link-error", link=self.name, error=type(cause).__name__)
        return reasons.reason_of(cause, address)

    def _half_up(self, half: str) -> None:
        self._up.add(half)
        if self._up == _HALVES and not self._reported_up and self._sink is not None:
            self._reported_up, self._last_reason = True, None
            self._sink.link_up(self.name)
            # A control connection that held meanwhile would bring none of it again.
            self._ask_again = self._forgotten
            self._work.set()

    def _half_down(self, half: str, reason: Text) -> None:
        self._up.discard(half)
        news = self._reported_up or reason != self._last_reason
        self._losses += self._reported_up
        self._reported_up, self._last_reason = False, reason
        if news and self._sink is not None:
            self._forgotten = True
            self._sink.link_down(self.name, reason)

    # --- voice ----------------------------------------------------------------------------

    async def _voice_once(self) -> None:
        """Hold one voice connection; return when `restart_voice` ended it, else raise."""
        credentials = await read_credentials(self._settings)
        connection = VoiceConnection(self._settings, f"rbv{self._id}", self._voice_refused)
        self._restarting, self._last_voice = False, connection
        try:
            await connection.connect(credentials, self._take_voice)
            asked = self._voice_topics
            await connection.subscribe(asked)
            connection.change(add=self._voice_topics - asked, drop=asked - self._voice_topics)
            self._voice, self._choked_since = connection, None
            self._half_up("voice")
            await connection.lost.wait()
            if not self._restarting:
                raise DriverError(*connection.reason)
        finally:
            self._voice = None
            await connection.close()

    def _voice_refused(self, count: int) -> None:
        """The link is deaf for some voice; it is up all the same, for what it still carries."""
        self._filters_refused += count
        _log.warning("voice-subscription-refused", link=self.name, filters=count)

    def _deaf_to(self) -> int:
        """Return how many of the voice topics that we want the broker keeps from us."""
        last = self._last_voice
        return 0 if last is None else len(last.refused & self._voice_topics)

    def _take_voice(self, topic: str, payload: bytes) -> None:
        self._voice_received += 1
        if self._sink is not None:
            self._sink.voice(topic, payload, self.name)

    def _choked(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._choked_since is None:
            self._choked_since = now
        elif now - self._choked_since > _CHOKED_S:
            self._choked_since = None
            self.restart_voice()

    # --- documents ------------------------------------------------------------------------

    async def _control_once(self) -> None:
        """Hold one control connection until it is lost; raises always."""
        assert self._sink is not None  # noqa: S101  `open` starts this
        credentials = await read_credentials(self._settings)
        self._connects += 1
        will = self._sink.presence(self.name, self._connects, online=False)
        client = control.make_client(self._settings, credentials, f"rbc{self._id}", will)
        try:
            async with control.connected(client):
                await self._serve(client)
        finally:
            self._documents_refused += client.refused
        raise DriverError(*reasons.closed(self._settings.address))

    async def _serve(self, client: control.ControlClient) -> None:
        work = {
            asyncio.ensure_future(control.receive(client, self._take_document)),
            asyncio.ensure_future(self._write(client)),
        }
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if self._closing:
                await self._say_goodbye(client)

    async def _write(self, client: control.ControlClient) -> None:
        """Subscribe, publish everything of ours, say that we are online, then what comes."""
        self._notices.clear()
        self._mark_all()
        self._ask_again = True
        subscribed: frozenset[str] = frozenset()
        while True:
            self._work.clear()
            if self._ask_again:
                self._ask_again, self._forgotten, subscribed = False, False, frozenset()
            subscribed = await self._subscribe(client, subscribed)
            await self._flush(client)
            if "control" not in self._up:
                self._half_up("control")
            await self._work.wait()

    def _mark_all(self) -> None:
        assert self._sink is not None  # noqa: S101  `open` starts this
        topic, payload = self._sink.presence(self.name, self._connects, online=True)
        self._documents.pop(topic, None)
        self._documents[topic] = payload
        self._dirty = dict.fromkeys(self._documents)

    async def _subscribe(
        self, client: control.ControlClient, subscribed: frozenset[str]
    ) -> frozenset[str]:
        wanted = self._filters
        if gone := sorted(subscribed - wanted):
            await client.unsubscribe(gone)
        if refused := await control.subscribe(client, wanted - subscribed):
            self._filters_refused += refused
            _log.warning("subscription-refused", link=self.name, filters=refused)
        return wanted

    async def _flush(self, client: control.ControlClient) -> None:
        while self._dirty or self._notices:
            before = client.refused
            batch = [client.publish(*each, qos=1, retain=True) for each in self._next_documents()]
            while self._notices and len(batch) < _BATCH:
                batch.append(client.publish(*self._notices.popleft(), qos=1))
            results = await asyncio.gather(*batch, return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            self._documents_sent += len(batch)
            if client.refused > before:
                _log.warning("document-refused", link=self.name, count=client.refused - before)

    def _next_documents(self) -> list[tuple[str, bytes]]:
        topics = list(self._dirty)[:_BATCH]
        batch = [(topic, self._documents[topic]) for topic in topics]
        for topic, payload in batch:
            del self._dirty[topic]
            if not payload:
                del self._documents[topic]
        return batch

    def _take_document(self, topic: str, payload: bytes) -> None:
        self._documents_received += 1
        if self._sink is not None:
            self._sink.document(topic, payload, self.name)

    async def _say_goodbye(self, client: control.ControlClient) -> None:
        assert self._sink is not None  # noqa: S101  `open` starts this
        topic, payload = self._sink.presence(self.name, self._connects, online=False)
        with suppress(aiomqtt.MqttError, TimeoutError):
            await client.publish(topic, payload, qos=1, retain=True, timeout=_GOODBYE_S)


def _check_topic(topic: str) -> None:
    if not topic or "+" in topic or "#" in topic:
        raise LocalProtocolError(f"{topic!r} is not a topic to publish on")
