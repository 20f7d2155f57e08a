"""The line log: what the wires of a simulated radio did, and when.

One JSON object for each change, times in seconds since the common time zero:
`{"t": 12.3456, "radio": "opp-donor", "line": "PTT", "value": 1, "cause": "press"}`.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent:
    """One change of one line."""

    t: float
    radio: str
    line: str
    """`PTT` or `COR`."""
    value: int
    cause: str


class LineLog:
    """All changes of all lines, in the order in which they were reported. Thread-safe."""

    def __init__(self) -> None:
        self._events: list[LineEvent] = []
        self._lock = threading.Lock()

    def add(self, event: LineEvent) -> None:
        """Append one change."""
        with self._lock:
            self._events.append(event)

    def events(self, radio: str | None = None, line: str | None = None) -> list[LineEvent]:
        """Return the changes of one radio and one line (None: of all), by time."""
        with self._lock:
            chosen = [
                e
                for e in self._events
                if (radio is None or e.radio == radio) and (line is None or e.line == line)
            ]
        return sorted(chosen, key=lambda e: e.t)

    def intervals(self, radio: str, line: str, until: float) -> list[tuple[float, float]]:
        """Return the times (from, to) for which a line was on; `until` ends an open one."""
        found: list[tuple[float, float]] = []
        since: float | None = None
        for event in self.events(radio, line):
            if event.value and since is None:
                since = event.t
            elif not event.value and since is not None:
                found.append((since, event.t))
                since = None
        if since is not None:
            found.append((since, until))
        return found

    def write(self, path: Path) -> None:
        """Write everything as JSON lines."""
        lines = [json.dumps(asdict(e) | {"t": round(e.t, 6)}) + "\n" for e in self.events()]
        path.write_text("".join(lines), encoding="utf-8")
