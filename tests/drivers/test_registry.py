import sys
from pathlib import Path

import pytest

from radiobridge.drivers.interface.none import NoInterface
from radiobridge.drivers.registry import Group, load, names
from radiobridge.errors import (
    ConfigError,
    DependencyMissingError,
    DriverError,
    UnknownDriverError,
)

PLUG_IN = """
class Fine: pass
class Simulated:
    simulation_only = True
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed distributions, on the module path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, entries: str, source: str = PLUG_IN) -> None:
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[radiobridge.interfaces]\n{entries}\n")
    sys.modules.pop(name, None)


def test_built_in_drivers_are_found_by_name() -> None:
    assert {"lines", "ccdi", "usrp", "none"} <= set(names(Group.INTERFACES))
    assert load(Group.INTERFACES, "none") is NoInterface


def test_every_built_in_interface_loads() -> None:
    for name in ("lines", "ccdi", "usrp", "none"):
        assert hasattr(load(Group.INTERFACES, name), "from_settings")


def test_an_unknown_driver_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownDriverError, match=r"ccdi, .*lines, .*none, .*usrp"):
        load(Group.INTERFACES, "morse")


def test_a_third_party_driver_registers_in_the_same_way(plug_ins: Path) -> None:
    install(plug_ins, "fine_plug_in", "fine = fine_plug_in:Fine")
    assert load(Group.INTERFACES, "fine").__name__ == "Fine"


def test_two_drivers_of_one_name_are_an_error(plug_ins: Path) -> None:
    install(plug_ins, "thief", "ccdi = thief:Fine")
    with pytest.raises(ConfigError, match="two plug-ins register 'ccdi'"):
        names(Group.INTERFACES)


def test_a_missing_package_is_named(plug_ins: Path) -> None:
    install(plug_ins, "needy", "needy = needy:Fine", "import not_installed_here\n")
    with pytest.raises(DependencyMissingError, match="not_installed_here"):
        load(Group.INTERFACES, "needy")


def test_a_missing_system_library_is_told(plug_ins: Path) -> None:
    install(plug_ins, "soundless", "s = soundless:Fine", "raise OSError('no PortAudio')\n")
    with pytest.raises(DependencyMissingError, match="no PortAudio"):
        load(Group.INTERFACES, "s")


def test_a_broken_plug_in_is_a_driver_error(plug_ins: Path) -> None:
    install(plug_ins, "broken", "broken = broken:Missing")
    with pytest.raises(DriverError, match="Missing"):
        load(Group.INTERFACES, "broken")


def test_a_simulated_driver_needs_a_simulation(plug_ins: Path) -> None:
    install(plug_ins, "pretend", "pretend = pretend:Simulated")
    with pytest.raises(ConfigError, match="simulation: true"):
        load(Group.INTERFACES, "pretend")
    assert load(Group.INTERFACES, "pretend", simulation=True).__name__ == "Simulated"
