"""One MQTT 5 connection for voice, by gmqtt, from connect to loss. It never comes back by itself.

gmqtt costs a tenth of aiomqtt for each packet, but its own reconnect (fixed delay, no clean start)
and its close (waits for a stuck peer) do not suit voice, so the link makes a new connection
instead and this one is aborted. See docs/decisions/0004-two-mqtt-libraries.md.
"""

import asyncio
import fcntl
import logging
import os
import socket
from array import array
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from math import inf
from time import monotonic

import gmqtt

from radiobridge.drivers.link import reasons
from radiobridge.drivers.link.settings import UNANSWERED_MS, Credentials, MqttSettings
from radiobridge.errors import DriverError
from radiobridge.text import Text

# gmqtt logs whole packets, payload included; what matters is reported to the link.
logging.getLogger("gmqtt").setLevel(logging.CRITICAL + 1)

MAX_UNSENT = 4096
"""Bytes that may wait to leave this machine; what stays above it for `_MOMENT_S` is a backlog."""

_MOMENT_S = 0.1
"""Linux holds a burst back for some ms (autocorking), which is no backlog."""

MAX_BURST = 16 * MAX_UNSENT
"""Above this even a burst is dropped."""

STANDING = 1024
_STANDING_S = 0.5
"""A queue that never gets shorter than this for so long is a backlog too, however short: on a way
too narrow for the voice, 4 KiB are a second of delay."""

MAX_PACKET = 4096
"""The broker keeps larger packets from us: a voice packet is at most 2048 bytes."""

_SIOCOUTQNSD = 0x894B
"""Linux, tcp(7): bytes in the socket's send queue that were not sent yet."""

_NEVER_RECONNECT = -2
"""gmqtt goes on while failures (from 0) <= retries, and takes -1 for unlimited."""

_ANSWER_S = 5.0
"""Longest wait for CONNACK or SUBACK."""


