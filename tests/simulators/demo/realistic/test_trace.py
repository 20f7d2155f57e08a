"""The drawn trace is SVG that a browser reads, and shows each thing where and when it was."""

from xml.etree import ElementTree as ET

import pytest

from radiobridge.text import Language, Text
from radiobridge_sim.demo.realistic.trace import (
    LEFT,
    RIGHT,
    WIDTH,
    Lane,
    Line,
    Mark,
    Span,
    Trace,
    draw,
)

SVG = "{http://www.w3.org/2000/svg}"
MINUTE = WIDTH - LEFT - RIGHT


def trace(*, held: bool = True) -> Trace:
    return Trace(
        title=Text("Both <carriers>", "Les deux <porteuses>"),
        held=held,
        lines=(Line(held=held, words=Text("calls & faults", "appels & pannes")),),
        lanes=(
            Lane(
                label=Text("carrier A", "porteuse A"),
                spans=(Span(start_s=30.0, end_s=75.0, kind="carrier"),),
            ),
        ),
        marks=(Mark(at_s=66.0, kind="fault", words=Text("killed", "tué")),),
        end_s=80.0,
    )


def shapes(svg: ET.Element, kind: str) -> list[tuple[float, float]]:
    """Return x and width of the rectangles of a kind in the rows, below the legend."""
    return [
        (float(rect.attrib["x"]), float(rect.attrib["width"]))
        for rect in svg.iter(f"{SVG}rect")
        if rect.get("class") == kind and float(rect.attrib["x"]) >= LEFT
        and float(rect.attrib["height"]) > 13
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.EN, {"Both <carriers>", "HELD", "calls & faults", "carrier A", "killed"}),
        (Language.FR, {"Les deux <porteuses>", "TENU", "appels & pannes", "porteuse A", "tué"}),
    ],
)
def test_all_words_are_there_in_the_language(language: Language, words: set[str]) -> None:
    svg = ET.fromstring(draw(trace(), language))  # noqa: S314 - our own
    texts = {text.text for text in svg.iter(f"{SVG}text")}
    assert words <= texts
    assert {"0:00", "1:05", "2:00"} <= texts


def test_a_carrier_over_the_minute_is_on_both_rows() -> None:
    svg = ET.fromstring(draw(trace(), Language.EN))  # noqa: S314 - our own
    first, second = shapes(svg, "carrier")
    assert first == pytest.approx((LEFT + MINUTE / 2, MINUTE / 2), abs=0.2)
    assert second == pytest.approx((LEFT, MINUTE / 4), abs=0.2)
    (fault,) = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "fault"]
    assert float(fault.attrib["x1"]) == pytest.approx(LEFT + MINUTE / 10, abs=0.2)


def test_what_did_not_hold_is_said() -> None:
    drawn = draw(trace(held=False), Language.EN)
    assert "NOT HELD" in drawn
    assert "✘" in drawn
