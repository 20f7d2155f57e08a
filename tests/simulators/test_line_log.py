import json
from pathlib import Path

from radiobridge_sim.line_log import LineEvent, LineLog


def event(t: float, value: int, line: str = "PTT", radio: str = "a") -> LineEvent:
    return LineEvent(t=t, radio=radio, line=line, value=value, cause="test")


def test_intervals_pair_on_and_off() -> None:
    log = LineLog()
    for e in (event(2.0, 0), event(1.0, 1), event(3.0, 1), event(1.5, 1, radio="b")):
        log.add(e)
    assert log.intervals("a", "PTT", until=9.0) == [(1.0, 2.0), (3.0, 9.0)]
    assert log.intervals("a", "COR", until=9.0) == []


def test_file_is_json_lines_by_time(tmp_path: Path) -> None:
    log = LineLog()
    log.add(event(2.0, 0))
    log.add(event(1.25, 1, line="COR"))
    log.write(tmp_path / "lines.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [line["t"] for line in lines] == [1.25, 2.0]
    assert lines[0] == {"t": 1.25, "radio": "a", "line": "COR", "value": 1, "cause": "test"}
