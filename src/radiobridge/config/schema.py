"""The JSON Schema of each configuration file, for editors and for `config/schema.json`."""

import json
from typing import Any

from pydantic import BaseModel

from radiobridge.config.drivers import BUILT_IN
from radiobridge.config.files import PartnersConfig, PlansConfig, TalkgroupsConfig
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.radio import ProfileConfig
from radiobridge.drivers.registry import Group

MODELS: dict[str, type[BaseModel]] = {
    "gateway": GatewayConfig,
    "talkgroups": TalkgroupsConfig,
    "partners": PartnersConfig,
    "plans": PlansConfig,
    "profile": ProfileConfig,
}

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HOLDERS = {"gateway": "RadioConfig", "profile": None}
"""Where `interface` and `audio` are, by kind of file: a definition, or the file itself."""


def schema_text(kind: str) -> str:
    """Return the JSON Schema of one kind of file, formatted; raise KeyError for another kind."""
    schema = MODELS[kind].model_json_schema(by_alias=True)
    schema["title"] = f"radiobridge {kind}"
    if kind in _HOLDERS:
        definitions = schema.setdefault("$defs", {})
        holder = definitions[_HOLDERS[kind]] if _HOLDERS[kind] else schema
        for part, group in (("interface", Group.INTERFACES), ("audio", Group.AUDIO)):
            holder["properties"][part] = _driver_schema(group, definitions)
    return json.dumps({"$schema": _DIALECT, **schema}, ensure_ascii=False, indent=2) + "\n"


def _driver_schema(group: Group, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what a driver's mapping may be: by driver where it is built in, else anything."""
    cases = []
    for name, model in BUILT_IN[group].items():
        known = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(known.pop("$defs", {}))
        known.pop("required", None)  # a profile may give what the radio leaves out
        definitions[model.__name__] = known
        cases.append(
            {
                "if": {"properties": {"driver": {"const": name}}, "required": ["driver"]},
                "then": {"$ref": f"#/$defs/{model.__name__}"},
            }
        )
    driver = {"type": "string", "examples": sorted(BUILT_IN[group])}
    return {"type": "object", "properties": {"driver": driver}, "allOf": cases}
