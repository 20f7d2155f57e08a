"""Partners and plans, checked against the agency's own map, as the models that patches use."""

from dataclasses import dataclass

from radiobridge.config.explain import unknown
from radiobridge.config.files import (
    Activation,
    MemberConfig,
    PartnersConfig,
    PlanConfig,
    PlansConfig,
)
from radiobridge.config.maps import MapFile, unknown_talkgroup
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report, names_in, same_but_for_case
from radiobridge.core.activation import LONGEST_PLAN_ID
from radiobridge.model.ids import AgencyId, PatchId, TalkgroupId
from radiobridge.model.patch import Member, Terms
from radiobridge.services.patch_view import crossings
from radiobridge.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One agency that this one trusts."""

    public_key: bytes
    """Ed25519, 32 bytes."""
    label: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnersFile:
    """`partners.yaml` as read."""

    tree: Node
    config: PartnersConfig
    """Without the agencies that are written wrongly; those are reported already."""

    def names(self) -> frozenset[str]:
        """Return all agencies that the file names, right or wrong."""
        return names_in(self.tree, "partners")

    def partners(self) -> dict[AgencyId, Partner]:
        """Return the agencies as the model has them."""
        return {
            AgencyId(name): Partner(public_key=partner.key, label=partner.label.text)
            for name, partner in self.config.partners.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlansFile:
    """`plans.yaml` as read."""

    tree: Node
    config: PlansConfig

    def terms(self, activation: Activation) -> tuple[Terms, ...]:
        """Return the plans of one kind as terms, sorted by patch id."""
        plans = sorted(self.config.plans.items())
        return tuple(
            plan_terms(name, plan) for name, plan in plans if plan.activation is activation
        )


def plan_terms(name: str, plan: PlanConfig) -> Terms:
    """Return a plan as terms."""
    return Terms(
        patch=PatchId(name),
        purpose=plan.purpose,
        incident=plan.incident,
        host=AgencyId(plan.host),
        start_ms=plan.from_,
        end_ms=plan.until,
        recording=plan.recording,
        members=tuple(_member(tg, member) for tg, member in sorted(plan.members.items())),
    )


def _member(talkgroup: TalkgroupId, config: MemberConfig) -> Member:
    return Member(
        talkgroup=talkgroup,
        access=config.access,
        max_class=config.max_class,
        max_priority=config.max_priority,
        air=config.air,
        signalling=config.signalling,
        in_clear=config.in_clear,
    )


def check_partners(file: PartnersFile, agency: str, report: Report) -> None:
    """Note agencies whose names or keys cannot both stand."""
    same_but_for_case(report, file.tree, ("partners",))
    if agency not in file.names():
        report.wrong(
            file.tree,
            ("partners",),
            f"the own agency {agency} is missing, whose key proves the roster; add it with "
            "`radiobridge keys trust`",
            f"l'agence {agency} elle-même manque, dont la clé prouve le registre; ajoutez-la par "
            "`radiobridge keys trust`",
        )
    keys: dict[bytes, str] = {}
    for name, partner in file.config.partners.items():
        loc: Loc = ("partners", name)
        if name != agency and name.casefold() == agency.casefold():
            report.wrong(
                file.tree,
                loc,
                f"differs from the own agency `{agency}` in case only; write `{agency}`",
                f"ne diffère de l'agence `{agency}` que par la casse; écrivez `{agency}`",
            )
        other = keys.setdefault(partner.key, name)
        if other != name:
            report.wrong(
                file.tree,
                (*loc, "key"),
                f"{other} has the same key; ask both agencies for their fingerprints",
                f"{other} a la même clé; demandez leurs empreintes aux deux agences",
            )


def check_plans(
    file: PlansFile,
    agency: str,
    partners: PartnersFile | None,
    map_: MapFile | None,
    report: Report,
) -> None:
    """Note plans that could never come into force as they are written."""
    same_but_for_case(report, file.tree, ("plans",))
    for name, plan in file.config.plans.items():
        loc: Loc = ("plans", name)
        _check_window(file, loc, plan, report)
        _check_on_demand(file, loc, name, plan, report)
        _check_host(file, loc, plan, agency, report)
        for talkgroup, member in plan.members.items():
            at = (*loc, "members", str(talkgroup))
            if talkgroup.agency == agency:
                _check_own(file, at, talkgroup, member, map_, report)
            elif partners and talkgroup.agency not in partners.names():
                known = {agency, *partners.names()}
                none = Text("trust it first", "faites-lui d'abord confiance")
                text = unknown(Text("agency", "agence inconnue"), talkgroup.agency, known, none)
                report.wrong(file.tree, at, text.en, text.fr)
        for note in crossings(plan_terms(name, plan)):
            report.remark(file.tree, (*loc, "members"), note.en, note.fr)


def _check_window(file: PlansFile, loc: Loc, plan: PlanConfig, report: Report) -> None:
    if plan.until <= plan.from_:
        report.wrong(
            file.tree,
            (*loc, "until"),
            "the plan ends before it starts; `until` must be after `from`",
            "le plan finit avant de commencer; `until` doit être après `from`",
        )


def _check_on_demand(
    file: PlansFile, loc: Loc, name: str, plan: PlanConfig, report: Report
) -> None:
    """Each activation is called after its plan, with a number."""
    if plan.activation is Activation.ON_DEMAND and len(name) > LONGEST_PLAN_ID:
        report.wrong(
            file.tree,
            loc,
            f"the name of a plan on demand has at most {LONGEST_PLAN_ID} characters: its "
            "activations are numbered",
            f"le nom d'un plan à la demande a au plus {LONGEST_PLAN_ID} caractères : ses "
            "activations sont numérotées",
        )


def _check_host(file: PlansFile, loc: Loc, plan: PlanConfig, agency: str, report: Report) -> None:
    members = names_in(file.tree, *map(str, loc), "members")
    owners = sorted({member.partition("/")[0] for member in members})
    at = (*loc, "members")
    if len(members) < 2:
        report.wrong(
            file.tree,
            at,
            "a patch needs two members or more; name them `agency/talkgroup`",
            "un jumelage demande au moins deux membres; nommez-les `agence/groupe`",
        )
    elif agency not in owners:
        report.wrong(
            file.tree,
            at,
            f"names no talkgroup of {agency}; add one, or remove the plan",
            f"ne nomme aucun groupe de {agency}; ajoutez-en un, ou retirez le plan",
        )
    elif len(owners) == 1:
        report.wrong(
            file.tree,
            at,
            f"all members are of {agency}; join them in the talkgroup map (`joins`) instead",
            f"tous les membres sont de {agency}; réunissez-les plutôt dans la carte (`joins`)",
        )
    elif plan.host not in owners:
        report.wrong(
            file.tree,
            (*loc, "host"),
            f"`{plan.host}` owns no member of this plan; the host is {' or '.join(owners)}",
            f"`{plan.host}` n'a aucun membre dans ce plan; l'hôte est {' ou '.join(owners)}",
        )


def _check_own(
    file: PlansFile,
    loc: Loc,
    talkgroup: TalkgroupId,
    member: MemberConfig,
    map_: MapFile | None,
    report: Report,
) -> None:
    if map_ is None:
        return
    mapped = map_.config.talkgroups.get(talkgroup.name)
    if mapped is None:
        if talkgroup.name not in map_.names():
            text = unknown_talkgroup(talkgroup.name, map_)
            report.wrong(file.tree, loc, text.en, text.fr)
    elif mapped.air is not member.air:
        report.wrong(
            file.tree,
            (*loc, "air"),
            f"is `{member.air}`, but the map says `{mapped.air}`; correct the one that is wrong",
            f"vaut `{member.air}`, mais la carte dit `{mapped.air}`; corrigez celui qui a tort",
        )
