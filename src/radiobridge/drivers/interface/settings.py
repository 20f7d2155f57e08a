"""Reads the settings of an interface; each mistake says what would be right."""

from collections.abc import Collection, Mapping
from typing import Any

from radiobridge.errors import ConfigError

MAX_RADIO_TIME_OUT_S = 60.0
"""The longest time-out of the radio itself that counts as a guard (s)."""


def no_other_keys(settings: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise ConfigError for a key that the driver does not know; `driver` is always allowed."""
    for key in settings:
        if key != "driver" and key not in known:
            listed = ", ".join(known) or "-"
            raise ConfigError(
                f"unknown setting '{key}'; this driver knows: {listed}",
                f"réglage inconnu « {key} »; ce pilote connaît : {listed}",
            )


def text(settings: Mapping[str, Any], key: str) -> str:
    """Return a required text setting."""
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"'{key}' is missing: it must be a text",
            f"« {key} » manque : ce doit être un texte",
        )
    return value


def choice(settings: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    """Return a text setting out of `allowed`; the first is the default."""
    value = settings.get(key, allowed[0])
    if value not in allowed:
        listed = ", ".join(allowed)
        raise ConfigError(
            f"'{key}' is {value!r}; right would be one of: {listed}",
            f"« {key} » vaut {value!r}; il faudrait un de : {listed}",
        )
    return str(value)


def flag(settings: Mapping[str, Any], key: str, *, default: bool) -> bool:
    """Return a yes-or-no setting."""
    value = settings.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(
            f"'{key}' is {value!r}; right would be true or false",
            f"« {key} » vaut {value!r}; il faudrait true ou false",
        )
    return value


def whole(settings: Mapping[str, Any], key: str, default: int) -> int:
    """Return a positive whole number."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ConfigError(
            f"'{key}' is {value!r}; right would be a positive whole number",
            f"« {key} » vaut {value!r}; il faudrait un entier positif",
        )
    return value


def radio_time_out(settings: Mapping[str, Any]) -> float | None:
    """Return the declared time-out in s of the radio or a hardware timer, at most 60 s."""
    value = settings.get("radio_time_out")
    if value is None:
        return None
    right = not isinstance(value, bool) and isinstance(value, int | float)
    if not right or not 0 < value <= MAX_RADIO_TIME_OUT_S:
        raise ConfigError(
            f"'radio_time_out' is {value!r}; right would be the time-out in seconds that is set "
            "in the radio or its hardware timer, at most 60",
            f"« radio_time_out » vaut {value!r}; il faudrait la limite d'émission en secondes "
            "réglée dans la radio ou sa minuterie matérielle, au plus 60",
        )
    return float(value)


def address(settings: Mapping[str, Any], key: str) -> tuple[str, int]:
    """Return a required `host:port` setting."""
    host, colon, number = text(settings, key).rpartition(":")
    if not colon or not host or not number.isdecimal() or not 0 < int(number) < 65536:
        raise ConfigError(
            f"'{key}' is {settings[key]!r}; right would be host:port, such as 127.0.0.1:34001",
            f"« {key} » vaut {settings[key]!r}; il faudrait hôte:port, comme 127.0.0.1:34001",
        )
    return host.strip("[]"), int(number)
