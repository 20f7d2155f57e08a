"""A daemon whose disk is full, or does not answer for ten seconds: what stops, and what does not.

The gateway's state lies on a small file system of its own, which is filled, or frozen as a whole
(`fsfreeze`): each write and fsync on it hangs until it thaws.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from radiobridge.cli.client import call
from radiobridge.errors import CommandError
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO
from radiobridge_sim.gateway_status import patch_in_force
from tests.app.commands import radiobridge
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, NORTH, SOUTH, TAC1, River

pytestmark = pytest.mark.real

MEGABYTES = 8
FROZEN_S = 10
SILENT_MS = 100.0
"""From the command to a carrier that is down, on a disk that hangs."""

REFUSED_S = 4.0
"""A consent is refused after 2 s; the rest is for a busy machine."""


@pytest.fixture
def disk(river: River, tmp_path: Path) -> Iterator[Path]:
    """Windsor's state on a file system that can be frozen."""
    image = tmp_path / "disk.img"
    _make(image)
    with _moved(river, tmp_path / "kept", "-o", "loop", str(image)) as state:
        yield state


@pytest.fixture
def small_disk(river: River, tmp_path: Path) -> Iterator[Path]:
    """Windsor's state on a file system that holds nothing back when it is full."""
    size = f"size={MEGABYTES}m"
    with _moved(river, tmp_path / "kept", "-t", "tmpfs", "-o", size, "tmpfs") as state:
        yield state


@contextlib.contextmanager
def _moved(river: River, kept: Path, *mount: str) -> Iterator[Path]:
    """Move windsor's state to a small file system, and back at the end."""
    state = river.home(OPP) / "state"
    stop(river)
    shutil.copytree(state, kept)
    _mount(state, *mount)
    try:
        shutil.copytree(kept, state, dirs_exist_ok=True)
        river.start_gateway(OPP)
        river.ready()
        yield state
    finally:
        subprocess.run(["fsfreeze", "-u", str(state)], check=False, capture_output=True)
        stop(river)
        shutil.rmtree(kept)
        shutil.copytree(state, kept, ignore=shutil.ignore_patterns("filler", "lost+found"))
        subprocess.run(["umount", str(state)], check=True)
        shutil.copytree(kept, state, dirs_exist_ok=True)
        river.start_gateway(OPP)


def stop(river: River) -> None:
    river.signal(OPP, signal.SIGTERM)
    assert river.gateway(OPP).wait(LIMIT_S) is not None


def _make(image: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None or shutil.which("fsfreeze") is None:
        pytest.skip("only root, with e2fsprogs and util-linux, can make a disk that hangs")
    image.write_bytes(bytes(MEGABYTES * 1024 * 1024))
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)


