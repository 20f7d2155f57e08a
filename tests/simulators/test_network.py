"""The impaired network itself, before a server that says back what it hears."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from radiobridge_sim.network import WINDOW, Network, Route
from radiobridge_sim.weather import Impairment

LIMIT_S = 20.0
QUIET_S = 0.2
"""How long nothing has to come to call it nothing."""


class Echo:
    """Says back what it hears; knows how many have come and how many are there."""

    def __init__(self) -> None:
        self.port = 0
        self.came = 0
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        try:
            while data := await reader.read(4096):
                self.heard += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Line:
    """A client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self, data: bytes) -> None:
        async with asyncio.timeout(LIMIT_S):
            assert await self.reader.readexactly(len(data)) == data

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                raise AssertionError(await self.reader.read(1))

    async def is_over(self) -> bytes:
        """Return what comes before the end; raise ConnectionError when it is reset."""
        async with asyncio.timeout(LIMIT_S):
            return await self.reader.read()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()


@pytest.fixture
async def route(echo: Echo) -> AsyncIterator[Route]:
    with Network(seed=1) as network:
        yield network.route(echo.port)


LINES: list[Line] = []


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    yield
    for line in LINES:
        line.writer.transport.abort()
    LINES.clear()


async def connect(route: Route) -> Line:
    line = Line(*await asyncio.open_connection("127.0.0.1", route.port))
    LINES.append(line)
    return line


async def talking(route: Route, word: bytes = b"hello") -> Line:
    line = await connect(route)
    line.say(word)
    await line.hears(word)
    return line


async def test_it_carries_both_ways_and_passes_the_end_on(route: Route) -> None:
    line = await talking(route)
    line.say(bytes(300_000))
    line.writer.write_eof()
    assert await line.is_over() == bytes(300_000)


async def test_what_is_held_comes_whole_when_it_heals(route: Route, echo: Echo) -> None:
    line = await talking(route)
    route.hold()
    line.say(b"one")
    line.say(b"two")
    await line.hears_nothing()
    assert echo.heard == b"hello"
    route.heal()
    await line.hears(b"onetwo")


async def test_only_connections_that_begin_so_are_held(route: Route) -> None:
    voice, control = await talking(route, b"rbv1"), await talking(route, b"rbc1")
    route.hold(b"rbv")
    voice.say(b"x")
    control.say(b"y")
    await control.hears(b"y")
    await voice.hears_nothing()
    late = await connect(route)
    late.say(b"rbv2")
    await late.hears_nothing()
    route.heal()
    await voice.hears(b"x")
    await late.hears(b"rbv2")


async def test_who_sends_more_than_the_window_has_to_wait(route: Route) -> None:
    line = await talking(route)
    route.hold()
    line.writer.transport.set_write_buffer_limits(0)
    line.say(bytes(8 * 1024 * 1024))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            await line.writer.drain()
    assert line.writer.transport.get_write_buffer_size() > WINDOW


async def test_before_a_narrow_place_the_sender_waits_too(route: Route, echo: Echo) -> None:
    line = await talking(route)
    route.impair(Impairment(bytes_per_s=1000.0))
    line.writer.transport.set_write_buffer_limits(0)
    line.say(bytes(8 * 1024 * 1024))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            await line.writer.drain()
    assert len(echo.heard) < 1024 * 1024


async def test_a_black_hole_takes_everything_and_answers_nothing(route: Route, echo: Echo) -> None:
    old = await talking(route)
    route.swallow()
    new = await connect(route)
    old.say(b"lost")
    new.say(b"lost too")
    await old.hears_nothing()
    await new.hears_nothing()
    assert (echo.heard, echo.came) == (b"hello", 1)


async def test_what_a_black_hole_has_damaged_is_reset_when_it_heals(route: Route) -> None:
    damaged, sound = await talking(route), await talking(route)
    route.swallow()
    damaged.say(b"lost")
    await damaged.hears_nothing()
    route.heal()
    with pytest.raises(ConnectionError):
        await damaged.is_over()
    sound.say(b"whole")
    await sound.hears(b"whole")
    await talking(route)


async def test_a_cut_resets_and_refuses_and_heals_at_the_same_port(route: Route) -> None:
    line = await talking(route)
    port = route.port
    route.cut()
    with pytest.raises(ConnectionError):
        await line.is_over()
    with pytest.raises(ConnectionRefusedError):
        await connect(route)
    route.heal()
    assert route.port == port
    await talking(route)


async def test_nobody_behind_it_is_refused(route: Route) -> None:
    with Network() as network:
        closed = network.route(1)
        line = await connect(closed)
        line.say(b"x")
        with pytest.raises(ConnectionError):
            await line.is_over()
    await talking(route)


async def test_a_delay_is_set_while_it_carries(route: Route) -> None:
    line = await talking(route)
    route.impair(Impairment(delay_s=3600.0))
    line.say(b"late")
    await line.hears_nothing()
    route.heal()
    line.say(b"never before it")
    await line.hears_nothing()


async def test_each_direction_has_its_own(route: Route, echo: Echo) -> None:
    line = await talking(route)
    route.impair(Impairment(), down=Impairment(delay_s=3600.0))
    line.say(b"up")
    await line.hears_nothing()
    assert echo.heard == b"helloup"


async def test_a_slow_accept_holds_new_connections_only(route: Route) -> None:
    line = await talking(route)
    route.impair(Impairment(accept_s=3600.0))
    new = await connect(route)
    new.say(b"x")
    await new.hears_nothing()
    line.say(b"y")
    await line.hears(b"y")


async def test_delays_are_those_of_the_weather(route: Route) -> None:
    line = await talking(route)
    loop = asyncio.get_running_loop()
    route.impair(Impairment(delay_s=0.05))
    began = loop.time()
    line.say(b"there and back")
    await line.hears(b"there and back")
    assert loop.time() - began >= 0.099


async def test_stop_ends_connections_and_may_come_twice(echo: Echo) -> None:
    network = Network()
    network.stop()
    network.start()
    line = await talking(network.route(echo.port))
    network.stop()
    network.stop()
    with pytest.raises(ConnectionError):
        await line.is_over()


async def test_who_ends_leaves_no_connection_behind(route: Route) -> None:
    line = await talking(route)
    line.writer.close()
    for _ in range(round(LIMIT_S / 0.01)):
        if not route.connections:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the connection is still there")
