"""A disk that is full or read-only when a store is opened, told in both languages."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditEntry, AuditEvent, Outcome
from radiobridge.text import Text

ENTRY = AuditEntry(
    what=AuditEvent.STARTED,
    when_ms=1,
    where="ca.opp/windsor",
    source="process",
    outcome=Outcome.DONE,
    identity="ca.opp/windsor",
    detail={},
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can make a disk that fails")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this kernel or container does not let us mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


def make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


async def state_error(path: Path) -> Text:
    with pytest.raises(StoreError) as caught:
        await SqliteStateStore(path).open()
    return caught.value.text


async def audit_error(path: Path) -> Text:
    """Open the log, which raises nothing, and ask for something that grants."""
    log = SqliteAuditLog(path)
    await log.open()
    try:
        told = log.state().error
        assert told is not None
        with pytest.raises(StoreError) as caught:
            await log.before(ENTRY)
        assert caught.value.text == told
        return told
    finally:
        await log.close()


@pytest.mark.parametrize("error_of", [state_error, audit_error])
async def test_a_full_disk_is_told(disk: Path, error_of: type) -> None:
    fill(disk)
    error = await error_of(disk / "store.db")
    assert "disk is full" in error.en
    assert "disque est plein" in error.fr


@pytest.mark.parametrize("error_of", [state_error, audit_error])
async def test_a_disk_that_is_read_only_is_told(disk: Path, error_of: type) -> None:
    make_read_only(disk)
    error = await error_of(disk / "store.db")
    assert "read-only" in error.en
    assert "lecture seule" in error.fr


@pytest.mark.parametrize("error_of", [state_error, audit_error])
async def test_a_disk_that_has_become_read_only_is_told(disk: Path, error_of: type) -> None:
    store, log = SqliteStateStore(disk / "store.db"), SqliteAuditLog(disk / "log.db")
    await store.open()
    await store.put("key", "value")
    await store.close()
    await log.open()
    await log.before(ENTRY)
    await log.close()
    make_read_only(disk)
    error = await error_of(disk / ("store.db" if error_of is state_error else "log.db"))
    assert "read-only" in error.en
    assert "lecture seule" in error.fr


async def put_much(store: SqliteStateStore) -> None:
    for number in range(50):
        await store.put(f"key{number}", "x" * 4096)


async def test_what_is_put_on_a_disk_that_fills_up_fails_and_what_was_there_stays(
    disk: Path,
) -> None:
    store = SqliteStateStore(disk / "store.db")
    await store.open()
    await store.put("key", "first")
    fill(disk)
    with pytest.raises(StoreError, match="disk is full") as caught:
        await put_much(store)
    assert "disque est plein" in caught.value.text.fr
    assert store.get("key") == "first"
    (disk / "filler").unlink()
    await store.put("key", "second")
    await store.close()
    again = SqliteStateStore(disk / "store.db")
    await again.open()
    assert again.get("key") == "second"
    await again.close()
