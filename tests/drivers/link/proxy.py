"""A TCP proxy before a broker that can stop carrying one kind of connection."""

import asyncio
from contextlib import suppress
from typing import Self

VOICE, CONTROL = b"rbv", b"rbc"
"""How the client ids of the two connections of a link begin."""


class Proxy:
    """Forwards to `port`; connections whose CONNECT holds a stalled mark stand still."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._gates = {VOICE: asyncio.Event(), CONTROL: asyncio.Event()}
        self._tasks: set[asyncio.Task[None]] = set()
        for gate in self._gates.values():
            gate.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stall(self, mark: bytes) -> None:
        """Carry nothing more for connections of this kind."""
        self._gates[mark].clear()

    def heal(self, mark: bytes) -> None:
        """Carry again, from where it stood."""
        self._gates[mark].set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        first = await reader.read(4096)
        gate = self._gates[VOICE if VOICE in first else CONTROL]
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        back.write(first)
        try:
            await asyncio.gather(_carry(reader, back, gate), _carry(there, writer, gate))
        finally:
            for each in (writer, back):
                each.close()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            await gate.wait()
            writer.write(data)
            await writer.drain()
    writer.close()
