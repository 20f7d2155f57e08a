"""Names from the air and from partners: shown as they are, or not at all."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.model.talker import MAX_NAME, clean, is_clean, is_talker, mdc_talker

GOOD = [
    "Unit 12",
    "Unité 12 – sergent d'Ornellas",
    "L’Ange (chef)",
    "K9 #4",
    "Ōmura",
    "Łódź-7",
    "Нгуен",
    "王警官",
    "नमस्ते",
    "p.o. Smith",
]

HOSTILE = {
    "line\nbreak": "line break",
    "tab\there": "tab here",
    "bell\x07null\x00escape\x1b[31m": "bellnullescape31m",
    "\u202eetirw\u202c": "etirw",
    "\u2066isolated\u2069\u200e\u200f": "isolated",
    "zero\u200bwidth\ufeff": "zerowidth",
    "<script>alert(1)</script>": "scriptalert(1)script",
    "[bold red]Unit[/]": "bold redUnit",
    "a & b &lt;": "a b lt;",
    "../../etc/passwd": ".etcpasswd",
    "..\\..\\windows": ".windows",
    "/dev/null": "devnull",
    "$(reboot) `id` ${x} %n": "(reboot) id x n",
    "line\u2028separator\u2029": "line separator",
    "no\u00a0break": "no break",
    "   much    room   ": "much room",
    "\x85next": "next",
    "\ue000private": "private",
    "\U000e0041tag": "tag",
    "": "",
    "///": "",
}


@pytest.mark.parametrize("text", GOOD)
def test_names_stay_as_they_are(text: str) -> None:
    assert clean(text) == unicodedata.normalize("NFC", text)
    assert is_clean(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_what_could_act_is_left_out(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert not is_clean(text)


def test_a_megabyte_is_one_line() -> None:
    assert clean("A" * 1_000_000) == "A" * MAX_NAME
    assert clean(" " * 1_000_000 + "A") == ""
    assert not is_clean("A" * 1_000_000)
    assert not is_talker("name:" + "A" * 1_000_000)


def test_towers_of_marks_are_cut() -> None:
    assert clean("Z" + "\u0335" * 50) == "Z\u0335\u0335"


OVERRIDES = {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}


@given(st.text(max_size=300))
def test_clean_is_clean(text: str) -> None:
    shown = clean(text)
    assert clean(shown) == shown
    assert len(shown) <= MAX_NAME
    assert not set(shown) & set("<>&/\\|[]{}`$%")
    assert all(unicodedata.category(c)[0] in "LNMPSZ" for c in shown)
    assert not {unicodedata.bidirectional(c) for c in shown} & OVERRIDES
    assert ".." not in shown
    assert shown.strip() == shown
    assert "\n" not in shown


@pytest.mark.parametrize("text", ["mdc:1234", "mdc:0A0F", "p25:BEE00.2D1.1234567", "name:Unit 12",
                                  "dmr:3021234"])  # fmt: skip
def test_talker_ids(text: str) -> None:
    assert is_talker(text)


@pytest.mark.parametrize("text", [
    "", ":", "mdc:", "mdc:123", "mdc:12345", "mdc:12g4", "mdc:abcd", "MDC:1234", "1234", "p25:1",
    "p25:BEE00.2D1.", "name:", "name:  x", "name:<b>", "name:a/b", "name:" + "x" * 65,
    "name:a\u202eb", "mdc:1234\n", "toolongtype:x", "m:x",
])  # fmt: skip
def test_other_texts_are_none(text: str) -> None:
    assert not is_talker(text)


def test_the_id_of_an_mdc1200_unit() -> None:
    assert mdc_talker(0x00AF) == "mdc:00AF"
    assert is_talker(mdc_talker(0xFFFF))
