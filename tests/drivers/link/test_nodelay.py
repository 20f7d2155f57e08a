"""Nagle's algorithm delays no packet, and nobody is waited for for long, on either connection."""

import socket
from pathlib import Path
from typing import Any

import pytest

from radiobridge.drivers.link import control_connection as control
from radiobridge.drivers.link.settings import UNANSWERED_MS, MqttSettings, read_credentials
from radiobridge.drivers.link.voice_connection import VoiceConnection
from radiobridge_sim.broker import Broker
from tests.drivers.link.conftest import USERS

pytestmark = pytest.mark.real

USER = "ca.opp/windsor"


@pytest.fixture
def settings(broker: Broker, tmp_path: Path) -> MqttSettings:
    (tmp_path / "password").write_text(USERS[USER])
    given = {"url": broker.url, "username": USER, "password_file": "password"}
    return MqttSettings.from_mapping(given, tmp_path)


def undelayed(sock: Any) -> bool:
    patience_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    nodelay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    return bool(nodelay) and patience_ms == UNANSWERED_MS


async def test_documents_leave_at_once(settings: MqttSettings) -> None:
    credentials = await read_credentials(settings)
    client = control.make_client(settings, credentials, "control", (f"rb/1/{USER}/will", b"gone"))
    async with control.connected(client):
        assert undelayed(client._client.socket())


async def test_voice_leaves_at_once(settings: MqttSettings) -> None:
    connection = VoiceConnection(settings, "voice", lambda _count: None)
    await connection.connect(await read_credentials(settings), lambda _topic, _payload: None)
    assert connection._transport is not None
    assert undelayed(connection._transport.get_extra_info("socket"))
    await connection.close()
