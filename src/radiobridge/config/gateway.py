"""The gateway's own file.

Attributes carry the names of the YAML keys. Relative paths start at the folder of the file;
durations are in s, rates in bit/s.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from radiobridge.config.base import Choice, FilePath, Id, LanguageName, Settings, gateway_id
from radiobridge.config.radio import RadioConfig
from radiobridge.config.units import Bitrate, Escalation, HeadInterval, KeepAlive, written, wrong
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.voice import MAX_PRIORITY
from radiobridge.text import Language

SOCKET_FOLDER = Path("/run/radiobridge")
"""Where API sockets are when the configuration does not say."""


class Synchronised(StrEnum):
    """Who says that the wall clock is right."""

    AUTO = "auto"
    """The system (chrony, ntpd, systemd-timesyncd)."""
    TRUSTED = "trusted"
    """The operator; for a machine whose clock is set by other means."""


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    """Coloured on a terminal, JSON elsewhere."""
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ClockConfig(Settings):
    """The clock that the gateway starts its bridge time from."""

    synchronised: Annotated[Synchronised, Choice] = Synchronised.AUTO
    """`auto`: ask the system; `trusted`: the operator vouches for it."""


class VoiceConfig(Settings):
    """How this gateway encodes voice."""

    bitrate: Bitrate = written("16kbit/s")
    """Opus bit rate."""
    complexity: Annotated[int, Field(ge=0, le=10)] = 5
    """Opus complexity: more costs CPU and sounds slightly better."""
    vbr: bool = True
    """Variable bit rate."""
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] = 0
    """The priority that spurts of this gateway claim; terms cap it."""
    tell_talkers: bool = True
    """Tell partners who talks; brokers' operators read it too."""


class EmergencyConfig(Settings):
    """How alarms are treated here."""

    escalate: Escalation = written("15s")
    """How long an alarm may stay unacknowledged before it escalates."""


class HeadsConfig(Settings):
    """The heads by which gateways compare what they know, and hold each other's audit logs."""

    every: HeadInterval = written("30s")
    """How often this gateway publishes its head; each is one write to the disk."""


class LogConfig(Settings):
    """Where lines go is the service manager's; how they look is here."""

    format: Annotated[LogFormat, Choice] = LogFormat.AUTO
    """`auto` is coloured on a terminal and JSON elsewhere."""
    level: Annotated[LogLevel, Choice] = LogLevel.INFO
    """The least severe line that is written."""


class TlsConfig(Settings):
    """Certificates for one broker, PEM files."""

    ca: FilePath | None = None
    """Who may have signed the broker's certificate; the system's authorities when left out."""
    certificate: FilePath | None = None
    """This gateway's certificate, with `key`."""
    key: FilePath | None = None
    """This gateway's private key, with `certificate`; readable by the gateway's user only."""


def _broker_url(text: str) -> str:
    url = urlsplit(text)
    example = "mqtts://broker.example:8883"
    if url.scheme not in ("mqtt", "mqtts"):
        raise wrong(
            f"the scheme of '{text[:80]}' is not mqtt or mqtts; write for example `{example}`",
            f"le schéma de '{text[:80]}' n'est ni mqtt ni mqtts; écrivez par exemple `{example}`",
        )
    if url.username or url.password:
        raise wrong(
            "a password does not belong in a URL; use `username` and `password_file`",
            "un mot de passe n'a pas sa place dans une URL; employez `username` et `password_file`",
        )
    if not url.hostname or not _port_ok(text) or url.path.strip("/") or url.query or url.fragment:
        raise wrong(
            f"'{text[:80]}' is not scheme, host and port; write for example `{example}`",
            f"'{text[:80]}' n'est pas schéma, hôte et port; écrivez par exemple `{example}`",
        )
    return text


