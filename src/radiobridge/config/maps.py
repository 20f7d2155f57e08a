"""The talkgroup map, checked against the gateway, as the model that the rest works with."""

from dataclasses import dataclass

from radiobridge.config.explain import unknown
from radiobridge.config.files import TalkgroupConfig, TalkgroupsConfig
from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report, names_in, same_but_for_case
from radiobridge.model.ids import AgencyId, RadioName, TalkgroupId, parse_gateway
from radiobridge.model.talkgroup import RadioRef, Talkgroup, TalkgroupMap
from radiobridge.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFile:
    """`talkgroups.yaml` as read."""

    tree: Node
    config: TalkgroupsConfig
    """Without the talkgroups that are written wrongly; those are reported already."""

    def names(self) -> frozenset[str]:
        """Return all talkgroups that the file names, right or wrong."""
        return names_in(self.tree, "talkgroups")


def talkgroup_map(config: TalkgroupsConfig) -> TalkgroupMap:
    """Return the map as the model has it."""
    agency = AgencyId(config.agency)
    talkgroups = {
        TalkgroupId(agency, name): _talkgroup(TalkgroupId(agency, name), talkgroup)
        for name, talkgroup in config.talkgroups.items()
    }
    joins = tuple(frozenset(TalkgroupId(agency, n) for n in names) for names in config.joins)
    return TalkgroupMap(agency=agency, talkgroups=talkgroups, joins=joins)


def _talkgroup(id_: TalkgroupId, config: TalkgroupConfig) -> Talkgroup:
    return Talkgroup(
        id=id_,
        label=config.label.text,
        air=config.air,
        receive=frozenset(_ref(id_.agency, path) for path in config.receive),
        transmit=tuple((c, _ref(id_.agency, p)) for c, p in sorted(config.transmit.items())),
        separate_coverage=config.separate_coverage,
        announce=config.announce,
    )


def _ref(agency: AgencyId, path: str) -> RadioRef:
    gateway, _, radio = path.partition("/")
    return RadioRef(parse_gateway(f"{agency}/{gateway}"), RadioName(radio))


def check_map(file: MapFile, report: Report) -> None:
    """Note what is wrong within the map itself."""
    same_but_for_case(report, file.tree, ("talkgroups",))
    served: dict[str, str] = {}
    for name, talkgroup in file.config.talkgroups.items():
        _check_coverages(file, name, talkgroup, report)
        for path in dict.fromkeys((*talkgroup.receive, *talkgroup.transmit.values())):
            other = served.setdefault(path.casefold(), name)
            if other != name:
                report.wrong(
                    file.tree,
                    _path_loc(talkgroup, name, path),
                    f"radio `{path}` is already on {other}; a radio is on one talkgroup",
                    f"la radio `{path}` est déjà sur {other}; une radio est sur un seul groupe",
                )
    _check_joins(file, report)


def _check_coverages(file: MapFile, name: str, talkgroup: TalkgroupConfig, report: Report) -> None:
    first: dict[str, str] = {}
    for coverage in talkgroup.transmit:
        other = first.setdefault(coverage.casefold(), coverage)
        if other != coverage:
            report.wrong(
                file.tree,
                ("talkgroups", name, "transmit", coverage),
                f"two transmitters for one coverage (`{other}` and `{coverage}` differ in case "
                "only); keep one, or name the other coverage otherwise",
                f"deux émetteurs pour une couverture (`{other}` et `{coverage}` ne diffèrent que "
                "par la casse); gardez-en un, ou nommez autrement l'autre couverture",
            )


def _check_joins(file: MapFile, report: Report) -> None:
    joined: dict[str, int] = {}
    for index, names in enumerate(file.config.joins):
        for position, name in enumerate(names):
            loc: Loc = ("joins", index, position)
            if name not in file.names():
                text = unknown_talkgroup(name, file)
                report.wrong(file.tree, loc, text.en, text.fr)
            elif name in joined:
                report.wrong(
                    file.tree,
                    loc,
                    f"{name} is in two joins; write all that hear each other into one",
                    f"{name} est dans deux jonctions; réunissez en une tous ceux qui s'entendent",
                )
            joined.setdefault(name, index)


