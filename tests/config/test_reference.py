"""docs/configuration.md: every key with unit and default, and examples that are right."""

import re
from pathlib import Path

import pytest

from radiobridge.config.load import Files, load_gateway
from radiobridge.config.schema import MODELS
from radiobridge.config.tree import parse_tree
from radiobridge.config.validate import Report, validate
from tests.config.reference import DOCUMENT, TABLE, filled, models

TEXT = DOCUMENT.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml check=(\w+)\n(.*?)```", TEXT, re.DOTALL)
WITHOUT_KEYS = {"NoInterfaceSettings"}


def test_the_tables_are_the_programs() -> None:
    assert filled(TEXT) == TEXT, "run `python -m tests.config.reference`"


def test_every_setting_has_a_table() -> None:
    assert {found[1] for found in TABLE.finditer(TEXT)} == models().keys() - WITHOUT_KEYS


def test_every_key_says_what_it_is_for() -> None:
    bare = [
        f"{name}.{key}"
        for name, model in models().items()
        for key, field in model.model_fields.items()
        if key != "driver" and not field.description
    ]
    assert bare == []


def test_there_is_an_example_of_each_file() -> None:
    assert {kind for kind, _ in EXAMPLES} == MODELS.keys()


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[kind for kind, _ in EXAMPLES])
def test_an_example_is_right(kind: str, text: str) -> None:
    report = Report()
    assert validate(parse_tree(text, kind), MODELS[kind], report, Path()) is not None
    assert report.problems == []


def test_the_examples_fit_together(tmp_path: Path) -> None:
    for kind, text in EXAMPLES:
        (tmp_path / f"{kind}.yaml").write_text(text, encoding="utf-8")
    loaded = load_gateway(tmp_path / "gateway.yaml", files=Files.UNSEEN)
    assert loaded.plans[0].patch == "bridge-pursuit"
    assert set(loaded.config.radios) == {"tac1", "desk"}
