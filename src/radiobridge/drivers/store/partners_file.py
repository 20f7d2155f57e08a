"""Adding a trusted agency to `partners.yaml` without touching anything else in it.

People write comments and an order of their own into that file, so it is edited as text, at the
places that the YAML parser reports, and the result is read again and compared before it counts.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from radiobridge.drivers.store.secret_file import read_public, replace_public
from radiobridge.errors import KeyFileError
from radiobridge.model.ids import AgencyId
from radiobridge.text import Text
from radiobridge.wire.canonical import encode_bytes

MAX_PARTNERS_FILE = 1_000_000


class Trust(StrEnum):
    """What adding an agency came to."""

    ADDED = "added"
    ALREADY = "already"
    """The file trusts this key for this agency; nothing is changed."""
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """An agency to trust: Ed25519 public key, 32 bytes, and what operators call it."""

    agency: AgencyId
    key: bytes
    label: Text


def known_key(path: Path, agency: AgencyId) -> str | None:
    """Return the key (base64url) that `path` has for `agency`; None if none. Raises KeyFileError.

    A missing file has none.
    """
    partner = _partners(path, _read(path)).get(agency)
    key = partner.get("key") if isinstance(partner, dict) else None
    return key.rstrip("=") if isinstance(key, str) else None


def trust(path: Path, partner: Partner, *, replace: bool) -> Trust:
    """Let `path` trust `partner`; with `replace` also in place of another key of that agency.

    Raises KeyFileError when the file cannot be edited, or has another key and `replace` is False.
    """
    text = _read(path)
    partners = _partners(path, text)
    known = known_key(path, partner.agency)
    if known == encode_bytes(partner.key):
        return Trust.ALREADY
    if partner.agency not in partners:
        new, outcome = _added(text, partner), Trust.ADDED
        expected = {**partners, str(partner.agency): _value(partner)}
    elif not replace or known is None:
        raise KeyFileError(
            f"{path} has another key for {partner.agency}; only if that agency confirms that its "
            "key has changed, use --replace",
            f"{path} a une autre clé pour {partner.agency}; seulement si cette agence confirme "
            "que sa clé a changé, utilisez --replace",
        )
    else:
        new, outcome = _replaced(text, partner), Trust.REPLACED
        changed = {**partners[partner.agency], "key": encode_bytes(partner.key)}
        expected = {**partners, str(partner.agency): changed}
    _check_result(path, text, new, expected)
    replace_public(path, new.encode())
    return outcome


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return read_public(path, MAX_PARTNERS_FILE).decode()
    except UnicodeDecodeError:
        raise _not_editable(path) from None


def _load(path: Path, text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _not_editable(path) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _not_editable(path)
    return content


def _partners(path: Path, text: str) -> dict[str, Any]:
    partners = _load(path, text).get("partners")
    if partners is None:
        return {}
    if not isinstance(partners, dict):
        raise _not_editable(path)
    return partners


def _value(partner: Partner) -> dict[str, Any]:
    return {"key": encode_bytes(partner.key), "label": partner.label._asdict()}


def _check_result(path: Path, before: str, after: str, expected: dict[str, Any]) -> None:
    """Refuse an edit that does anything but what it should: some files are too artful for us."""
    if _load(path, after) != {**_load(path, before), "partners": expected}:
        raise _not_editable(path)


def _not_editable(path: Path) -> KeyFileError:
    return KeyFileError(
        f"{path} cannot be edited; check it with `radiobridge check`, or write the entry by hand",
        f"{path} n'est pas modifiable; vérifiez-le par `radiobridge check` ou écrivez à la main",
    )


def _added(text: str, partner: Partner) -> str:
    """Return `text` with one more entry at the end of `partners` (at its start in a flow map)."""
    node = _partners_node(text)
    if node is None:
        gap = "" if text.endswith("\n") or not text else "\n"
        return f"{text}{gap}partners:\n{_block(partner, 2)}"
    if node.flow_style:
        at = node.start_mark.index + 1
        comma = ", " if node.value else ""
        return f"{text[:at]}{_name(partner)}: {_flow(partner)}{comma}{text[at:]}"
    if not node.value:
        return _after_line(text, node.start_mark.index, _block(partner, 2))
    at = _end(node.value[-1][1])
    return _after_line(text, at, _block(partner, node.value[0][0].start_mark.column))


def _replaced(text: str, partner: Partner) -> str:
    """Return `text` with another key in the agency's entry."""
    entries = _partners_node(text)
    for name, value in entries.value if entries is not None else ():
        for key, node in value.value if name.value == partner.agency else ():
            if key.value == "key":
                start, end = node.start_mark.index, node.end_mark.index
                return f"{text[:start]}{json.dumps(encode_bytes(partner.key))}{text[end:]}"
    return text


def _partners_node(text: str) -> Any:  # noqa: ANN401 - a node of PyYAML, which has no useful types
    """Return the mapping under `partners`, or None when there is no such member."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    members = root.value if isinstance(root, yaml.MappingNode) else ()
    for name, value in members:
        if name.value == "partners":
            return value if isinstance(value, yaml.MappingNode) else _Empty(value)
    return None


class _Empty:
    """`partners:` with nothing after it."""

    flow_style = False
    value: tuple[()] = ()

    def __init__(self, node: Any) -> None:  # noqa: ANN401 - a node of PyYAML
        self.start_mark = node.start_mark


def _end(node: Any) -> int:  # noqa: ANN401 - a node of PyYAML
    """Return where the last character of a node is; a block's own mark is past its comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return max(int(node.end_mark.index) - 1, 0)


def _after_line(text: str, at: int, block: str) -> str:
    """Return `text` with `block` after the line of position `at`."""
    end = text.find("\n", at)
    if end < 0:
        return f"{text}\n{block}"
    return f"{text[: end + 1]}{block}{text[end + 1 :]}"


def _block(partner: Partner, indent: int) -> str:
    space = " " * indent
    label = f"{{en: {_quoted(partner.label.en)}, fr: {_quoted(partner.label.fr)}}}"
    return (
        f"{space}{_name(partner)}:\n"
        f"{space}  key: {_quoted(encode_bytes(partner.key))}\n"
        f"{space}  label: {label}\n"
    )


def _flow(partner: Partner) -> str:
    label = f"{{en: {_quoted(partner.label.en)}, fr: {_quoted(partner.label.fr)}}}"
    return f"{{key: {_quoted(encode_bytes(partner.key))}, label: {label}}}"


def _name(partner: Partner) -> str:
    """Return the id as YAML reads it back as text: `us.cbp`, but `"007"`."""
    name = str(partner.agency)
    return name if yaml.safe_load(name) == name else _quoted(name)


def _quoted(text: str) -> str:
    """Return a double-quoted YAML scalar: JSON strings are such."""
    return json.dumps(text, ensure_ascii=False)
