"""What a machine does to a gateway at work: disks that fill up, fail or lie, no file handles.

Somebody talks all the time. Whatever fails, voice in force goes on, each error is told in both
languages, and when the machine is well again, so is the gateway.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.cli.client import call
from radiobridge.errors import CommandError
from radiobridge.text import Text
from radiobridge_sim.agencies import Side
from radiobridge_sim.bench.crowd import Crowd, radio_name
from radiobridge_sim.gateway_status import linked
from tests.app.commands import radiobridge

pytestmark = pytest.mark.real

LIMIT_S = 60.0
MEGABYTES = 8
SPOKEN_FRAMES = 50
"""A second of voice."""

STATE = "state.db"
DATABASES = (STATE, "audit.db")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Two pairs of radios: people talk on the first, the second is free for new patches."""
    crowd = Crowd(tmp_path_factory.mktemp("faults"), 2)
    try:
        crowd.start(lambda _doing: None)
        crowd.agree(crowd.pairs[0])
        crowd.talk()
        yield crowd
    finally:
        crowd.stop()


@pytest.fixture
def crowd(world: Crowd) -> Iterator[Crowd]:
    """The world as every test finds it: both gateways run and are connected, and voice passes."""
    well(world)
    yield world
    with contextlib.suppress(CommandError):
        allow(world)


def well(crowd: Crowd) -> None:
    """Bring windsor back, whatever a test left of it."""
    side = crowd.sides[0]
    if not crowd.gateway(side).running:
        crowd.start_gateway(side)
    crowd.wait_ready()
    before = played(crowd)

    def heard() -> bool:
        told = crowd.gateway(side).status() or {}
        if told.get("state", {}).get("trust") == "lost":
            # An older copy of it is back in its place, and the brokers know better.
            ask(crowd, "POST", "/v1/state/confirm")
        return played(crowd) >= before + SPOKEN_FRAMES

    crowd.wait_until(heard, LIMIT_S, Text("a second of voice", "une seconde de voix"))


def status(crowd: Crowd) -> Json:
    found = crowd.gateway(crowd.sides[0]).status()
    assert found is not None, "windsor does not answer"
    return found


def stop(crowd: Crowd) -> None:
    side = crowd.sides[0]
    crowd.end_gateway(side, signal.SIGTERM)
    assert crowd.gateway(side).wait(LIMIT_S) is not None


def state(crowd: Crowd) -> Path:
    return crowd.home(crowd.sides[0]) / "state"


def played(crowd: Crowd) -> int:
    """Return how many frames the radio across from us has put on the air: what we have sent."""
    far = crowd.gateway(crowd.sides[1]).status()
    assert far is not None
    return sum(radio["counters"]["played"] for radio in far["radios"])


def wait_voice(crowd: Crowd) -> None:
    """Wait until voice of ours is heard on the other bank, from now on."""
    before = played(crowd)
    heard = Text("a second of voice", "une seconde de voix")
    crowd.wait_until(lambda: played(crowd) >= before + SPOKEN_FRAMES, LIMIT_S, heard)


def wait_status(crowd: Crowd, found: Callable[[Json], bool], what: str) -> None:
    def is_so() -> bool:
        told = crowd.gateway(crowd.sides[0]).status()
        return told is not None and found(told)

    crowd.wait_until(is_so, LIMIT_S, Text(what, what))


def ask(crowd: Crowd, verb: str, url: str, body: object = None) -> Any:
    return call(crowd.gateway(crowd.sides[0]).socket, verb, url, body)


def propose(crowd: Crowd, name: str) -> Json:
    """Ask for a new consent: what must be durable first."""
    members = [{"talkgroup": f"{s.agency}/{s.talkgroup}"} for s in crowd.pairs[1].sides]
    body = {"patch": name, "purpose": "x", "for_ms": 3_600_000, "members": members}
    made: Json = ask(crowd, "POST", "/v1/patches", body)
    ask(crowd, "POST", f"/v1/patches/{name}/withdraw", {})
    return made


def inhibit(crowd: Crowd) -> Json:
    name = radio_name(crowd.pairs[1].sides[0])
    made: Json = ask(crowd, "POST", f"/v1/radios/{name}/inhibit")
    return made


def allow(crowd: Crowd) -> None:
    ask(crowd, "POST", f"/v1/radios/{radio_name(crowd.pairs[1].sides[0])}/allow")


def run_to_the_end(crowd: Crowd, side: Side, language: str) -> str:
    """Start the gateway as an operator would; it must refuse. Return what it says."""
    gateway = crowd.gateway(side)
    done = radiobridge("run", str(gateway.config), socket=gateway.socket, language=language)
    assert done.returncode not in (0, -signal.SIGKILL), done.stderr
    return done.stderr


