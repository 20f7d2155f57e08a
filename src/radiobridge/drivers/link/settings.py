"""What an MQTT link needs to know, from checked settings; files are read at each connect."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Self
from urllib.parse import urlsplit

from radiobridge.errors import ConfigError, DriverError

_PORTS = {"mqtt": 1883, "mqtts": 8883}

DEFAULT_KEEPALIVE_S = 10
"""A dead connection is noticed after at most twice this; its will comes after 1.5 times."""

UNANSWERED_MS = 6000
"""What nobody acknowledges for so long ends a connection (tcp(7), TCP_USER_TIMEOUT). TCP itself
would repeat it more and more rarely, and be slow to notice that the network is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files; None means the system's CAs, or no client certificate."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """One broker and how to log in there."""

    host: str
    port: int
    tls: TlsFiles | None
    username: str | None = None
    password_file: Path | None = None
    keepalive_s: int = DEFAULT_KEEPALIVE_S

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], base: PurePath) -> Self:
        """Read `{url, tls: {ca, certificate, key}, username, password_file, keepalive}`.

        Relative paths start at `base`. Raises ConfigError when the URL is not a broker's.
        """
        scheme, host, port = _parse_url(str(settings.get("url", "")))
        files = {
            name: Path(base / path)
            for name, path in (settings.get("tls") or {}).items()
            if path is not None
        }
        password = settings.get("password_file")
        return cls(
            host=host,
            port=port,
            tls=TlsFiles(**files) if scheme == "mqtts" else None,
            username=settings.get("username"),
            password_file=Path(base / password) if password else None,
            keepalive_s=int(settings.get("keepalive") or DEFAULT_KEEPALIVE_S),
        )

    @property
    def address(self) -> str:
        """`host:port` for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """What the files held at the time of a connect; shows nothing of it."""

    context: ssl.SSLContext | None
    password: str | None


async def read_credentials(settings: MqttSettings) -> Credentials:
    """Read certificates and password off the event loop; raise DriverError when they are bad."""
    return await asyncio.to_thread(_read, settings)


def _read(settings: MqttSettings) -> Credentials:
    context = None if settings.tls is None else _context(settings.tls)
    path = settings.password_file
    if path is None:
        return Credentials(context=context, password=None)
    try:
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    return Credentials(context=context, password=password)


class _ClosingSocket(ssl.SSLSocket):
    """A TLS socket that does not stay open after a failed handshake, as paho would leave it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if files.ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _ClosingSocket
    if files.ca is not None:
        _load(files.ca, lambda: context.load_verify_locations(files.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        certificate, key = files.certificate, files.key
        _load(certificate, lambda: context.load_cert_chain(certificate, key))
    return context


def _load(path: Path, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:
        # An encrypted key or a key of another certificate comes as ssl.SSLError, an OSError.
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DriverError:
    why = getattr(error, "strerror", None) or type(error).__name__
    return DriverError(f"{path} cannot be used: {why}", f"{path} est inutilisable : {why}")


def _parse_url(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_url(url) from None
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise _bad_url(url)
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _bad_url(url: str) -> ConfigError:
    shown = url.rpartition("@")[2]
    return ConfigError(
        f"{shown!r} is not the address of a broker; write mqtts://broker.example:8883,"
        " with user name and password in username and password_file",
        f"{shown!r} n'est pas l'adresse d'un courtier ; écrivez mqtts://broker.example:8883,"
        " et l'utilisateur et le mot de passe dans username et password_file",
    )
