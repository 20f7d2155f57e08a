"""The drawn trace: who spoke, which carrier was up, what broke, when it was unkeyed. SVG 1.1.

A row for each stretch of time, a lane for each thing that was on or off, a line for each fault.
Text is drawn as text, so that it can be searched and read aloud.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from radiobridge.text import Language, Text

WIDTH = 1500
LEFT, RIGHT = 165, 20
LANE = 22
TICK_S = 5
HEAD = 34
"""Above the lanes of a row: names of faults."""

FOOT = 22
"""Below them: times."""

STYLE = """
text { font: 13px sans-serif; fill: #222 }
.title { font-size: 22px; font-weight: bold }
.small { font-size: 11px; fill: #555 }
.held { fill: #1a7f37; font-weight: bold }
.failed { fill: #cf222e; font-weight: bold }
.lane { fill: #f3f4f6 }
.spoken { fill: #4a7fb5 }
.damaged { fill: #cf222e }
.cut { fill: #8aa9c4 }
.carrier { fill: #e8890c }
.asked { fill: #f7d9a8 }
.heard { fill: #b9c7b5 }
.fault { stroke: #cf222e; stroke-width: 2 }
.down { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 3 2 }
.word { stroke: #4a7fb5; stroke-width: 2 }
.tick { stroke: #d0d3d8 }
"""

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'viewBox="0 0 {width} {height}" role="img" xml:lang="{language}">'
)

LEGEND = (
    ("spoken", Text("speaks, heard whole", "parle, entendu en entier")),
    ("damaged", Text("speaks, not heard whole", "parle, pas entendu en entier")),
    ("cut", Text("speaks, not judged", "parle, non jugé")),
    ("carrier", Text("carrier up", "porteuse")),
    ("asked", Text("keyed: asks, or keys up", "activée : demande ou montée")),
    ("heard", Text("carrier heard", "porteuse entendue")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that was on, in s since the common zero."""

    start_s: float
    end_s: float
    kind: str
    """One of `LEGEND`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One thing that was on or off."""

    label: Text
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An instant, with words: a fault, the end of a carrier after it, or a consent."""

    at_s: float
    kind: str
    """`fault`, `down` or `word`."""
    words: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line above the trace."""

    held: bool
    words: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that is drawn."""

    title: Text
    held: bool
    lines: tuple[Line, ...]
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    end_s: float
    row_s: float = 60.0


def draw(trace: Trace, language: Language) -> str:
    """Return the trace as an SVG document in `language`."""
    head = _head(trace, language)
    top = 60 + 20 * len(trace.lines) + 40
    body, height = _rows(trace, language, top)
    parts = [
        _SVG.format(width=WIDTH, height=height, language=language.value),
        f"<title>{escape(trace.title.to(language))}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *head,
        *_legend(language, top - 26),
        *body,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _head(trace: Trace, language: Language) -> list[str]:
    verdict = Text("HELD", "TENU") if trace.held else Text("NOT HELD", "PAS TENU")
    shown = [
        _text(20, 34, trace.title.to(language), "title"),
        _text(WIDTH - 130, 34, verdict.to(language), f"title {_held(held=trace.held)}"),
    ]
    for number, line in enumerate(trace.lines):
        y = 62 + 20 * number
        shown.append(_text(20, y, "✔" if line.held else "✘", _held(held=line.held)))
        shown.append(_text(40, y, line.words.to(language)))
    return shown


def _held(*, held: bool) -> str:
    return "held" if held else "failed"


def _legend(language: Language, y: int) -> list[str]:
    shown, x = [], 20
    for kind, words in LEGEND:
        shown.append(_rect(kind, x, y - 11, 22, 13))
        shown.append(_text(x + 28, y, words.to(language), "small"))
        x += 60 + 7 * len(words.to(language))
    return shown


def _rows(trace: Trace, language: Language, top: int) -> tuple[list[str], int]:
    height = HEAD + LANE * len(trace.lanes) + FOOT
    shown: list[str] = []
    count = max(1, math.ceil(trace.end_s / trace.row_s))
    for row in range(count):
        shown += _row(trace, language, row * trace.row_s, top + row * height)
    return shown, top + count * height + 10


def _row(trace: Trace, language: Language, since: float, top: int) -> list[str]:
    row_s, lanes_at = trace.row_s, top + HEAD
    bottom = lanes_at + LANE * len(trace.lanes)
    shown: list[str] = []
    for number, lane in enumerate(trace.lanes):
        shown += _lane(lane, language, since, row_s, lanes_at + number * LANE)
    for tick in range(0, round(row_s) + 1, TICK_S):
        x = _x(tick, row_s)
        shown.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{lanes_at}" y2="{bottom}"/>')
        shown.append(_text(x - 12, bottom + 14, _clock(since + tick), "small"))
    here = [mark for mark in trace.marks if since <= mark.at_s < since + row_s]
    for number, mark in enumerate(here):
        x = _x(mark.at_s - since, row_s)
        y = top + 12 + 14 * (number % 2)
        shown.append(f'<line class="{mark.kind}" x1="{x}" x2="{x}" y1="{y}" y2="{bottom}"/>')
        shown.append(_text(x + 4, y, mark.words.to(language), "small"))
    return shown


def _lane(lane: Lane, language: Language, since: float, row_s: float, y: int) -> list[str]:
    shown = [
        _rect("lane", LEFT, y + 2, WIDTH - LEFT - RIGHT, LANE - 4),
        _text(8, y + 15, lane.label.to(language)),
    ]
    shown += [_span(span, since, row_s, y) for span in _within(lane.spans, since, since + row_s)]
    return shown


def _within(spans: Iterable[Span], since: float, until: float) -> Sequence[Span]:
    return [span for span in spans if span.start_s < until and span.end_s > since]


def _span(span: Span, since: float, row_s: float, y: int) -> str:
    begin = _x(max(0.0, span.start_s - since), row_s)
    end = _x(min(row_s, span.end_s - since), row_s)
    return _rect(span.kind, begin, y + 3, max(1.0, end - begin), LANE - 6)


def _x(seconds: float, row_s: float) -> float:
    return round(LEFT + seconds / row_s * (WIDTH - LEFT - RIGHT), 1)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="{height}"/>'


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{shown}>{escape(words)}</text>'


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
