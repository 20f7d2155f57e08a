"""What one gateway has said about one patch, reduced to what still counts.

Old words go on counting: a withdrawal holds for good and restrictions add up, so the newest word
alone would not do after a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from radiobridge.core.consent import Restriction
from radiobridge.model.ids import PatchId
from radiobridge.wire.words import PatchWord, Verb


class Remembered(NamedTuple):
    """One word to tell a PatchBook again. Version 0: it only repeats what was said earlier."""

    word: PatchWord
    version: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The words of one gateway on one patch. Times are ms of bridge time."""

    patch: PatchId
    word: PatchWord | None
    """The newest; None when two contradict under one version."""
    version: int
    expires_ms: int
    withdrawn: bool
    """It has withdrawn at some time: that holds for good."""
    restriction: Restriction | None
    last_ms: int
    """When all that is known of the patch is over."""

    def words(self) -> Iterator[Remembered]:
        """Yield words that make a PatchBook know all this again, in whatever order."""
        if self.word is not None:
            yield Remembered(self.word, self.version, self.expires_ms)
        if self.withdrawn:
            withdrawal = PatchWord(patch=self.patch, verb=Verb.WITHDRAW)
            yield Remembered(withdrawal, 0, self.last_ms)
        elif self.restriction is not None and not self.restriction.empty and self.word is not None:
            yield Remembered(narrow(self.restriction, self.word), 0, self.last_ms)


def narrow(total: Restriction, accepted: PatchWord) -> PatchWord:
    """Return the word that accepts what `accepted` does, within these restrictions."""
    return PatchWord(
        patch=accepted.patch,
        verb=Verb.NARROW,
        terms=accepted.terms,
        limits=tuple(total.limits[group] for group in sorted(total.limits)),
        end_ms=total.end_ms,
        recording=total.recording,
    )
