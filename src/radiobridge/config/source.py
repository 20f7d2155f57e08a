"""A configuration file to text, read with suspicion: size, kind, encoding, control characters."""

import os
import re
import stat
from pathlib import Path

from radiobridge.config.problems import ConfigErrors, Place, Problem
from radiobridge.errors import os_reason
from radiobridge.text import Text

MAX_BYTES = 1_000_000
"""Longest file that is read; a real one has a few kB."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_TAB_INDENT = re.compile(r"^ *\t[ \t]*(?=[^\s#])", re.MULTILINE)


def read_source(path: Path) -> str:
    """Return the text of a YAML file; raise ConfigErrors when it is not such a file."""
    raw = _read_bytes(path)
    text = _decode(raw, path)
    _refuse_control(text, path)
    if not text.strip():
        raise _error(
            path,
            1,
            "the file is empty; copy an example from `config/` and change it",
            "le fichier est vide; copiez un exemple de `config/` et modifiez-le",
        )
    return text


def _read_bytes(path: Path) -> bytes:
    """Read at most MAX_BYTES of a regular file. Never waits for a pipe, never reads a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            _refuse_kind(path, status)
            return file.read(MAX_BYTES)
    except OSError as error:
        reason = os_reason(error)
        raise _error(
            path,
            1,
            f"cannot be read: {reason.en}; check the name and the permissions",
            f"lecture impossible: {reason.fr}; vérifiez le nom et les permissions",
        ) from error


def _refuse_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _error(
            path,
            1,
            "is not a regular file; name a YAML file",
            "n'est pas un fichier ordinaire; nommez un fichier YAML",
        )
    if status.st_size > MAX_BYTES:
        raise _error(
            path,
            1,
            f"has {status.st_size} bytes, more than the {MAX_BYTES} allowed; is it the right file?",
            f"a {status.st_size} octets, plus que les {MAX_BYTES} permis; est-ce le bon fichier?",
        )


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(
            path,
            line,
            f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8",
            f"l'octet 0x{raw[error.start]:02x} n'est pas de l'UTF-8; "
            "enregistrez le fichier en UTF-8",
        ) from error


def _refuse_control(text: str, path: Path) -> None:
    if found := _CONTROL.search(text):
        code = f"U+{ord(found[0]):04X}"
        raise _error(
            path,
            text.count("\n", 0, found.start()) + 1,
            f"control character {code} in the text; remove it (is this a binary file?)",
            f"caractère de contrôle {code} dans le texte; retirez-le (est-ce un fichier binaire?)",
        )
    tabs = [
        _problem(
            path,
            text.count("\n", 0, found.end()) + 1,
            "a tab indents this line; indent with spaces",
            "une tabulation est en tête de cette ligne; utilisez des espaces",
        )
        for found in _TAB_INDENT.finditer(text)
    ]
    if tabs:
        raise ConfigErrors(tabs[:20])


def _problem(path: Path, line: int, en: str, fr: str) -> Problem:
    return Problem(place=Place(str(path), line), path="", text=Text(en, fr))


def _error(path: Path, line: int, en: str, fr: str) -> ConfigErrors:
    return ConfigErrors([_problem(path, line, en, fr)])
