"""Radio profiles: what all radios of a family share, laid under each radio's own settings.

A profile `tait-tm9100` is the file `tait-tm9100.yaml`, looked for in `profiles/` beside the
gateway's file, then among those that come with the program (`hardware/profiles`).
"""

from collections.abc import Iterator
from pathlib import Path

from radiobridge.config.explain import unknown
from radiobridge.config.problems import ConfigErrors
from radiobridge.config.radio import ProfileConfig
from radiobridge.config.tree import Entry, Node, read_draft
from radiobridge.config.validate import Report, validate
from radiobridge.text import Text

_SECTIONS = ("interface", "audio", "receive", "transmit")

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = (_PACKAGE / "profiles", _PACKAGE.parents[1] / "hardware" / "profiles")
"""In an installed package, and in a source tree."""


def with_profiles(tree: Node, report: Report, base: Path) -> Node:
    """Return the gateway's tree with each radio's profile laid under its settings."""
    radios = tree.child("radios")
    if radios is None or not radios.entries():
        return tree
    merged = {
        name: Entry(place, _with_profile(tree, name, radio, report, base))
        for name, (place, radio) in radios.entries().items()
    }
    place = tree.entries()["radios"].place
    entries = {**tree.entries(), "radios": Entry(place, Node(merged, radios.place))}
    return Node(entries, tree.place)


def profile_files(base: Path) -> dict[str, Path]:
    """Return the profiles that a gateway's file in `base` can name."""
    folders = (*reversed(_SHIPPED), base / "profiles")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def _with_profile(tree: Node, radio: str, node: Node, report: Report, base: Path) -> Node:
    named = node.child("profile")
    if named is None or not isinstance(named.value, str):
        return node
    files = profile_files(base)
    if named.value not in files:
        text = unknown(
            Text("profile", "profil inconnu"),
            named.value,
            files,
            Text("none is installed; remove the key", "aucun n'est installé; retirez la clé"),
        )
        report.wrong(tree, ("radios", radio, "profile"), text.en, text.fr)
        return node
    profile = _read_profile(files[named.value], report)
    return _laid_under(node, profile) if profile else node


def _read_profile(path: Path, report: Report) -> Node | None:
    try:
        tree, problems = read_draft(path)
    except ConfigErrors as error:
        report.problems += [p for p in error.problems if p not in report.problems]
        return None
    mine = Report(problems=list(problems))
    validate(tree, ProfileConfig, mine, path.parent)
    report.problems += [p for p in mine.problems if p not in report.problems]
    return tree


def _laid_under(radio: Node, profile: Node) -> Node:
    entries = dict(radio.entries())
    entries.update(_sections(radio, profile))
    return Node(entries, radio.place)


def _sections(radio: Node, profile: Node) -> Iterator[tuple[str, Entry]]:
    for section in _SECTIONS:
        default, own = profile.entries().get(section), radio.entries().get(section)
        if default is None or not default.node.entries():
            continue
        if own is None:
            yield section, default
        elif own.node.entries() and not _other_driver(own.node, default.node):
            both = {**default.node.entries(), **own.node.entries()}
            yield section, Entry(own.place, Node(both, own.node.place))


def _other_driver(own: Node, default: Node) -> bool:
    mine, theirs = own.child("driver"), default.child("driver")
    return mine is not None and (theirs is None or mine.value != theirs.value)
