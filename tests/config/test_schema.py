"""The JSON Schema that editors use is the one that the program checks by."""

import json
from pathlib import Path

import pytest

from radiobridge.config.schema import MODELS, schema_text

SHIPPED = Path(__file__).parents[2] / "config" / "schema.json"


def test_the_shipped_schema_is_the_programs() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == schema_text("gateway"), (
        "run `radiobridge schema > config/schema.json`"
    )


@pytest.mark.parametrize("kind", MODELS)
def test_references_lead_somewhere(kind: str) -> None:
    text = schema_text(kind)
    definitions = json.loads(text).get("$defs", {})
    named = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert named <= definitions.keys()


def test_driver_settings_are_in_it() -> None:
    radio = json.loads(schema_text("gateway"))["$defs"]["RadioConfig"]["properties"]
    cases = {case["if"]["properties"]["driver"]["const"] for case in radio["interface"]["allOf"]}
    assert cases == {"lines", "ccdi", "usrp", "none"}


def test_defaults_are_as_an_operator_writes_them() -> None:
    definitions = json.loads(schema_text("gateway"))["$defs"]
    assert definitions["TransmitConfig"]["properties"]["hold"]["default"] == "800ms"


def test_keys_are_those_of_the_file() -> None:
    plan = json.loads(schema_text("plans"))["$defs"]["PlanConfig"]
    assert {"from", "until"} <= plan["properties"].keys()
    assert "from_" not in plan["properties"]
