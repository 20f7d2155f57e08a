"""What gateways say in documents: patch words, voice keys, presence, heads, spurt notices.

Each word has `to_body` and `from_body`; a body that is not exactly such a word raises
RemoteProtocolError. Presence and spurt notices are for people to see, never for deciding.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import PatchId, RadioName, TalkgroupId, check_id, parse_talkgroup
from radiobridge.model.patch import Access, Recording, Terms
from radiobridge.model.talker import is_clean, is_talker
from radiobridge.model.voice import MAX_PRIORITY, TalkClass
from radiobridge.wire.canonical import Body, Json, encode_bytes
from radiobridge.wire.documents import type_of
from radiobridge.wire.fields import Fields
from radiobridge.wire.terms import (
    MAX_MEMBERS,
    class_from_word,
    class_to_word,
    terms_from_body,
    terms_to_body,
)

VOICE_KEY = 32
"""Bytes of a sender's voice key."""

MAX_EPOCH = 0xFFFF
"""An epoch is 16 bits of the KID; epochs count from 1."""

MAX_RADIOS = 64
MAX_VERSIONS = 240
"""Topics in a head: what fits into a document at the longest names."""


class Verb(StrEnum):
    """What a gateway says about a patch."""

    ACCEPT = "accept"
    NARROW = "narrow"
    """Still accepted, within limits. Limits of one patch only ever add up."""
    WITHDRAW = "withdraw"
    """Over, for good: resuming needs a new patch id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How far an owner restricts one of its talkgroups in a patch."""

    talkgroup: TalkgroupId
    access: Access | None = None
    """None takes the talkgroup out of the patch."""
    max_class: TalkClass = TalkClass.EMERGENCY
    max_priority: int = MAX_PRIORITY


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchWord:
    """One gateway's word on one patch, in its agency's name."""

    patch: PatchId
    verb: Verb
    terms: Terms | None = None
    """What is accepted, in full; None for a withdrawal."""
    limits: tuple[Limit, ...] = ()
    """Only in a NARROW."""
    end_ms: int | None = None
    """Only in a NARROW: an earlier end, in ms of bridge time."""
    recording: Recording | None = None
    """Only in a NARROW: stricter terms of recording."""

    def to_body(self) -> Body:
        """Return the body to seal."""
        body: Body = {"patch": str(self.patch), "verb": self.verb.value}
        if self.terms is not None:
            body["terms"] = terms_to_body(self.terms)
        if self.limits:
            body["limits"] = [_limit_to_body(limit) for limit in self.limits]
        if self.end_ms is not None:
            body["end"] = self.end_ms
        if self.recording is not None:
            body["recording"] = self.recording.value
        return body

    @classmethod
    def from_body(cls, body: Body, patch: str) -> "PatchWord":
        """Return the word in `body`, which came on the topic of `patch`."""
        fields = Fields(body)
        word = cls(
            patch=PatchId(fields.parsed("patch", check_id)),
            verb=fields.choice("verb", Verb),
            terms=terms_from_body(fields.value("terms")) if fields.has("terms") else None,
            limits=_limits(fields),
            end_ms=fields.integer("end") if fields.has("end") else None,
            recording=fields.choice("recording", Recording) if fields.has("recording") else None,
        )
        fields.done()
        _check_word(word, patch)
        return word


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """The voice key of one sender for one of its agency's talkgroups, from one epoch on."""

    talkgroup: TalkgroupId
    epoch: int
    key: bytes = field(repr=False)
    since_ms: int
    """When the key was drawn; ms of bridge time."""

    def to_body(self) -> Body:
        """Return the body to seal."""
        return {
            "talkgroup": str(self.talkgroup),
            "epoch": self.epoch,
            "key": encode_bytes(self.key),
            "since": self.since_ms,
        }

    @classmethod
    def from_body(cls, body: Body, talkgroup: TalkgroupId) -> "KeyGrant":
        """Return the grant in `body`, which came on the key topic of `talkgroup`."""
        fields = Fields(body)
        grant = cls(
            talkgroup=fields.parsed("talkgroup", parse_talkgroup),
            epoch=fields.integer("epoch", low=1, high=MAX_EPOCH),
            key=fields.blob("key", length=VOICE_KEY),
            since_ms=fields.integer("since"),
        )
        fields.done()
        if grant.talkgroup != talkgroup:
            raise RemoteProtocolError("wrong-topic", "a key for another talkgroup")
        return grant


