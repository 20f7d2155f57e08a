"""`radiobridge audit show|verify|export|heads`: who did what, and whether the log is whole.

They read the log beside a running gateway or without one, and never write it. docs/audit.md
"""

import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console

from radiobridge.cli import asking, audit_view
from radiobridge.cli.audit_heads import heads_of
from radiobridge.cli.audit_source import find, read_heads
from radiobridge.cli.client import JsonOption
from radiobridge.cli.words import language, say
from radiobridge.core.audit_chain import Record, read_record, to_line, verify
from radiobridge.errors import ConfigError, RemoteProtocolError, StoreError, os_reason
from radiobridge.model.audit import AuditEntry

_EXAMPLE = say("Example", "Exemple")
_CONFIG = "/etc/radiobridge/windsor.yaml"
BROKEN = 1
DAY_MS = 24 * 3600 * 1000

app = typer.Typer(
    name="audit",
    add_completion=False,
    no_args_is_help=True,
    help=say(
        "Show, verify and export the audit log: who did what, in a chain that shows any change.",
        "Montrer, vérifier et exporter le journal : qui a fait quoi, dans une chaîne qui révèle "
        "toute modification.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge audit verify {_CONFIG}",
)

Target: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG|LOG",
        help=say(
            "The gateway's file, its audit.db, or an export.",
            "Le fichier de la passerelle, son audit.db, ou une exportation.",
        ),
    ),
]


class Format(StrEnum):
    """How an export looks."""

    JSONL = "jsonl"
    """Verifiable: the very bytes of each record."""
    CSV = "csv"
    """For a spreadsheet."""


