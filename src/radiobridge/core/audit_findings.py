"""What is wrong with an audit log, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from radiobridge.model.audit import AuditHead
from radiobridge.text import Text

MAX_FINDINGS = 100
"""Findings that are kept; a log that was spoilt from end to end has one for each entry."""


class Kind(StrEnum):
    """What happened to an entry."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    INSERTED = "inserted"
    REWRITTEN = "rewritten"
    """It is not the entry that a held head names: it or something before it was spelled anew."""
    CUT_SHORT = "cut-short"
    """A held head names later entries than there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and with which entry."""

    kind: Kind
    sequence: int
    """The first entry concerned."""
    last: int
    """The last entry concerned, often the same."""
    holder: str = ""
    """Who holds the head that tells."""

    @property
    def text(self) -> Text:
        """Return the sentence for an operator."""
        if self.kind in (Kind.MISSING, Kind.CUT_SHORT) and self.last > self.sequence:
            en, fr = f"entries {self.sequence} to {self.last}", f"{self.sequence} à {self.last}"
            fr = f"les entrées {fr}"
        else:
            en, fr = f"entry {self.sequence}", f"l'entrée {self.sequence}"
        plural = self.last > self.sequence
        pattern = (
            _TEXT[self.kind, plural] if (self.kind, plural) in _TEXT else _TEXT[self.kind, False]
        )
        return Text(pattern.en.format(en, self.holder), pattern.fr.format(fr, self.holder))


_TEXT = {
    (Kind.ALTERED, False): Text("{} was altered", "{} a été modifiée"),
    (Kind.MISSING, False): Text("{} is missing", "{} manque"),
    (Kind.MISSING, True): Text("{} are missing", "{} manquent"),
    (Kind.REORDERED, False): Text("{} is not in its place", "{} n'est pas à sa place"),
    (Kind.INSERTED, False): Text("{} is there once too often", "{} figure une fois de trop"),
    (Kind.REWRITTEN, False): Text(
        "{} is not the one whose hash {} holds; it, or one before it, was written anew",
        "{} n'est pas celle dont {} détient l'empreinte; elle, ou une précédente, a été réécrite",
    ),
    (Kind.CUT_SHORT, False): Text(
        "the log is cut short: {}, whose hash {} holds, is missing",
        "le journal est tronqué: {}, dont {} détient l'empreinte, manque",
    ),
    (Kind.CUT_SHORT, True): Text(
        "the log is cut short: {} are missing; {} holds the hash of the last",
        "le journal est tronqué: {} manquent; {} détient l'empreinte de la dernière",
    ),
}

_FIRST = tuple(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verifying a log gave."""

    entries: int
    """Entries read."""
    head: AuditHead
    """Number and hash of the last entry in its place."""
    findings: tuple[Finding, ...] = ()
    """The first entry concerned comes first; at most MAX_FINDINGS."""
    more: int = 0
    """Further findings."""

    @classmethod
    def of(cls, entries: int, head: AuditHead, found: Iterable[Finding]) -> Self:
        """Return the verdict with the findings in order, each once."""
        order = sorted(set(found), key=lambda f: (f.sequence, _FIRST.index(f.kind), f.holder))
        kept = tuple(order[:MAX_FINDINGS])
        return cls(entries=entries, head=head, findings=kept, more=len(order) - len(kept))

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.findings
