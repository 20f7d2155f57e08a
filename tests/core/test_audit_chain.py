"""The chain: what one record looks like, and that a log which was left alone is found whole."""

import hashlib
import json

import pytest

from radiobridge.core.audit_chain import (
    EMPTY,
    GENESIS,
    MAX_DETAILS,
    MAX_TEXT,
    HeldHead,
    Record,
    from_line,
    intact,
    parse_head,
    read_record,
    seal_entry,
    to_line,
    verify,
)
from radiobridge.core.audit_findings import MAX_FINDINGS, Finding, Kind
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.audit import AuditEntry, AuditHead, Order, Outcome
from tests.core.audit_log import T0, WINDSOR, as_export, chain, entry, head_of, held

FIRST = (
    '{"detail":{"epoch":1,"patch":"river-1"},"identity":"local:été","order":"before",'
    f'"outcome":"done","previous":"{GENESIS}","sequence":1,'
    '"source":"rb/1/us.cbp/detroit/patch/river@1","what":"word-said","when":1800000000001,'
    '"where":"ca.opp/windsor"}'
)
"""The first record as docs/audit.md says it is spelled."""


def test_a_record_is_spelled_and_hashed_as_the_page_says() -> None:
    record = seal_entry(entry(1), Order.BEFORE, EMPTY)
    assert record.body.decode() == FIRST
    again = hashlib.sha256(b"radiobridge 1 audit record\0" + FIRST.encode()).hexdigest()
    assert record == Record(1, FIRST.encode(), again)


def test_each_record_holds_the_hash_of_the_one_before() -> None:
    records = chain(5)
    before = [GENESIS, *(record.hash for record in records)]
    assert [json.loads(record.body)["previous"] for record in records] == before[:-1]
    assert [json.loads(record.body)["sequence"] for record in records] == [1, 2, 3, 4, 5]


def test_what_was_written_is_read() -> None:
    sealed = read_record(seal_entry(entry(7), Order.AFTER, AuditHead(6, "a" * 64)).body)
    assert (sealed.sequence, sealed.previous, sealed.order) == (7, "a" * 64, Order.AFTER)
    assert sealed.entry == entry(7)


def test_what_has_no_spelling_is_mended_not_refused() -> None:
    odd = AuditEntry(
        what="\ud800",
        when_ms=-5,
        where=WINDSOR,
        source="x" * (MAX_TEXT + 1),
        outcome=Outcome.FAILED,
        identity="line\nbreak\x00\u202e",
        detail={"big": 2**80, "half\udfff": "\ud800", **{f"n{i}": i for i in range(100)}},
    )
    record = seal_entry(odd, Order.AFTER, EMPTY)
    read = read_record(record.body).entry
    assert intact(record)
    assert read.what == "?"
    assert len(read.source) == MAX_TEXT
    assert read.identity == "line\nbreak\x00\u202e"
    assert read.detail["big"] == 2**53 - 1
    assert read.detail["half?"] == "?"
    assert len(read.detail) == MAX_DETAILS


@pytest.mark.parametrize("head", [EMPTY, AuditHead(1, "ab" * 32), AuditHead(10**14, GENESIS)])
def test_a_head_is_read_as_it_is_written(head: AuditHead) -> None:
    assert parse_head(str(head)) == head


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:", ":" + GENESIS, "01:" + GENESIS, "-1:" + GENESIS, "1:" + "G" * 64,
     "1:" + "a" * 63, "1:" + "A" * 64, "1:" + GENESIS + "\n", "9" * 16 + ":" + GENESIS,
     "١:" + GENESIS],
)  # fmt: skip
def test_any_other_head_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_head(text)


@pytest.mark.parametrize("length", [0, 1, 2, 40])
def test_a_log_that_was_left_alone_is_whole(length: int) -> None:
    records = chain(length)
    for log in (records, as_export(records)):
        verdict = verify(log, [held(records[: length // 2]), held(records)])
        assert verdict.ok
        assert verdict.entries == length
        assert verdict.head == head_of(records)


def test_an_export_holds_the_very_bytes() -> None:
    records = chain(3)
    lines = [to_line(record) for record in records]
    assert [from_line(line) for line in lines] == as_export(records)
    assert json.loads(lines[0])["record"]["identity"] == "local:été"


def test_every_kind_of_finding_says_what_in_both_languages() -> None:
    for kind in Kind:
        for last in (7, 9):
            text = Finding(kind=kind, sequence=7, last=last, holder="us.cbp/detroit").text
            assert "7" in text.en
            assert "7" in text.fr
            assert "{" not in text.en + text.fr
            assert text.en != text.fr
            assert ("9" in text.en) is (last == 9 and kind in (Kind.MISSING, Kind.CUT_SHORT))


def test_a_log_cut_short_is_whole_without_a_partners_head_and_not_with_one() -> None:
    records = chain(10)
    cut = records[:6]
    assert verify(cut).ok
    (finding,) = verify(cut, [held(records)]).findings
    assert (finding.kind, finding.sequence, finding.last) == (Kind.CUT_SHORT, 7, 10)
    assert "us.cbp/detroit" in finding.text.en


def test_a_log_of_which_nothing_is_left_is_cut_short() -> None:
    (finding,) = verify([], [held(chain(3))]).findings
    assert (finding.kind, finding.sequence, finding.last) == (Kind.CUT_SHORT, 1, 3)


def test_a_log_written_anew_is_whole_without_a_partners_head_and_not_with_one() -> None:
    records = chain(10)
    forged = seal_entry(entry(99), Order.AFTER, head_of(records[:4]))
    anew = [*records[:4], forged, *chain(6, AuditHead(5, forged.hash))]
    assert verify(anew).ok
    (finding,) = verify(anew, [held(records[:3]), held(records)]).findings
    assert (finding.kind, finding.sequence) == (Kind.REWRITTEN, 10)


def test_an_entry_exchanged_whole_is_found_by_the_one_behind_it() -> None:
    records = chain(6)
    records[3] = seal_entry(entry(99), Order.AFTER, head_of(records[:3]))
    (finding,) = verify(records).findings
    assert (finding.kind, finding.sequence) == (Kind.ALTERED, 4)


def test_a_head_of_an_empty_log_holds_nothing_against_it() -> None:
    assert verify(chain(2), [HeldHead(head=EMPTY, holder="us.cbp/detroit")]).ok


def test_what_is_no_record_is_altered_and_hides_nothing_behind_it() -> None:
    records = [*chain(2), Record(3, b"[]", "x"), Record(4, b'{"sequence":', ""), *chain(6)[4:]]
    verdict = verify(records)
    assert [(f.kind, f.sequence) for f in verdict.findings] == [
        (Kind.ALTERED, 3),
        (Kind.ALTERED, 4),
    ]
    assert verdict.head == head_of(chain(6))


def test_a_forged_number_costs_nothing() -> None:
    far = seal_entry(entry(5), Order.AFTER, AuditHead(2**50, GENESIS))
    verdict = verify([*chain(3), far, *chain(5)[3:]])
    assert verdict.findings[0].kind is Kind.REORDERED
    assert verdict.findings[0].sequence == 4


def test_the_findings_kept_are_bounded_and_counted() -> None:
    spoilt = [Record(r.sequence, r.body + b" ", r.hash) for r in chain(MAX_FINDINGS + 20)]
    verdict = verify(spoilt)
    assert len(verdict.findings) == MAX_FINDINGS
    assert verdict.more == 20
    assert verdict.findings[0].sequence == 1


def test_times_are_bridge_time_in_ms() -> None:
    assert read_record(chain(1)[0].body).entry.when_ms == T0 + 1
