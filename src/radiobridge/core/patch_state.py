"""How a patch stands, and why, in words that an operator reads."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from radiobridge.model.ids import AgencyId, PatchId, TalkgroupId
from radiobridge.model.patch import Terms
from radiobridge.text import Text


class Reason(StrEnum):
    """Why a patch is in force or not: the first that holds, in this order."""

    NOT_OURS = "not-ours"
    """No talkgroup of this agency is a member."""
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """By this agency, or by so many that fewer than two remain. For good."""
    TOO_FEW = "too-few"
    """The owners' restrictions leave fewer than two agencies."""
    TERMS_DIFFER = "terms-differ"
    TALKGROUP_TAKEN = "talkgroup-taken"
    WAITING_FOR = "waiting-for"
    NOT_YET = "not-yet"
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    STARTING = "starting"
    """This gateway looks first what the brokers know of what it said before."""
    STATE_UNCONFIRMED = "state-unconfirmed"
    """This gateway lost its state and has not heard from its own agency yet."""
    IN_FORCE = "in-force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where another agency's terms differ from ours first."""

    agency: AgencyId
    field: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchState:
    """One patch as this gateway sees it."""

    patch: PatchId
    terms: Terms
    """The terms it is judged by: accepted by all, or else our own plan."""
    effective: Terms
    """Those terms within all restrictions, without agencies that withdrew."""
    reason: Reason
    why: Text
    agencies: tuple[AgencyId, ...] = ()
    """Who is waited for, or who withdrew (also while the rest is in force)."""
    withdrawn_by: tuple[AgencyId, ...] = ()
    narrowed_by: tuple[AgencyId, ...] = ()
    difference: Difference | None = None
    taken: tuple[TalkgroupId, PatchId] | None = None
    """Our talkgroup, or one that we join to it, and the patch that has it."""

    @property
    def in_force(self) -> bool:
        """Tell whether voice may cross now."""
        return self.reason is Reason.IN_FORCE


def why(
    reason: Reason,
    *,
    agencies: tuple[AgencyId, ...] = (),
    narrowed_by: tuple[AgencyId, ...] = (),
    difference: Difference | None = None,
    taken: tuple[TalkgroupId, PatchId] | None = None,
) -> Text:
    """Return the sentence for `reason`."""
    if reason is Reason.TERMS_DIFFER and difference is not None:
        return _differ(difference)
    if reason is Reason.TALKGROUP_TAKEN and taken is not None:
        return Text(
            f"{taken[0]} is already in patch {taken[1]}; to join all, propose one patch",
            f"{taken[0]} est déjà dans le jumelage {taken[1]}; proposez-en un seul pour tout",
        )
    names = ", ".join(agencies)
    if reason is Reason.IN_FORCE and (agencies or narrowed_by):
        return _in_force(names, ", ".join(narrowed_by))
    text = _WHY[reason]
    return Text(text.en.format(names), text.fr.format(names))


def _in_force(withdrawn: str, narrowed: str) -> Text:
    """Return the sentence for a patch that is not in force as it was agreed."""
    parts = [_WHY[Reason.IN_FORCE]]
    if narrowed:
        parts.append(Text(f"narrowed by {narrowed}", f"restreint par {narrowed}"))
    if withdrawn:
        parts.append(Text(f"{withdrawn} has withdrawn", f"{withdrawn} a retiré son accord"))
    return Text("; ".join(part.en for part in parts), "; ".join(part.fr for part in parts))


def _differ(difference: Difference) -> Text:
    ours, theirs = _visible(difference.ours, difference.theirs)
    return Text(
        f"the terms of {difference.agency} differ in {difference.field}: "
        f"ours {ours}, theirs {theirs}",
        f"les conditions de {difference.agency} diffèrent dans {difference.field}: "
        f"les nôtres {ours}, les leurs {theirs}",
    )


def _visible(ours: str, theirs: str) -> tuple[str, str]:
    """Return both quoted, and spelled out in ASCII where the eye may not see the difference."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    parts = "" if at is None else unicodedata.normalize("NFKD", ours[at] + theirs[at])
    if at is None or parts.isascii():
        return repr(ours), repr(theirs)
    return ascii(ours), ascii(theirs)


_WHY = {
    Reason.NOT_OURS: Text(
        "no talkgroup of this agency is a member",
        "aucun groupe de cette agence n'en fait partie",
    ),
    Reason.EXPIRED: Text("its time is over", "sa durée est écoulée"),
    Reason.WITHDRAWN: Text(
        "withdrawn by {}; resuming needs a new patch id",
        "accord retiré par {}; reprendre exige un nouvel identifiant",
    ),
    Reason.TOO_FEW: Text(
        "its owners' restrictions leave fewer than two agencies",
        "les restrictions laissent moins de deux agences",
    ),
    Reason.TERMS_DIFFER: Text("the terms differ", "les conditions diffèrent"),
    Reason.TALKGROUP_TAKEN: Text(
        "a talkgroup is in another patch", "un groupe est dans un autre jumelage"
    ),
    Reason.WAITING_FOR: Text("waiting for the acceptance of {}", "en attente de l'accord de {}"),
    Reason.NOT_YET: Text("its time has not come", "son heure n'est pas venue"),
    Reason.CLOCK_UNSYNCHRONISED: Text(
        "this gateway's clock is not synchronised; it joins no foreign patch",
        "l'horloge de cette passerelle n'est pas synchronisée; aucun jumelage étranger",
    ),
    Reason.STARTING: Text(
        "this gateway has just started and asks the brokers first what it said before",
        "cette passerelle vient de démarrer et demande d'abord ce qu'elle avait dit",
    ),
    Reason.STATE_UNCONFIRMED: Text(
        "this gateway lost its state; it waits for a head of its own agency or for an operator",
        "cette passerelle a perdu son état; elle attend son agence ou un opérateur",
    ),
    Reason.IN_FORCE: Text("in force", "en vigueur"),
}
