"""What the pages say of dependencies, licences and each other is true."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "hardware/*.md", "config/**/*.md")
    for path in ROOT.glob(pattern)
)


def name_of(requirement: str) -> str:
    """Return the package's name as indexes spell it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def rows(section: str) -> set[str]:
    """Return the packages that a table of the page explains."""
    table = DEPENDENCIES.split(f"## {section}")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \| [^|]{8,} \|$", table, re.MULTILINE)
    return {name_of(one) for cell in cells for one in cell.split(", ")} - {"package"}


def test_each_dependency_of_the_daemon_has_its_line_and_no_other() -> None:
    assert rows("The running daemon") == {
        name_of(one) for one in PROJECT["project"]["dependencies"]
    }


def test_each_tool_has_its_line_and_no_other() -> None:
    groups = PROJECT["dependency-groups"]
    tools = {name_of(one) for group in groups.values() for one in group if isinstance(one, str)}
    assert rows("Tools") == tools


def test_each_system_package_has_its_line_and_no_other() -> None:
    script = (ROOT / "scripts" / "bootstrap").read_text(encoding="utf-8")
    wanted = set(re.findall(r"^([a-z0-9-]+):\S", script, re.MULTILINE))
    assert rows("System packages") == wanted


def closure(names: set[str]) -> set[str]:
    """Return what is installed for `names`, and what that needs."""
    found: set[str] = set()
    while names:
        name = names.pop()
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        names |= {name_of(one) for one in needs if "extra ==" not in one} - found
    return found


def licences(name: str) -> str:
    """Return what a package says of its licence."""
    about = metadata(name).json
    said = [about.get("license_expression") or about.get("license") or ""]
    said += [one for one in about.get("classifier", []) if one.startswith("License")]
    return " ".join(str(line)[:200] for line in said)


def test_no_dependency_of_the_daemon_is_under_the_gpl() -> None:
    found = closure({name_of(one) for one in PROJECT["project"]["dependencies"]})
    assert len(found) > 20
    assert {name: licences(name) for name in found if re.search(r"GPL|GNU", licences(name))} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_page_that_a_page_names_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
