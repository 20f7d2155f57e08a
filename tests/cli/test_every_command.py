"""Each command of the whole tree: help with an example that is right, and JSON."""

import re
import shlex

import pytest

from tests.cli.command_tree import Leaf, leaves
from tests.cli.commands import run

LEAVES = leaves()
EXAMPLE = re.compile(r"^(?:Example|Exemple) ?: ?(.*)$")

NO_JSON = {"run", "schema", "demo", "bench", "simulate"}
"""They print nothing that anybody would read, or JSON anyway; or tell a story."""


def parametrized(found: list[Leaf]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("leaf", found, ids=[leaf.name for leaf in found])


def examples(leaf: Leaf) -> list[list[str]]:
    """Return the arguments of each example, without what the shell makes of the rest."""
    found = EXAMPLE.match(str(leaf.command.epilog or ""))
    assert found is not None, f"{leaf.name}: no example: {leaf.command.epilog}"
    lexer = shlex.shlex(found[1], posix=True, punctuation_chars=";|<>&")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if set(word) <= set(";|&"):
            commands.append([])
            redirected = False
        elif set(word) <= set("<>"):
            redirected = True
        elif not redirected:
            commands[-1].append(word)
    return commands


@parametrized(LEAVES)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], leaf: Leaf) -> None:
    ran = run(capsys, *leaf.path, "--help")
    assert ran.status == 0
    assert re.search(r"(Example|Exemple) ?:", ran.out)
    assert leaf.command.help or leaf.command.callback.__doc__


@parametrized(LEAVES)
def test_the_example_is_right(leaf: Leaf) -> None:
    for words in examples(leaf):
        assert words[: 1 + len(leaf.path)] == ["radiobridge", *leaf.path]
        # What is wrong raises; nothing is carried out.
        leaf.command.make_context(leaf.name, words[1 + len(leaf.path) :])


@parametrized([leaf for leaf in LEAVES if leaf.path[0] not in NO_JSON])
def test_it_gives_json(leaf: Leaf) -> None:
    assert "--json" in leaf.options


def test_all_of_them_were_looked_at() -> None:
    names = {leaf.name for leaf in LEAVES}
    assert {"patch withdraw", "audit verify", "keys trust", "emergency clear", "status"} <= names
    assert len(names) > 35
