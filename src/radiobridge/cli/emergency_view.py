"""Alarms for a terminal. Takes what the API gives, and more or less than it knows."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from radiobridge.cli.view import cell, local_time, plain
from radiobridge.text import Language, Text

Json: TypeAlias = Mapping[str, Any]

_NONE = Text("no alarms", "aucune alarme")
_UNSTORED = Text(
    "it counts already, but is not stored yet: the disk takes its time",
    "cela compte déjà, mais n'est pas encore enregistré : le disque tarde",
)

_STAGES = {
    "raised": Text("RAISED", "DONNÉE"),
    "acknowledged": Text("acknowledged", "confirmée"),
    "cleared": Text("cleared", "close"),
}
_KINDS = {
    "field": Text("field", "terrain"),
    "donor": Text("donor radio", "radio relais"),
}
_VERDICTS = {"valid": Text("valid", "fondée"), "false": Text("false", "fausse")}
_VERBS = {
    "demote": Text("demoted", "déclassé"),
    "exclude": Text("excluded", "exclu"),
    "restore": Text("restored", "rétabli"),
}
_REACHES = {
    "everybody": Text("for everybody", "pour tous"),
    "own-transmitters": Text("on our transmitters only", "sur nos émetteurs seulement"),
    "others": Text("on their transmitters only", "sur leurs émetteurs seulement"),
}


def print_alarms(alarms: Iterable[Json], language: Language, out: Console | None = None) -> None:
    """Print how each alarm stands."""
    rows, out = list(alarms), out or Console(highlight=False)
    if not rows:
        out.print(cell(_NONE.to(language)))
        return
    out.print(alarm_table(rows, language))


def print_alarm(alarm: Json, language: Language, out: Console | None = None) -> None:
    """Print one alarm after a command."""
    out = out or Console(highlight=False)
    out.print(alarm_table([alarm], language))
    _print_unstored(alarm, language, out)


def print_talkers(talkers: Iterable[Json], language: Language, out: Console | None = None) -> None:
    """Print who is demoted or excluded."""
    rows, out = list(talkers), out or Console(highlight=False)
    for row in rows:
        out.print(cell(_decision(row, language)))


def print_decision(answer: Json, language: Language, out: Console | None = None) -> None:
    """Print what was decided about a talker."""
    out = out or Console(highlight=False)
    out.print(cell(_decision(answer, language)))
    _print_unstored(answer, language, out)


def alarm_table(rows: Iterable[Json], language: Language) -> Table:
    """Return the table of the alarms."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for title in (
        Text("alarm", "alarme"),
        Text("state", "état"),
        Text("talkgroup", "groupe"),
        Text("who", "qui"),
        Text("raised", "donnée"),
        Text("what", "quoi"),
    ):
        table.add_column(title.to(language), overflow="fold")
    for row in rows:
        table.add_row(
            cell(plain(row.get("id"), language)),
            _stage(row, language),
            cell(plain(row.get("talkgroup"), language)),
            cell(_who(row, language)),
            cell(local_time(row.get("raised_ms"))),
            cell("; ".join(_what(row, language))),
        )
    return table


def _stage(row: Json, language: Language) -> Styled:
    stage = str(row.get("stage"))
    text = _STAGES.get(stage, Text(stage, stage)).to(language)
    if row.get("escalated"):
        text += Text(" · NOBODY ANSWERS", " · SANS RÉPONSE").to(language)
    return Styled(text, style="bold red" if stage == "raised" else "")


def _who(row: Json, language: Language) -> str:
    named = (row.get("alias"), row.get("talker"), row.get("raiser"))
    return " · ".join(plain(one, language) for one in named if one)


def _what(row: Json, language: Language) -> Iterable[str]:
    kind = str(row.get("kind"))
    yield _KINDS.get(kind, Text(kind, kind)).to(language)
    if row.get("open") and kind == "field":
        with_rank = Text("has rank", "prioritaire")
        without = Text("rank spent (open microphone)", "sans priorité (micro ouvert)")
        yield (with_rank if row.get("rank") else without).to(language)
    for one in row.get("acknowledged_by") or ():
        yield Text("acknowledged by {}", "confirmée par {}").to(language).format(_by(one, language))
    verdict = row.get("verdict")
    if verdict:
        found = _VERDICTS.get(str(verdict), Text(str(verdict), str(verdict))).to(language)
        yield f"{found} : {plain(row.get('reason'), language)}"
        if row.get("open"):
            yield Text("waits to be acknowledged", "attend d'être confirmée").to(language)


def _by(one: object, language: Language) -> str:
    if not isinstance(one, Mapping):
        return plain(one, language)
    named = (one.get("gateway"), one.get("by"))
    return " ".join(plain(part, language) for part in named if part)


def _decision(row: Json, language: Language) -> str:
    verb, reach = str(row.get("verb")), str(row.get("reach"))
    done = _VERBS.get(verb, Text(verb, verb)).to(language)
    bound = _REACHES.get(reach, Text(reach, reach)).to(language)
    by = _by(row, language) if row.get("gateway") else ""
    talker = plain(row.get("talker"), language)
    line = f"{plain(row.get('talkgroup'), language)} {talker}: {done}, {bound}"
    return f"{line} ({by})" if by else line


def _print_unstored(answer: Json, language: Language, out: Console) -> None:
    if answer.get("durable") is False:
        out.print(Styled(_UNSTORED.to(language), style="yellow"))
