"""YAML to a tree: what it means, where it stands, and what it cannot do to us."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.config.problems import ConfigErrors, Problem
from radiobridge.config.tree import MAX_NODES, parse_draft, parse_tree


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigErrors) as caught:
        parse_tree(text, "f.yaml")
    return caught.value.problems


MEANINGS = [
    ("a: 1", 1),
    ("a: -12", -12),
    ("a: 007", "007"),
    ("a: 0x10", "0x10"),
    ("a: 1.5", 1.5),
    ("a: 1e3", "1e3"),
    ("a: true", True),
    ("a: yes", "yes"),
    ("a: on", "on"),
    ("a: NO", "NO"),
    ("a: 10:30", "10:30"),
    ("a: 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("a: ~", None),
    ("a:", None),
    ("a: ''", ""),
    ("a: '1'", "1"),
    ('a: "true"', "true"),
    ("a: [1, {b: c}]", [1, {"b": "c"}]),
    ("a: &x {b: 1}\nc: *x", {"b": 1}),
    ("a: 9999999999999999999999", "9999999999999999999999"),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_scalars_mean_what_they_look_like(text: str, meaning: object) -> None:
    value = parse_tree(text, "f")
    found = value.plain()["a"]
    assert found == meaning
    assert type(found) is type(meaning)


def test_places_are_those_of_keys_and_items() -> None:
    tree = parse_tree("a:\n  b:\n    - 1\n    - 2\nc: {d: 3}\n", "f.yaml")
    assert tree.place_of(("a",)).line == 1
    assert tree.place_of(("a", "b")).line == 2
    assert tree.place_of(("a", "b", 1)).line == 4
    assert tree.place_of(("c", "d")).line == 5
    assert tree.place_of(("c", "missing")).line == 5
    assert str(tree.place_of(())) == "f.yaml:1"


WRONG = {
    "colon": ("a: b: c", 1, "where none can be", "mal placé"),
    "no colon": ("a: 1\nb\nc: 2\n", 3, "`key: value`", "`clé: valeur`"),
    "indent": ("a:\n    b: 1\n  c: 2\n", 3, "indentation", "retrait"),
    "open list": ("a: [1, 2\nb: 3\n", 2, "add `]`", "ajoutez `]`"),
    "open mapping": ("a: {b: 1\nc: [\n", 2, "`", "`"),
    "open quote": ("a: 'x\nb: 1\n", 3, "closing quote", "guillemet fermant"),
    "backslash": ('a: "\\q"', 1, "backslash", "barre oblique inverse"),
    "at sign": ("a: @x", 1, "in quotes", "entre guillemets"),
    "duplicate": ("a: 1\nb: 2\na: 3\n", 3, "first on line 1", "d'abord à la ligne 1"),
    "tag": ("a: !!python/object:os.system x", 1, "is not supported", "n'est pas acceptée"),
    "merge": ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys", "clés de fusion"),
    "documents": ("a: 1\n---\nb: 2\n", 2, "second document", "second document"),
    "comments": ("# nothing\n", 1, "nothing but comments", "que des commentaires"),
    "complex key": ("? [a]\n: b\n", 1, "must be a word", "doit être un mot"),
    "unknown alias": ("a: *x", 1, "stands for nothing", "ne renvoie à rien"),
    "alias to itself": ("a: &x [*x]", 1, "stands for nothing", "ne renvoie à rien"),
    "deep lists": ("[" * 100_000, 1, "nested deeper", "imbriqué"),
    "deep mappings": ("a: {" * 5_000, 1, "nested deeper", "imbriqué"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_yaml_says_line_and_what_would_be_right(name: str) -> None:
    text, line, en, fr = WRONG[name]
    problem = problems_of(text)[0]
    assert problem.place.line == line
    assert en in problem.text.en
    assert fr in problem.text.fr


def test_all_duplicates_are_reported() -> None:
    found = problems_of("a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert [(p.place.line, p.path) for p in found] == [(2, "b.c"), (3, "a")]


def test_a_key_that_is_there_three_times_names_the_first() -> None:
    assert all("first on line 1" in p.text.en for p in problems_of("a: 1\na: 2\na: 3\n"))


def test_what_is_wrong_in_the_syntax_does_not_hide_the_rest() -> None:
    draft = parse_draft("a: 1\na: 2\nb: !x 3\n<<: {c: 4}\n? [d]\n: 5\ne: 6\n---\nf: 7\n", "f.yaml")
    assert [p.place.line for p in draft.problems] == [2, 3, 4, 5, 8]
    assert draft.node.plain() == {"a": 1, "b": "3", "e": 6}


def test_an_alias_bomb_is_refused_before_it_expands() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    problem = problems_of("\n".join(lines))[0]
    assert f"more than {MAX_NODES}" in problem.text.en
    assert problem.place.line == 5


def test_too_many_values_are_refused() -> None:
    assert f"plus de {MAX_NODES}" in problems_of("a: [" + "1," * 30_000 + "]")[0].text.fr


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\n -:")))
def test_any_text_is_a_tree_or_config_errors(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse_tree(text, "f").plain()
    except ConfigErrors as error:
        problems = error.problems
    assert all(p.place.line >= 1 and p.text.en and p.text.fr for p in problems)


_KEYS = st.text("abcdefgh", min_size=1, max_size=4)
_VALUES = st.recursive(
    st.integers(-(10**9), 10**9) | st.booleans() | st.none() | _KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_KEYS, _VALUES, min_size=1))
def test_what_yaml_writes_is_read_back(value: dict[str, object]) -> None:
    assert parse_tree(yaml.safe_dump(value), "f").plain() == value
