"""Audit logs as a gateway leaves them, for the commands to read."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.model.audit import AuditEntry, AuditEvent, AuditHead, Outcome

T0 = 1_800_000_000_000
WINDSOR, DETROIT = "ca.opp/windsor", "us.cbp/detroit"


def entries() -> list[AuditEntry]:
    """Return a short story, with an alias that would like to be more than that."""
    hostile = "=cmd|'/c calc'!A1\x1b[2J\n99  2030  gateway stopped"
    story: list[tuple[str, str, str, Outcome, dict[str, str | int]]] = [
        (AuditEvent.STARTED, "process", WINDSOR, Outcome.DONE, {"version": "0.1.0"}),
        (AuditEvent.WORD_SAID, "command", "local:alice", Outcome.DONE,
         {"patch": "river", "verb": "accept", "word": '{"long":"text"}', "terms": "5f13"}),
        (AuditEvent.KEY_GIVEN, "consent", "us.cbp", Outcome.DONE,
         {"talkgroup": "ca.opp/TAC1", "epoch": 7}),
        (AuditEvent.SPURT_STARTED, "voice", DETROIT, Outcome.DONE,
         {"talkgroup": "us.cbp/BORDER", "alias": hostile}),
        (AuditEvent.NOT_DELIVERED, "radio tac1", DETROIT, Outcome.FAILED, {"reason": "busy"}),
        (AuditEvent.WORD_SAID, "command", "local:bob", Outcome.DONE,
         {"patch": "river", "verb": "withdraw"}),
    ]  # fmt: skip
    return [
        AuditEntry(
            what=what, when_ms=T0 + 1000 * number, where=WINDSOR, source=source,
            outcome=outcome, identity=identity, detail=detail,
        )
        for number, (what, source, identity, outcome, detail) in enumerate(story)
    ]  # fmt: skip


def write_log(path: Path, count: int = 6) -> AuditHead:
    """Write the story to a log; return its head."""

    async def write() -> AuditHead | None:
        log = SqliteAuditLog(path)
        await log.open()
        for one in entries()[: count - 1]:
            log.after(one)
        await log.before(entries()[count - 1])
        head = log.head()
        await log.close()
        return head

    head = asyncio.run(write())
    assert head is not None
    return head


def write_config(folder: Path) -> Path:
    """Write as much of a gateway's file as the commands need; its state is in `state`."""
    path = folder / "windsor.yaml"
    path.write_text(
        "agency: ca.opp\ngateway: windsor\nstate: state\nsocket: api.sock\n", encoding="utf-8"
    )
    return path


def write_state(folder: Path, values: dict[str, str]) -> None:
    """Write a gateway's state."""

    async def write() -> None:
        store = SqliteStateStore(folder / "state.db")
        await store.open()
        for key, value in values.items():
            await store.put(key, value)
        await store.close()

    asyncio.run(write())


def tamper(path: Path, statement: str) -> None:
    """Change a log as one who may write the file does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for trigger in ("entry_stays", "entry_remains", "entry_follows"):
            database.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        database.execute(statement)
        database.execute("PRAGMA journal_mode=DELETE")
