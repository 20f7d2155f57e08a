"""`scripts/bootstrap` on machines that are not this one: what it names, does, and how it ends."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "bootstrap"
TOOLS = ("sh", "dirname", "cat", "grep", "env", "ls")
PACKAGES = ("libopus0", "libportaudio2", "mosquitto", "ca-certificates")
TEST_PACKAGES = ("pulseaudio", "pulseaudio-utils", "libasound2-plugins")


class Machine:
    """A folder of commands that is all of PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = folder / "said"
        for tool in TOOLS:
            real = shutil.which(tool)
            assert real, tool
            (folder / tool).symlink_to(real)
        self.command("id", "echo 1000")
        # What the script does to /usr/sbin/policy-rc.d must not happen to the machine of the test.
        self.command("tee", "cat >/dev/null")
        self.command("chmod", "exit 0")
        self.command("rm", "exit 0")

    def command(self, name: str, body: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def python(self) -> None:
        (self.folder / "python3").symlink_to(sys.executable)

    def debian(self, *installed: str) -> None:
        """A Debian where `installed` are there, and apt-get writes down what it is told."""
        cases = " ".join(f"{name}) echo installed;;" for name in installed)
        self.command(
            "dpkg-query", f'for name; do :; done; case "$name" in {cases} *) exit 1;; esac'
        )
        self.command("apt-get", f'echo "apt-get $*" >> {self.said}')
        self.command("sudo", f'echo sudo >> {self.said}; exec "$@"')

    def run(self, role: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT), role],
            env={"PATH": str(self.folder), "HOME": os.environ.get("HOME", "/")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def told(self) -> list[str]:
        return self.said.read_text(encoding="utf-8").splitlines() if self.said.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_another_system_names_what_is_missing_and_stops(machine: Machine) -> None:
    done = machine.run("run")
    assert done.returncode == 2
    for name in ("libopus", "portaudio", "python>=3.11"):
        assert f" {name}" in done.stderr
    assert machine.told() == []


def test_another_system_with_all_there_goes_on(machine: Machine) -> None:
    machine.command("python3", "exit 0")
    machine.command("mosquitto", "exit 0")
    assert machine.run("run").returncode == 0


def test_debian_with_all_there_touches_nothing(machine: Machine) -> None:
    machine.python()
    machine.debian(*PACKAGES)
    done = machine.run("run")
    assert (done.returncode, done.stdout, machine.told()) == (0, "", [])


def test_debian_without_sudo_says_what_root_must_run_and_stops(machine: Machine) -> None:
    machine.debian()
    (machine.folder / "sudo").unlink()
    done = machine.run("test")
    assert done.returncode == 2
    packages = " ".join(("python3", "python3-venv", *PACKAGES, *TEST_PACKAGES))
    assert f"as root run: apt-get install {packages}" in done.stderr
    assert machine.told() == []


@pytest.mark.parametrize("role", ["run", "test"])
def test_debian_says_what_and_why_before_it_installs_through_sudo(
    machine: Machine, role: str
) -> None:
    machine.python()
    machine.debian("libopus0")
    done = machine.run(role)
    assert done.returncode == 0, done.stderr
    wanted = [*PACKAGES, *(TEST_PACKAGES if role == "test" else ())]
    wanted.remove("libopus0")
    for package in wanted:
        assert f"radiobridge needs {package}: " in done.stdout
    told = machine.told()
    install = next(line for line in told if "install" in line)
    assert install.endswith("--no-install-recommends " + " ".join(wanted))
    assert "apt-get update -q" in told
    assert told.count("sudo") >= 2


def test_a_wrong_word_is_wrong_use(machine: Machine) -> None:
    assert machine.run("everything").returncode == 2