def check_served(config: GatewayConfig, tree: Node, file: MapFile, report: Report) -> None:
    """Note where the map and the gateway's radios do not say the same."""
    if file.config.agency != config.agency:
        report.wrong(
            file.tree,
            ("agency",),
            f"this map is of {file.config.agency}, the gateway is of {config.agency}; name the "
            "map of its own agency",
            f"cette carte est de {file.config.agency}, la passerelle de {config.agency}; nommez "
            "la carte de sa propre agence",
        )
        return
    for name, radio in config.radios.items():
        _check_radio(config, name, radio.talkgroup, tree, file, report)
    _check_mapped(config, tree, file, report)


def _check_radio(
    config: GatewayConfig, name: str, talkgroup: str, tree: Node, file: MapFile, report: Report
) -> None:
    loc: Loc = ("radios", name, "talkgroup")
    mapped = file.config.talkgroups.get(talkgroup)
    path = f"{config.gateway}/{name}"
    if mapped is None:
        if talkgroup not in file.names():
            text = unknown_talkgroup(talkgroup, file)
            report.wrong(tree, loc, text.en, text.fr)
    elif path not in (*mapped.receive, *mapped.transmit.values()):
        where = file.tree.place_of(("talkgroups", talkgroup))
        report.wrong(
            tree,
            loc,
            f"{talkgroup} is not served by this radio in the map; add `{path}` to its `receive` "
            f"or `transmit` ({where})",
            f"{talkgroup} n'est pas desservi par cette radio dans la carte; ajoutez `{path}` à "
            f"son `receive` ou `transmit` ({where})",
        )
    elif path in mapped.transmit.values() and _cannot_key(config, name):
        report.wrong(
            tree,
            ("radios", name, "interface", "driver"),
            f"interface `none` cannot key, but the map lets this radio transmit {talkgroup}; use "
            "another interface, or take it out of `transmit`",
            f"l'interface `none` ne peut émettre, mais la carte fait émettre {talkgroup} par "
            "cette radio; prenez une autre interface, ou retirez-la de `transmit`",
        )


def _cannot_key(config: GatewayConfig, name: str) -> bool:
    return config.radios[name].interface.get("driver") == "none"


def _check_mapped(config: GatewayConfig, tree: Node, file: MapFile, report: Report) -> None:
    """Each radio that the map puts at this gateway must be there, on that talkgroup."""
    written = tree.child("radios")
    radios = written.entries() if written else {}
    for name, talkgroup in file.config.talkgroups.items():
        for path in dict.fromkeys((*talkgroup.receive, *talkgroup.transmit.values())):
            gateway, _, radio = path.partition("/")
            if gateway != config.gateway:
                continue
            loc = _path_loc(talkgroup, name, path)
            if radio not in radios:
                none = Text("the gateway has no radios", "la passerelle n'a pas de radio")
                what = Text(f"radio of {gateway}", f"radio inconnue de {gateway}")
                text = unknown(what, radio, radios, none)
                report.wrong(file.tree, loc, text.en, text.fr)
            elif (real := config.radios.get(radio)) and real.talkgroup != name:
                report.wrong(
                    file.tree,
                    loc,
                    f"radio `{path}` is on {real.talkgroup} in the gateway's file; correct one of "
                    "the two",
                    f"la radio `{path}` est sur {real.talkgroup} dans le fichier de la "
                    "passerelle; corrigez l'un des deux",
                )


def _path_loc(talkgroup: TalkgroupConfig, name: str, path: str) -> Loc:
    if path in talkgroup.receive:
        return ("talkgroups", name, "receive", talkgroup.receive.index(path))
    coverage = next(c for c, p in talkgroup.transmit.items() if p == path)
    return ("talkgroups", name, "transmit", coverage)


def unknown_talkgroup(name: str, file: MapFile) -> Text:
    """Return what to say of a talkgroup that the map does not name."""
    none = Text("the map has none yet", "la carte n'en a pas encore")
    return unknown(Text("talkgroup", "groupe inconnu"), name, file.names(), none)
