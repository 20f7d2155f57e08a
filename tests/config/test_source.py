"""What is no configuration file at all."""

import os
import tracemalloc
from pathlib import Path

import pytest

from radiobridge.config.problems import ConfigErrors, Problem
from radiobridge.config.source import MAX_BYTES, read_source
from radiobridge.text import Language


def problem_of(path: Path) -> Problem:
    with pytest.raises(ConfigErrors) as caught:
        read_source(path)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


CASES = {
    "empty": (b"", 1, "empty", "vide"),
    "blank": (b"\n \n\n", 1, "empty", "vide"),
    "latin-1": (b"a: 1\nb: caf\xe9\n", 2, "not UTF-8", "pas de l'UTF-8"),
    "utf-16": ("a: 1\n".encode("utf-16"), 1, "not UTF-8", "pas de l'UTF-8"),
    "nul": (b"a: 1\n\nb: x\x00y\n", 3, "U+0000", "U+0000"),
    "escape": (b"a: \x1b[31mred\n", 1, "U+001B", "U+001B"),
    "tab": (b"a:\n\tb: 1\n", 2, "a tab indents", "une tabulation"),
    "tab after spaces": (b"a:\n  \tb: 1\n", 2, "indent with spaces", "utilisez des espaces"),
}


@pytest.mark.parametrize("name", CASES)
def test_says_what_is_wrong_and_where(tmp_path: Path, name: str) -> None:
    content, line, en, fr = CASES[name]
    path = tmp_path / "gateway.yaml"
    path.write_bytes(content)
    problem = problem_of(path)
    assert problem.place.line == line
    assert en in problem.text.en
    assert fr in problem.text.fr
    assert problem.to(Language.EN).startswith(f"{path}:{line}: ")


def test_each_tab_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("a:\n\tb: 1\n\tc: 2\n", encoding="utf-8")
    with pytest.raises(ConfigErrors) as caught:
        read_source(path)
    assert [p.place.line for p in caught.value.problems] == [2, 3]


def test_tabs_elsewhere_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("a: 1\t# why\n\t# a comment\n\t\nb: 2\n", encoding="utf-8")
    assert "b: 2" in read_source(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_source(path) == "a: 1\n"


def test_a_50_mb_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    problem = problem_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "50000000 bytes" in problem.text.en
    assert "50000000 octets" in problem.text.fr
    assert peak < 2 * MAX_BYTES


def test_what_is_missing_or_no_file(tmp_path: Path) -> None:
    assert "does not exist" in problem_of(tmp_path / "none.yaml").text.en
    assert "n'existe pas" in problem_of(tmp_path / "none.yaml").text.fr
    assert "is a folder" in problem_of(tmp_path).text.en
    circle = tmp_path / "circle.yaml"
    circle.symlink_to(circle)
    assert "circle" in problem_of(circle).text.en


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "not a regular file" in problem_of(pipe).text.en
    assert "not a regular file" in problem_of(Path("/dev/zero")).text.en
