"""The settings of each driver: what is checked before a driver ever sees them.

The built-in drivers' settings are models here, so that `radiobridge check` needs none of their
libraries. A third party's class may offer a pydantic model as its attribute `Settings`; without
one its mapping is handed over as it is. Names come from the entry-point groups.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field

from radiobridge.config.base import FilePath, Settings
from radiobridge.config.units import Latency, RadioTimeOut, SampleRate, written, wrong
from radiobridge.drivers.registry import Group, load

_EXAMPLE_DEVICE = "/dev/serial/by-id/usb-FTDI_1234-if00-port0"


def _device(text: str) -> str:
    scheme, has_scheme, rest = text.partition("://")
    if (has_scheme and scheme.isalnum() and rest) or (text.startswith("/") and len(text) > 1):
        return text
    raise wrong(
        f"'{text[:80]}' is neither a path nor a serial URL; write for example `{_EXAMPLE_DEVICE}` "
        "or `rfc2217://host:port`",
        f"'{text[:80]}' n'est ni un chemin ni une URL série; écrivez par exemple "
        f"`{_EXAMPLE_DEVICE}` ou `rfc2217://hôte:port`",
    )


def split_address(text: str) -> tuple[str, int]:
    """Return host and UDP port of `host:port`; raise PydanticCustomError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536:
        return host.lower(), int(port)
    raise wrong(
        f"'{text[:80]}' is not host and port; write for example `127.0.0.1:34001`",
        f"'{text[:80]}' n'est pas hôte et port; écrivez par exemple `127.0.0.1:34001`",
    )


def _address(text: str) -> str:
    split_address(text)
    return text


SerialDevice: TypeAlias = Annotated[str, AfterValidator(_device), Field(examples=[_EXAMPLE_DEVICE])]
Address: TypeAlias = Annotated[str, AfterValidator(_address), Field(examples=["127.0.0.1:34001"])]
PttLine: TypeAlias = Annotated[
    str, Field(pattern=r"^(!?RTS|!?DTR|DTR!RTS|RTS!DTR)$", examples=["RTS"])
]
CorLine: TypeAlias = Annotated[str, Field(pattern=r"^!?(CTS|DSR|DCD|RI)$", examples=["CTS"])]
Baud: TypeAlias = Annotated[int, Field(ge=300, le=921_600)]


class LinesSettings(Settings):
    """Interface `lines`: PTT and COR on the modem lines of a serial device."""

    driver: Literal["lines"]
    device: SerialDevice
    """A path, best under /dev/serial/by-id, or a pyserial URL such as `rfc2217://host:port`."""
    ptt: PttLine = "RTS"
    """`RTS`, `!RTS`, `DTR`, `!DTR`, or the interlock pair `DTR!RTS` or `RTS!DTR`."""
    cor: CorLine | None = None
    """`CTS`, `DSR`, `DCD` or `RI`, with `!` when active low; none when left out."""
    grant: CorLine | None = None
    """The line that is on while a trunked system has granted the channel; voice waits for it."""
    denied: CorLine | None = None
    """With `grant`: the line that is on when the system has refused."""
    queued: CorLine | None = None
    """With `grant`: the line that is on while the request waits for a channel."""
    baud: Baud = 9600
    """Bit rate; matters only where an adapter insists."""
    radio_time_out: RadioTimeOut | None = None
    """What the radio's own time-out timer, or a hardware timer, is set to; must be declared."""


class CcdiSettings(Settings):
    """Interface `ccdi`: a Tait TM8000 or TM9000 over its serial command interface."""

    driver: Literal["ccdi"]
    device: SerialDevice
    """A path, best under /dev/serial/by-id."""
    baud: Baud = 28_800
    """As the radio is programmed."""
    dead_man: Literal["press", "constant"] = "press"
    """`press`: half-second presses that must be renewed; `constant`: on until told off."""
    cor: bool = True
    """Whether the radio's "RF detected" opens the receiver."""
    mute: CorLine | None = None
    """The modem line that carries the radio's mute output: COR with the right tone only."""
    radio_time_out: RadioTimeOut | None = None
    """What the radio's own time-out timer is set to; needed with `constant`."""


class UsrpInterfaceSettings(Settings):
    """Interface `usrp`: key, COR and voice in one USRP stream (an AllStarLink node)."""

    driver: Literal["usrp"]
    listen: Address
    """Where this gateway receives, UDP `host:port`."""
    peer: Address
    """Where the node receives."""


class NoInterfaceSettings(Settings):
    """Interface `none`: no PTT and no COR; the radio is only listened to."""

    driver: Literal["none"]


SoundName: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200, examples=["USB Audio CODEC"])
]


class SoundCardSettings(Settings):
    """Audio `soundcard`: a sound device by name, for both ways or each apart."""

    driver: Literal["soundcard"]
    device: SoundName | None = None
    """Part of the device's name, as `python -m sounddevice` shows it."""
    input: SoundName | None = None
    """The device that hears the radio, where it is not `device`."""
    output: SoundName | None = None
    """The device that speaks to the radio, where it is not `device`."""
    rate: SampleRate = 48_000
    """8000, 16000 or 48000 Hz."""
    latency: Latency = written("20ms")
    """How much the sound system may hold; less breaks up, more delays."""


class UsrpAudioSettings(Settings):
    """Audio `usrp`: sound only, for simulated radios whose key is a serial line."""

    driver: Literal["usrp"]
    listen: Address
    """Where this gateway receives, UDP `host:port`."""
    peer: Address
    """Where the other end receives."""


class WavSettings(Settings):
    """Audio `wav`: hears a file and writes what it plays to another; for tests and the bench."""

    driver: Literal["wav"]
    input: FilePath | None = None
    """The file that is heard, 16-bit mono at `rate`; silence when left out."""
    output: FilePath | None = None
    """The file that is written with what was played."""
    rate: SampleRate = 8_000
    """8000, 16000 or 48000 Hz."""
    repeat: bool = False
    """Whether `input` starts again when it ends."""


BUILT_IN: Mapping[Group, Mapping[str, type[Settings]]] = {
    Group.INTERFACES: {
        "lines": LinesSettings,
        "ccdi": CcdiSettings,
        "usrp": UsrpInterfaceSettings,
        "none": NoInterfaceSettings,
    },
    Group.AUDIO: {"soundcard": SoundCardSettings, "usrp": UsrpAudioSettings, "wav": WavSettings},
}


_REPORT_CHANNEL = frozenset({"ccdi"})


def settings_model(group: Group, name: str, *, simulation: bool) -> type[BaseModel] | None:
    """Return the model of a driver's settings, or None when it takes any mapping.

    Only a third party's driver is imported for that. Raises what `registry.load` raises.
    """
    if built_in := BUILT_IN[group].get(name):
        return built_in
    offered = getattr(load(group, name, simulation=simulation), "Settings", None)
    return offered if isinstance(offered, type) and issubclass(offered, BaseModel) else None


def reports_channel(name: str, *, simulation: bool) -> bool:
    """Tell whether an interface driver can say which channel its radio is on.

    Only a third party's driver is imported for that. Raises what `registry.load` raises.
    """
    if name in BUILT_IN[Group.INTERFACES]:
        return name in _REPORT_CHANNEL
    driver = load(Group.INTERFACES, name, simulation=simulation)
    return getattr(driver, "reports_channel", False) is True
