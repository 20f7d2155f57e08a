"""What it costs to publish a voice packet: inside the process, and over a real broker."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from radiobridge.drivers.link.loopback import LoopbackLink
from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.spi import Link
from radiobridge.text import Text
from radiobridge.wire.topics import voice_topic
from radiobridge_sim.bench import cast
from radiobridge_sim.bench.path import BenchError
from radiobridge_sim.bench.stopwatch import Batch, Cost, Micro
from radiobridge_sim.broker import Broker

CONNECT_S = 10.0
COUNT = 100
_PAUSE_S = 0.02
"""Between batches, so that nothing unsent piles up."""


class Listener:
    """A LinkSink that waits for its link."""

    def __init__(self) -> None:
        self.up = asyncio.Event()

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        """See LinkSink."""

    def document(self, topic: str, payload: bytes, link: str) -> None:
        """See LinkSink."""

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        """See LinkSink."""
        del connection, online
        return f"rb/1/{cast.WINDSOR}/presence/{link}", b"{}"

    def link_up(self, link: str) -> None:
        """See LinkSink."""
        del link
        self.up.set()

    def link_down(self, link: str, reason: Text) -> None:
        """See LinkSink."""


async def measure_links(folder: Path, batches: int) -> list[Cost]:
    """Return the cost of each link; raise BenchError or DriverError when there is no broker."""
    password = secrets.token_urlsafe(24)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    user = str(cast.WINDSOR)
    broker = Broker(folder / "broker", {user: password})
    settings = {"url": broker.url, "username": user, "password_file": secret.name}
    await asyncio.to_thread(broker.start)
    try:
        return [
            await _cost("publish-loopback", _IN_PROCESS, LoopbackLink("loopback"), batches),
            await _cost(
                "publish-mqtt", _MQTT, MqttLink.from_settings("mqtt", settings, folder), batches
            ),
        ]
    finally:
        await asyncio.to_thread(broker.stop)


_IN_PROCESS = Text("publish, in this process", "publier, dans ce processus")
_MQTT = Text("publish over MQTT", "publier par MQTT")


async def _cost(id_: str, name: Text, link: Link, batches: int) -> Cost:
    sink = Listener()
    await link.open(sink)
    try:
        await asyncio.wait_for(sink.up.wait(), CONNECT_S)
    except TimeoutError:
        raise BenchError(
            "the broker of the measurement cannot be reached",
            "le courtier de la mesure est injoignable",
        ) from None
    try:
        costs = [await _batch_us(link) for _ in range(batches + 1)][1:]
    finally:
        await link.close()
    micro = Micro(id=id_, name=name, batch=lambda: Batch(lambda: None, 1))
    return Cost(micro=micro, median_us=statistics.median(costs), best_us=min(costs))


async def _batch_us(link: Link) -> float:
    """Publish packet by packet; what turning the event loop costs anyway is not counted."""
    topic = voice_topic(cast.WINDSOR, cast.TAC1.name)
    packet = cast.packets(0, 1, 2, by_detroit=False)[0]

    async def publish() -> None:
        if not link.publish_voice(topic, packet):
            raise BenchError("the link takes no voice", "le lien ne prend pas la voix")
        await asyncio.sleep(0)

    async def nothing() -> None:
        await asyncio.sleep(0)

    cost = await _timed_us(publish) - await _timed_us(nothing)
    await asyncio.sleep(_PAUSE_S)
    return max(0.0, cost)


async def _timed_us(call: Callable[[], Awaitable[None]]) -> float:
    begin = time.thread_time_ns()
    for _ in range(COUNT):
        await call()
    return (time.thread_time_ns() - begin) / 1000.0 / COUNT
