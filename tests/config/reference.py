"""The tables of docs/configuration.md, from the models; `python -m tests.config.reference` writes.

A table stands between `<!-- table ModelName -->` and `<!-- end -->`.
"""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from radiobridge.config.drivers import BUILT_IN
from radiobridge.config.schema import MODELS
from radiobridge.config.units import Quantity

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
TABLE = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def models() -> dict[str, type[BaseModel]]:
    """Return every model that a file can hold, by name."""
    found: dict[str, type[BaseModel]] = {}
    drivers = [model for group in BUILT_IN.values() for model in group.values()]
    for model in (*MODELS.values(), *drivers):
        _collect(model, found)
    return found


def _collect(kind: Any, found: dict[str, type[BaseModel]]) -> None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            for field in kind.model_fields.values():
                _collect(field.annotation, found)
        return
    for inner in get_args(kind):
        _collect(inner, found)


def table(model: type[BaseModel]) -> str:
    """Return the table of one model."""
    rows = [_row(name, field) for name, field in model.model_fields.items() if name != "driver"]
    head = "| key | what | values | default |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    what = " ".join((field.description or "").split())
    return f"`{field.alias or name}`", what, _values(field), _default(field)


def _values(field: FieldInfo) -> str:
    kinds = dict.fromkeys(_kinds(field.annotation, field.metadata))
    return ", ".join(kinds)


def _kinds(kind: Any, marks: list[Any]) -> Iterator[str]:
    quantity = next((mark for mark in marks if isinstance(mark, Quantity)), None)
    limits = {n: getattr(m, n) for m in marks for n in ("ge", "le") if hasattr(m, n)}
    if quantity is not None:
        choices = ", ".join(map(str, quantity.choices))
        yield choices or f"{quantity.low} to {quantity.high}"
    elif get_origin(kind) is Annotated:
        yield from _kinds(get_args(kind)[0], list(kind.__metadata__))
    elif get_origin(kind) in (Union, UnionType):
        for inner in get_args(kind):
            yield from _kinds(inner, []) if inner is not NoneType else ()
    elif get_origin(kind) is Literal:
        yield " ".join(f"`{choice}`" for choice in get_args(kind))
    elif isinstance(kind, type) and issubclass(kind, bool):
        yield "`true` `false`"
    elif isinstance(kind, type) and issubclass(kind, Enum) and not issubclass(kind, int):
        yield " ".join(f"`{choice.value}`" for choice in kind)
    elif limits:
        yield f"{limits['ge']} to {limits['le']}"
    else:
        yield _NAMES.get(str(kind), _name(kind))


_NAMES = {
    "<class 'pathlib.Path'>": "path",
    "<class 'str'>": "text",
    "<class 'bytes'>": "base64url",
    "<enum 'TalkClass'>": "`normal` `imminent-peril` `emergency`",
    "<class 'int'>": "UTC time",
}


def _name(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is not None:
        return "list" if origin is list else "mapping"
    return "mapping"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or field.default is None:
        return "see left" if field.annotation is Path else "–"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def filled(document: str) -> str:
    """Return the document with every table as the models have it."""
    known = models()
    return TABLE.sub(lambda m: f"<!-- table {m[1]} -->\n{table(known[m[1]])}<!-- end -->", document)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
