"""An impaired network between gateways and brokers: TCP proxies that do what bad networks do.

A `Network` is one thread; each `Route` of it is a port of 127.0.0.1 that leads to a broker. What a
route does is set from any thread while it carries, and is in effect on return:

    impair     delay, jitter, loss, stalls, a limit of bandwidth (`weather.Impairment`)
    hold       nothing passes, nothing is lost: a cable that is out, put back before TCP gives up
    swallow    a black hole: accepts connections and bytes, old connections too, and drops them
    cut        old connections are reset, new ones refused
    heal       as at the beginning; connections that lost bytes in a black hole are reset

Of each direction of a connection the network itself takes no more than routers would: 4 KiB while
it is held, `QUEUE_S` before a narrow place, `WINDOW` else. The rest waits at the sender. It differs
from a real network in this: a connection is always accepted by the kernel at once.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Self, TypeVar

from radiobridge_sim.weather import CLEAR, Impairment, Lane

WINDOW = 262_144
"""Bytes on their way in one direction of one connection."""

QUEUE_S = 0.25
"""How long bytes wait before a narrow place."""

_HELD = 4096
"""Bytes that are on their way when nothing passes."""

_PIECE = 4096
_RECEIVE_BUFFER = 4096
"""What the kernel takes from a sender on top of it: a dozen voice packets."""

_ANSWER_S = 10.0

_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: socket(7). What is closed so is reset."""

T = TypeVar("T")


class _State(Enum):
    CARRYING = "carrying"
    SWALLOWING = "swallowing"
    CUT = "cut"


class Network:
    """A thread that carries for any number of routes; `stop` ends all of them."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._routes: list[Route] = []
        self.zero = time.monotonic()
        """When the weather began, CLOCK_MONOTONIC s."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to carry, from nothing."""
        self.zero = time.monotonic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="network", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Reset all connections and end; may be called twice."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        for route in self._routes:
            route.cut()
        self._routes.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(_ANSWER_S)

    def route(self, port: int) -> "Route":
        """Return a new way to `port` of 127.0.0.1, which need not listen yet."""
        route = Route(self, port, number=len(self._routes))
        self.call(route.open())
        self._routes.append(route)
        return route

    def now(self) -> float:
        """Return the time in s since the zero."""
        return time.monotonic() - self.zero

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the thread do something, and wait for it."""
        assert self._loop is not None  # noqa: S101  `start` comes first
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_forever()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()

        async def ended() -> None:
            await asyncio.gather(*tasks, return_exceptions=True)

        loop.run_until_complete(ended())
        loop.close()


class Route:
    """One way to one broker. Every call blocks for about a millisecond."""

    def __init__(self, network: Network, to_port: int, *, number: int) -> None:
        self._network = network
        self._to_port = to_port
        self._number = number
        self._server: asyncio.Server | None = None
        self._connections: list[_Connection] = []
        self._state = _State.CARRYING
        self._held: bytes | None = None
        self._up = self._down = CLEAR
        self.port = 0
        """The port of 127.0.0.1 to connect to, the same after a cut."""

    @property
    def url(self) -> str:
        """The address of a plain broker behind this route."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The address of a broker with TLS behind this route."""
        return f"mqtts://localhost:{self.port}"

    @property
    def connections(self) -> int:
        """Return how many connections there are."""
        return len(self._connections)

    async def open(self) -> None:
        """Listen; called in the network's thread."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            listener.bind(("127.0.0.1", self.port))
            self._server = await asyncio.start_server(
                self._accept, sock=listener.dup(), limit=_PIECE
            )
        self.port = self._server.sockets[0].getsockname()[1]

    def impair(self, up: Impairment, down: Impairment | None = None) -> None:
        """Set what bytes suffer from now on: to the broker `up`, from it `down` (None: the same).

        What is on its way keeps the time that it was given.
        """
        self._do(lambda: self._impair(up, up if down is None else down))

    def hold(self, only: bytes = b"") -> None:
        """Let nothing pass, on connections whose first bytes hold `only` (plain ones)."""
        self._do(lambda: self._set(self._state, only))

    def swallow(self) -> None:
        """Be a black hole."""
        self._do(lambda: self._set(_State.SWALLOWING, None))

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        self._do(self._cut)

    def heal(self) -> None:
        """Carry again, without any impairment."""

        async def heal() -> None:
            self._impair(CLEAR, CLEAR)
            self._set(_State.CARRYING, None)
            if self._server is None:
                await self.open()
            for connection in [one for one in self._connections if one.lossy]:
                connection.abort()

        self._network.call(heal())

    def _do(self, change: Callable[[], None]) -> None:
        async def do() -> None:
            change()

        self._network.call(do())

    def _impair(self, up: Impairment, down: Impairment) -> None:
        self._up, self._down = up, down
        for connection in self._connections:
            connection.up.lane.impairment = up
            connection.down.lane.impairment = down

    def _set(self, state: _State, held: bytes | None) -> None:
        self._state, self._held = state, held
        for connection in self._connections:
            self._apply(connection)

    def _apply(self, connection: "_Connection") -> None:
        swallow = self._state is _State.SWALLOWING
        held = self._held is not None and self._held in connection.first
        for half in (connection.up, connection.down):
            half.set(held=held and not swallow, swallow=swallow)

    def _cut(self) -> None:
        self._state, self._held = _State.CUT, None
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()

    def _lane(self, impairment: Impairment, direction: str) -> Lane:
        return Lane(impairment, f"{self._network.seed}/{self._number}/{direction}")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = self._lane(self._up, "up"), self._lane(self._down, "down")
        now = self._network.now
        connection = _Connection(reader, writer, _Half(up, now), _Half(down, now))
        self._connections.append(connection)
        try:
            await asyncio.sleep(self._up.accept_s)
            if await connection.begin():
                self._apply(connection)
                await connection.carry(self._to_port)
        except (OSError, asyncio.CancelledError):
            connection.abort()
        finally:
            connection.close()
            self._connections.remove(connection)


class _Half:
    """One direction: reads pieces, and writes each when the lane says that it leaves."""

    def __init__(self, lane: Lane, now: Callable[[], float]) -> None:
        self.lane = lane
        self._now = now
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self.swallows = False
        self.lost = False
        """Bytes of it were swallowed."""

    def set(self, *, held: bool, swallow: bool) -> None:
        """Hold what leaves, or drop it."""
        self.swallows = swallow
        if held:
            self._free.clear()
        else:
            self._free.set()

    async def read(self, reader: asyncio.StreamReader, first: bytes = b"") -> None:
        """Take in what comes, until its end."""
        data = first or await reader.read(_PIECE)
        while data:
            self._put(data)
            while self._full:
                self._room.clear()
                await self._room.wait()
            data = await reader.read(_PIECE)
        self._put(b"")

    @property
    def _full(self) -> bool:
        limit = WINDOW if self._free.is_set() else _HELD
        return self._size > limit or self.lane.queue_s(self._now()) > QUEUE_S

    def _put(self, data: bytes) -> None:
        self._waiting.append((self.lane.leaves_at(len(data), self._now()), data))
        self._size += len(data)
        self._news.set()

    async def write(self, writer: asyncio.StreamWriter) -> None:
        """Let out what has arrived, its end included."""
        while True:
            data = await self._next()
            if self.swallows:
                self.lost = True
            elif data:
                writer.write(data)
                await writer.drain()
            else:
                writer.write_eof()
                return

    async def _next(self) -> bytes:
        """Wait for the time of the next piece, and until nothing holds it."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        leaves_at, data = self._waiting[0]
        if (wait := leaves_at - self._now()) > 0.0:
            await asyncio.sleep(wait)
        await self._free.wait()
        self._waiting.popleft()
        self._size -= len(data)
        self._room.set()
        return data