class RadioState(StrEnum):
    """How a donor radio is, for display."""

    READY = "ready"
    RECEIVING = "receiving"
    KEYED = "keyed"
    INHIBITED = "inhibited"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioPresence:
    """One radio of a gateway, for display."""

    radio: RadioName
    talkgroup: str
    """Its name inside the gateway's agency."""
    state: RadioState


WILL_SEQUENCE = 2**20 - 1
"""Sequence of the presence that the broker publishes when the connection dies."""


def presence_version(connection: int, sequence: int) -> int:
    """Return the document version of a presence: `sequence` 1, 2… within one `connection`.

    The will of a connection, signed when it begins, comes after all that is said on it and before
    all that is said on the next. `connection` grows over restarts too: bridge time in s will do.
    """
    return connection * (WILL_SEQUENCE + 1) + min(sequence, WILL_SEQUENCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A gateway shows itself on one link."""

    boot: str
    """Random id of this run of the daemon."""
    connection: int
    online: bool
    radios: tuple[RadioPresence, ...] = ()

    def to_body(self) -> Body:
        """Return the body to sign."""
        radios: list[Json] = [
            {"radio": str(r.radio), "talkgroup": r.talkgroup, "state": r.state.value}
            for r in self.radios
        ]
        return {
            "boot": self.boot,
            "connection": self.connection,
            "state": "online" if self.online else "offline",
            "radios": radios,
        }

    @classmethod
    def from_body(cls, body: Body) -> "Presence":
        """Return the presence in `body`."""
        fields = Fields(body)
        state = fields.text("state")
        if state not in ("online", "offline"):
            raise RemoteProtocolError("bad-body", "state")
        presence = cls(
            boot=fields.parsed("boot", check_id),
            connection=fields.integer("connection"),
            online=state == "online",
            radios=tuple(_radio(item) for item in fields.items("radios", most=MAX_RADIOS)),
        )
        fields.done()
        return presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a gateway knows: its time, the newest version on each topic, the end of its audit."""

    bridge_ms: int
    versions: dict[str, int]
    """Document topic to newest version known."""
    audit: str
    """Hash of the newest audit record, hex, or empty."""

    def to_body(self) -> Body:
        """Return the body to sign. More topics than MAX_VERSIONS: the first ones in order."""
        known = dict(sorted(self.versions.items())[:MAX_VERSIONS])
        return {"bridge": self.bridge_ms, "versions": {**known}, "audit": self.audit}

    @classmethod
    def from_body(cls, body: Body) -> "Head":
        """Return the head in `body`."""
        fields = Fields(body)
        versions = fields.mapping("versions", most=MAX_VERSIONS)
        known = Fields(versions)
        head = cls(
            bridge_ms=fields.integer("bridge"),
            versions={_document_topic(topic): known.integer(topic, low=1) for topic in versions},
            audit=fields.text("audit", longest=128),
        )
        fields.done()
        return head


class SpurtState(StrEnum):
    """Where a spurt is, for display."""

    STARTED = "started"
    ENDED = "ended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpurtNotice:
    """Who talks, or what became of a spurt: for display and record."""

    talkgroup: TalkgroupId
    start_ms: int
    talk_class: TalkClass
    priority: int
    radio: RadioName
    """The donor radio on which it was heard, or where it could not be delivered."""
    state: SpurtState
    reason: str = ""
    """Why it was refused or cut, one short constant."""
    talker: str = ""
    """Who talks, once known: a talker id (`model.talker`), from the gateway that hears it off the
    air."""
    alias: str = ""
    """What that gateway's people call the talker."""

    def to_body(self) -> Body:
        """Return the body to sign."""
        body: Body = {
            "talkgroup": str(self.talkgroup),
            "start": self.start_ms,
            "class": class_to_word(self.talk_class),
            "priority": self.priority,
            "radio": str(self.radio),
            "state": self.state.value,
            "reason": self.reason,
        }
        if self.talker:
            body["talker"] = self.talker
        if self.alias:
            body["alias"] = self.alias
        return body

    @classmethod
    def from_body(cls, body: Body) -> "SpurtNotice":
        """Return the notice in `body`."""
        fields = Fields(body)
        notice = cls(
            talkgroup=fields.parsed("talkgroup", parse_talkgroup),
            start_ms=fields.integer("start"),
            talk_class=fields.parsed("class", class_from_word),
            priority=fields.integer("priority", high=MAX_PRIORITY),
            radio=RadioName(fields.parsed("radio", check_id)),
            state=fields.choice("state", SpurtState),
            reason=fields.text("reason", longest=64),
            talker=fields.parsed("talker", _talker) if fields.has("talker") else "",
            alias=fields.parsed("alias", _alias) if fields.has("alias") else "",
        )
        fields.done()
        if notice.alias and not notice.talker:
            raise RemoteProtocolError("bad-body", "an alias of nobody")
        return notice


def _talker(text: str) -> str:
    if not is_talker(text):
        raise RemoteProtocolError("bad-body", "talker")
    return text


def _alias(text: str) -> str:
    """Return an alias; one that could act on a screen or in a log is refused, not mended."""
    if not is_clean(text):
        raise RemoteProtocolError("bad-body", "alias")
    return text


def _limits(fields: Fields) -> tuple[Limit, ...]:
    if not fields.has("limits"):
        return ()
    return tuple(_limit(item) for item in fields.items("limits", most=MAX_MEMBERS))


def _check_word(word: PatchWord, patch: str) -> None:
    """Each verb has its own members, and a word speaks of the patch of its topic."""
    if word.patch != patch or (word.terms is not None and word.terms.patch != patch):
        raise RemoteProtocolError("wrong-topic", "a word on another patch")
    if (word.verb is Verb.WITHDRAW) is not (word.terms is None):
        raise RemoteProtocolError("bad-body", "terms")
    narrower = bool(word.limits) or word.end_ms is not None or word.recording is not None
    if narrower is not (word.verb is Verb.NARROW):
        raise RemoteProtocolError("bad-body", "limits")


def _limit_to_body(limit: Limit) -> Body:
    return {
        "talkgroup": str(limit.talkgroup),
        "access": "none" if limit.access is None else limit.access.value,
        "max_class": class_to_word(limit.max_class),
        "max_priority": limit.max_priority,
    }


def _limit(item: Json) -> Limit:
    fields = Fields(item)
    limit = Limit(
        talkgroup=fields.parsed("talkgroup", parse_talkgroup),
        access=fields.parsed("access", _access_or_none),
        max_class=fields.parsed("max_class", class_from_word),
        max_priority=fields.integer("max_priority", high=MAX_PRIORITY),
    )
    fields.done()
    return limit


def _access_or_none(word: str) -> Access | None:
    if word == "none":
        return None
    try:
        return Access(word)
    except ValueError:
        raise RemoteProtocolError("bad-body", "access") from None


def _radio(item: Json) -> RadioPresence:
    fields = Fields(item)
    radio = RadioPresence(
        radio=RadioName(fields.parsed("radio", check_id)),
        talkgroup=fields.parsed("talkgroup", check_id),
        state=fields.choice("state", RadioState),
    )
    fields.done()
    return radio


def _document_topic(text: str) -> str:
    type_of(text)
    return text
