"""Audit logs to be verified, whole and spoilt."""

from collections.abc import Sequence
from dataclasses import replace

from radiobridge.core.audit_chain import EMPTY, HeldHead, Record, seal_entry
from radiobridge.model.audit import AuditEntry, AuditEvent, AuditHead, Order, Outcome

WINDSOR = "ca.opp/windsor"
T0 = 1_800_000_000_000


def entry(number: int, what: str = AuditEvent.WORD_SAID) -> AuditEntry:
    """Return an entry unlike any other."""
    return AuditEntry(
        what=what,
        when_ms=T0 + number,
        where=WINDSOR,
        source=f"rb/1/us.cbp/detroit/patch/river@{number}",
        outcome=Outcome.DONE,
        identity="local:été",
        detail={"patch": f"river-{number}", "epoch": number},
    )


def chain(length: int, start: AuditHead = EMPTY) -> list[Record]:
    """Return a log of so many entries, as a database has it."""
    records, head = [], start
    for number in range(start.sequence + 1, start.sequence + length + 1):
        order = Order.BEFORE if number % 3 else Order.AFTER
        record = seal_entry(entry(number), order, head)
        head = AuditHead(number, record.hash)
        records.append(record)
    return records


def head_of(records: Sequence[Record]) -> AuditHead:
    """Return the head of a log that is whole."""
    return AuditHead(len(records), records[-1].hash) if records else EMPTY


def held(records: Sequence[Record]) -> HeldHead:
    """Return the head as a partner holds it."""
    return HeldHead(head=head_of(records), holder="us.cbp/detroit")


def as_export(records: Sequence[Record]) -> list[Record]:
    """Return the same log without the numbers that a database files records under."""
    return [replace(record, sequence=None) for record in records]
