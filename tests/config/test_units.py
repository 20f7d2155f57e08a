"""Quantities: what is a number with a unit, and what to write instead."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from radiobridge.config import units
from radiobridge.media.opus import MAX_BITRATE, MIN_BITRATE


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


RIGHT = [
    (units.ShortTime, "120ms", 0.12),
    (units.ShortTime, "1.5 s", 1.5),
    (units.ShortTime, "0ms", 0.0),
    (units.ShortTime, 0, 0.0),
    (units.TransmitTime, "2min", 120.0),
    (units.Level, "-40dBFS", -40.0),
    (units.Gain, "+3 dB", 3.0),
    (units.Gain, "-3.5dB", -3.5),
    (units.Bitrate, "16kbit/s", 16_000),
    (units.Bitrate, "24000bit/s", 24_000),
    (units.SampleRate, "48kHz", 48_000),
    (units.SampleRate, 8000, 8_000),
    (units.KeepAlive, "10s", 10),
]


@pytest.mark.parametrize(("kind", "text", "value"), RIGHT)
def test_reads_into_base_units(kind: object, text: object, value: float) -> None:
    found = read(kind, text)
    assert found == value
    assert type(found) is type(value)


WRONG = [
    (units.ShortTime, 120, "needs a number and a unit (ms, s, min, h)", "demande un nombre"),
    (units.ShortTime, 0.12, "for example `120ms`", "par exemple `120ms`"),
    (units.ShortTime, "120", "needs a number and a unit", "une unité"),
    (units.ShortTime, "120 msec", "unknown unit `msec`", "unité `msec` inconnue"),
    (units.ShortTime, "5s", "outside 0ms to 2s", "hors de 0ms à 2s"),
    (units.ShortTime, "-1ms", "outside", "hors de"),
    (units.ShortTime, None, "no value", "pas de valeur"),
    (units.ShortTime, True, "True needs a number", "True demande"),
    (units.ShortTime, "1,5s", "needs a number", "demande un nombre"),
    (units.ShortTime, "١ms", "needs a number", "demande un nombre"),
    (units.Level, "-40dB", "unknown unit `dB`", "employez dBFS"),
    (units.Level, "3dBFS", "outside -90dBFS to 0dBFS", "hors de"),
    (units.Bitrate, "16kbps", "unknown unit `kbps`", "employez bit/s, kbit/s"),
    (units.SampleRate, 44100, "none of 8000, 16000, 48000", "aucun de"),
    (units.TransmitTime, "10min", "outside 1s to 3min", "hors de 1s à 3min"),
]


@pytest.mark.parametrize(("kind", "text", "en", "fr"), WRONG)
def test_says_what_would_be_right(kind: object, text: object, en: str, fr: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(kind, text)
    context = caught.value.errors()[0]["ctx"]
    assert en in context["en"]
    assert fr in context["fr"]


@given(st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans())
def test_anything_else_is_a_validation_error(value: object) -> None:
    kinds, found = [], 0.0
    try:
        found = read(units.ShortTime, value)
    except ValidationError as error:
        kinds = [details["type"] for details in error.errors()]
    assert kinds in ([], ["radiobridge"])
    assert 0 <= found <= 2


def test_the_bit_rates_allowed_are_those_that_the_encoder_takes() -> None:
    quantity = units._BITRATE
    assert (quantity.parse(quantity.low), quantity.parse(quantity.high)) == (
        MIN_BITRATE,
        MAX_BITRATE,
    )
