"""Finds drivers and commands by name. Built-in and third-party ones register in the same way.

A driver is a class under one of the entry-point groups below; it is imported when it is asked for,
so that a library which is not installed only matters to whom needs it.
"""

from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from radiobridge.errors import ConfigError, DependencyMissingError, DriverError, UnknownDriverError


class Group(StrEnum):
    """An entry-point group, and with it what the registered object must be."""

    INTERFACES = "radiobridge.interfaces"
    """Classes that are an `spi.RadioInterface`."""
    AUDIO = "radiobridge.audio"
    """Classes that are an `spi.AudioDevice`."""
    LINKS = "radiobridge.links"
    """Classes that are an `spi.Link`."""
    COMMANDS = "radiobridge.commands"
    """Functions that become commands of `radiobridge`."""


def names(group: str) -> tuple[str, ...]:
    """Return all registered names of `group`, sorted; raise ConfigError for a duplicate."""
    return tuple(sorted(_registered(group)))


def load(group: str, name: str, *, simulation: bool = False) -> Any:  # noqa: ANN401 - any plug-in
    """Return what is registered as `name` in `group`, a class or a function.

    Raises UnknownDriverError, DependencyMissingError when a library is not installed, and
    ConfigError for a duplicate name or for a simulated driver in a configuration that does not
    say `simulation: true`.
    """
    found = _registered(group)
    if name not in found:
        raise _unknown(group, name, tuple(sorted(found)))
    loaded = _import(found[name])
    if getattr(loaded, "simulation_only", False) and not simulation:
        raise ConfigError(
            f"the driver '{name}' simulates a device: it needs `simulation: true`",
            f"le pilote « {name} » simule un appareil : il exige `simulation: true`",
        )
    return loaded


def _registered(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise ConfigError(
                f"two plug-ins register '{point.name}' in {group}: {other.value} and "
                f"{point.value}; uninstall one of them",
                f"deux modules enregistrent « {point.name} » dans {group} : {other.value} et "
                f"{point.value}; désinstallez l'un des deux",
            )
    return found


def _import(point: EntryPoint) -> Any:  # noqa: ANN401 - any plug-in
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise DependencyMissingError(
            f"the driver '{point.name}' needs the Python package '{error.name}', which is not "
            "installed; install it",
            f"le pilote « {point.name} » exige le paquet Python « {error.name} », qui n'est pas "
            "installé; installez-le",
        ) from error
    except OSError as error:
        raise DependencyMissingError(
            f"the driver '{point.name}' needs a system library that is not installed: {error}",
            f"le pilote « {point.name} » exige une bibliothèque système absente : {error}",
        ) from error
    except (ImportError, AttributeError) as error:
        raise DriverError(
            f"the driver '{point.name}' ({point.value}) cannot be loaded: {error}",
            f"le pilote « {point.name} » ({point.value}) ne se charge pas : {error}",
        ) from error


def _unknown(group: str, name: str, known: tuple[str, ...]) -> UnknownDriverError:
    listed = ", ".join(known) or "-"
    return UnknownDriverError(
        f"no driver '{name}' in {group}; known: {listed}",
        f"aucun pilote « {name} » dans {group}; connus : {listed}",
    )
