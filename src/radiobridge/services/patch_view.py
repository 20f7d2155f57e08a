"""Patches as JSON values for the API: how they stand, and what their air makes of the voice.

Every view of terms says which members go out in clear on the air, so that nobody agrees to that
without having read it.
"""

from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any

from radiobridge.core.patch_record import Record
from radiobridge.core.patch_state import PatchState
from radiobridge.model.ids import GatewayId
from radiobridge.model.patch import Air, Member, Terms
from radiobridge.text import Text
from radiobridge.wire.terms import class_to_word, terms_hash
from radiobridge.wire.words import Limit, PatchWord

Json = dict[str, Any]


def state_view(state: PatchState, refused: Text | None = None) -> Json:
    """Return how a patch stands; `refused`: why a word of ours on it could not be said."""
    why = state.why if refused is None or state.in_force else refused
    return {
        "id": str(state.patch),
        "in_force": state.in_force,
        "reason": state.reason.value,
        "why": why._asdict(),
        "agencies": [str(agency) for agency in state.agencies],
        "withdrawn_by": [str(agency) for agency in state.withdrawn_by],
        "narrowed_by": [str(agency) for agency in state.narrowed_by],
        **_terms(state.effective),
        "terms": terms_hash(state.terms),
    }


def terms_view(terms: Terms) -> Json:
    """Return terms as agreed."""
    return {"id": str(terms.patch), **_terms(terms), "terms": terms_hash(terms)}


def words_view(records: Mapping[GatewayId, Record]) -> list[Json]:
    """Return what each gateway has said."""
    return [
        {
            "gateway": str(gateway),
            "verb": "withdraw" if record.withdrawn else _verb(record.word),
            "terms": None if (terms := _accepted(record)) is None else terms_hash(terms),
            "version": record.version,
            **_restrictions(record),
        }
        for gateway, record in records.items()
    ]


def air_notes(terms: Terms) -> list[Text]:
    """Return what people must know of the air of a patch before they agree to it."""
    notes = [
        Text(f"{m.talkgroup}: IN CLEAR ON AIR", f"{m.talkgroup} : EN CLAIR SUR LES ONDES")
        for m in terms.members
        if m.air is Air.CLEAR and m.access.hears
    ]
    return notes + crossings(terms)


def crossings(terms: Terms) -> list[Text]:
    """Return what becomes of encrypted voice where others are in clear."""
    return [
        _crossing(source, listener)
        for source, listener in permutations(terms.members, 2)
        if _crosses(source, listener)
    ]


def exposed(terms: Terms, own: Iterable[Member]) -> list[Member]:
    """Return those of `own` members that are encrypted and would be heard in clear elsewhere."""
    return [
        member
        for member in own
        if any(
            _crosses(member, other) and member.may_reach(other)
            for other in terms.members
            if other is not member
        )
    ]


def _crosses(source: Member, listener: Member) -> bool:
    """Tell whether encrypted voice would go on clear air."""
    speaks = source.access.speaks and listener.access.hears
    return speaks and source.air is Air.ENCRYPTED and listener.air is Air.CLEAR


def _crossing(source: Member, listener: Member) -> Text:
    one, other = source.talkgroup, listener.talkgroup
    if source.may_reach(listener):
        return Text(
            f"{one} is encrypted and will be heard IN CLEAR ON AIR on {other}",
            f"{one} est chiffré et sera entendu EN CLAIR SUR LES ONDES sur {other}",
        )
    return Text(
        f"{one} is encrypted: {other} will not hear it, for the terms do not let it go in clear",
        f"{one} est chiffré : {other} ne l'entendra pas, les conditions ne le permettant pas",
    )


def _terms(terms: Terms) -> Json:
    return {
        "purpose": terms.purpose,
        "incident": terms.incident,
        "host": str(terms.host),
        "start_ms": terms.start_ms,
        "end_ms": terms.end_ms,
        "recording": terms.recording.value,
        "members": [_member(member) for member in terms.members],
        "notes": [note._asdict() for note in air_notes(terms)],
    }


def _member(member: Member) -> Json:
    return {
        "talkgroup": str(member.talkgroup),
        "access": member.access.value,
        "max_class": class_to_word(member.max_class),
        "max_priority": member.max_priority,
        "air": member.air.value,
        "signalling": member.signalling,
        "in_clear": member.in_clear,
    }


def _verb(word: PatchWord | None) -> str:
    return "contradicts-itself" if word is None else word.verb.value


def _accepted(record: Record) -> Terms | None:
    return None if record.withdrawn or record.word is None else record.word.terms


def _restrictions(record: Record) -> Json:
    one = record.restriction
    if one is None or one.empty:
        return {}
    found: Json = {"limits": [_limit(limit) for limit in one.limits.values()]}
    if one.end_ms is not None:
        found["end_ms"] = one.end_ms
    if one.recording is not None:
        found["recording"] = one.recording.value
    return found


def _limit(limit: Limit) -> Json:
    return {
        "talkgroup": str(limit.talkgroup),
        "access": "none" if limit.access is None else limit.access.value,
        "max_class": class_to_word(limit.max_class),
        "max_priority": limit.max_priority,
    }
