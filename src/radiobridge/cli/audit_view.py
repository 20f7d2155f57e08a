"""An audit log for people: entries in lines, a verdict in a sentence, a sheet for a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text as Styled

from radiobridge.core.audit_chain import Record, Sealed, intact, read_record
from radiobridge.core.audit_findings import Verdict
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.audit import AuditEvent, Outcome
from radiobridge.text import Language, Text

COLUMNS = (
    "sequence", "order", "when", "what", "identity", "source", "outcome", "where", "detail", "hash",
)  # fmt: skip

_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula."""

_LONG = frozenset({"word", "terms"})
"""Parts of a detail that only --full shows."""


def as_json(record: Record) -> dict[str, Any]:
    """Return one entry as JSON values."""
    shown: dict[str, Any] = {"hash": record.hash, "intact": intact(record)}
    sealed = _read(record)
    if sealed is None:
        return shown | {"sequence": record.sequence}
    entry = sealed.entry
    return shown | {
        "sequence": sealed.sequence,
        "order": sealed.order.value,
        "when_ms": entry.when_ms,
        "when": moment(entry.when_ms),
        "what": entry.what,
        "where": entry.where,
        "source": entry.source,
        "outcome": entry.outcome.value,
        "identity": entry.identity,
        "detail": dict(entry.detail),
    }


def print_entry(record: Record, language: Language, out: Console, *, full: bool) -> None:
    """Print one entry: when and what in one line, the rest below it."""
    sealed = _read(record)
    if sealed is None or not intact(record):
        number = record.sequence if sealed is None else sealed.sequence
        out.print(Styled(f"{number or '?':>7}  {_ALTERED.to(language)}", style="bold red"))
    if sealed is None:
        return
    entry = sealed.entry
    line = Styled(f"{sealed.sequence:>7}  {moment(entry.when_ms)}  ")
    line.append(_what(entry.what, language), style="bold")
    if entry.outcome is not Outcome.DONE:
        line.append(f"  {_OUTCOMES[entry.outcome].to(language)}", style="red")
    line.append(f"  {visible(entry.identity)}")
    out.print(line, soft_wrap=True)
    parts = [f"{name} {value}" for name, value in sorted(entry.detail.items())
             if full or name not in _LONG]  # fmt: skip
    rest = ", ".join([visible(entry.source), _ORDERS[sealed.order.value].to(language), *parts])
    out.print(Styled(f"         {visible(rest)}", style="dim"), soft_wrap=True)


def print_verdict(
    verdict: Verdict, gateway: str | None, heads: int, language: Language, out: Console
) -> None:
    """Print what verifying gave."""
    whose = visible(gateway or "?")
    if verdict.ok:
        whole = Text(
            f"{whose}: {verdict.entries} entries, whole and in order",
            f"{whose} : {verdict.entries} entrées, intactes et dans l'ordre",
        )
        out.print(Styled(whole.to(language), style="green"), soft_wrap=True)
        out.print(Styled(f"{_HEAD.to(language)} {verdict.head}"), soft_wrap=True)
        against = Text(f"held against {heads} heads", f"comparé à {heads} têtes")
        out.print(Styled((against if heads else _NO_HEADS).to(language)), soft_wrap=True)
        return
    out.print(Styled(f"{whose}: {_BROKEN.to(language)}", style="bold red"), soft_wrap=True)
    for finding in verdict.findings:
        out.print(Styled(f"  {visible(finding.text.to(language))}"), soft_wrap=True)
    if verdict.more:
        more = Text(f"  and {verdict.more} more", f"  et {verdict.more} de plus")
        out.print(Styled(more.to(language)))


def verdict_json(verdict: Verdict, gateway: str | None, heads: int) -> dict[str, Any]:
    """Return a verdict as JSON values."""
    return {
        "ok": verdict.ok,
        "gateway": gateway,
        "entries": verdict.entries,
        "head": str(verdict.head),
        "heads": heads,
        "findings": [
            {
                "kind": finding.kind.value,
                "sequence": finding.sequence,
                "last": finding.last,
                "holder": finding.holder,
                "text": finding.text._asdict(),
            }
            for finding in verdict.findings
        ],
        "more": verdict.more,
    }


def csv_lines(records: Iterator[Record]) -> Iterator[str]:
    """Yield an export as a sheet: one line for each entry, nothing that a spreadsheet runs."""
    yield _csv_line(dict(zip(COLUMNS, COLUMNS, strict=True)))
    for record in records:
        shown = as_json(record)
        detail = shown.get("detail", {})
        shown["detail"] = ", ".join(f"{name} {value}" for name, value in sorted(detail.items()))
        yield _csv_line(shown)


