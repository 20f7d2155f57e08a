"""One MQTT 5 connection for documents, by aiomqtt, from connect to loss.

What aiomqtt leaves to its user: a refused publication (it ignores PUBACK's reason code), an
attempt to connect that nobody waits for any longer (it runs in a thread), and a stuck peer at
disconnect (it waits). Documents are taken from paho as they are read, without aiomqtt's queue,
which costs a task for each; how many are read is bounded by `read_budget`, so that a flood of them
leaves the event loop to the voice. See docs/decisions/0004-two-mqtt-libraries.md.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from radiobridge.drivers.link.read_budget import ReadBudget
from radiobridge.drivers.link.settings import UNANSWERED_MS, Credentials, MqttSettings
from radiobridge.wire.topics import TopicKind

MAX_PACKET = 80 * 1024
"""The broker keeps larger packets from us: a document is at most 64 KiB."""

_ANSWER_S = 5.0
_LEAVE_S = 1.0

_ROSTER = f"/{TopicKind.ROSTER}"
"""How filters for rosters end."""

_silent = logging.getLogger(f"{__name__}.paho")
_silent.setLevel(logging.CRITICAL + 1)  # what matters is reported to the link


def _nobody(_topic: str, _payload: bytes) -> None:
    """Drop what a broker sends before anybody asked for it."""


class ControlClient(aiomqtt.Client):
    """An aiomqtt client that hands documents over at once, and never too many of them."""

    refused = 0
    """Publications that the broker refused to take."""

    _take: Callable[[str, bytes], None] = staticmethod(_nobody)
    _flooded: asyncio.Future[None] | None = None

    def listen(self, take: Callable[[str, bytes], None]) -> asyncio.Future[None]:
        """Hand each document to `take`; the future is done when more come than can be read."""
        self._take = take
        self._flooded = flooded = self._loop.create_future()
        return flooded

    @property
    def over(self) -> asyncio.Future[None]:
        """The end of the connection: done or failed once it is lost."""
        return self._disconnected

    def _on_message(
        self,
        client: paho.Client,  # noqa: ARG002  aiomqtt's
        userdata: object,  # noqa: ARG002
        message: paho.MQTTMessage,
    ) -> None:
        self._budget.take()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._take(topic, bytes(message.payload))

    def _on_socket_open(self, client: paho.Client, userdata: object, sock: object) -> None:
        """Read in our own way; paho calls this in the thread in which it connects."""
        super()._on_socket_open(client, userdata, sock)
        self._budget = ReadBudget(time.monotonic())
        assert isinstance(sock, socket.socket)  # noqa: S101  a bare one or its subclass for TLS
        # In the place of aiomqtt's reader, which was given to the loop just before.
        self._loop.call_soon_threadsafe(self._read_from, sock)

    def _read_from(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._read, sock)

    def _read(self, sock: socket.socket) -> None:
        """Read one packet; see that what TLS has decrypted already does not wait for more."""
        try:
            self._client.loop_read()
        except Exception as error:  # noqa: BLE001  whatever breaks the connection ends it
            if not self._disconnected.done():
                self._disconnected.set_exception(error)
            return
        if sock.fileno() < 0 or self._client.socket() is not sock:
            return
        now = time.monotonic()
        pause_s = self._budget.pause_s(now)
        if pause_s > 0.0:
            self._loop.remove_reader(sock.fileno())
            if not self._budget.flooded(now):
                self._loop.call_later(pause_s, self._read_again, sock)
            elif self._flooded is not None and not self._flooded.done():
                self._flooded.set_result(None)
        elif isinstance(sock, ssl.SSLSocket) and sock.pending():
            self._loop.call_soon(self._read_again, sock)

    def _read_again(self, sock: socket.socket) -> None:
        if self._client.socket() is sock:
            self._read_from(sock)
            self._read(sock)

    def _on_publish(
        self,
        client: paho.Client,
        userdata: object,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure:
            self.refused += 1
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def abort(self) -> None:
        """Break the connection: paho notices, closes the socket and ends its task."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def make_client(
    settings: MqttSettings, credentials: Credentials, client_id: str, will: tuple[str, bytes]
) -> ControlClient:
    """Build a client with clean start, no session and a retained will."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = 0
    properties.MaximumPacketSize = MAX_PACKET
    return ControlClient(
        settings.host,
        settings.port,
        username=settings.username,
        password=credentials.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        properties=properties,
        tls_context=credentials.context,
        keepalive=settings.keepalive_s,
        will=aiomqtt.Will(*will, qos=1, retain=True),
        timeout=_ANSWER_S,
        # Else a document waits for the acknowledgement of the one before (Nagle).
        socket_options=(
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS),
        ),
        logger=_silent,
    )


@asynccontextmanager
async def connected(client: ControlClient) -> AsyncIterator[ControlClient]:
    """Connect, and leave in at most a second, however stuck the peer is.

    Raises what `cause_of` and `reasons.reason_of` understand.
    """
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The thread that connects cannot be stopped: let it end, then hang up.
        await _settle(entering)
        await _leave(client)
        raise
    except BaseException:
        client.abort()
        raise
    try:
        yield client
    finally:
        await _leave(client)


async def _settle(entering: asyncio.Future[ControlClient]) -> None:
    with suppress(Exception):
        await asyncio.wait_for(entering, _ANSWER_S)


async def _leave(client: ControlClient) -> None:
    try:
        async with asyncio.timeout(_LEAVE_S):
            await client.__aexit__(None, None, None)
    except (aiomqtt.MqttError, TimeoutError):
        pass
    finally:
        client.abort()


async def subscribe(client: ControlClient, filters: frozenset[str]) -> int:
    """Ask for documents, retained ones included; return how many filters were refused.

    Rosters first: a broker sends what it keeps in the order in which it is asked, and of what comes
    before its sender is known only so much can wait.
    """
    rosters = frozenset(f for f in filters if f.endswith(_ROSTER))
    options = SubscribeOptions(qos=1, noLocal=True)
    refused = 0
    for wanted in filter(None, (sorted(rosters), sorted(filters - rosters))):
        codes = await client.subscribe([(f, options) for f in wanted])
        refused += sum(isinstance(code, ReasonCode) and code.is_failure for code in codes)
    return refused


async def receive(client: ControlClient, take: Callable[[str, bytes], None]) -> None:
    """Hand each document (topic, payload) to `take`, until the connection is lost.

    An empty payload: the topic was cleared. Raises OverflowError when more come than may.
    """
    flooded = client.listen(take)
    await asyncio.wait((flooded, client.over), return_when=asyncio.FIRST_COMPLETED)
    if client.over.done():
        lost = "disconnected"
        raise aiomqtt.MqttError(lost) from client.over.exception()
    raise OverflowError


def cause_of(error: BaseException) -> BaseException:
    """Return the error behind aiomqtt's, which hides the OSError that it is made of."""
    hidden = error.__cause__ or error.__context__
    return hidden if isinstance(error, aiomqtt.MqttError) and hidden is not None else error


def refusal_of(error: BaseException) -> int | None:
    """Return the MQTT 5 reason code of a broker that refused, if it gave one.

    0x80 says nothing, and paho makes it up for a connection that broke.
    """
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    return code.value if isinstance(code, ReasonCode) and code.value > 0x80 else None
