"""A broker with TLS and two gateways' accounts, and links to it that are always closed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from radiobridge.drivers.link.backoff import Backoff
from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.drivers.link.settings import MqttSettings
from radiobridge_sim.broker import Broker
from radiobridge_sim.certificates import Authority

USERS = {"ca.opp/windsor": "maple", "us.cbp/detroit": "eagle"}

MakeLink: TypeAlias = Callable[..., MqttLink]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", USERS, authority=authority) as running:
        yield running


@pytest.fixture
async def make_link(
    broker: Broker, authority: Authority, tmp_path: Path
) -> AsyncIterator[MakeLink]:
    """Build links that retry fast; `tls`, `ca`, `password` and so on as the test says."""
    made: list[MqttLink] = []

    def make(
        user: str = "ca.opp/windsor",
        *,
        tls: bool = False,
        ca: Path | None = None,
        password: str | None = None,
        url: str | None = None,
        keepalive: int = 10,
        name: str = "main",
    ) -> MqttLink:
        secret = tmp_path / f"password-{len(made)}"
        secret.write_text((password or USERS.get(user, "")) + "\n")
        settings = {
            "url": url or (broker.tls_url if tls else broker.url),
            "tls": {"ca": str(ca or authority.certificate)},
            "username": user,
            "password_file": secret.name,
            "keepalive": keepalive,
        }
        link = MqttLink(
            name,
            MqttSettings.from_mapping(settings, tmp_path),
            make_backoff=lambda: Backoff(first_s=0.02, longest_s=0.1),
        )
        made.append(link)
        return link

    yield make
    await asyncio.gather(*(link.close() for link in made))
