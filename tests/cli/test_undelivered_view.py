"""What the talker's side is shown of what was not heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.cli.undelivered_view import undelivered_lines
from radiobridge.core.transmit import NotDeliveredReason
from radiobridge.text import Language

ROW = {
    "gateway": "us.cbp/detroit",
    "radio": "border",
    "talkgroup": "ca.opp/TAC1",
    "start_ms": 1_767_225_600_000,
    "reason": "denied",
}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.EN, ("NOT DELIVERED at us.cbp/detroit border", "was refused a channel")),
        (Language.FR, ("NON TRANSMIS à us.cbp/detroit border", "refuser un canal")),
    ],
)
def test_a_line_says_where_what_and_why(language: Language, words: tuple[str, ...]) -> None:
    (line,) = undelivered_lines([ROW], language)
    assert all(word in line for word in (*words, "ca.opp/TAC1"))


@pytest.mark.parametrize("reason", list(NotDeliveredReason))
def test_each_reason_has_words_in_both_languages(reason: NotDeliveredReason) -> None:
    lines = {
        language: next(undelivered_lines([{**ROW, "reason": reason.value}], language))
        for language in Language
    }
    assert all(not line.endswith(f": {reason.value}") for line in lines.values())
    assert len(set(lines.values())) == len(Language)


def test_the_newest_five_are_shown() -> None:
    lines = list(undelivered_lines([{**ROW, "radio": f"r{n}"} for n in range(20)], Language.EN))
    assert ["r15" in lines[0], "r19" in lines[-1], len(lines)] == [True, True, 5]


@given(st.lists(st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.text()))))
def test_nothing_that_the_api_may_say_breaks_it(rows: list[object]) -> None:
    assert all(isinstance(line, str) for line in undelivered_lines(rows, Language.EN))
