"""What an operator reads, in the two languages of the border."""

from enum import StrEnum
from typing import NamedTuple


class Language(StrEnum):
    """A language that every operator-facing text exists in."""

    EN = "en"
    FR = "fr"


class Text(NamedTuple):
    """One sentence in English and in French. Both say the same."""

    en: str
    fr: str

    def to(self, language: Language) -> str:
        """Return the sentence in `language`."""
        return self.fr if language is Language.FR else self.en


def language_of(locale: str | None) -> Language:
    """Return the language of a POSIX locale name such as `fr_CA.UTF-8`; English when unknown."""
    return Language.FR if (locale or "").lower().startswith("fr") else Language.EN
