"""Secret files: made once, whole, for their owner only."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiobridge.drivers.store.secret_file import (
    MAX_SECRET,
    create_secret,
    read_public,
    read_secret,
    replace_public,
)
from radiobridge.errors import KeyFileError

SECRET = b"not for everybody"


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    """Modes must not depend on what the user's shell says."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_it(folder: Path) -> None:
    path = folder / "new" / "deep" / "x.keys"
    create_secret(path, SECRET)
    assert read_secret(path) == SECRET
    assert (mode(path), mode(path.parent), path.stat().st_nlink) == (0o600, 0o700, 1)
    assert list(path.parent.iterdir()) == [path], "nothing else is left behind"


def test_an_existing_file_is_never_overwritten(folder: Path) -> None:
    path = folder / "x.keys"
    create_secret(path, SECRET)
    with pytest.raises(KeyFileError, match="exists"):
        create_secret(path, b"other")
    assert read_secret(path) == SECRET
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("target", ["nowhere", "there"])
def test_a_link_in_its_place_is_not_followed(folder: Path, target: str) -> None:
    (folder / "there").write_bytes(b"")
    (folder / "x.keys").symlink_to(folder / target)
    with pytest.raises(KeyFileError):
        create_secret(folder / "x.keys", SECRET)
    assert (folder / "there").read_bytes() == b""
    assert not (folder / "nowhere").exists()


@pytest.mark.parametrize("bits", [0o777, 0o702])
def test_a_folder_in_which_others_write(folder: Path, bits: int) -> None:
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(bits)
    with pytest.raises(KeyFileError, match="chmod 700"):
        create_secret(shared / "x.keys", SECRET)
    shared.chmod(bits | stat.S_ISVTX)
    create_secret(shared / "x.keys", SECRET)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601, 0o610])
def test_what_others_can_use_is_refused(folder: Path, bits: int) -> None:
    path = folder / "x.keys"
    create_secret(path, SECRET)
    path.chmod(bits)
    with pytest.raises(KeyFileError, match="chmod 600") as caught:
        read_secret(path)
    assert SECRET.decode() not in str(caught.value)
    path.chmod(0o400)
    assert read_secret(path) == SECRET


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_is_refused(folder: Path) -> None:
    path = folder / "x.keys"
    create_secret(path, SECRET)
    os.chown(path, 65_534, 65_534)
    with pytest.raises(KeyFileError, match="another user"):
        read_secret(path)


def test_what_is_no_file_is_refused_and_does_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "fifo", 0o600)
    for path in (folder / "fifo", folder, folder / "missing"):
        with pytest.raises(KeyFileError):
            read_secret(path)
        with pytest.raises(KeyFileError):
            read_public(path)


def test_the_system_s_reasons_are_said_in_both_languages(folder: Path) -> None:
    with pytest.raises(KeyFileError) as caught:
        read_secret(folder / "missing")
    assert caught.value.text.en.endswith("missing: does not exist")
    assert caught.value.text.fr.endswith("missing: n'existe pas")


def test_a_huge_file_is_refused(folder: Path) -> None:
    path = folder / "x.keys"
    create_secret(path, b"x" * (MAX_SECRET + 1))
    with pytest.raises(KeyFileError, match="too large"):
        read_secret(path)


def test_public_files_are_replaced_whole(folder: Path) -> None:
    path = folder / "x.pub"
    replace_public(path, b"one")
    assert mode(path) == 0o644
    path.chmod(0o640)
    replace_public(path, b"two")
    assert (read_public(path), mode(path)) == (b"two", 0o640)
    assert list(folder.iterdir()) == [path]


def test_a_linked_public_file_stays_a_link(folder: Path) -> None:
    replace_public(folder / "real", b"one")
    (folder / "link").symlink_to("real")
    replace_public(folder / "link", b"two")
    assert (folder / "link").is_symlink()
    assert (folder / "real").read_bytes() == b"two"


def test_public_files_that_cannot_be(folder: Path) -> None:
    with pytest.raises(KeyFileError):
        replace_public(folder / "missing" / "x.pub", b"x")
    with pytest.raises(KeyFileError):
        read_public(folder / "missing")
    replace_public(folder / "x", b"12345")
    with pytest.raises(KeyFileError):
        read_public(folder / "x", 4)
