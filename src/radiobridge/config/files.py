"""The talkgroup map, the partners' file and the plans' file."""

from base64 import urlsafe_b64decode
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from radiobridge.config.base import Choice, Id, RadioPath, Settings, TalkgroupName, Words
from radiobridge.config.times import Moment
from radiobridge.config.units import written, wrong
from radiobridge.model.patch import Access, Air, Recording
from radiobridge.model.voice import MAX_PRIORITY, TalkClass
from radiobridge.wire.roster import weak_signing_key

KEY_BYTES = 32


class TalkgroupConfig(Settings):
    """One talkgroup of the map."""

    label: Words
    """What operators call it."""
    air: Annotated[Air, Choice]
    """Whether the channel is `clear` or `encrypted` on the air."""
    receive: list[RadioPath] = Field(default_factory=list)
    """The radios that hear it, each `gateway/radio`."""
    transmit: dict[Id, RadioPath] = Field(default_factory=dict)
    """For each coverage the one radio that transmits there: `{main: gateway/radio}`."""
    separate_coverage: bool = False
    """The radios of this talkgroup do not hear each other on the air."""
    announce: bool = True
    """Tell its users on the air when a patch begins and ends."""


class TalkgroupsConfig(Settings):
    """`talkgroups.yaml`: which radio of which gateway receives and transmits each talkgroup."""

    agency: Annotated[Id, Field(examples=["ca.opp"])]
    """The agency that owns the talkgroups."""
    talkgroups: dict[Id, TalkgroupConfig]
    """The talkgroups, by name."""
    joins: list[Annotated[list[Id], Field(min_length=2)]] = Field(default_factory=list)
    """Talkgroups of this agency that always hear each other: `[[TAC1, TAC2]]`."""


def _public_key(value: object) -> bytes:
    advice_en = "let `radiobridge keys trust` write it"
    advice_fr = "laissez `radiobridge keys trust` l'écrire"
    if not isinstance(value, str):
        raise wrong(f"this is not a key; {advice_en}", f"ceci n'est pas une clé; {advice_fr}")
    try:
        key = urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or weak_signing_key(key):
        raise wrong(
            f"this is not an Ed25519 public key (43 characters of base64url); {advice_en}",
            f"ceci n'est pas une clé publique Ed25519 (43 caractères base64url); {advice_fr}",
        )
    return key


PublicKey = Annotated[
    bytes,
    BeforeValidator(_public_key),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{43}=?$"}),
]


class PartnerConfig(Settings):
    """One agency that this one trusts."""

    key: PublicKey
    """The agency's Ed25519 public key, base64url; compare its fingerprint by telephone."""
    label: Words
    """What operators call the agency."""


class PartnersConfig(Settings):
    """`partners.yaml`: agencies and their keys, the own one among them: it proves the roster."""

    partners: dict[Id, PartnerConfig]
    """The agencies, by id."""


def _talk_class(value: object) -> TalkClass:
    names = {c.name.lower().replace("_", "-"): c for c in TalkClass}
    if isinstance(value, str) and value in names:
        return names[value]
    words = ", ".join(names)
    raise wrong(f"'{value}' is none of {words}", f"'{value}' n'est aucun de {words}")


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise wrong(
            "write one line without spaces around it", "écrivez une ligne sans espaces autour"
        )
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]

ClassName = Annotated[
    TalkClass,
    BeforeValidator(_talk_class),
    WithJsonSchema({"enum": ["normal", "imminent-peril", "emergency"]}),
]


class MemberConfig(Settings):
    """What one talkgroup may do in a patch."""

    access: Annotated[Access, Choice] = Access.BOTH
    """`listen`, `talk` or `both`."""
    max_class: ClassName = written("normal")
    """The highest class it may claim: `normal`, `imminent-peril` or `emergency`."""
    max_priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] = 0
    """The highest priority it may claim, 0 to 15."""
    air: Annotated[Air, Choice]
    """Whether this member's channel is `clear` or `encrypted` on the air."""
    signalling: bool = False
    """Whether in-band signalling of this member may cross."""
    in_clear: bool = False
    """The owner's word that the voice of this encrypted member may go on clear air."""


class Activation(StrEnum):
    """When a plan joins its members."""

    STANDING = "standing"
    """From `from` to `until`, as soon as all have it."""
    ON_DEMAND = "on-demand"
    """When one of its agencies activates it, for as long as that one says."""


class PlanConfig(Settings):
    """One patch agreed in advance. Both sides must have it alike in every character."""

    purpose: Annotated[Line, Field(examples=["Pursuit across the bridge"])]
    """Why the talkgroups are joined."""
    incident: Annotated[Line, Field(examples=["standing"])]
    """The incident's number, or `standing`."""
    host: Annotated[Id, Field(examples=["ca.opp"])]
    """The agency that leads; one of the members' agencies."""
    from_: Annotated[Moment, Field(alias="from", examples=["2026-01-01T00:00:00Z"])]
    """From when, UTC."""
    until: Annotated[Moment, Field(examples=["2027-01-01T00:00:00Z"])]
    """Until when, UTC."""
    recording: Annotated[Recording, Choice]
    """Who may record: `none`, each its `own` side, or `all`."""
    activation: Annotated[Activation, Choice] = Activation.STANDING
    """`standing`: in force from `from`; `on-demand`: for each time that somebody activates it."""
    members: dict[TalkgroupName, MemberConfig]
    """The talkgroups, `agency/talkgroup`, and what each may do."""


class PlansConfig(Settings):
    """`plans.yaml`: standing agreements."""

    plans: dict[Id, PlanConfig]
    """The plans, by patch id; an id is never used again with other terms."""
