"""What `pip wheel .` makes is all that a gateway and the demonstration need."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the wheel holds, as an installer lays it out."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def files(folder: Path, *endings: str) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix in endings and "__pycache__" not in path.parts
    }


def test_it_holds_all_code_sounds_and_profiles(installed: Path) -> None:
    endings = (".py", ".typed", ".wav", ".tsv")
    for package in ("src/radiobridge", "simulators/radiobridge_sim"):
        name = Path(package).name
        assert files(installed / name, *endings) == files(ROOT / package, *endings)
    assert files(installed / "radiobridge" / "profiles", ".yaml") == files(
        ROOT / "hardware" / "profiles", ".yaml"
    )


def test_it_holds_no_tests_and_its_licence(installed: Path) -> None:
    assert not (installed / "tests").exists()
    assert len(list(installed.glob("*.dist-info/licenses/LICENSE"))) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--without-files", "ca.opp/windsor.yaml", "us.cbp/detroit.yaml"),
        ("demo", "--help"),
    ],
)
def test_it_works_away_from_the_source(installed: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", *arguments],
        cwd=ROOT / "config",
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where = (
        "import radiobridge, radiobridge_sim; print(radiobridge.__file__, radiobridge_sim.__file__)"
    )
    said = subprocess.run(
        [sys.executable, "-c", where],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert all(path.startswith(str(installed)) for path in said.stdout.split())
