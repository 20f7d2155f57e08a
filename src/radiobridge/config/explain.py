"""What pydantic found, as problems with place, path and advice in both languages."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from radiobridge.config.problems import Loc, Problem, dotted
from radiobridge.config.tree import Node
from radiobridge.text import Text

SILENT = frozenset({"default_factory_not_called"})
"""Kinds of errors that only follow another one."""


def explain(
    errors: Iterable[ErrorDetails], node: Node, model: type[BaseModel], prefix: Loc = ()
) -> Iterator[Problem]:
    """Yield what is wrong in `node`, validated as `model`; `prefix` is the way to `node`."""
    for details in errors:
        loc = real_loc(details["loc"], node)
        yield Problem(
            place=node.place_of(loc),
            path=dotted((*prefix, *loc)),
            text=_words(details, model, loc),
        )


def real_loc(loc: Loc, node: Node) -> Loc:
    """Return the part of pydantic's location that is keys and positions in the file.

    The last step of a missing or unknown key stays, though a missing one is not in the file.
    """
    steps: list[str | int] = []
    for index, step in enumerate(loc):
        value = node.value
        if isinstance(value, Mapping) and step in value:
            node = value[str(step)].node
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            node = value[step]
        elif not (isinstance(value, Mapping) and index == len(loc) - 1 and step != "[key]"):
            continue
        steps.append(step)
    return tuple(steps)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that was probably meant, or None when none is close."""
    from rapidfuzz import fuzz, process, utils

    found = process.extractOne(
        word, list(words), scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=60
    )
    return found[0] if found else None


def unknown(what: Text, word: object, words: Iterable[str], none: Text) -> Text:
    """Return `unknown <what>`, with the nearest right name, or all of them, or `none`.

    French agrees in gender, so there `what` says `inconnu` or `inconnue` itself.
    """
    known = sorted(words)
    near = nearest(str(word), known)
    if near:
        return Text(
            f"unknown {what.en} `{word}`; did you mean `{near}`?",
            f"{what.fr} `{word}`; vouliez-vous dire `{near}`?",
        )
    if not known:
        return Text(f"unknown {what.en} `{word}`; {none.en}", f"{what.fr} `{word}`; {none.fr}")
    listed = ", ".join(known[:20])
    return Text(
        f"unknown {what.en} `{word}`; known are {listed}",
        f"{what.fr} `{word}`; possibles: {listed}",
    )


def _words(details: ErrorDetails, model: type[BaseModel], loc: Loc) -> Text:
    kind, context, value = details["type"], details.get("ctx") or {}, details["input"]
    if kind == "radiobridge":
        return Text(str(context["en"]), str(context["fr"]))
    if kind == "extra_forbidden":
        return _unknown_key(model, loc)
    field = _field_at(model, loc)
    example = _example(field)
    if kind == "missing":
        return Text(
            f"is missing; add `{loc[-1]}: {example}`" if example else f"`{loc[-1]}` is missing",
            f"manque; ajoutez `{loc[-1]}: {example}`" if example else f"`{loc[-1]}` manque",
        )
    text = _type_words(kind, context, value)
    if example and kind in ("string_type", "string_pattern_mismatch"):
        more = Text(f"; for example `{example}`", f"; par exemple `{example}`")
        return Text(text.en + more.en, text.fr + more.fr)
    return text


def _type_words(kind: str, context: Mapping[str, Any], value: object) -> Text:
    got = _shown(value)
    if value is None:
        return Text(
            "has no value; write one, or remove the key",
            "sans valeur; écrivez-en une, ou retirez la clé",
        )
    if kind == "string_type":
        return Text(
            f"{got} is not text; put it in quotes if it is a name",
            f"{got} n'est pas du texte; mettez-le entre guillemets si c'est un nom",
        )
    simple = _SIMPLE.get(kind)
    if simple:
        return Text(f"{got} {simple.en}", f"{got} {simple.fr}")
    if kind in ("enum", "literal_error"):
        choices = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "")
        return Text(f"{got} is none of {choices}", f"{got} n'est aucun de {choices}")
    if kind in _LIMITS:
        limit = next((context[k] for k in ("ge", "le", "gt", "lt", *_LENGTHS) if k in context), "")
        words = _LIMITS[kind]
        return Text(f"{got} {words.en} {limit}", f"{got} {words.fr} {limit}")
    return Text(f"{got} is not right here ({kind})", f"{got} ne convient pas ici ({kind})")