class VoiceConnection:
    """Publishes and receives voice; `lost` is set once it is over, `reason` then says why."""

    def __init__(
        self, settings: MqttSettings, client_id: str, refused: Callable[[int], None]
    ) -> None:
        """Tell `refused` at once how many filters the broker did not grant, each time."""
        self.refused: set[str] = set()
        """The filters that are asked for and that the broker did not grant."""
        self._settings = settings
        self._tell_refused = refused
        self._asked: dict[str, int] = {}
        """The number of the packet that asked for each filter last: its answer is what counts."""
        self._unanswered: dict[int, tuple[str, ...]] = {}
        """The filters of each such packet, in the order of the codes that answer it."""
        self._client = gmqtt.Client(
            client_id,
            clean_session=True,
            session_expiry_interval=0,
            maximum_packet_size=MAX_PACKET,
        )
        self._client.reconnect_retries = _NEVER_RECONNECT
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._count = array("i", [0])
        self._full_since = inf
        self._standing_since = inf
        self._granted = asyncio.Event()
        self.lost = asyncio.Event()
        self.reason: Text = reasons.closed(settings.address)

    async def connect(self, credentials: Credentials, take: Callable[[str, bytes], None]) -> None:
        """Connect and log in; hand each voice packet (topic, payload) to `take`.

        Raises what `reasons.reason_of` understands; the connection is then closed.
        """

        def on_message(
            _client: object, topic: object, payload: bytes, _qos: int, _more: object
        ) -> None:
            if isinstance(topic, str):  # gmqtt hands over bytes when it is not UTF-8
                take(topic, payload)

        self._client.on_message = on_message
        settings = self._settings
        if settings.username is not None:
            self._client.set_auth_credentials(settings.username, credentials.password)
        try:
            await self._within(
                self._client.connect(
                    settings.host,
                    settings.port,
                    ssl=credentials.context or False,
                    keepalive=settings.keepalive_s,
                )
            )
        except gmqtt.mqtt.handler.MQTTConnectError as error:
            self.abort()
            # gmqtt keeps the reason code to itself and its text.
            text = reasons.refused(settings.address, error._code)  # noqa: SLF001
            raise DriverError(*text) from None
        except BaseException:
            self.abort()
            raise
        self._keep_transport()

    async def subscribe(self, filters: Iterable[str]) -> None:
        """Ask for voice topics and wait for the answer; own packets do not come back."""
        wanted = tuple(filters)
        if not wanted:
            return
        self._granted.clear()
        self._ask(wanted)
        await self._within(self._granted.wait())

    def change(self, *, add: Iterable[str], drop: Iterable[str]) -> None:
        """Ask for more topics and no longer for others; does not wait."""
        if gone := list(drop):
            self._client.unsubscribe(gone)
            self.refused.difference_update(gone)
            for each in gone:
                self._asked.pop(each, None)
        if new := tuple(add):
            self._ask(new)

    def _ask(self, filters: tuple[str, ...]) -> None:
        number = self._client.subscribe(
            [gmqtt.Subscription(f, no_local=True, retain_handling_options=2) for f in filters]
        )
        self._unanswered[number] = filters
        self._asked.update(dict.fromkeys(filters, number))

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send now, or return False: the connection is over or has more unsent than it may."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        unsent = self.unsent()
        if unsent <= STANDING:
            self._full_since = self._standing_since = inf
        elif self._backlog(unsent):
            return False
        self._client.publish(topic, payload)
        return True

    def _backlog(self, unsent: int) -> bool:
        now = monotonic()
        self._standing_since = min(self._standing_since, now)
        if now - self._standing_since > _STANDING_S:
            return True
        if unsent <= MAX_UNSENT:
            self._full_since = inf
            return False
        self._full_since = min(self._full_since, now)
        return unsent > MAX_BURST or now - self._full_since > _MOMENT_S

    def unsent(self) -> int:
        """Return how many bytes have not left this machine: kernel and transport together.

        Over TLS the encrypted bytes between the two layers of asyncio are not seen, but they
        arise only once the kernel's queue is full, which is far above the limit.
        """
        if self._transport is None:
            return 0
        try:
            fcntl.ioctl(self._descriptor, _SIOCOUTQNSD, self._count)
        except OSError:
            return MAX_BURST + 1
        return self._count[0] + self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """End at once, whatever waits; the broker sees a broken connection."""
        connection = self._client._connection  # noqa: SLF001  gmqtt has no abort of its own
        if connection is not None:
            connection._transport.abort()  # noqa: SLF001
        self._over()

    async def close(self) -> None:
        """Say goodbye if the peer listens, then end."""
        if self._transport is not None and not self.lost.is_set() and not self.unsent():
            with suppress(Exception):
                await self._within(self._client.disconnect(), limit_s=0.5)
        self.abort()

    async def _within(self, awaitable: Awaitable[object], limit_s: float = _ANSWER_S) -> None:
        """Wait for an answer, for the loss of the connection, or until `limit_s` is over."""
        waiting = asyncio.ensure_future(awaitable)
        losing = asyncio.ensure_future(self.lost.wait())
        try:
            done, _ = await asyncio.wait(
                (waiting, losing), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if waiting in done:
                waiting.result()
            elif losing in done:
                raise DriverError(*self.reason)
            else:
                raise TimeoutError
        finally:
            waiting.cancel()
            losing.cancel()
            await asyncio.gather(waiting, losing, return_exceptions=True)

    def _keep_transport(self) -> None:
        # The write buffer and the socket are what the drop rule needs; gmqtt offers neither.
        transport: asyncio.Transport = self._client._connection._transport  # noqa: SLF001
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        # uvloop shows no socket that options can be set on, but its descriptor.
        with socket.socket(fileno=os.dup(self._descriptor)) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)

    def _on_disconnect(self, _client: object, packet: object, _exc: object = None) -> None:
        if isinstance(packet, (bytes, bytearray)) and packet and packet[0] >= 0x80:
            self.reason = reasons.refused(self._settings.address, packet[0])
        self._over()

    def _on_subscribe(
        self, _client: object, number: int, granted: Iterable[int], _more: object
    ) -> None:
        answers = zip(self._unanswered.pop(number, ()), granted, strict=False)
        asked = {each: code for each, code in answers if self._asked.get(each) == number}
        refused = {each for each, code in asked.items() if code >= 0x80}
        self.refused = (self.refused - asked.keys()) | refused
        if refused:
            self._tell_refused(len(refused))
        self._granted.set()

    def _over(self) -> None:
        self._transport = None
        self.lost.set()
