"""Quantities with units, as an operator writes them: `120ms`, `-40dBFS`, `16kbit/s`, `48kHz`.

A number without a unit is refused, except where the field's own habit is to leave it out (sample
rates in Hz). In the program durations are seconds and rates Hz or bit/s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from radiobridge.media.ctcss import TONES_HZ
from radiobridge.model.voice import RADIO_RATES

_NUMBER = r"[-+]?[0-9]{1,9}(\.[0-9]{1,9})?"
_QUANTITY = re.compile(rf"({_NUMBER})\s?([A-Za-z/]*)", re.ASCII)

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
DECIBELS = {"dB": 1.0}
FULL_SCALE = {"dBFS": 1.0}
BITS = {"bit/s": 1.0, "kbit/s": 1000.0}
HERTZ = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}


def wrong(en: str, fr: str) -> PydanticCustomError:
    """Return the error that a check raises: what is wrong and what would be right."""
    return PydanticCustomError("radiobridge", "{en}", {"en": en, "fr": fr})


def written(text: str) -> Any:  # noqa: ANN401 - stands for the parsed value, as Field() does
    """Return a field whose default is written as an operator would write it."""
    return Field(default=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number and a unit, between `low` and `high` (as written, with units)."""

    units: Mapping[str, float] = field(hash=False)
    low: str
    high: str
    example: str
    whole: bool = False
    """An int in the base unit (Hz, bit/s) rather than a float."""
    bare: bool = False
    """A plain number in the base unit will do."""
    choices: tuple[float, ...] = ()
    """The only values allowed, in the base unit; empty when all between the limits are."""

    def parse(self, value: object) -> float | int:
        """Return the number in the base unit; raise PydanticCustomError."""
        plain = int if self.whole else int | float
        if self.bare and isinstance(value, plain) and not isinstance(value, bool):
            number = float(value)
        elif value == 0 and isinstance(value, int | float) and not isinstance(value, bool):
            number = 0.0
        else:
            number = self._number(value)
        if not self._number(self.low) <= number <= self._number(self.high):
            raise wrong(
                f"{value} is outside {self.low} to {self.high}; for example `{self.example}`",
                f"{value} est hors de {self.low} à {self.high}; par exemple `{self.example}`",
            )
        if self.choices and number not in self.choices:
            values = ", ".join(map(str, self.choices))
            raise wrong(f"{value} is none of {values}", f"{value} n'est aucun de {values}")
        return round(number) if self.whole else round(number, 9)

    def _number(self, value: object) -> float:
        if not isinstance(value, str):
            raise self._unit_wrong(f"{value!r}" if value is not None else "", "")
        match = _QUANTITY.fullmatch(value.strip())
        if match is None or match[3] not in self.units:
            raise self._unit_wrong(f"'{value[:40]}'", match[3] if match else "")
        return float(match[1]) * self.units[match[3]]

    def _unit_wrong(self, value: str, unit: str) -> PydanticCustomError:
        units = ", ".join(self.units)
        if not value:
            return wrong(
                f"no value; write for example `{self.example}`",
                f"pas de valeur; écrivez par exemple `{self.example}`",
            )
        if unit:
            return wrong(
                f"unknown unit `{unit}` in {value}; use {units}: for example `{self.example}`",
                f"unité `{unit}` inconnue dans {value}; employez {units}: par exemple "
                f"`{self.example}`",
            )
        return wrong(
            f"{value} needs a number and a unit ({units}); write for example `{self.example}`",
            f"{value} demande un nombre et une unité ({units}); écrivez par exemple "
            f"`{self.example}`",
        )

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        units = "|".join(map(re.escape, self.units))
        text: JsonSchemaValue = {
            "type": "string",
            "pattern": rf"^{_NUMBER} ?({units})$",
            "description": f"{self.low} to {self.high}, for example {self.example}",
        }
        if self.bare:
            return {"anyOf": [text, {"type": "integer" if self.whole else "number"}]}
        return {"anyOf": [text, {"const": 0}]}


def _between(low: str, high: str, example: str) -> Quantity:
    return Quantity(units=SECONDS, low=low, high=high, example=example)


_GAIN = Quantity(units=DECIBELS, low="-40dB", high="40dB", example="3dB")
_LEVEL = Quantity(units=FULL_SCALE, low="-90dBFS", high="0dBFS", example="-40dBFS")
_BITRATE = Quantity(units=BITS, low="6kbit/s", high="64kbit/s", example="16kbit/s", whole=True)
_SAMPLE_RATE = Quantity(
    units=HERTZ,
    low="8kHz",
    high="48kHz",
    example="48000",
    whole=True,
    bare=True,
    choices=RADIO_RATES,
)

_CTCSS = Quantity(
    units={"Hz": 1.0},
    low="67Hz",
    high="250.3Hz",
    example="156.7Hz",
    bare=True,
    choices=TONES_HZ,
)

ShortTime: TypeAlias = Annotated[float, _between("0ms", "2s", "120ms")]
"""0 to 2 s, in s."""
AnswerTime: TypeAlias = Annotated[float, _between("100ms", "30s", "2s")]
"""100 ms to 30 s, in s."""
TransmitTime: TypeAlias = Annotated[float, _between("1s", "3min", "60s")]
"""1 s to 3 min, in s."""
RadioTimeOut: TypeAlias = Annotated[float, _between("1s", "60s", "60s")]
"""1 s to 60 s, in s."""
Latency: TypeAlias = Annotated[float, _between("5ms", "500ms", "20ms")]
"""5 to 500 ms, in s."""
CorLimit: TypeAlias = Annotated[float, _between("5s", "1h", "120s")]
"""5 s to 1 h, in s."""
CoolDown: TypeAlias = Annotated[float, _between("0s", "60s", "2s")]
"""0 to 60 s, in s."""
HeadInterval: TypeAlias = Annotated[float, _between("1s", "30s", "30s")]
"""1 s to 30 s, in s."""
Escalation: TypeAlias = Annotated[float, _between("1s", "15s", "15s")]
"""1 s to 15 s, in s."""
KeepAlive: TypeAlias = Annotated[
    int, Quantity(units=SECONDS, low="2s", high="5min", example="10s", whole=True)
]
"""2 s to 5 min, whole s."""
Gain: TypeAlias = Annotated[float, _GAIN]
"""-40 to 40 dB."""
Level: TypeAlias = Annotated[float, _LEVEL]
"""-90 to 0 dBFS."""
Bitrate: TypeAlias = Annotated[int, _BITRATE]
"""6 to 64 kbit/s, in bit/s: all that `media.opus` takes."""
CtcssTone: TypeAlias = Annotated[float, _CTCSS]
"""One of the 38 tones of CTCSS, in Hz."""
SampleRate: TypeAlias = Annotated[int, _SAMPLE_RATE]
"""One of RADIO_RATES, in Hz."""
