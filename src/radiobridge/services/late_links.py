"""Links that hold voice back: found by the age of what they bring, and told to start anew."""

from collections import Counter
from collections.abc import Iterable

from radiobridge.core.backlog import Age, Backlog
from radiobridge.core.reception import Refusal, TopicReception
from radiobridge.spi import Link


class LateLinks:
    """Judges the age of all voice that comes. `now` is monotonic s."""

    def __init__(self, counters: Counter[str]) -> None:
        """Count in `late-links` and `dropped-at-receiver`."""
        self.links: tuple[Link, ...] = ()
        self.first: Counter[str] = Counter()
        """By link: voice that it brought first, before any other link."""
        self._counters = counters
        self._backlogs: dict[str, Backlog] = {}

    def backlog(self, topic: str) -> Backlog:
        """Return what is known of the age of the voice on a topic."""
        return self._backlogs.setdefault(topic, Backlog())

    def too_late(self, backlog: Backlog, age_ms: int, link: str, now: float) -> bool:
        """Take the age of voice that counts; tell whether it is too late to be played (hot)."""
        self.first[link] += 1
        age = backlog.take(age_ms, link)
        if age is Age.FRESH:
            return False
        self._late(backlog, link, now)
        if age is Age.LATE:
            self._counters["dropped-at-receiver"] += 1
        return age is Age.LATE

    def refused(self, backlog: Backlog, reception: TopicReception, link: str, now: float) -> None:
        """Look at what was refused: old voice, or a late copy, shows a link that holds it back."""
        refusal = reception.refusal
        if refusal == Refusal.STALE or (
            refusal == Refusal.REPLAY and backlog.copied(reception.age_ms, link)
        ):
            self._late(backlog, link, now)

    def _late(self, backlog: Backlog, link: str, now: float) -> None:
        self._counters["late-links"] += 1
        if backlog.held_back(link, now) and _start_anew(self.links, link):
            for other in self._backlogs.values():
                other.started_anew(link, asked=other is backlog)


def _start_anew(links: Iterable[Link], name: str) -> bool:
    return any(link.name == name and link.restart_voice() for link in links)
