"""Where an audit log is read from: a gateway's file, the log itself, or an export of it."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiobridge.core.audit_chain import HeldHead, Record, from_line, parse_head, read_record
from radiobridge.drivers.store.audit_file import MAGIC, read_log
from radiobridge.errors import ConfigError, RemoteProtocolError, os_reason
from radiobridge.model.audit import AuditHead

AUDIT_FILE = "audit.db"
STATE_FOLDER = Path("/var/lib/radiobridge")
_EXPORT = b'{"hash":'
_LARGEST_HEADS = 10_000_000
"""Bytes of a file of heads."""


@dataclass(frozen=True, slots=True)
class Source:
    """One log to be read, as often as wanted."""

    path: Path
    is_export: bool

    def records(self) -> Iterator[Record]:
        """Yield its records. Raises StoreError when it cannot be read, or not to its end."""
        return self._lines() if self.is_export else read_log(self.path)

    def gateway(self) -> str | None:
        """Return whose log it is, as its first entries that can be read say."""
        for record in itertools.islice(self.records(), 100):
            try:
                return read_record(record.body).entry.where
            except RemoteProtocolError:
                continue
        return None

    def _lines(self) -> Iterator[Record]:
        with self.path.open("rb") as file:
            for line in file:
                yield from_line(line.removesuffix(b"\n"))


def find(target: Path) -> Source:
    """Return the log that an operator names. Raises ConfigError when there is none."""
    try:
        if target.is_dir():
            return _database(target / AUDIT_FILE)
        with target.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        reason = os_reason(error)
        raise ConfigError(
            f"{target} cannot be read: {reason.en}",
            f"{target} ne peut être lu : {reason.fr}",
        ) from error
    if start == MAGIC:
        return Source(target, is_export=False)
    if start.startswith(_EXPORT):
        return Source(target, is_export=True)
    return _database(state_folder(target) / AUDIT_FILE)


def state_folder(config: Path) -> Path:
    """Return the folder that a gateway's file names, without checking the rest of it."""
    from radiobridge.config.tree import read_tree

    tree = read_tree(config)
    state, gateway = tree.child("state"), tree.child("gateway")
    if state is not None and isinstance(state.value, str):
        return config.parent / Path(state.value).expanduser()
    if gateway is not None and isinstance(gateway.value, str):
        return STATE_FOLDER / gateway.value
    raise ConfigError(
        f"{config} is neither a gateway's file nor an audit log: `gateway` is missing in it",
        f"{config} n'est ni le fichier d'une passerelle ni un journal : `gateway` y manque",
    )


def _database(path: Path) -> Source:
    if not path.is_file():
        raise ConfigError(
            f"there is no audit log at {path}; has this gateway ever run?",
            f"il n'y a pas de journal à {path} ; cette passerelle a-t-elle déjà fonctionné ?",
        )
    return Source(path, is_export=False)


def read_heads(path: Path, gateway: str | None) -> tuple[HeldHead, ...]:
    """Return the heads of `gateway` in a file that `radiobridge audit heads` has written.

    Raises ConfigError when it is none, or holds no head of that gateway.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_HEADS).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", f"{path} est illisible : {error}"
        ) from (error)
    heads = _json_heads(text) if text.lstrip().startswith("{") else _line_heads(text)
    if heads is None:
        raise ConfigError(
            f"{path} is not what `radiobridge audit heads` writes: "
            "`<gateway> <number>:<hash> <holder>` on each line",
            f"{path} n'est pas ce qu'écrit `radiobridge audit heads` : "
            "`<passerelle> <numéro>:<empreinte> <détenteur>` à chaque ligne",
        )
    ours = tuple(held for whose, held in heads if gateway is None or whose == gateway)
    if not ours:
        raise ConfigError(
            f"{path} holds no head of {gateway}", f"{path} ne détient rien de {gateway}"
        )
    return ours


def _line_heads(text: str) -> list[tuple[str, HeldHead]] | None:
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    rows = [words for words in lines if words]
    if any(len(words) != 3 for words in rows):
        return None
    return _heads([(whose, head, holder) for whose, head, holder in rows])


def _json_heads(text: str) -> list[tuple[str, HeldHead]] | None:
    try:
        value: Any = json.loads(text)
        holder = str(value["holder"])
        rows = [(str(one["gateway"]), str(one["head"]), holder) for one in value["heads"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _heads(rows)


def _heads(rows: list[tuple[str, str, str]]) -> list[tuple[str, HeldHead]] | None:
    found = []
    for whose, text, holder in rows:
        head = head_of(text)
        if head is None:
            return None
        found.append((whose, HeldHead(head=head, holder=holder[:100])))
    return found


def head_of(text: str) -> AuditHead | None:
    """Return the head in `<number>:<hash>`, perhaps with `@<when>` behind it."""
    try:
        return parse_head(text.partition("@")[0])
    except RemoteProtocolError:
        return None