def _csv_line(row: Mapping[str, Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(
        [_harmless(row.get(name, "")) for name in COLUMNS]
    )
    return out.getvalue()


def _harmless(value: object) -> str:
    text = visible("" if value is None else str(value))
    return f"'{text}" if text.startswith(_SPREADSHEET) else text


def moment(when_ms: int) -> str:
    """Return a bridge time as RFC 3339 in UTC, in ms; the bare number when it is none."""
    try:
        at = datetime.fromtimestamp(when_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(when_ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when_ms % 1000:03d}Z"


def visible(text: str) -> str:
    """Return `text` in one line, without anything that could move a cursor or forge another."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _read(record: Record) -> Sealed | None:
    try:
        return read_record(record.body)
    except RemoteProtocolError:
        return None


def words_of(what: str) -> Text | None:
    """Return what people read for an event; None for one that we do not know."""
    return _EVENTS.get(what)


def _what(what: str, language: Language) -> str:
    known = words_of(what)
    return visible(what) if known is None else known.to(language)


_ALTERED = Text("this entry was altered", "cette entrée a été modifiée")
_BROKEN = Text("BROKEN", "ROMPU")
_HEAD = Text("head", "tête")
_NO_HEADS = Text(
    "not held against a partner's heads: a tail that was cut off would not show (--partner-heads)",
    "pas comparé aux têtes d'un partenaire : une fin coupée ne se verrait pas (--partner-heads)",
)
_ORDERS = {
    "before": Text("logged before", "consigné avant"),
    "after": Text("logged after", "consigné après"),
}
_OUTCOMES = {
    Outcome.DONE: Text("done", "fait"),
    Outcome.REFUSED: Text("REFUSED", "REFUSÉ"),
    Outcome.FAILED: Text("NOT DONE", "NON FAIT"),
}
_EVENTS: dict[str, Text] = {
    AuditEvent.STARTED: Text("gateway started", "passerelle démarrée"),
    AuditEvent.STOPPED: Text("gateway stopped", "passerelle arrêtée"),
    AuditEvent.CONFIGURATION: Text("configuration read again", "configuration relue"),
    AuditEvent.ROSTER: Text("roster", "liste des passerelles"),
    AuditEvent.WORD_SAID: Text("our word on a patch", "notre parole sur un jumelage"),
    AuditEvent.WORD_HEARD: Text("a word on a patch", "une parole sur un jumelage"),
    AuditEvent.KEY_GIVEN: Text("voice key given", "clé de voix donnée"),
    AuditEvent.PATCH_IN_FORCE: Text("patch in force", "jumelage en vigueur"),
    AuditEvent.PATCH_OVER: Text("patch over", "jumelage terminé"),
    AuditEvent.INHIBIT: Text("radio taken off the air", "radio retirée des ondes"),
    AuditEvent.ALLOW: Text("radio allowed again", "radio de nouveau permise"),
    AuditEvent.CHANNEL_WRONG: Text("radio on a wrong channel", "radio sur un autre canal"),
    AuditEvent.CHANNEL_RIGHT: Text("radio on its channel again", "radio de retour sur son canal"),
    AuditEvent.LOOP_OPENED: Text("loop by radio opened", "boucle par radio ouverte"),
    AuditEvent.SPURT_STARTED: Text("talk started", "parole commencée"),
    AuditEvent.SPURT_ENDED: Text("talk ended", "parole terminée"),
    AuditEvent.NOT_DELIVERED: Text("not delivered", "non transmis"),
    AuditEvent.ALARM_RAISED: Text("alarm raised", "alarme donnée"),
    AuditEvent.ALARM_RANK_SPENT: Text("emergency rank spent", "rang d'urgence épuisé"),
    AuditEvent.ALARM_ESCALATED: Text("alarm escalated", "alarme relancée"),
    AuditEvent.ALARM_ACKNOWLEDGED: Text("alarm acknowledged", "alarme acquittée"),
    AuditEvent.ALARM_CLEAR_SAID: Text("alarm cleared by its agency", "alarme levée par son agence"),
    AuditEvent.ALARM_CLEARED: Text("alarm over", "alarme terminée"),
    AuditEvent.TALKER_DEMOTED: Text("talker demoted", "locuteur rétrogradé"),
    AuditEvent.TALKER_EXCLUDED: Text("talker excluded", "locuteur exclu"),
    AuditEvent.TALKER_RESTORED: Text("talker restored", "locuteur rétabli"),
    AuditEvent.STATE_LOST: Text("state lost", "état perdu"),
    AuditEvent.STATE_TRUSTED: Text("state trusted again", "état de nouveau fiable"),
    AuditEvent.STATE_CONFIRMED: Text("state confirmed", "état confirmé"),
    AuditEvent.HEAD_WENT_BACK: Text("a partner's log went back", "un journal a reculé"),
    AuditEvent.LOG_CUT: Text("this log was cut", "ce journal a été tronqué"),
    AuditEvent.DOCUMENT_WITHHELD: Text("a document is withheld", "un document est retenu"),
    AuditEvent.LEFT_OUT: Text("entries left out", "entrées omises"),
}
