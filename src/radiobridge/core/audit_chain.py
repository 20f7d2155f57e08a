"""The audit log as a chain: how an entry is spelled, hashed and linked, and how that is verified.

A *record* is one entry as canonical JSON (RFC 8785) with its number, the hash of the record before
it, and whether it was durable before what it tells took effect:

    {"detail":{…},"identity":…,"order":"before","outcome":…,"previous":…,"sequence":7,"source":…,
     "what":…,"when":…,"where":…}

    hash = SHA-256("radiobridge 1 audit record", a zero byte, record), in hex

Numbers count from 1; the first record follows GENESIS. So no record can be changed, taken out, put
in or moved without a break at it or right behind it. Whoever can write the file can still cut off
its tail, or spell everything anew from some record on: heads that others hold show that.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from radiobridge.core.audit_findings import Finding, Kind, Verdict
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.audit import AuditEntry, AuditHead, Order, Outcome
from radiobridge.wire.canonical import MAX_INTEGER, Body, Json, dump
from radiobridge.wire.fields import Fields

GENESIS = "0" * 64
"""What the first record follows."""

EMPTY = AuditHead(0, GENESIS)

MAX_TEXT = 16_384
"""Characters of one text in a record; the largest word on a patch has half of that."""

MAX_DETAILS = 32

_TAG = b"radiobridge 1 audit record\0"
_HEAD = re.compile(r"(0|[1-9][0-9]{0,14}):([0-9a-f]{64})", re.ASCII)
_LINE = re.compile(rb'\{"hash":"([^"]{0,128})","record":(.*)\}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in a database or an export; whether it is right is to be seen."""

    sequence: int | None
    """The number it is filed under; None in an export, where only the order tells."""
    body: bytes
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What a record says."""

    sequence: int
    previous: str
    order: Order
    entry: AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldHead:
    """A head of this log that somebody else holds."""

    head: AuditHead
    holder: str
    """Who holds it, for the finding."""


def parse_head(text: str) -> AuditHead:
    """Return the head in `<sequence>:<hash>`; raise RemoteProtocolError."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise RemoteProtocolError("bad-body", "audit")
    return AuditHead(int(match[1]), match[2])


def hash_of(body: bytes) -> str:
    """Return the hash of a record."""
    return hashlib.sha256(_TAG + body).hexdigest()


def seal_entry(entry: AuditEntry, order: Order, before: AuditHead) -> Record:
    """Return the record of `entry` behind `before`. Never fails: what has no spelling is mended."""
    sequence = before.sequence + 1
    detail: dict[str, Json] = {
        _text(name): _value(value) for name, value in list(entry.detail.items())[:MAX_DETAILS]
    }
    body: Body = {
        "sequence": sequence,
        "previous": before.hash,
        "order": order.value,
        "what": _text(entry.what),
        "when": _integer(entry.when_ms),
        "where": _text(entry.where),
        "source": _text(entry.source),
        "outcome": entry.outcome.value,
        "identity": _text(entry.identity),
        "detail": detail,
    }
    raw = dump(body)
    return Record(sequence, raw, hash_of(raw))


def read_record(body: bytes) -> Sealed:
    """Return what a record says; raise RemoteProtocolError when it is none."""
    fields = Fields(_object(body))
    raw_detail = fields.value("detail")
    if not isinstance(raw_detail, dict):
        raise RemoteProtocolError("bad-body", "detail")
    detail = {_whole(k): _detail(v) for k, v in raw_detail.items()}
    sealed = Sealed(
        sequence=fields.integer("sequence", low=1),
        previous=_string(fields, "previous"),
        order=fields.choice("order", Order),
        entry=AuditEntry(
            what=_string(fields, "what"),
            when_ms=fields.integer("when", low=-MAX_INTEGER),
            where=_string(fields, "where"),
            source=_string(fields, "source"),
            outcome=fields.choice("outcome", Outcome),
            identity=_string(fields, "identity"),
            detail=detail,
        ),
    )
    fields.done()
    return sealed


def intact(record: Record) -> bool:
    """Tell whether a record's hash is that of its bytes."""
    return hash_of(record.body) == record.hash


def to_line(record: Record) -> bytes:
    """Return a record as one line of an export, without the line's end."""
    return b'{"hash":"%s","record":%s}' % (record.hash.encode("utf-8"), record.body)