class _Connection:
    """Two halves and the sockets at both ends."""

    def __init__(
        self, reader: asyncio.StreamReader, near: asyncio.StreamWriter, up: _Half, down: _Half
    ) -> None:
        self.up = up
        self.down = down
        self.first = b""
        """What the gateway said first: in plain MQTT its client id."""
        self._reader = reader
        self._near = near
        self._far: asyncio.StreamWriter | None = None
        self._task = asyncio.current_task()

    @property
    def lossy(self) -> bool:
        """Tell whether bytes are missing, so that no more of them make sense."""
        return self.up.lost or self.down.lost

    async def begin(self) -> bool:
        """Wait for the first bytes; tell whether there are any."""
        self.first = await self._reader.read(_PIECE)
        return bool(self.first)

    async def carry(self, port: int) -> None:
        """Carry until both ends are closed; raise OSError when one breaks."""
        if self.up.swallows:
            # Nobody behind a black hole hears of it; `heal` resets it.
            self.up.lost = True
            await asyncio.Event().wait()
        far, self._far = await asyncio.open_connection("127.0.0.1", port, limit=_PIECE)
        for writer in (self._near, self._far):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.TaskGroup() as both:
            for work in (
                self.up.read(self._reader, self.first),
                self.up.write(self._far),
                self.down.read(far),
                self.down.write(self._near),
            ):
                both.create_task(self._or_abort(work))

    async def _or_abort(self, work: Coroutine[Any, Any, None]) -> None:
        """Do a part of it; when an end breaks, the rest goes with it."""
        try:
            await work
        except OSError:
            self.abort()

    def abort(self) -> None:
        """Reset both ends."""
        for writer in (self._near, self._far):
            if writer is not None and not writer.transport.is_closing():
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def close(self) -> None:
        """Close what is not closed yet; what was written still goes out."""
        for writer in (self._near, self._far):
            if writer is not None:
                writer.close()