# -- disks ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def disk_of_its_own(crowd: Crowd, tmp_path: Path) -> Iterator[Path]:
    """Windsor's state on a file system of its own, and back on the old one afterwards."""
    image, kept = tmp_path / "disk.img", tmp_path / "kept"
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root, with e2fsprogs, can make a disk that fails")
    image.write_bytes(bytes(MEGABYTES * 1024 * 1024))
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    folder = state(crowd)
    stop(crowd)
    shutil.copytree(folder, kept)
    mount = ["mount", "-o", "loop", str(image), str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        crowd.start_gateway(crowd.sides[0])
        pytest.skip("this kernel or container does not let us mount a loop device")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        well(crowd)
        yield folder
    finally:
        if crowd.gateway(crowd.sides[0]).running:
            stop(crowd)
        subprocess.run(["umount", str(folder)], check=True)
        crowd.start_gateway(crowd.sides[0])


def test_a_disk_that_becomes_read_only_stops_new_consents_and_nothing_else(
    crowd: Crowd, tmp_path: Path
) -> None:
    with disk_of_its_own(crowd, tmp_path) as folder:
        # What the kernel does by itself when a disk fails under it (ext4(5), `abort`).
        subprocess.run(["mount", "-o", "remount,abort", str(folder)], check=True)
        with pytest.raises(CommandError) as caught:
            propose(crowd, "read-only")
        assert "disk" in caught.value.text.en
        assert caught.value.text.en != caught.value.text.fr
        assert inhibit(crowd)["inhibited"], "what takes away acts first"
        assert not inhibit(crowd)["durable"]
        with pytest.raises(CommandError):
            allow(crowd)
        error = status(crowd)["audit"]["error"]
        assert error["en"] != error["fr"]
        wait_voice(crowd)
        side = crowd.sides[0]
        crowd.end_gateway(side, signal.SIGKILL)
        crowd.gateway(side).wait(LIMIT_S)
        for language, words in (("en", "read-only"), ("fr", "lecture seule")):
            assert words in run_to_the_end(crowd, side, language)


# -- databases -----------------------------------------------------------------------------------


@contextlib.contextmanager
def spoilt(crowd: Crowd) -> Iterator[None]:
    """Somebody else's bytes are in both databases while a gateway uses them."""
    folder, kept = state(crowd), state(crowd).with_name("kept")
    stop(crowd)
    shutil.copytree(folder, kept)
    well(crowd)
    for name in DATABASES:
        with (folder / name).open("r+b") as file:
            file.write(os.urandom((folder / name).stat().st_size))
    try:
        yield
    finally:
        if crowd.gateway(crowd.sides[0]).running:
            stop(crowd)
        shutil.rmtree(folder)
        kept.rename(folder)


def test_databases_that_are_overwritten_harm_no_voice_and_are_refused_at_the_next_start(
    crowd: Crowd,
) -> None:
    side = crowd.sides[0]
    with spoilt(crowd):
        assert inhibit(crowd)["inhibited"]
        wait_voice(crowd)
        crowd.end_gateway(side, signal.SIGKILL)
        crowd.gateway(side).wait(LIMIT_S)
        for name in DATABASES:
            (state(crowd) / f"{name}-wal").unlink(missing_ok=True)
        for language, words in (("en", "is damaged; move it away"), ("fr", "est endommagé")):
            assert words in run_to_the_end(crowd, side, language)
        # A gateway without state trusts nobody but an operator; its log is damaged still.
        (state(crowd) / STATE).unlink()
        crowd.start_gateway(side)
        wait_status(crowd, lambda told: told["state"]["trust"] == "lost", "the loss of the state")
        error = status(crowd)["audit"]["error"]
        assert "damaged; keep it as evidence" in error["en"]
        assert "endommagé" in error["fr"]
        assert inhibit(crowd)["inhibited"], "what takes away needs no log"
        with pytest.raises(CommandError, match="damaged") as caught:
            ask(crowd, "POST", "/v1/state/confirm")
        assert "endommagé" in caught.value.text.fr, "and to trust it again would grant something"
    well(crowd)


# -- file handles --------------------------------------------------------------------------------


@contextlib.contextmanager
def no_file_handles(crowd: Crowd) -> Iterator[None]:
    """The gateway may have no more file handles than it has."""
    pid = crowd.gateway(crowd.sides[0]).pid
    assert pid is not None
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    has = [int(handle.name) for handle in Path(f"/proc/{pid}/fd").iterdir()]
    lowest = next(n for n in range(len(has) + 1) if n not in has)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_without_file_handles_voice_goes_on_and_the_operator_is_told(crowd: Crowd) -> None:
    with no_file_handles(crowd):
        wait_status(crowd, lambda told: bool(told["process"]["error"]), "the lack of handles")
        for language, words in (("en", "file handles is left"), ("fr", "descripteurs de fichier")):
            shown = radiobridge(
                "status", socket=crowd.gateway(crowd.sides[0]).socket, language=language
            )
            assert words in shown.stdout
        wait_voice(crowd)
        crowd.brokers[0].kill()
        wait_voice(crowd)
        crowd.brokers[0].start()
        assert propose(crowd, "no-handles")["id"] == "no-handles", "what is open stays usable"
    wait_status(crowd, linked, "both brokers again")
    wait_status(crowd, lambda told: told["process"]["error"] is None, "handles again")
    wait_voice(crowd)
