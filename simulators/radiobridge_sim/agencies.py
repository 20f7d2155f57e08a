"""The two agencies of the demonstration, and the files that their gateways are configured by."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from radiobridge.model.ids import AgencyId, GatewayId
from radiobridge.text import Language, Text
from radiobridge_sim.repeater import RepeaterSettings
from radiobridge_sim.trunked import TrunkedSettings

RADIO = "tac1"
"""What each gateway calls its donor radio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One agency: its gateway, its donor radio, and one unit in the field."""

    gateway: GatewayId
    talkgroup: str
    label: Text
    language: Language
    hz: int
    unit: str
    """The handheld, `opp-12`."""
    interface: str
    """What keys the donor radio: `ccdi`, `lines` or `usrp`."""
    input_hz: int | None = None
    """The input of the repeater whose output is `hz`; None: a simplex channel."""
    repeater: RepeaterSettings = field(default_factory=RepeaterSettings)
    """How that repeater behaves."""
    trunked: TrunkedSettings | None = None
    """The trunked system that the donor radio works on; it is keyed by `lines` then."""
    key_up_s: float = 0.0
    """From PTT to the donor radio's carrier."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the gateway's file says of the radio (`profile`, `receive`, `transmit`)."""

    @property
    def agency(self) -> AgencyId:
        """Return the agency's id."""
        return self.gateway.agency

    @property
    def donor(self) -> str:
        """Return the donor radio's name in line logs, `opp-donor`."""
        return f"{self.unit.partition('-')[0]}-donor"

    @property
    def repeater_name(self) -> str:
        """Return the repeater's name, `opp-repeater`."""
        return f"{self.unit.partition('-')[0]}-repeater"


OPP = Side(
    gateway=GatewayId(AgencyId("ca.opp"), "windsor"),
    talkgroup="TAC1",
    label=Text("OPP Windsor tactical 1", "OPP Windsor tactique 1"),
    language=Language.FR,
    hz=155_752_500,
    unit="opp-12",
    interface="ccdi",
)
"""Ontario Provincial Police, beside the river."""

CBP = Side(
    gateway=GatewayId(AgencyId("us.cbp"), "detroit"),
    talkgroup="BORDER",
    label=Text("CBP Detroit border", "CBP Detroit frontière"),
    language=Language.EN,
    hz=151_137_500,
    unit="cbp-7",
    interface="usrp",
)
"""U.S. Customs and Border Protection, on the other bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cabling:
    """What a gateway finds on its cables: driver settings."""

    interface: Mapping[str, Any]
    audio: Mapping[str, Any] | None


def write_gateway(
    folder: Path, side: Side, cabling: Cabling, brokers: Sequence[Mapping[str, Any]]
) -> Path:
    """Write the gateway's file and its talkgroup map into `folder`; return the former."""
    radio: dict[str, Any] = {"talkgroup": side.talkgroup, "interface": dict(cabling.interface)}
    radio.update(side.settings)
    if cabling.audio is not None:
        radio["audio"] = dict(cabling.audio)
    gateway = {
        "agency": str(side.agency),
        "gateway": side.gateway.name,
        "simulation": True,
        "talkgroups": "talkgroups.yaml",
        "partners": "partners.yaml",
        "plans": "plans.yaml",
        "keys": f"{side.gateway.name}.keys",
        "roster": "roster.jws",
        "state": "state",
        "socket": "api.sock",
        "clock": {"synchronised": "trusted"},
        "language": side.language.value,
        "log": {"format": "json"},
        "brokers": [dict(broker) for broker in brokers],
        "radios": {RADIO: radio},
    }
    reference = f"{side.gateway.name}/{RADIO}"
    talkgroup = {
        "label": side.label._asdict(),
        "air": "clear",
        "receive": [reference],
        "transmit": {"main": reference},
        # Each PTT of the simulated worlds belongs to a phrase that somebody says.
        "announce": False,
    }
    _write(
        folder / "talkgroups.yaml",
        {"agency": str(side.agency), "talkgroups": {side.talkgroup: talkgroup}},
    )
    path = folder / "gateway.yaml"
    _write(path, gateway)
    return path


def write_plans(path: Path, plans: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the plans that an agency has; nothing half-written is ever there to be read."""
    new = path.with_suffix(".new")
    _write(new, {"plans": {name: dict(plan) for name, plan in plans.items()}})
    new.replace(path)


def make_plan(sides: Sequence[Side], host: AgencyId, now: dt.datetime) -> dict[str, Any]:
    """Return a plan that joins the talkgroups of all sides for two hours around `now`."""
    return {
        "purpose": "Two agencies, one river: demonstration",
        "incident": "DEMO-1",
        "host": str(host),
        "from": _rfc3339(now - dt.timedelta(minutes=10)),
        "until": _rfc3339(now + dt.timedelta(hours=2)),
        "recording": "none",
        "members": {
            f"{side.agency}/{side.talkgroup}": {
                "access": "both",
                "max_class": "normal",
                "max_priority": 0,
                "air": "clear",
                "signalling": False,
            }
            for side in sides
        },
    }


def _rfc3339(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
