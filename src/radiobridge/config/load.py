"""A gateway's configuration, whole and checked, or everything that is wrong with it.

Reading changes nothing anywhere, so a running daemon can call it to re-read (SIGHUP): it gets all
of the new configuration, or ConfigErrors.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from radiobridge.config.brokers import check_brokers
from radiobridge.config.devices import check_devices, remark_devices
from radiobridge.config.files import Activation, PartnersConfig, PlansConfig, TalkgroupsConfig
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.maps import MapFile, check_map, check_served, talkgroup_map
from radiobridge.config.plans import (
    Partner,
    PartnersFile,
    PlansFile,
    check_partners,
    check_plans,
)
from radiobridge.config.problems import ConfigErrors, Problem
from radiobridge.config.profiles import with_profiles
from radiobridge.config.radio_drivers import with_drivers
from radiobridge.config.radios import check_radio
from radiobridge.config.secrets import check_files, check_socket
from radiobridge.config.tree import Node, read_draft
from radiobridge.config.validate import Report, same_but_for_case, validate
from radiobridge.model.ids import AgencyId
from radiobridge.model.patch import Terms
from radiobridge.model.talkgroup import TalkgroupMap


class Files(Enum):
    """Whether the keys, the roster and the certificates are looked at."""

    CHECKED = "checked"
    UNSEEN = "unseen"
    """For checking on another machine than the gateway's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedGateway:
    """All that a gateway is configured with."""

    config: GatewayConfig
    map: TalkgroupMap
    partners: dict[AgencyId, Partner]
    """Trusted agencies, the own one among them."""
    plans: tuple[Terms, ...]
    """Standing plans."""
    on_demand: tuple[Terms, ...]
    """Plans that wait to be activated."""
    base: Path
    """The folder of the gateway's file, absolute."""
    remarks: tuple[Problem, ...] = ()
    """What an operator should look at; it stops nothing."""


def load_gateway(path: Path, *, files: Files = Files.CHECKED) -> LoadedGateway:
    """Read a gateway's file and all that it names; raise ConfigErrors with every problem."""
    report, base = Report(), path.parent
    tree = with_profiles(_read(path, report), report, base)
    draft = _draft(tree, report, base)
    _check(draft, tree, report, files)
    if report.problems or draft.config is None or draft.map is None or draft.partners is None:
        raise ConfigErrors(report.problems)
    return LoadedGateway(
        config=draft.config,
        map=talkgroup_map(draft.map.config),
        partners=draft.partners.partners(),
        plans=draft.plans.terms(Activation.STANDING) if draft.plans else (),
        on_demand=draft.plans.terms(Activation.ON_DEMAND) if draft.plans else (),
        base=base.absolute(),
        remarks=tuple(report.remarks),
    )


@dataclass(slots=True, kw_only=True)
class _Draft:
    """What could be read; None where a file is missing or hopeless."""

    config: GatewayConfig | None
    right: frozenset[str]
    """The radios whose drivers' settings are right."""
    map: MapFile | None
    partners: PartnersFile | None
    plans: PlansFile | None


def _draft(tree: Node, report: Report, base: Path) -> _Draft:
    config = validate(tree, GatewayConfig, report, base.absolute())
    right: frozenset[str] = frozenset()
    if config is not None:
        config, right = with_drivers(config, tree, report, base.absolute())
    map_ = _read_named(tree, "talkgroups", TalkgroupsConfig, report, base)
    partners = _read_named(tree, "partners", PartnersConfig, report, base)
    plans = _read_named(tree, "plans", PlansConfig, report, base)
    return _Draft(
        config=config,
        right=right,
        map=MapFile(tree=map_[0], config=map_[1]) if map_ else None,
        partners=PartnersFile(tree=partners[0], config=partners[1]) if partners else None,
        plans=PlansFile(tree=plans[0], config=plans[1]) if plans else None,
    )


def _check(draft: _Draft, tree: Node, report: Report, files: Files) -> None:
    if draft.map is not None:
        check_map(draft.map, report)
    config = draft.config
    if config is None:
        return
    same_but_for_case(report, tree, ("radios",))
    for name in sorted(draft.right):
        check_radio(config, name, tree, report)
    check_devices(config, tree, report)
    check_brokers(config, tree, report)
    check_socket(config, tree, report)
    if draft.map is not None:
        check_served(config, tree, draft.map, report)
    if draft.partners is not None:
        check_partners(draft.partners, config.agency, report)
    if draft.plans is not None:
        check_plans(draft.plans, config.agency, draft.partners, draft.map, report)
    if files is Files.CHECKED:
        own = draft.partners.config.partners.get(config.agency) if draft.partners else None
        check_files(config, own.key if own else None, tree, report)
        remark_devices(config, tree, report)


def _read(path: Path, report: Report) -> Node:
    node, problems = read_draft(path)
    report.problems += problems
    return node


M = TypeVar("M", bound=BaseModel)


def _read_named(
    tree: Node, key: str, model: type[M], report: Report, base: Path
) -> tuple[Node, M] | None:
    """Return tree and settings of the file that the gateway's `key` names."""
    named = tree.child(key)
    if named is None or not isinstance(named.value, str):
        return None
    path = base / Path(named.value).expanduser()
    try:
        sub = _read(path, report)
    except ConfigErrors as error:
        report.problems += error.problems
        return None
    config = validate(sub, model, report, path.parent)
    return (sub, config) if config is not None else None
