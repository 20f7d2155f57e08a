"""Adding a partner leaves everything else in the file as people wrote it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from radiobridge.drivers.store.partners_file import Partner, Trust, known_key, trust
from radiobridge.errors import KeyFileError
from radiobridge.model.ids import AgencyId
from radiobridge.text import Text
from radiobridge.wire.canonical import encode_bytes

CBP = Partner(
    agency=AgencyId("us.cbp"),
    key=b"\xff" * 32,
    label=Text('Customs "and" Border: #1', "Douanes et frontières"),
)
OTHER = Partner(agency=CBP.agency, key=b"\x01" * 32, label=CBP.label)
KEY = encode_bytes(CBP.key)
ENTRY = {"key": KEY, "label": {"en": CBP.label.en, "fr": CBP.label.fr}}
OPP_KEY = "EndiuCU0XfUq7DcNfdQqJzzFCBJoQoun9rD_w6EM76Y"

FILES: dict[str, str] = {
    "missing": "",
    "comments only": "# who we trust\n",
    "no entry yet": "# who\npartners:\n",
    "no entry yet, a comment": "partners:  # none\n# end\n",
    "an empty map": "partners: {}\n",
    "one entry": f"partners:\n  ca.opp:\n    key: {OPP_KEY}\n    label: {{en: a, fr: b}}\n",
    "no line end": f"partners:\n  ca.opp: {{key: {OPP_KEY}, label: {{en: a, fr: b}}}}",
    "comments everywhere": (
        "# top\npartners:  # here\n  # before\n"
        f"  ca.opp:  # us\n    key: {OPP_KEY}  # by phone\n    label: {{en: a, fr: b}}  # label\n"
        "  # after\n\n# bottom\n"
    ),
    "deep indent": f"partners:\n      ca.opp:\n        key: {OPP_KEY}\n",
    "a block text": (
        "partners:\n  ca.opp:\n    key: x\n    label:\n      en: |\n        a\n        b\n"
    ),
    "a folded text at the end": (
        "partners:\n  ca.opp:\n    label:\n      en: a\n      fr: >-\n        b\n        c"
    ),
    "a flow map": f"partners: {{ca.opp: {{key: {OPP_KEY}}}}}\n",
    "a flow map of lines": f"partners: {{\n  ca.opp: {{key: {OPP_KEY}}},\n}}\n",
    "others after it": f"partners:\n  ca.opp:\n    key: {OPP_KEY}\nzeal: 1\n",
    "others before it": "zeal:\n  - 1\npartners:\n  ca.opp:\n    label:\n    - a\n    - b\n",
    "windows": f"partners:\r\n  ca.opp:\r\n    key: {OPP_KEY}\r\n",
    "a document mark": f"---\npartners:\n  ca.opp:\n    key: {OPP_KEY}\n",
    "accents before it": f"# é é é 🚓\npartners:\n  ca.opp:\n    key: {OPP_KEY} # été\n",
}


def load(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "partners.yaml"


def write(path: Path, text: str) -> None:
    if text:
        path.write_bytes(text.encode())


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_adds_and_keeps_the_rest(path: Path, text: str) -> None:
    write(path, text)
    before = yaml.safe_load(text) or {}
    assert trust(path, CBP, replace=False) is Trust.ADDED
    expected = {**before, "partners": {**(before.get("partners") or {}), "us.cbp": ENTRY}}
    assert load(path) == expected
    after = path.read_bytes().decode()
    for line in text.splitlines():
        if line != "partners: {}" and not line.startswith("partners: {"):
            assert line in after
    assert trust(path, CBP, replace=False) is Trust.ALREADY
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_replaces_a_key_and_keeps_the_rest(path: Path, text: str) -> None:
    write(path, text)
    trust(path, OTHER, replace=False)
    with_other = path.read_bytes().decode()
    with pytest.raises(KeyFileError, match="another key"):
        trust(path, CBP, replace=False)
    assert path.read_bytes().decode() == with_other
    assert trust(path, CBP, replace=True) is Trust.REPLACED
    assert path.read_bytes().decode() == with_other.replace(encode_bytes(OTHER.key), KEY)


def test_known_keys(path: Path) -> None:
    assert known_key(path, CBP.agency) is None
    trust(path, CBP, replace=False)
    assert known_key(path, CBP.agency) == KEY
    assert known_key(path, AgencyId("ca.opp")) is None
    path.write_text(f"partners:\n  us.cbp:\n    key: '{KEY}='\n")
    assert trust(path, CBP, replace=False) is Trust.ALREADY


@pytest.mark.parametrize("name", ["007", "1e3", "null", "no", "2026-01-01", "on", "0x1F"])
def test_ids_that_yaml_would_take_for_something_else(path: Path, name: str) -> None:
    partner = Partner(agency=AgencyId(name), key=CBP.key, label=CBP.label)
    trust(path, partner, replace=False)
    trust(path, CBP, replace=False)
    assert list(load(path)["partners"]) == [name, "us.cbp"]


@pytest.mark.parametrize(
    "text",
    [
        "partners: [a]\n",
        "partners: yes\n",
        "- partners\n",
        "partners\n",
        "partners:\n\tx: 1\n",
        "partners: {a: 1\n",
        "a: &a [1]\npartners: *a\n",
        "!!python/object:os.system {}\n",
        "--- 1\n--- 2\n",
        "[" * 5000,
    ],
)
def test_what_cannot_be_edited_is_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(KeyFileError):
        trust(path, CBP, replace=False)
    assert path.read_text() == text


def test_an_alias_is_refused_rather_than_edited_in_two_places(path: Path) -> None:
    text = f"x: &x\n  us.cbp:\n    key: {OPP_KEY}\n    label: {{en: a, fr: b}}\npartners: *x\n"
    path.write_text(text)
    with pytest.raises(KeyFileError):
        trust(path, CBP, replace=True)
    assert path.read_text() == text


def test_not_utf8(path: Path) -> None:
    path.write_bytes(b"partners: {} # \xe9\n")
    with pytest.raises(KeyFileError):
        trust(path, CBP, replace=False)