@app.command(
    help=say("Show the last entries, newest at the end.", "Montrer les dernières entrées."),
    epilog=f"{_EXAMPLE}: radiobridge audit show {_CONFIG} --patch river --last 20",
)
def show(
    target: Target,
    *,
    last: Annotated[
        int,
        typer.Option("--last", "-n", min=0, help=say("How many; 0: all.", "Combien; 0: toutes.")),
    ] = 50,
    what: Annotated[
        list[str] | None,
        typer.Option(
            "--what",
            metavar="WHAT",
            help=say(
                "Only these: word-said, key-given, spurt-started...",
                "Seulement celles-ci : word-said, key-given, spurt-started...",
            ),
        ),
    ] = None,
    patch: Annotated[
        str | None,
        typer.Option(
            "--patch", metavar="ID", help=say("Only this patch.", "Seulement ce jumelage.")
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help=say(
                "2h (ago), 17:30 (local time) or RFC 3339.",
                "2h (écoulées), 17:30 (heure locale) ou RFC 3339.",
            ),
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help=say("With all details.", "Avec tous les détails."))
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print entries."""
    since_ms = None if since is None else _since_ms(since)
    chosen = _chosen(find(target).records(), what, patch, since_ms)
    entries = list(chosen) if last == 0 else list(deque(chosen, maxlen=last))
    if as_json:
        _print_json([audit_view.as_json(record) for record in entries])
        return
    out = Console(highlight=False, markup=False)
    for record in entries:
        audit_view.print_entry(record, language(), out, full=full)


@app.command(
    name="verify",
    help=say(
        "Check that no entry was altered, removed, moved or put in. Exit status 1 if one was.",
        "Vérifier qu'aucune entrée n'a été modifiée, retirée, déplacée ou ajoutée. État 1 sinon.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge audit verify {_CONFIG} --partner-heads detroit.heads",
)
def verify_(
    target: Target,
    *,
    partner_heads: Annotated[
        list[Path] | None,
        typer.Option(
            "--partner-heads",
            metavar="FILE",
            help=say(
                "Heads that a partner holds (`audit heads`): shows a tail cut short.",
                "Têtes détenues par un partenaire (`audit heads`) : révèlent une fin coupée.",
            ),
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a log."""
    source = find(target)
    gateway = _whose(source)
    heads = [held for path in partner_heads or () for held in read_heads(path, gateway)]
    unreadable: list[StoreError] = []
    verdict = verify(_readable(source.records(), unreadable), heads)
    if unreadable and not verdict.entries:
        raise unreadable[0]
    if as_json:
        shown = audit_view.verdict_json(verdict, gateway, len(heads))
        shown["ok"] = verdict.ok and not unreadable
        shown["error"] = unreadable[0].text._asdict() if unreadable else None
        _print_json(shown)
    else:
        if verdict.ok and unreadable:
            typer.echo(f"{gateway or '?'}: {say('BROKEN', 'ROMPU')}")
        else:
            out = Console(highlight=False, markup=False)
            audit_view.print_verdict(verdict, gateway, len(heads), language(), out)
        for error in unreadable:
            typer.echo(f"  {error.text.to(language())}")
    if unreadable or not verdict.ok:
        raise typer.Exit(BROKEN)


@app.command(
    help=say(
        "Write the log as a file that can be handed on: JSON lines to verify, or CSV to read.",
        "Écrire le journal dans un fichier à transmettre : lignes JSON vérifiables, ou CSV.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge audit export {_CONFIG} --out river.jsonl",
)
def export(
    target: Target,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help=say(
                "A new file; standard output when left out.",
                "Un nouveau fichier ; sinon la sortie.",
            ),
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help=say("How it looks.", "Sa forme."))
    ] = Format.JSONL,
    as_json: JsonOption = False,
) -> None:
    """Export a log."""
    lines = _export_lines(find(target).records(), format_)
    if out is None:
        sys.stdout.buffer.writelines(lines)
        return
    count = _write(out, lines) - (format_ is Format.CSV)
    if as_json:
        _print_json({"file": str(out), "entries": count})
    else:
        typer.echo(say(f"{out}: {count} entries", f"{out} : {count} entrées"))


@app.command(
    help=say(
        "Show the heads of other gateways' logs that this gateway holds: what shows that one of "
        "them was cut short.",
        "Montrer les têtes des journaux d'autres passerelles que celle-ci détient : elles révèlent "
        "une fin coupée.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge audit heads {_CONFIG} --of us.cbp/detroit > windsor.heads",
)
def heads(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help=say("The gateway's file.", "Son fichier."))
    ],
    *,
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="GATEWAY",
            help=say("Of this gateway only.", "De cette passerelle seulement."),
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the heads of others that a gateway holds."""
    holder, lines = heads_of(config)
    rows = [line.split() for line in lines]
    shown = [(whose, head) for whose, head in rows if of is None or whose == of]
    if as_json:
        listed = [{"gateway": whose, "head": head} for whose, head in shown]
        _print_json({"holder": holder, "heads": listed})
        return
    for whose, head in shown:
        typer.echo(f"{whose} {head} {holder}")


def _chosen(
    records: Iterable[Record], what: list[str] | None, patch: str | None, since_ms: int | None
) -> Iterator[Record]:
    """Yield what fits; what cannot be read always does."""
    for record in records:
        try:
            entry = read_record(record.body).entry
        except RemoteProtocolError:
            yield record
            continue
        if _fits(entry, what, patch, since_ms):
            yield record


def _fits(
    entry: AuditEntry, what: list[str] | None, patch: str | None, since_ms: int | None
) -> bool:
    if what and entry.what not in what:
        return False
    if patch is not None and entry.detail.get("patch") != patch:
        return False
    return since_ms is None or entry.when_ms >= since_ms


def _since_ms(text: str) -> int:
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    if text.endswith(("s", "min", "h", "d")):
        return now_ms - asking.duration_ms(text)
    at_ms = asking.moment_ms(text)
    # `asking` takes a time of the day for the next one; here it is the last.
    return at_ms if "T" in text or at_ms <= now_ms else at_ms - DAY_MS


def _whose(source: Any) -> str | None:  # noqa: ANN401 - a Source
    try:
        name: str | None = source.gateway()
    except StoreError:
        return None
    return name


def _readable(records: Iterator[Record], unreadable: list[StoreError]) -> Iterator[Record]:
    """Yield what can be read; what stops that is kept, for it is a finding too."""
    try:
        yield from records
    except StoreError as error:
        unreadable.append(error)


def _export_lines(records: Iterator[Record], format_: Format) -> Iterator[bytes]:
    if format_ is Format.CSV:
        return (line.encode("utf-8") for line in audit_view.csv_lines(records))
    return (to_line(record) + b"\n" for record in records)


def _write(path: Path, lines: Iterator[bytes]) -> int:
    """Write a new file that only we may read; return how many lines it has."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            return sum(1 for line in lines if file.write(line))
    except FileExistsError as error:
        raise ConfigError(
            f"{path} is there already; name another file",
            f"{path} existe déjà ; nommez un autre fichier",
        ) from error
    except OSError as error:
        reason = os_reason(error)
        raise StoreError(
            f"{path} cannot be written: {reason.en}",
            f"{path} ne peut être écrit : {reason.fr}",
        ) from error


def _print_json(value: Any) -> None:  # noqa: ANN401 - a JSON value
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
