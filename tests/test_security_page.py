"""Each "cannot" of the security page is held by a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


def test_each_test_that_the_page_names_exists() -> None:
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }
    assert len(NAMED) > 40
    assert [name for name in NAMED if name not in written] == []


def test_each_cannot_names_a_test() -> None:
    tables = re.findall(r"\| it cannot \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    assert len(tables) == 4
    rows = [row for table in tables for row in table.splitlines()]
    assert [row for row in rows if "`test_" not in row and "all tests above" not in row] == []
