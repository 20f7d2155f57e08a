"""Each radio's interface and audio settings, checked by the model of the driver that they name."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from radiobridge.config.drivers import reports_channel, settings_model
from radiobridge.config.explain import unknown
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report, validate
from radiobridge.drivers.registry import Group, names
from radiobridge.errors import RadioBridgeError
from radiobridge.text import Text

_GROUPS = {"interface": Group.INTERFACES, "audio": Group.AUDIO}
_DRIVER = {
    "interface": Text("interface driver", "pilote d'interface inconnu"),
    "audio": Text("audio driver", "pilote audio inconnu"),
}


def with_drivers(
    config: GatewayConfig, tree: Node, report: Report, base: Path
) -> tuple[GatewayConfig, frozenset[str]]:
    """Return `config` with every driver's settings complete, and the radios where they are right.

    Complete: defaults filled in, JSON values. What is wrong is noted and stays as it is written.
    """
    radios, right = {}, set()
    for name, radio in config.radios.items():
        before = len(report.problems)
        update: dict[str, Any] = {}
        for part in _GROUPS:
            if getattr(radio, part) is not None:
                loc = ("radios", name, part)
                checked = _checked(tree, loc, report, base, simulation=config.simulation)
                update.update({part: checked} if checked else {})
        if update.get("interface", radio.interface).get("driver") == "usrp":
            _same_stream(tree, name, update.get("audio", radio.audio), update, report)
        if radio.channel is not None and "interface" in update:
            _tells_channel(
                tree, name, update["interface"]["driver"], report, simulation=config.simulation
            )
        radios[name] = radio.model_copy(update=update)
        right |= {name} if len(report.problems) == before else set()
    return config.model_copy(update={"radios": radios}), frozenset(right)


def _checked(
    tree: Node, loc: Loc, report: Report, base: Path, *, simulation: bool
) -> dict[str, Any] | None:
    node: Node | None = tree
    for step in loc:
        node = node.child(str(step)) if node else None
    if node is None:
        return None
    try:
        model = _model(tree, node, loc, report, simulation=simulation)
    except RadioBridgeError as error:
        report.wrong(tree, (*loc, "driver"), *error.text)
        return None
    if model is None:
        return None
    if model is BaseModel:
        return dict(node.plain())
    before = len(report.problems)
    settings = validate(node, model, report, base, prefix=loc)
    if settings is None or len(report.problems) > before:
        return None
    return settings.model_dump(mode="json", exclude_none=True)


def _model(
    tree: Node, node: Node, loc: Loc, report: Report, *, simulation: bool
) -> type[BaseModel] | None:
    """Return the model of the driver that `node` names; BaseModel when it takes any mapping."""
    group = _GROUPS[str(loc[-1])]
    known = names(group)
    named = node.child("driver")
    if named is None:
        listed = ", ".join(known)
        report.wrong(
            tree,
            loc,
            f"`driver` is missing; write one of {listed}",
            f"`driver` manque; écrivez l'un de {listed}",
        )
        return None
    if not isinstance(named.value, str) or named.value not in known:
        text = unknown(
            _DRIVER[str(loc[-1])], named.value, known, Text("none is installed", "aucun installé")
        )
        report.wrong(tree, (*loc, "driver"), text.en, text.fr)
        return None
    return settings_model(group, named.value, simulation=simulation) or BaseModel


def _tells_channel(tree: Node, name: str, driver: str, report: Report, *, simulation: bool) -> None:
    """A radio that never says which channel it is on would be cut for good by `channel`."""
    if reports_channel(driver, simulation=simulation):
        return
    report.wrong(
        tree,
        ("radios", name, "channel"),
        f"interface `{driver}` never reports a channel, so the radio would stay cut; remove "
        "`channel`, or use an interface that does, as `ccdi`",
        f"l'interface `{driver}` n'indique jamais de canal, la radio resterait donc coupée; "
        "retirez `channel`, ou employez une interface qui le fait, comme `ccdi`",
    )


def _same_stream(
    tree: Node, name: str, audio: dict[str, Any] | None, update: dict[str, Any], report: Report
) -> None:
    """Interface `usrp` carries the voice: audio is left out, or says the same."""
    update["audio"] = None
    interface = update.get("interface", {})
    if audio is None or (
        audio.get("driver") == "usrp"
        and all(audio.get(key) == interface.get(key) for key in ("listen", "peer") if interface)
    ):
        return
    report.wrong(
        tree,
        ("radios", name, "audio"),
        "interface `usrp` carries the voice itself; remove `audio`",
        "l'interface `usrp` porte elle-même la voix; retirez `audio`",
    )
