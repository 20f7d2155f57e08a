"""What operators ask about patches: requests of the API as terms and limits."""

from dataclasses import dataclass

from radiobridge.errors import CommandError
from radiobridge.model.ids import AgencyId, PatchId, check_id, parse_agency, parse_talkgroup
from radiobridge.model.patch import Access, Air, Member, Recording, Terms
from radiobridge.model.talkgroup import TalkgroupMap
from radiobridge.model.voice import MAX_PRIORITY, TalkClass
from radiobridge.services.asked import Asked
from radiobridge.wire.terms import MAX_MEMBERS, class_from_word
from radiobridge.wire.words import Limit, PatchWord, Verb

YEAR_MS = 366 * 24 * 3600 * 1000
LONGEST_MS = YEAR_MS
"""A patch by command lasts a year at most; for longer agreements there are plans."""

_LATEST_MS = 10**14
_NOTHING = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What an owner takes away."""

    limits: tuple[Limit, ...] = ()
    end_ms: int | None = None
    recording: Recording | None = None

    @property
    def empty(self) -> bool:
        """Tell whether nothing is taken away."""
        return not self.limits and self.end_ms is None and self.recording is None

    def word(self, terms: Terms) -> PatchWord:
        """Return the word that accepts `terms` within this."""
        return PatchWord(
            patch=terms.patch,
            verb=Verb.ACCEPT if self.empty else Verb.NARROW,
            terms=terms,
            limits=self.limits,
            end_ms=self.end_ms,
            recording=self.recording,
        )


def asked_terms(asked: Asked, own: TalkgroupMap, now_ms: int) -> Terms:
    """Return the terms that a proposal asks for."""
    patch = PatchId(asked.parsed("patch", check_id))
    purpose, incident = asked.text("purpose"), asked.text("incident", "-")
    host = asked.parsed("host", parse_agency, own.agency)
    start_ms = asked.integer("start_ms", 0, _LATEST_MS, now_ms)
    end_ms = asked_end(asked, start_ms)
    recording = asked.choice("recording", Recording, Recording.NONE)
    members = [_member(one, own) for one in asked.items("members", MAX_MEMBERS)]
    return Terms(
        patch=patch,
        purpose=purpose,
        incident=incident,
        host=AgencyId(host),
        start_ms=start_ms,
        end_ms=end_ms,
        recording=recording,
        members=tuple(sorted(members, key=lambda member: member.talkgroup)),
    )


def asked_end(asked: Asked, start_ms: int) -> int:
    """Return `end_ms`, or `start_ms` and `for_ms`, whichever is asked."""
    if asked.has("for_ms") and not asked.has("end_ms"):
        return start_ms + asked.integer("for_ms", 1000, LONGEST_MS)
    return asked.integer("end_ms", 0, _LATEST_MS)


def asked_narrowing(asked: Asked) -> Narrowing:
    """Return the restrictions asked for."""
    return Narrowing(
        limits=tuple(_limit(one) for one in asked.items("limits", MAX_MEMBERS)),
        end_ms=asked.integer("end_ms", 0, _LATEST_MS) if asked.has("end_ms") else None,
        recording=asked.choice("recording", Recording) if asked.has("recording") else None,
    )


def _member(asked: Asked, own: TalkgroupMap) -> Member:
    talkgroup = asked.parsed("talkgroup", parse_talkgroup)
    mapped = own.talkgroups.get(talkgroup)
    member = Member(
        talkgroup=talkgroup,
        access=asked.choice("access", Access, Access.BOTH),
        max_class=asked.parsed("max_class", class_from_word, TalkClass.NORMAL),
        max_priority=asked.integer("max_priority", 0, MAX_PRIORITY, 0),
        air=asked.choice("air", Air, mapped.air if mapped is not None else Air.CLEAR),
        signalling=asked.flag("signalling"),
        in_clear=asked.flag("in_clear"),
    )
    asked.done()
    return member


def _limit(asked: Asked) -> Limit:
    talkgroup = asked.parsed("talkgroup", parse_talkgroup)
    access = asked.parsed("access", _access_or_none, Access.BOTH.value)
    limit = Limit(
        talkgroup=talkgroup,
        access=None if access == _NOTHING else Access(access),
        max_class=asked.parsed("max_class", class_from_word, TalkClass.EMERGENCY),
        max_priority=asked.integer("max_priority", 0, MAX_PRIORITY, MAX_PRIORITY),
    )
    asked.done()
    return limit


def _access_or_none(word: str) -> str:
    return word if word == _NOTHING else Access(word).value


def check_terms(terms: Terms, now_ms: int) -> None:
    """Raise CommandError for terms that can never come into force."""
    names = [str(member.talkgroup) for member in terms.members]
    if len({name.lower() for name in names}) != len(names):
        raise CommandError("a talkgroup is named twice", "un groupe est nommé deux fois")
    if len(terms.agencies) < 2:
        raise CommandError(
            "a patch joins talkgroups of two agencies or more; name members of another agency too",
            "un jumelage réunit des groupes de deux agences au moins; nommez aussi des membres "
            "d'une autre agence",
        )
    if terms.host not in terms.agencies:
        raise CommandError(
            f"the host {terms.host} owns no member; the host is one of the members' agencies",
            f"l'hôte {terms.host} n'a aucun membre; l'hôte est l'une des agences membres",
        )
    if not terms.start_ms < terms.end_ms or terms.end_ms <= now_ms:
        raise CommandError(
            "it would end before it starts, or is over already; give a later end",
            "il finirait avant de commencer, ou est déjà fini; indiquez une fin plus tardive",
        )
    if terms.end_ms - terms.start_ms > LONGEST_MS:
        raise CommandError(
            "longer than a year; write a plan for that",
            "plus long qu'un an; écrivez un plan pour cela",
        )
