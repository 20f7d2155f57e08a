"""Patches for a terminal. Takes what the API gives, and more or less than it knows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from rich.console import Console
from rich.text import Text as Styled

from radiobridge.cli.state_words import STATES
from radiobridge.cli.view import cell, local_time, patch_table, plain
from radiobridge.text import Language, Text

Json: TypeAlias = Mapping[str, Any]

_NOTHING = Text("no patches", "aucun jumelage")
_PREVIEW = Text("PREVIEW: nothing is done yet", "APERÇU : rien n'est encore fait")
_UNSTORED = Text(
    "it counts already, but is not stored yet: the disk takes its time",
    "cela compte déjà, mais n'est pas encore enregistré : le disque tarde",
)


def print_patches(patches: Iterable[Json], language: Language, out: Console | None = None) -> None:
    """Print how each patch stands."""
    rows, out = list(patches), out or Console(highlight=False)
    if not rows:
        out.print(cell(_NOTHING.to(language)))
        return
    out.print(patch_table(rows, language))
    for row in rows:
        if row.get("in_force"):
            _print_notes(row, language, out)


def print_patch(patch: Json, language: Language, out: Console | None = None) -> None:
    """Print all about one patch."""
    out = out or Console(highlight=False)
    if patch.get("preview"):
        out.print(Styled(_PREVIEW.to(language), style="bold"))
    title = Styled(plain(patch.get("id"), language), style="bold")
    if "in_force" in patch:
        style = "bold green" if patch["in_force"] else "bold yellow"
        title.append(f"  {plain(patch.get('why'), language)}", style=style)
    out.print(title)
    for line in _lines(patch, language):
        out.print(line)
    _print_notes(patch, language, out)
    if patch.get("durable") is False:
        out.print(Styled(_UNSTORED.to(language), style="yellow"))


def print_plans(plans: Iterable[Json], language: Language, out: Console | None = None) -> None:
    """Print what was agreed in advance."""
    out = out or Console(highlight=False)
    for plan in plans:
        on_demand = plan.get("activation") == "on-demand"
        word = Text("on demand", "à la demande") if on_demand else Text("standing", "permanent")
        title = Styled(plain(plan.get("id"), language), style="bold")
        out.print(title.append(f"  {word.to(language)}", style="not bold"))
        for line in _lines(plan, language):
            out.print(line)
        _print_notes(plan, language, out)
        patches = plan.get("patches") or []
        if patches:
            out.print(patch_table(patches, language))


def print_test(result: Json, language: Language, out: Console | None = None) -> None:
    """Print what a test found, the faults in red."""
    out = out or Console(highlight=False)
    for check in result.get("checks") or []:
        ok = bool(check.get("ok"))
        mark = Styled("✔ " if ok else "✘ ", style="green" if ok else "bold red")
        out.print(mark.append(plain(check.get("text"), language), style="" if ok else "red"))
    took = result.get("took_ms")
    if result.get("ok"):
        text = Text(f"ready ({took} ms); nothing was keyed", f"prêt ({took} ms); rien n'a émis")
    else:
        text = Text(f"NOT ready ({took} ms)", f"PAS prêt ({took} ms)")
    out.print(Styled(text.to(language), style="bold"))


def _lines(patch: Json, language: Language) -> Iterator[Styled]:
    purpose = " · ".join(plain(patch.get(k), language) for k in ("purpose", "incident"))
    yield _labelled(Text("purpose", "but"), purpose, language)
    times = " – ".join(local_time(patch.get(key)) for key in ("start_ms", "end_ms"))
    yield _labelled(Text("time", "durée"), times, language)
    yield _labelled(Text("host", "hôte"), plain(patch.get("host"), language), language)
    yield _labelled(
        Text("recording", "enregistrement"), plain(patch.get("recording"), language), language
    )
    for member in patch.get("members") or []:
        yield cell("  " + _member(member, language))
    for word in patch.get("words") or []:
        yield cell("  " + _word(word, language))
    yield _labelled(Text("terms", "conditions"), plain(patch.get("terms"), language), language)
    for other in patch.get("other_terms") or []:
        yield _labelled(
            Text("also proposed", "aussi proposé"), plain(other.get("terms"), language), language
        )


def _labelled(label: Text, value: str, language: Language) -> Styled:
    return Styled(f"{label.to(language)}: ", style="dim").append(value, style="not dim")


def _member(member: Json, language: Language) -> str:
    access = plain(member.get("access"), language)
    rank = plain(member.get("max_class"), language)
    parts = [
        STATES[access].to(language) if access in STATES else access,
        rank,
        Text(f"priority {member.get('max_priority')}", f"priorité {member.get('max_priority')}").to(
            language
        ),
        _AIR.get(plain(member.get("air"), language), Text("", "")).to(language),
    ]
    if member.get("signalling"):
        parts.append(Text("signalling crosses", "signalisation transmise").to(language))
    return f"{plain(member.get('talkgroup'), language)}: " + ", ".join(p for p in parts if p)


def _word(word: Json, language: Language) -> str:
    verb = plain(word.get("verb"), language)
    said = _VERBS.get(verb, Text(verb, verb)).to(language)
    terms = plain(word.get("terms"), language)[:12]
    return f"{plain(word.get('gateway'), language)}: {said} {terms}".rstrip()


def _print_notes(patch: Json, language: Language, out: Console) -> None:
    for note in patch.get("notes") or []:
        out.print(Styled(plain(note, language), style="bold red"))


_AIR = {
    "clear": Text("clear air", "ondes en clair"),
    "encrypted": Text("encrypted air", "ondes chiffrées"),
}
_VERBS = {
    "accept": Text("accepts", "accepte"),
    "narrow": Text("accepts, narrowed", "accepte, en restreignant"),
    "withdraw": Text("has withdrawn", "a retiré son accord"),
}