def _mount(folder: Path, *how: str) -> None:
    done = subprocess.run(["mount", *how, str(folder)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this kernel or container, or who we are, does not let us mount anything")


@contextlib.contextmanager
def frozen(state: Path) -> Iterator[None]:
    """Let nothing be written for ten seconds. It thaws by itself, whatever becomes of the test."""
    script = f"fsfreeze -f '{state}' && echo frozen && sleep {FROZEN_S}; fsfreeze -u '{state}'"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as freezing:
        assert freezing.stdout is not None
        assert freezing.stdout.readline() == "frozen\n"
        try:
            yield
        finally:
            freezing.wait(FROZEN_S + LIMIT_S)


@contextlib.contextmanager
def full(state: Path) -> Iterator[None]:
    """Leave no room for anything, and take at once what becomes free: a log goes when it fails."""
    over = threading.Event()

    def fill(filler: FileIO) -> None:
        for size in (65_536, 1024, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))

    def go_on(filler: FileIO) -> None:
        while not over.wait(0.002):
            fill(filler)

    with (state / "filler").open("wb", buffering=0) as filler:
        fill(filler)
        filling = threading.Thread(target=go_on, args=(filler,))
        filling.start()
        try:
            yield
        finally:
            over.set()
            filling.join()
            (state / "filler").unlink()


def use_up(river: River) -> None:
    """Write until nothing fits any more into what the databases hold already."""
    end = Text("no room for an entry", "plus de place pour une entrée")

    def no_room() -> bool:
        with contextlib.suppress(CommandError):
            call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/allow")
        return audit_state(river)["error"] is not None

    river.wait_until(no_room, LIMIT_S, end)


def extend(river: River) -> str:
    """Propose a successor of the patch in force; return the error that this is refused with."""
    url = f"/v1/patches/{river.patch}/extend"
    with pytest.raises(CommandError) as caught:
        call(river.gateway(OPP).socket, "POST", url, {"for_ms": 3_600_000})
    assert caught.value.text.en != caught.value.text.fr
    return str(caught.value)


def successor(patch: object, of: str) -> bool:
    return isinstance(patch, str) and patch.startswith(f"{of}-")


def audit_state(river: River) -> dict[str, Any]:
    status: dict[str, Any] = river.gateway(OPP).status() or {}
    found: dict[str, Any] = status["audit"]
    return found


def wait_written(river: River) -> None:
    """Wait until the log has caught up."""
    caught_up = Text("the log to catch up", "le journal à jour")

    def done() -> bool:
        state = audit_state(river)
        return state["error"] is None and state["waiting"] == 0

    river.wait_until(done, LIMIT_S, caught_up)


def verified(river: River) -> list[dict[str, Any]]:
    """Assert that the log is whole; return its entries."""
    config, socket = str(river.gateway(OPP).config), river.gateway(OPP).socket
    done = radiobridge("audit", "verify", config, socket=socket)
    assert done.returncode == 0, done.stdout
    shown = radiobridge("audit", "show", config, "--last", "0", "--json", socket=socket)
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


def test_a_disk_that_hangs_stops_new_consents_and_nothing_else(
    river: River, disk: Path, figures: Figures
) -> None:
    before = {one["sequence"] for one in verified(river)}
    river.talk(CBP)
    river.wait_keyed(*TAC1)
    with frozen(disk):
        began = time.monotonic()
        error = extend(river)
        refused_s = time.monotonic() - began
        assert "does not answer" in error
        assert refused_s <= REFUSED_S
        assert all(river.keyed(side) for side in TAC1), "voice in force goes on"
        assert audit_state(river)["error"]["fr"] != audit_state(river)["error"]["en"]
        asked = river.clock.now()
        call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/inhibit")
        off_ms = river.unkeyed_ms(OPP, asked)
        figures.add("disk hangs", {"consent refused, s": refused_s, "inhibited, ms": off_ms})
        assert off_ms <= SILENT_MS
        river.hush(CBP)
        river.settle()
        at = river.clock.now()
        river.talk(CBP)
        river.wait_keyed(NORTH, SOUTH)
        asked = river.clock.now()
        answer = call(river.gateway(OPP).socket, "POST", f"/v1/patches/{river.patch}/withdraw")
        withdrawn_ms = max(river.unkeyed_ms(side, asked) for side in (NORTH, SOUTH))
        figures.add("disk hangs", {"withdrawn, ms": withdrawn_ms})
        assert withdrawn_ms <= SILENT_MS
        assert answer["durable"] is False
        river.hush(CBP)
        river.settle()
        assert not river.ptt(OPP, at), "inhibited, disk or not"
    wait_written(river)
    entries = [one for one in verified(river) if one["sequence"] not in before]
    inhibits = [one for one in entries if one["what"] == "inhibit"]
    assert inhibits[-1]["order"] == "after"
    said = [one for one in entries if successor(one["detail"].get("patch"), river.patch)]
    late = [one for one in entries if one["detail"].get("reason") == "written-too-late"]
    refused = {one["sequence"] for one in said if one["what"] == "word-said"}
    assert {one["detail"]["entry"] for one in late} >= refused, "it is said that it took no effect"
    withdrawn = [one for one in entries if one["detail"].get("verb") == "withdraw"]
    assert (withdrawn[-1]["detail"]["patch"], withdrawn[-1]["order"]) == (river.patch, "after")
    call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/allow")
    river.ready()
    river.chirp(CBP)


def test_a_full_disk_stops_new_consents_and_nothing_else(
    river: River, small_disk: Path, figures: Figures
) -> None:
    with full(small_disk):
        use_up(river)
        river.talk(CBP)
        river.wait_keyed(*TAC1)
        began = time.monotonic()
        error = extend(river)
        refused_s = time.monotonic() - began
        assert "disk is full" in error
        assert refused_s <= REFUSED_S
        assert all(river.keyed(side) for side in TAC1), "voice in force goes on"
        asked = river.clock.now()
        call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/inhibit")
        off_ms = river.unkeyed_ms(OPP, asked)
        figures.add("disk full", {"consent refused, s": refused_s, "inhibited, ms": off_ms})
        assert off_ms <= SILENT_MS
        with pytest.raises(CommandError, match="disk is full"):
            call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/allow")
        river.hush(CBP)
        river.settle()
        assert audit_state(river)["waiting"] > 0
    wait_written(river)
    whats = [(one["what"], one["outcome"]) for one in verified(river)]
    assert ("inhibit", "done") in whats
    assert ("allow", "failed") in whats
    call(river.gateway(OPP).socket, "POST", f"/v1/radios/{RADIO}/allow")
    river.chirp(CBP)


def test_a_gateway_that_starts_on_a_full_disk_plays_what_partners_say(
    river: River, small_disk: Path
) -> None:
    stop(river)
    with full(small_disk):
        river.start_gateway(OPP)
        agreed = Text("the patch in force again", "la liaison de nouveau en vigueur")
        gateways = [river.gateway(side) for side in river.sides]
        river.wait_until(
            lambda: all(patch_in_force(one.status(), river.patch) for one in gateways),
            LIMIT_S,
            agreed,
        )
        river.chirp(CBP)
    wait_written(river)
    river.ready()
    river.chirp(OPP)
