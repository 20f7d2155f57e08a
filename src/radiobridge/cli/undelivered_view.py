"""What of our talkers was not heard somewhere, as `radiobridge status` shows it."""

from collections.abc import Iterable, Iterator
from typing import Any

from radiobridge.cli.view import local_time, plain
from radiobridge.text import Language, Text

_REASONS = {
    "busy": Text("channel busy", "canal occupé"),
    "denied": Text("the radio was refused a channel", "la radio s'est vu refuser un canal"),
    "failed": Text("the radio did not transmit", "la radio n'a pas émis"),
    "time-out": Text("the radio transmitted for too long", "la radio a émis trop longtemps"),
    "inhibited": Text("the radio is kept off the air", "la radio est retirée des ondes"),
    "lost": Text("the radio is lost", "la radio est perdue"),
}
_SHOWN = 5


def undelivered_lines(rows: Iterable[Any], language: Language) -> Iterator[str]:
    """Yield a line for each of the newest spurts that were not delivered, the newest last."""
    good = [row for row in rows if isinstance(row, dict)]
    for row in good[-_SHOWN:]:
        reason = plain(row.get("reason"), language)
        why = _REASONS[reason].to(language) if reason in _REASONS else reason
        at = f"{plain(row.get('gateway'), language)} {plain(row.get('radio'), language)}"
        talkgroup, when = plain(row.get("talkgroup"), language), local_time(row.get("start_ms"))
        yield Text(
            f"NOT DELIVERED at {at}: {talkgroup} of {when}: {why}",
            f"NON TRANSMIS à {at} : {talkgroup} de {when} : {why}",
        ).to(language)
