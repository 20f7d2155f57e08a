"""What a link reads from its settings."""

from pathlib import Path

import pytest

from radiobridge.drivers.link.settings import MqttSettings, TlsFiles, read_credentials
from radiobridge.errors import ConfigError, DriverError


def test_relative_paths_start_at_the_configuration() -> None:
    settings = MqttSettings.from_mapping(
        {
            "url": "mqtts://broker.opp.example",
            "tls": {"ca": "ca.pem", "certificate": "/etc/c.pem", "key": "k.pem"},
            "username": "ca.opp/windsor",
            "password_file": "secret",
        },
        Path("/etc/radiobridge"),
    )
    assert (settings.host, settings.port) == ("broker.opp.example", 8883)
    assert settings.tls == TlsFiles(
        ca=Path("/etc/radiobridge/ca.pem"),
        certificate=Path("/etc/c.pem"),
        key=Path("/etc/radiobridge/k.pem"),
    )
    assert settings.password_file == Path("/etc/radiobridge/secret")


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://10.0.0.1", "10.0.0.1", 1883, False),
        ("mqtt://[::1]:2000", "::1", 2000, False),
        ("mqtts://b.example:443", "b.example", 443, True),
    ],
)
def test_urls(url: str, host: str, port: int, tls: bool) -> None:
    settings = MqttSettings.from_mapping({"url": url}, Path())
    assert (settings.host, settings.port, settings.tls is not None) == (host, port, tls)


@pytest.mark.parametrize(
    "url", ["", "broker", "http://b.example", "mqtt://", "mqtt://b:x", "mqtt://u:pw@b.example"]
)
def test_what_is_no_broker_says_what_would_be_right(url: str) -> None:
    with pytest.raises(ConfigError, match=r"mqtts://broker\.example:8883") as caught:
        MqttSettings.from_mapping({"url": url}, Path())
    assert "pw" not in str(caught.value)


async def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = MqttSettings.from_mapping(
        {"url": "mqtt://b.example", "password_file": "secret"}, tmp_path
    )
    with pytest.raises(DriverError, match="secret cannot be used: No such file"):
        await read_credentials(settings)


async def test_credentials_never_show_themselves(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    settings = MqttSettings.from_mapping(
        {"url": "mqtt://b.example", "password_file": "secret"}, tmp_path
    )
    credentials = await read_credentials(settings)
    assert credentials.password == "hunter2"
    assert "hunter2" not in repr(credentials) + repr(settings)
