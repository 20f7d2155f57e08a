"""Terms on the wire: their one spelling, their hash, and where two of them differ.

Two agencies agree when the canonical JSON of their terms is the same, byte for byte. So every
member is always written, members are sorted, and `first_difference` says where they part.
"""

import hashlib

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import PatchId, check_id, parse_agency, parse_talkgroup
from radiobridge.model.patch import Access, Air, Member, Recording, Terms
from radiobridge.model.voice import MAX_PRIORITY, TalkClass
from radiobridge.wire.canonical import Body, Json, dump
from radiobridge.wire.fields import Fields

MAX_MEMBERS = 32
"""Talkgroups in one patch."""

_CLASSES = {
    TalkClass.NORMAL: "normal",
    TalkClass.IMMINENT_PERIL: "imminent-peril",
    TalkClass.EMERGENCY: "emergency",
}
_BY_WORD = {word: talk_class for talk_class, word in _CLASSES.items()}


def class_to_word(talk_class: TalkClass) -> str:
    """Return how a class is written in a document."""
    return _CLASSES[talk_class]


def class_from_word(word: str) -> TalkClass:
    """Return the class that is written `word`. Raises RemoteProtocolError."""
    try:
        return _BY_WORD[word]
    except KeyError:
        raise RemoteProtocolError("bad-body", "unknown class") from None


def terms_to_body(terms: Terms) -> Body:
    """Return the terms as they are signed and compared."""
    members: list[Json] = [
        _member_to_body(m) for m in sorted(terms.members, key=lambda m: m.talkgroup)
    ]
    return {
        "patch": str(terms.patch),
        "purpose": terms.purpose,
        "incident": terms.incident,
        "host": str(terms.host),
        "start": terms.start_ms,
        "end": terms.end_ms,
        "recording": terms.recording.value,
        "members": members,
    }


def terms_from_body(body: Json) -> Terms:
    """Return the terms in `body`; raise RemoteProtocolError when they are none."""
    fields = Fields(body)
    terms = Terms(
        patch=PatchId(fields.parsed("patch", check_id)),
        purpose=fields.text("purpose"),
        incident=fields.text("incident"),
        host=fields.parsed("host", parse_agency),
        start_ms=fields.integer("start"),
        end_ms=fields.integer("end"),
        recording=fields.choice("recording", Recording),
        members=tuple(_member_from_body(m) for m in fields.items("members", most=MAX_MEMBERS)),
    )
    fields.done()
    _check(terms)
    return terms


def terms_hash(terms: Terms) -> str:
    """Return SHA-256 of the terms' canonical JSON, hex: the same for the same terms only."""
    return hashlib.sha256(dump(terms_to_body(terms))).hexdigest()


def first_difference(ours: Terms, theirs: Terms) -> tuple[str, str, str] | None:
    """Return (field, our value, their value) of the first member that differs, None if none does.

    The field reads like `purpose` or `members[us.cbp/BP2].max_class`; a member that one side does
    not have reads "absent" there.
    """
    mine, other = terms_to_body(ours), terms_to_body(theirs)
    for name in mine:
        if name != "members" and mine[name] != other[name]:
            return name, str(mine[name]), str(other[name])
    return _member_difference(ours, theirs)


def _member_difference(ours: Terms, theirs: Terms) -> tuple[str, str, str] | None:
    talkgroups = sorted({m.talkgroup for m in (*ours.members, *theirs.members)})
    for talkgroup in talkgroups:
        mine, other = ours.member(talkgroup), theirs.member(talkgroup)
        if mine is None or other is None:
            words = tuple("absent" if member is None else "present" for member in (mine, other))
            return f"members[{talkgroup}]", words[0], words[1]
        left, right = _member_to_body(mine), _member_to_body(other)
        for name in left:
            if left[name] != right[name]:
                return f"members[{talkgroup}].{name}", str(left[name]), str(right[name])
    return None


def _check(terms: Terms) -> None:
    if terms.start_ms >= terms.end_ms:
        raise RemoteProtocolError("bad-terms", "they end before they start")
    groups = [member.talkgroup for member in terms.members]
    if groups != sorted(groups):
        raise RemoteProtocolError("bad-terms", "members are not sorted")
    if len({str(group).lower() for group in groups}) != len(groups):
        raise RemoteProtocolError("bad-terms", "a talkgroup twice")
    if len(terms.agencies) < 2:
        raise RemoteProtocolError("bad-terms", "fewer than two agencies")


def _member_to_body(member: Member) -> Body:
    return {
        "talkgroup": str(member.talkgroup),
        "access": member.access.value,
        "max_class": class_to_word(member.max_class),
        "max_priority": member.max_priority,
        "air": member.air.value,
        "signalling": "yes" if member.signalling else "no",
        "in_clear": "yes" if member.in_clear else "no",
    }


def _member_from_body(item: Json) -> Member:
    fields = Fields(item)
    member = Member(
        talkgroup=fields.parsed("talkgroup", parse_talkgroup),
        access=fields.choice("access", Access),
        max_class=fields.parsed("max_class", class_from_word),
        max_priority=fields.integer("max_priority", high=MAX_PRIORITY),
        air=fields.choice("air", Air),
        signalling=fields.parsed("signalling", _yes_or_no),
        in_clear=fields.parsed("in_clear", _yes_or_no),
    )
    fields.done()
    return member


def _yes_or_no(word: str) -> bool:
    if word not in ("yes", "no"):
        raise RemoteProtocolError("bad-body", "neither yes nor no")
    return word == "yes"
