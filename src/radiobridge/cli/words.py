"""The operator's language, from the locale."""

import os

from radiobridge.text import Language, Text, language_of


def language() -> Language:
    """Return the language of the environment: LC_ALL, LC_MESSAGES or LANG, as POSIX has it."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return language_of(next((name for name in names if name), None))


def say(en: str, fr: str) -> str:
    """Return one of the two, by the operator's language."""
    return Text(en, fr).to(language())
