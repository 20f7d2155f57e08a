"""How often late voice may have its connection start anew, in virtual time."""

import asyncio
from pathlib import Path
from typing import Any

from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.drivers.link.settings import MqttSettings
from tests.services.virtual_time import in_virtual_time


class Connection:
    """What the link asks of its voice connection."""

    aborts = 0

    def abort(self) -> None:
        self.aborts += 1


def make() -> tuple[MqttLink, Connection]:
    settings = MqttSettings.from_mapping({"url": "mqtt://127.0.0.1:1"}, Path())
    link: Any = MqttLink("main", settings)
    link._voice = connection = Connection()
    return link, connection


async def ask(link: MqttLink, seconds: float) -> list[int]:
    """Ask every 100 ms; return after how long each new start came."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    starts: list[int] = []
    for _ in range(round(seconds * 10)):
        if link.restart_voice():
            starts.append(round(loop.time() - began))
        await asyncio.sleep(0.1)
    return starts


@in_virtual_time
async def test_what_does_not_help_is_done_more_and_more_rarely() -> None:
    link, connection = make()
    assert await ask(link, 40.0) == [0, 2, 6, 14, 22, 30, 38]
    assert connection.aborts == link.stats()["voice_restarts"] == 7


@in_virtual_time
async def test_after_a_calm_time_it_is_done_at_once_and_soon_again() -> None:
    link, _ = make()
    assert len(await ask(link, 20.0)) == 4
    await asyncio.sleep(60.0)
    assert await ask(link, 5.0) == [0, 2]


@in_virtual_time
async def test_without_a_connection_there_is_nothing_to_start_anew() -> None:
    settings = MqttSettings.from_mapping({"url": "mqtt://127.0.0.1:1"}, Path())
    assert not MqttLink("main", settings).restart_voice()