def _port_ok(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


class BrokerConfig(Settings):
    """One MQTT broker. Two or more are better than one."""

    name: Id | None = None
    """How the link is called in `status`; the host's name when left out."""
    url: Annotated[
        str, AfterValidator(_broker_url), Field(examples=["mqtts://broker.example:8883"])
    ]
    """`mqtts://host:port`, or `mqtt://host:port` without TLS."""
    tls: TlsConfig | None = None
    """Certificates, for `mqtts`."""
    username: str | None = None
    """The broker's user name; `<agency>/<gateway>` when only `password_file` is given."""
    password_file: FilePath | None = None
    """A file that holds the password and nothing else; readable by the gateway's user only."""
    keepalive: KeepAlive = written("10s")
    """How often the link proves that it lives; its will fires after 1.5 times that."""

    def settings(self) -> dict[str, Any]:
        """Return what a `Link` driver gets: JSON values, absent ones left out."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"name"})


def _default_state(fields: dict[str, Any]) -> Path:
    return Path("/var/lib/radiobridge", fields["gateway"])


def _default_socket(fields: dict[str, Any]) -> Path:
    return SOCKET_FOLDER / f"{fields['gateway']}.sock"


class GatewayConfig(Settings):
    """One gateway: who it is, its radios, brokers and files."""

    agency: Annotated[Id, Field(examples=["ca.opp"])]
    """The agency that runs this gateway, country first."""
    gateway: Annotated[Id, Field(examples=["windsor"])]
    """The name of this gateway within its agency."""
    talkgroups: Annotated[FilePath, Field(examples=["talkgroups.yaml"])]
    """The agency's talkgroup map."""
    partners: Annotated[FilePath, Field(examples=["partners.yaml"])]
    """The agencies that this one trusts, with their keys."""
    plans: FilePath | None = None
    """Patches agreed in advance."""
    keys: Annotated[FilePath, Field(examples=["/etc/radiobridge/windsor.keys"])]
    """This gateway's key file, from `radiobridge keys gateway`."""
    roster: Annotated[FilePath, Field(examples=["roster.jws"])]
    """The agency's signed roster, from `radiobridge keys enrol`."""
    state: FilePath = Field(default_factory=_default_state)
    """The folder of what survives a restart; `/var/lib/radiobridge/<gateway>` when left out."""
    socket: FilePath = Field(default_factory=_default_socket)
    """The UNIX socket of the HTTP API; `/run/radiobridge/<gateway>.sock` when left out."""
    simulation: bool = False
    """Allow drivers and combinations that make no sense with real radios."""
    language: LanguageName = Language.EN
    """The language of this gateway's own words."""
    clock: ClockConfig = Field(default_factory=ClockConfig)
    """The clock that bridge time starts from."""
    voice: VoiceConfig = Field(default_factory=VoiceConfig)
    """How voice is encoded."""
    emergency: EmergencyConfig = Field(default_factory=EmergencyConfig)
    """How alarms are treated."""
    heads: HeadsConfig = Field(default_factory=HeadsConfig)
    """How often heads are said."""
    log: LogConfig = Field(default_factory=LogConfig)
    """How log lines look."""
    brokers: list[BrokerConfig] = Field(default_factory=list)
    """The MQTT brokers; without any, only this gateway's own radios hear each other."""
    radios: dict[Id, RadioConfig] = Field(default_factory=dict)
    """The donor radios, by name."""

    @property
    def id(self) -> GatewayId:
        """Return the full id of this gateway."""
        return gateway_id(self.agency, self.gateway)

    def radio_talkgroup(self, radio: RadioName) -> TalkgroupId:
        """Return the talkgroup that a radio is on; raise KeyError for an unknown radio."""
        return TalkgroupId(self.id.agency, self.radios[radio].talkgroup)

    def links(self) -> dict[str, BrokerConfig]:
        """Return the brokers by link name: their own, or the host's (with its port if taken)."""
        named: dict[str, BrokerConfig] = {}
        for broker in self.brokers:
            url = urlsplit(broker.url)
            host = (url.hostname or "").replace(":", "-").strip("-")[:26] or "broker"
            name = broker.name or (host if host not in named else f"{host}-{url.port or 0}")
            named[name] = self._with_username(broker)
        return named

    def _with_username(self, broker: BrokerConfig) -> BrokerConfig:
        if broker.password_file is None or broker.username is not None:
            return broker
        return broker.model_copy(update={"username": str(self.id)})
