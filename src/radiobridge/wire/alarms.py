"""What gateways say about emergencies: alarms, acknowledgements, measures against one talker.

`alarm/<id>` is said by the raiser; to clear it, or to say that its rank is spent, by the raiser's
siblings too. `ack/<id>` is either an acknowledgement of an alarm or a measure against one talker.
All are sealed to the gateways of the members. A body that is not exactly such a word raises
RemoteProtocolError.
"""

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import (
    GatewayId,
    RadioName,
    TalkgroupId,
    check_id,
    parse_gateway,
    parse_talkgroup,
)
from radiobridge.model.talker import is_clean, is_talker
from radiobridge.wire.canonical import Body, encode_bytes
from radiobridge.wire.fields import Fields

TOKEN = 16
"""Bytes of an alarm's token."""

MAX_RAISES = 1_000_000

_RADIO = "radio:"


class AlarmKind(StrEnum):
    """Who is in need."""

    FIELD = "field"
    """Somebody in the field: gives rank on the floor."""
    DONOR = "donor"
    """The donor radio's own switch, beside the gateway. Never gives rank."""


class Rank(StrEnum):
    """Whether an alarm lets its agency's spurts on the talkgroup claim the class emergency."""

    HELD = "held"
    SPENT = "spent"
    """After 30 s of open microphone, until raised again; always for a donor radio."""


class Verdict(StrEnum):
    """What the raiser's agency found."""

    VALID = "valid"
    FALSE = "false"


