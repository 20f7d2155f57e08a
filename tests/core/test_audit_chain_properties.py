"""Whatever is done to a log by one who cannot spell it anew, the first entry concerned is named."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from radiobridge.core.audit_chain import Record, from_line, intact, seal_entry, to_line, verify
from radiobridge.core.audit_findings import Finding, Kind
from radiobridge.model.audit import AuditHead, Order
from tests.core.audit_log import as_export, chain, entry, head_of, held

LOG = chain(12)
EXPORT = as_export(LOG)

places = st.integers(0, len(LOG) - 1)
bytes_ = st.integers(1, 255)
logs = st.sampled_from([LOG, EXPORT])


def first(records: list[Record]) -> Finding:
    """Return the first thing that is found; there must be one."""
    verdict = verify(records, [held(LOG)])
    assert not verdict.ok
    assert not verify(records).ok or verdict.findings[0].kind is Kind.CUT_SHORT
    return verdict.findings[0]


@given(log=logs, place=places, data=st.data(), mask=bytes_)
def test_any_byte_of_any_record(
    log: list[Record], place: int, data: st.DataObject, mask: int
) -> None:
    record = log[place]
    at = data.draw(st.integers(0, len(record.body) - 1))
    body = bytearray(record.body)
    body[at] ^= mask
    found = first([*log[:place], replace(record, body=bytes(body)), *log[place + 1 :]])
    assert (found.kind, found.sequence) == (Kind.ALTERED, place + 1)


@given(log=logs, place=places, at=st.integers(0, 63), mask=bytes_)
def test_any_byte_of_any_hash(log: list[Record], place: int, at: int, mask: int) -> None:
    record = log[place]
    hash_ = bytearray(record.hash.encode())
    hash_[at] ^= mask
    spoilt = replace(record, hash=hash_.decode("utf-8", "replace"))
    found = first([*log[:place], spoilt, *log[place + 1 :]])
    assert (found.kind, found.sequence) == (Kind.ALTERED, place + 1)


@given(place=places, number=st.integers(-(2**40), 2**40))
def test_any_number_that_a_record_is_filed_under(place: int, number: int) -> None:
    assume(number != place + 1)
    assume(not any(record.sequence == number for record in LOG))
    filed = [*LOG[:place], replace(LOG[place], sequence=number), *LOG[place + 1 :]]
    found = first(sorted(filed, key=lambda record: record.sequence or 0))
    assert (found.kind, found.sequence) == (Kind.REORDERED, place + 1)


@given(log=logs, place=places, data=st.data(), mask=bytes_)
def test_any_byte_of_any_line_of_an_export(
    log: list[Record], place: int, data: st.DataObject, mask: int
) -> None:
    lines = [to_line(record) for record in log]
    at = data.draw(st.integers(0, len(lines[place]) - 1))
    line = bytearray(lines[place])
    line[at] ^= mask
    found = first([from_line(bytes(line if i == place else one)) for i, one in enumerate(lines)])
    assert (found.kind, found.sequence) == (Kind.ALTERED, place + 1)


@given(log=logs, gone=st.sets(places, min_size=1, max_size=len(LOG) - 1))
def test_any_entries_removed(log: list[Record], gone: set[int]) -> None:
    found = first([record for place, record in enumerate(log) if place not in gone])
    tail = min(gone) > max(set(range(len(log))) - gone)
    assert found.kind is (Kind.CUT_SHORT if tail else Kind.MISSING)
    assert found.sequence == min(gone) + 1


@given(log=logs, order=st.permutations(range(len(LOG))))
def test_any_other_order(log: list[Record], order: list[int]) -> None:
    assume(order != sorted(order))
    found = first([log[place] for place in order])
    assert found.kind is Kind.REORDERED
    moved = {place + 1 for at, place in enumerate(order) if place != at}
    assert found.sequence in moved


@given(log=logs, one=places, other=places)
def test_two_entries_whose_numbers_were_exchanged(log: list[Record], one: int, other: int) -> None:
    assume(one < other)
    spoilt = list(log)
    spoilt[one] = replace(log[other], sequence=log[one].sequence)
    spoilt[other] = replace(log[one], sequence=log[other].sequence)
    found = first(spoilt)
    assert found.kind is Kind.REORDERED
    assert found.sequence - 1 in range(one, other + 1)


@given(log=logs, place=places, copy=places)
def test_any_entry_put_in_once_more(log: list[Record], place: int, copy: int) -> None:
    found = first([*log[:place], log[copy], *log[place:]])
    assert found.sequence <= max(place, copy) + 1
    assert found.kind in (Kind.INSERTED, Kind.REORDERED)


@given(log=logs, place=places, number=st.integers(1, 2 * len(LOG)))
def test_any_entry_forged_and_put_in(log: list[Record], place: int, number: int) -> None:
    """The forger links it to the entry before it, and gives it whatever number."""
    before = AuditHead(number - 1, head_of(LOG[:place]).hash)
    forged = seal_entry(entry(1000 + number), Order.AFTER, before)
    forged = replace(forged, sequence=None if log is EXPORT else number)
    assert intact(forged)
    verdict = verify([*log[:place], forged, *log[place:]], [held(LOG)])
    assert not verdict.ok
    assert verdict.findings[0].sequence <= max(place + 1, number)


@given(log=logs, left=st.integers(0, len(LOG) - 1))
def test_any_tail_cut_off_when_a_partner_holds_the_head(log: list[Record], left: int) -> None:
    found = first(log[:left])
    assert (found.kind, found.sequence, found.last) == (Kind.CUT_SHORT, left + 1, len(LOG))


@given(place=places, spelled=st.integers(0, 3))
def test_any_entry_written_anew_with_all_behind_it_when_a_partner_holds_the_head(
    place: int, spelled: int
) -> None:
    forged = seal_entry(entry(99 + spelled), Order.BEFORE, head_of(LOG[:place]))
    behind = chain(len(LOG) - place - 1, AuditHead(place + 1, forged.hash))
    found = first_rewritten([*LOG[:place], forged, *behind])
    assert found.kind is Kind.REWRITTEN


def first_rewritten(records: list[Record]) -> Finding:
    assert verify(records).ok, "one who spells all anew leaves no trace in the log itself"
    verdict = verify(records, [held(LOG)])
    assert not verdict.ok
    return verdict.findings[0]
