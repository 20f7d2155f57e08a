"""YAML text to a tree that remembers the line of each key and value.

The tree is built from PyYAML's events rather than by its constructor, because of what a
configuration must not be able to do: expand aliases without end, nest without end, name a key
twice, build Python objects, or mean something else than it looks (`NO` and `on` are words here, as
in YAML 1.2, and `10:30` is no number).

Limits: MAX_DEPTH levels, MAX_NODES values (an alias counts as all that it stands for).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import yaml

from radiobridge.config.problems import ConfigErrors, Loc, Place, Problem, dotted
from radiobridge.config.source import read_source
from radiobridge.config.yaml_words import explain_yaml
from radiobridge.text import Text

MAX_DEPTH = 16
MAX_NODES = 20_000

Scalar: TypeAlias = str | int | float | bool | None

_NodeEvent: TypeAlias = yaml.ScalarEvent | yaml.CollectionStartEvent

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]{1,17}\.[0-9]{1,17}", re.ASCII)
_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Entry(NamedTuple):
    """One key of a mapping: where the key stands, and its value."""

    place: Place
    node: "Node"


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it stands."""

    value: "Scalar | Mapping[str, Entry] | list[Node]"
    place: Place
    size: int = 1
    """Values in it, itself included, aliases expanded."""

    def plain(self) -> Any:  # noqa: ANN401 - a JSON value; its type is what validation finds out
        """Return the value as dict, list or scalar, without places."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def entries(self) -> Mapping[str, Entry]:
        """Return the keys of a mapping; nothing when it is something else."""
        return self.value if isinstance(self.value, Mapping) else {}

    def child(self, key: str) -> "Node | None":
        """Return the value of a key, if it is there."""
        entry = self.entries().get(key)
        return entry.node if entry else None

    def place_of(self, loc: Loc) -> Place:
        """Return the place of the key that ends `loc`, or of the last step that exists."""
        node, place = self, self.place
        for step in loc:
            value = node.value
            if isinstance(value, Mapping) and step in value:
                place, node = value[str(step)]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                node = value[step]
                place = node.place
            else:
                break
        return place


class Draft(NamedTuple):
    """A tree without what is wrong in its syntax, and what that is."""

    node: Node
    problems: tuple[Problem, ...]


def read_tree(path: Path) -> Node:
    """Return the tree of a YAML file; raise ConfigErrors with all that is wrong in its syntax."""
    return parse_tree(read_source(path), str(path))


def read_draft(path: Path) -> Draft:
    """Return what can be read of a YAML file; raise ConfigErrors when nothing can."""
    return parse_draft(read_source(path), str(path))


def parse_tree(text: str, file: str) -> Node:
    """Return the tree of YAML text; `file` names it in errors. Raises ConfigErrors."""
    node, problems = parse_draft(text, file)
    if problems:
        raise ConfigErrors(problems)
    return node


def parse_draft(text: str, file: str) -> Draft:
    """Return what can be read of YAML text, so that all of it can be checked at once.

    Of a key that is there twice the first counts; tags, merge keys, keys that are no words and
    further documents are left out. Raises ConfigErrors when the rest would mean nothing.
    """
    composer = _Composer(file=file)
    try:
        node = composer.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        composer.problem(Place(file, mark.line + 1 if mark else 1), (), explain_yaml(error))
        raise ConfigErrors(composer.problems) from error
    except yaml.YAMLError as error:
        text_ = Text(f"this is not YAML: {error}", f"ce n'est pas du YAML: {error}")
        composer.problem(Place(file, 1), (), text_)
        raise ConfigErrors(composer.problems) from error
    if not composer.usable:
        raise ConfigErrors(composer.problems)
    return Draft(node, tuple(composer.problems))


@dataclass(slots=True)
class _Composer:
    """One run over the events of one document."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    nodes: int = 0
    usable: bool = True
    """False when a value is not known, so that checking it would only mislead."""

    def problem(self, place: Place, loc: Loc, text: Text) -> None:
        self.problems.append(Problem(place=place, path=dotted(loc), text=text))

    def document(self, events: Iterator[yaml.Event]) -> Node:
        next(events)  # StreamStart
        if isinstance(next(events), yaml.StreamEndEvent):
            text = Text(
                "there is nothing but comments in the file; copy an example from `config/`",
                "le fichier ne contient que des commentaires; copiez un exemple de `config/`",
            )
            self.problem(Place(self.file, 1), (), text)
            raise ConfigErrors(self.problems)
        node = self.node(next(events), events, ())
        next(events)  # DocumentEnd
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            text = Text(
                "a second document starts here (`---`); write one document per file",
                "un second document commence ici (`---`); un seul document par fichier",
            )
            self.problem(self.place(after), (), text)
        return node

    def place(self, event: yaml.Event) -> Place:
        return Place(self.file, _line(event))

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], loc: Loc) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.counted(self.alias(event, loc), loc)
        event = cast("_NodeEvent", event)  # the parser yields nothing else here
        self.refuse_tag(event, loc)
        if isinstance(event, yaml.ScalarEvent):
            node = Node(_scalar(event), self.place(event))
        else:
            self.refuse_depth(event, loc)
            mapping = isinstance(event, yaml.MappingStartEvent)
            node = (
                self.mapping(event, events, loc) if mapping else self.sequence(event, events, loc)
            )
        if event.anchor:
            self.anchors[event.anchor] = node
        self.nodes += 1
        return self.counted(node, loc)

    def counted(self, node: Node, loc: Loc) -> Node:
        if max(self.nodes, node.size) > MAX_NODES:
            text = Text(
                f"more than {MAX_NODES} values, aliases expanded; a configuration needs far fewer",
                f"plus de {MAX_NODES} valeurs, alias compris; une configuration en veut bien moins",
            )
            self.problem(node.place, loc[:4], text)
            raise ConfigErrors(self.problems)
        return node

    def mapping(self, start: yaml.Event, events: Iterator[yaml.Event], loc: Loc) -> Node:
        entries: dict[str, Entry] = {}
        size = 1
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key, place = self.key(event, events, loc), self.place(event)
            node = self.node(next(events), events, (*loc, key or "?"))
            size += node.size
            if key is None:
                continue
            if key in entries:
                self.duplicate(place, (*loc, key), entries[key].place)
                continue
            entries[key] = Entry(place, node)
        return Node(entries, self.place(start), size)

    def key(self, event: yaml.Event, events: Iterator[yaml.Event], loc: Loc) -> str | None:
        """Return a mapping's key, or None for what is none: its value is left out."""
        if isinstance(event, yaml.ScalarEvent):
            self.refuse_tag(event, loc)
            if event.value == "<<":
                text = Text(
                    "merge keys (`<<`) are not supported; write the settings out, or use a profile",
                    "les clés de fusion (`<<`) ne sont pas acceptées; écrivez les réglages, "
                    "ou employez un profil",
                )
                self.problem(self.place(event), loc, text)
                return None
            return str(event.value)
        text = Text("a key must be a word", "une clé doit être un mot")
        self.problem(self.place(event), loc, text)
        self.node(event, events, loc)
        return None

    def duplicate(self, place: Place, loc: Loc, first: Place) -> None:
        if len(loc) >= 2 and loc[-2] == "transmit" and loc[0] == "talkgroups":
            text = Text(
                f"two transmitters for the coverage `{loc[-1]}` (the first is on line "
                f"{first.line}); keep the one that transmits there, or name another coverage",
                f"deux émetteurs pour la couverture `{loc[-1]}` (le premier est à la ligne "
                f"{first.line}); gardez celui qui y émet, ou nommez une autre couverture",
            )
        else:
            text = Text(
                f"`{loc[-1]}` is here twice (first on line {first.line}); keep one of them",
                f"`{loc[-1]}` est écrit deux fois (d'abord à la ligne {first.line}); "
                "gardez-en un seul",
            )
        self.problem(place, loc, text)

    def sequence(self, start: yaml.Event, events: Iterator[yaml.Event], loc: Loc) -> Node:
        nodes: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self.node(event, events, (*loc, len(nodes))))
        return Node(nodes, self.place(start), 1 + sum(node.size for node in nodes))

    def alias(self, event: yaml.AliasEvent, loc: Loc) -> Node:
        if node := self.anchors.get(event.anchor or ""):
            return node
        text = Text(
            f"`*{event.anchor}` stands for nothing before it; write `&{event.anchor}` first",
            f"`*{event.anchor}` ne renvoie à rien avant lui; écrivez d'abord `&{event.anchor}`",
        )
        self.problem(self.place(event), loc, text)
        self.usable = False
        return Node(None, self.place(event))

    def refuse_tag(self, event: "_NodeEvent", loc: Loc) -> None:
        if event.tag is not None and event.tag != "!":
            text = Text(
                f"the tag `{event.tag[:60]}` is not supported; write the value without it",
                f"l'étiquette `{event.tag[:60]}` n'est pas acceptée; écrivez la valeur sans elle",
            )
            self.problem(self.place(event), loc, text)

    def refuse_depth(self, event: yaml.Event, loc: Loc) -> None:
        if len(loc) >= MAX_DEPTH:
            text = Text(
                f"nested deeper than {MAX_DEPTH} levels; close a bracket or correct the indents",
                f"imbriqué à plus de {MAX_DEPTH} niveaux; fermez un crochet ou corrigez les "
                "retraits",
            )
            self.problem(self.place(event), loc[:4], text)
            raise ConfigErrors(self.problems)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    """Return what a scalar means by the core schema of YAML 1.2; quoted ones are text."""
    text = str(event.value)
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