class AckVerb(StrEnum):
    """What a document on `ack/<id>` says."""

    ACKNOWLEDGE = "acknowledge"
    DEMOTE = "demote"
    """The talker's spurts are normal ones, whatever they claim."""
    EXCLUDE = "exclude"
    """The talker is not carried."""
    RESTORE = "restore"
    """This gateway has nothing more against the talker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm, as its raiser or a sibling says it is. Times are ms of bridge time."""

    alarm: str
    """Its id: `alarm` and `raiser` together name it."""
    raiser: GatewayId
    kind: AlarmKind
    talkgroup: TalkgroupId
    """Of the raiser's agency."""
    radio: RadioName | None
    """The donor radio that heard it; None when it was raised by a command."""
    talker: str
    """A talker id (`model.talker`) or `radio:windsor/tac1`; empty when unknown."""
    alias: str
    raised_ms: int
    """When it was raised last."""
    raises: int
    """How often it was raised."""
    token: bytes = field(repr=False)
    """Drawn anew each time it is raised: who repeats it has read this alarm."""
    rank: Rank
    verdict: Verdict | None = None
    """Set when it is cleared."""
    reason: str = ""
    by: str = ""
    """Who raised or cleared it, for people."""

    @property
    def cleared(self) -> bool:
        """Tell whether this says that the alarm is over."""
        return self.verdict is not None

    def spent(self) -> "Alarm":
        """Return it without its rank."""
        return replace(self, rank=Rank.SPENT)

    def to_body(self) -> Body:
        """Return the body to seal."""
        body: Body = {
            "id": self.alarm,
            "raiser": str(self.raiser),
            "kind": self.kind.value,
            "talkgroup": str(self.talkgroup),
            "talker": self.talker,
            "alias": self.alias,
            "raised": self.raised_ms,
            "raises": self.raises,
            "token": encode_bytes(self.token),
            "rank": self.rank.value,
            "state": "cleared" if self.cleared else "open",
            "by": self.by,
        }
        if self.radio is not None:
            body["radio"] = str(self.radio)
        if self.verdict is not None:
            body |= {"verdict": self.verdict.value, "reason": self.reason}
        return body

    @classmethod
    def from_body(cls, body: Body, alarm: str, sender: GatewayId) -> "Alarm":
        """Return the alarm in `body`, which `sender` published on the topic of `alarm`."""
        fields = Fields(body)
        cleared = _cleared(fields)
        said = cls(
            alarm=fields.parsed("id", check_id),
            raiser=fields.parsed("raiser", parse_gateway),
            kind=fields.choice("kind", AlarmKind),
            talkgroup=fields.parsed("talkgroup", parse_talkgroup),
            radio=RadioName(fields.parsed("radio", check_id)) if fields.has("radio") else None,
            talker=_talker_or_none(fields),
            alias=fields.parsed("alias", _alias),
            raised_ms=fields.integer("raised"),
            raises=fields.integer("raises", low=1, high=MAX_RAISES),
            token=fields.blob("token", length=TOKEN),
            rank=fields.choice("rank", Rank),
            verdict=fields.choice("verdict", Verdict) if cleared else None,
            reason=fields.text("reason") if cleared else "",
            by=fields.text("by"),
        )
        fields.done()
        _check_alarm(said, alarm, sender)
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody has seen an alarm and takes care of it."""

    alarm: str
    raiser: GatewayId
    token: bytes = field(repr=False)
    """The alarm's: an acknowledgement is of the last time it was raised, by who was told."""
    by: str = ""

    @property
    def id(self) -> str:
        """Return the id of its topic: one for each alarm, whoever else uses the same alarm id."""
        name = f"{self.raiser}/{self.alarm}"
        return hashlib.sha256(name.encode("ascii")).hexdigest()[:32]

    def to_body(self) -> Body:
        """Return the body to seal."""
        return {
            "verb": AckVerb.ACKNOWLEDGE.value,
            "id": self.alarm,
            "raiser": str(self.raiser),
            "token": encode_bytes(self.token),
            "by": self.by,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a supervisor decides about one talker of one talkgroup."""

    id: str
    """Of its topic: one for each talker, drawn at random so that it tells nothing."""
    verb: AckVerb
    """Never ACKNOWLEDGE."""
    talkgroup: TalkgroupId
    talker: str
    by: str = ""

    def to_body(self) -> Body:
        """Return the body to seal."""
        return {
            "verb": self.verb.value,
            "id": self.id,
            "talkgroup": str(self.talkgroup),
            "talker": self.talker,
            "by": self.by,
        }


AckWord: TypeAlias = Acknowledgement | Measure


def ack_from_body(body: Body, name: str) -> AckWord:
    """Return what a document on the topic `ack/<name>` says."""
    fields = Fields(body)
    verb = fields.choice("verb", AckVerb)
    said = _acknowledgement(fields) if verb is AckVerb.ACKNOWLEDGE else _measure(fields, verb)
    fields.done()
    if said.id != name:
        raise RemoteProtocolError("wrong-topic", "an acknowledgement of something else")
    return said


def parse_talker(text: str) -> str:
    """Return a name by which a talker goes; raise RemoteProtocolError when it is none.

    A talker id (`mdc:1234`), or the donor radio that hears it: `radio:windsor/tac1`.
    """
    if text.startswith(_RADIO):
        gateway, _, radio = text.removeprefix(_RADIO).partition("/")
        check_id(gateway)
        check_id(radio)
    elif not is_talker(text):
        raise RemoteProtocolError("bad-body", "talker")
    return text


def _acknowledgement(fields: Fields) -> Acknowledgement:
    return Acknowledgement(
        alarm=fields.parsed("id", check_id),
        raiser=fields.parsed("raiser", parse_gateway),
        token=fields.blob("token", length=TOKEN),
        by=fields.text("by"),
    )


def _measure(fields: Fields, verb: AckVerb) -> Measure:
    return Measure(
        id=fields.parsed("id", check_id),
        verb=verb,
        talkgroup=fields.parsed("talkgroup", parse_talkgroup),
        talker=fields.parsed("talker", parse_talker),
        by=fields.text("by"),
    )


def _cleared(fields: Fields) -> bool:
    state = fields.text("state")
    if state not in ("open", "cleared"):
        raise RemoteProtocolError("bad-body", "state")
    return state == "cleared"


def _alias(text: str) -> str:
    if text and not is_clean(text):
        raise RemoteProtocolError("bad-body", "alias")
    return text


def _talker_or_none(fields: Fields) -> str:
    return fields.parsed("talker", lambda text: parse_talker(text) if text else "")


def _check_alarm(said: Alarm, alarm: str, sender: GatewayId) -> None:
    """An agency speaks of its own people only; a sibling may take away, never give."""
    if said.alarm != alarm:
        raise RemoteProtocolError("wrong-topic", "another alarm")
    if not sender.agency == said.raiser.agency == said.talkgroup.agency:
        raise RemoteProtocolError("bad-body", "raiser")
    if said.raiser != sender and not said.cleared and said.rank is Rank.HELD:
        raise RemoteProtocolError("bad-body", "state")
    if said.kind is AlarmKind.DONOR and said.rank is Rank.HELD:
        raise RemoteProtocolError("bad-body", "rank")
    if said.cleared and not said.reason.strip():
        raise RemoteProtocolError("bad-body", "reason")