_SIMPLE = {
    "bool_type": Text(
        "is not true or false; write `true` or `false`",
        "n'est ni true ni false; écrivez `true` ou `false`",
    ),
    "int_type": Text(
        "is not a whole number; write digits, without quotes or unit",
        "n'est pas un nombre entier; écrivez des chiffres, sans guillemets ni unité",
    ),
    "float_type": Text("is not a number", "n'est pas un nombre"),
    "list_type": Text("is not a list; write `[a, b]`", "n'est pas une liste; écrivez `[a, b]`"),
    "dict_type": Text(
        "is not a mapping; write `{key: value}`", "n'est pas un bloc; écrivez `{clé: valeur}`"
    ),
    "string_pattern_mismatch": Text(
        "is not one of the forms allowed here", "n'est pas une des formes permises ici"
    ),
}
_SIMPLE["model_type"] = _SIMPLE["model_attributes_type"] = _SIMPLE["dict_type"]

_LENGTHS = ("min_length", "max_length")
_LIMITS = {
    "greater_than_equal": Text("is too small; at least", "est trop petit; au moins"),
    "less_than_equal": Text("is too large; at most", "est trop grand; au plus"),
    "string_too_short": Text("is too short; shortest length", "est trop court; longueur minimale"),
    "string_too_long": Text("is too long; longest length", "est trop long; longueur maximale"),
    "too_short": Text("has too few entries; at least", "a trop peu d'éléments; au moins"),
    "too_long": Text("has too many entries; at most", "a trop d'éléments; au plus"),
}


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)[:60]


def _unknown_key(model: type[BaseModel], loc: Loc) -> Text:
    parent = _model_at(model, loc[:-1])
    keys = {info.alias or name: info for name, info in parent.model_fields.items()}
    for name, info in keys.items():
        inner = _as_model(info.annotation)
        if inner and loc[-1] not in keys and loc[-1] in inner.model_fields:
            return Text(
                f"`{loc[-1]}` belongs inside `{name}: {{…}}`",
                f"`{loc[-1]}` va dans `{name}: {{…}}`",
            )
    return unknown(Text("key", "clé inconnue"), loc[-1], keys, Text("remove it", "retirez-la"))


def _example(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    found = _examples(field.annotation, (field, *field.metadata))
    return next((str(example) for example in found), "")


def _examples(kind: Any, marks: Iterable[object]) -> Iterator[object]:  # noqa: ANN401 - annotation
    """Yield the examples that marks and annotation carry, the outermost first."""
    for mark in marks:
        yield from getattr(mark, "examples", None) or ()
        if example := getattr(mark, "example", None):
            yield example
    if get_origin(kind) is Annotated:
        yield from _examples(get_args(kind)[0], kind.__metadata__)
    elif get_origin(kind) in (Union, UnionType):
        for inner in get_args(kind):
            yield from _examples(inner, ())


def _field_at(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    if not loc or not isinstance(loc[-1], str):
        return None
    fields = _model_at(model, loc[:-1]).model_fields
    return next((f for n, f in fields.items() if loc[-1] in (n, f.alias)), None)


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    """Return the model that checks the mapping at `loc` (the last one on the way there)."""
    kind: Any = model
    for step in loc:
        inner = _as_model(kind)
        if inner is not None:
            field = next((f for n, f in inner.model_fields.items() if step in (n, f.alias)), None)
            kind = field.annotation if field else None
            model = inner
        else:
            kind = _item(kind)
    return _as_model(kind) or model


def _as_model(kind: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        kind = next((arg for arg in get_args(kind) if arg is not type(None)), None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _item(kind: Any) -> Any:  # noqa: ANN401 - any annotation
    """Return what a list or mapping holds."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    arguments = get_args(kind)
    return arguments[-1] if arguments else None
