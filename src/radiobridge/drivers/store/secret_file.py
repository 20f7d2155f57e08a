"""Files that only their owner may see: made once, never overwritten, refused when others can look.

A secret file is created with mode 0600 under its final name in one step (nobody ever sees half of
it, and an existing file is never replaced), in a folder that is made with mode 0700 if it is
missing. Reading checks the opened file itself, not its name, so that nothing can change between
the check and the reading.
"""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from radiobridge.errors import KeyFileError, os_reason

MAX_SECRET = 64 * 1024
"""Bytes; a key file is far smaller."""


def create_secret(path: Path, content: bytes) -> None:
    """Write `content` to the new file `path`. Raises KeyFileError; also when `path` exists."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(path.parent)
        _link_new(path, content)
    except FileExistsError:
        raise KeyFileError(
            f"{path} exists and is not overwritten; choose another name or move it away",
            f"{path} existe et n'est pas remplacé; choisissez un autre nom ou déplacez-le",
        ) from None
    except OSError as error:
        raise _cannot(path, error) from None


def read_secret(path: Path) -> bytes:
    """Return the content of `path` if only this user (or root) can. Raises KeyFileError."""
    try:
        # Non-blocking, so that a FIFO in the file's place cannot hang us.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_private(path, os.fstat(handle))
            content = os.read(handle, MAX_SECRET + 1)
        finally:
            os.close(handle)
    except PermissionError:
        raise KeyFileError(
            f"{path} cannot be read by this user; give it to the gateway's user with `chown`",
            f"{path} n'est pas lisible par cet utilisateur; donnez-le à celui de la passerelle "
            "par `chown`",
        ) from None
    except OSError as error:
        raise _cannot(path, error) from None
    if len(content) > MAX_SECRET:
        raise KeyFileError(f"{path} is too large for a key file", f"{path} est trop grand")
    return content


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file `path`, so that two at once take turns. Raises KeyFileError.

    Where the file system knows no locks, they do not.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _cannot(path, error) from None
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_public(path: Path, content: bytes) -> None:
    """Write `content` to `path`, new or not, whole or not at all (mode 0644, or as it was).

    Raises KeyFileError.
    """
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
        _write_new(new, content, mode)
        try:
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise _cannot(path, error) from None


def read_public(path: Path, longest: int = MAX_SECRET) -> bytes:
    """Return the content of a file that is no secret. Raises KeyFileError."""
    try:
        # Non-blocking, so that a FIFO in the file's place cannot hang us.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_file(path, os.fstat(handle))
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(longest + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise _cannot(path, error) from None
    if len(content) > longest:
        raise KeyFileError(f"{path} is too large", f"{path} est trop grand")
    return content


def _link_new(path: Path, content: bytes) -> None:
    """Write aside, then give it its name: `link` fails where `path` exists."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(aside, content, 0o600)
        os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, mode)
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which others could put a file of theirs in the key's place."""
    status = folder.stat()
    sticky = status.st_mode & stat.S_ISVTX
    # A user's own group counts as the user: many systems make folders with mode 0775.
    strangers = status.st_mode & 0o020 and status.st_gid not in (0, os.getegid())
    if not sticky and (status.st_mode & 0o002 or strangers):
        raise KeyFileError(
            f"others can replace files in {folder}; run `chmod 700 {folder}` as its owner",
            f"d'autres peuvent remplacer des fichiers de {folder}; faites `chmod 700 {folder}`",
        )


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"{path} is not a file", f"{path} n'est pas un fichier")


def _check_private(path: Path, status: os.stat_result) -> None:
    _check_file(path, status)
    if status.st_uid not in (0, os.geteuid()):
        raise KeyFileError(
            f"{path} belongs to another user (uid {status.st_uid}); make it belong to this one",
            f"{path} appartient à un autre utilisateur (uid {status.st_uid}); changez-en",
        )
    if status.st_mode & 0o077:
        raise KeyFileError(
            f"others can use {path} (mode {stat.S_IMODE(status.st_mode):04o}); `chmod 600 {path}`",
            f"d'autres ont accès à {path} (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"`chmod 600 {path}`",
        )


def _cannot(path: Path, error: OSError) -> KeyFileError:
    reason = os_reason(error)
    return KeyFileError(f"{path}: {reason.en}", f"{path}: {reason.fr}")