def from_line(line: bytes) -> Record:
    """Return the record in one line of an export; one that cannot be right if there is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        return Record(None, line, "")
    return Record(None, match[2], match[1].decode("utf-8", "replace"))


def verify(records: Iterable[Record], heads: Iterable[HeldHead] = ()) -> Verdict:
    """Return what is wrong with a log, given in its order, and with the heads that others hold."""
    checking = _Verification(heads)
    for record in records:
        checking.take(record)
    return checking.verdict()


@dataclass(frozen=True, slots=True)
class _Link:
    """The record that the next one must follow."""

    sequence: int
    hashes: frozenset[str]
    """The hash filed with it and that of its bytes: one of them is right if one was altered."""
    altered: bool


class _Verification:
    """Takes records one by one; keeps numbers of gaps and of held heads, nothing else."""

    def __init__(self, heads: Iterable[HeldHead]) -> None:
        self._held = sorted(heads, key=lambda held: held.head.sequence)
        self._wanted = {held.head.sequence for held in self._held}
        self._hashes: dict[int, str] = {}
        self._link = _Link(0, frozenset({GENESIS}), False)
        self._gaps: list[tuple[int, int]] = []
        self._misfiled: list[int] = []
        """Records filed under another number than their own."""
        self._count = 0
        self._last = EMPTY
        self._findings: list[Finding] = []

    def take(self, record: Record) -> None:
        """Take the next record."""
        self._count += 1
        computed = hash_of(record.body)
        place = _place(record.body)
        if computed != record.hash or place is None:
            self._altered(record, computed)
            return
        sequence, previous = place
        if record.sequence is not None and record.sequence != sequence:
            self._misfiled.append(sequence)
            return
        link = _Link(sequence, frozenset({computed}), False)
        if self._follows(sequence):
            before = self._link
            neighbours = before.sequence == sequence - 1 and not before.altered
            if neighbours and previous not in before.hashes:
                # The one before was spelled anew: this record follows another one.
                self._find(Kind.ALTERED, max(1, sequence - 1))
            self._advance(link, computed)

    def _altered(self, record: Record, computed: str) -> None:
        """A record whose hash is wrong: its own number cannot be trusted, that of its place can."""
        expected = self._link.sequence + 1
        sequence = expected if record.sequence is None else record.sequence
        self._find(Kind.ALTERED, sequence)
        if self._follows(sequence, quietly=True):
            self._advance(_Link(sequence, frozenset({record.hash, computed}), True), computed)

    def _follows(self, sequence: int, *, quietly: bool = False) -> bool:
        """Tell whether this number goes on from the last; note gaps and what is out of place."""
        expected = self._link.sequence + 1
        if sequence > expected:
            self._gaps.append((expected, sequence - 1))
        if sequence >= expected:
            return True
        filled = self._fill(sequence)
        if not quietly:
            self._find(Kind.REORDERED if filled else Kind.INSERTED, sequence)
        return False

    def _fill(self, sequence: int) -> bool:
        """Take a number out of the gaps; tell whether it was in one."""
        for index, (first, last) in enumerate(self._gaps):
            if first <= sequence <= last:
                parts = ((first, sequence - 1), (sequence + 1, last))
                self._gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False

    def _advance(self, link: _Link, computed: str) -> None:
        self._link = link
        self._last = AuditHead(link.sequence, computed)
        if link.sequence in self._wanted:
            self._hashes[link.sequence] = computed

    def _find(self, kind: Kind, sequence: int, last: int | None = None, holder: str = "") -> None:
        self._findings.append(
            Finding(
                kind=kind,
                sequence=sequence,
                last=sequence if last is None else last,
                holder=holder,
            )
        )

    def verdict(self) -> Verdict:
        """Return all that was found, the first entry first."""
        for sequence in self._misfiled:
            beyond = sequence > self._link.sequence
            moved = self._fill(sequence) or beyond
            self._find(Kind.REORDERED if moved else Kind.INSERTED, sequence)
        for first, last in self._gaps:
            self._find(Kind.MISSING, first, last)
        for held in self._held:
            self._compare(held)
        return Verdict.of(self._count, self._last, self._findings)

    def _compare(self, held: HeldHead) -> None:
        sequence, hash_ = held.head
        if sequence > self._last.sequence:
            self._find(Kind.CUT_SHORT, self._last.sequence + 1, sequence, held.holder)
            return
        found = self._hashes.get(sequence, GENESIS if sequence == 0 else None)
        if found is not None and found != hash_:
            self._find(Kind.REWRITTEN, sequence, holder=held.holder)


def _place(body: bytes) -> tuple[int, str] | None:
    """Return the number and the hash before, as a record says; None when it says neither."""
    try:
        value = _object(body)
    except RemoteProtocolError:
        return None
    sequence, previous = value.get("sequence"), value.get("previous")
    if isinstance(sequence, int) and sequence > 0 and isinstance(previous, str):
        return sequence, previous
    return None


def _object(body: bytes) -> Body:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("bad-json", type(error).__name__) from None
    if not isinstance(value, dict):
        raise RemoteProtocolError("bad-json", "not an object")
    return value


def _string(fields: Fields, name: str) -> str:
    value = fields.value(name)
    if not isinstance(value, str):
        raise RemoteProtocolError("bad-body", name)
    return _whole(value)


def _detail(value: Json) -> str | int:
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, int):
        return value
    raise RemoteProtocolError("bad-body", "detail")


def _whole(text: str) -> str:
    """Return `text` unless it has half characters, which no terminal takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise RemoteProtocolError("bad-body", "text") from None
    return text


def _text(text: str) -> str:
    """Return `text` as it can be spelled: no half characters, not too long."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")


def _integer(value: int) -> int:
    return max(-MAX_INTEGER, min(int(value), MAX_INTEGER))


def _value(value: str | int) -> str | int:
    return _integer(value) if isinstance(value, int) else _text(str(value))
