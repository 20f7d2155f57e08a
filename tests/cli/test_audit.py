"""`radiobridge audit`: what it shows, what it finds, what it hands on, and its exit statuses."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiobridge.cli import audit_view
from radiobridge.model.audit import AuditEvent, AuditHead
from tests.cli.audit_logs import (
    DETROIT,
    WINDSOR,
    entries,
    tamper,
    write_config,
    write_log,
    write_state,
)
from tests.cli.commands import Ran, run, run_apart

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A gateway's file beside its state with a log."""
    write_log(tmp_path / "state" / "audit.db")
    return write_config(tmp_path)


@pytest.fixture
def log(config: Path) -> Path:
    return config.parent / "state" / "audit.db"


def heads(folder: Path, *rows: tuple[str, AuditHead]) -> Path:
    path = folder / "detroit.heads"
    lines = [f"{whose} {head}@1800000009000 {DETROIT}\n" for whose, head in rows]
    path.write_text("# what detroit holds\n\n" + "".join(lines), encoding="utf-8")
    return path


def verdict(capsys: Capture, *arguments: object) -> tuple[int, dict[str, Any]]:
    ran = run(capsys, "audit", "verify", *map(str, arguments), "--json")
    return ran.status, json.loads(ran.out)


# --- verify -------------------------------------------------------------------------------------


def test_a_whole_log_is_verified_by_the_gateways_file_the_log_and_the_folder(
    capsys: Capture, config: Path, log: Path
) -> None:
    for target in (config, log, log.parent):
        status, shown = verdict(capsys, target)
        assert status == 0
        assert (shown["ok"], shown["entries"], shown["gateway"]) == (True, 6, WINDSOR)
        assert shown["findings"] == []
        assert shown["head"].startswith("6:")


def test_it_says_so_in_both_languages(config: Path) -> None:
    assert "6 entries, whole and in order" in run_apart("audit", "verify", str(config)).out
    french = run_apart("audit", "verify", str(config), lang="fr_CA.UTF-8")
    assert "6 entrées, intactes et dans l'ordre" in french.out
    assert "une fin coupée ne se verrait pas" in french.out


@pytest.mark.parametrize(
    ("statement", "kind", "sequence", "sentence"),
    [
        ("UPDATE entry SET record = replace(record, 'alice', 'carol') WHERE sequence = 2",
         "altered", 2, "entry 2 was altered"),
        ("UPDATE entry SET hash = replace(hash, substr(hash, 1, 1), 'z') WHERE sequence = 3",
         "altered", 3, "entry 3 was altered"),
        ("DELETE FROM entry WHERE sequence = 4", "missing", 4, "entry 4 is missing"),
        ("DELETE FROM entry WHERE sequence IN (2, 3)", "missing", 2,
         "entries 2 to 3 are missing"),
        ("UPDATE entry SET sequence = 40 WHERE sequence = 4", "reordered", 4,
         "entry 4 is not in its place"),
        ("INSERT INTO entry SELECT 7, record, hash FROM entry WHERE sequence = 2", "inserted", 2,
         "entry 2 is there once too often"),
    ],
)  # fmt: skip
def test_a_broken_log_exits_1_and_names_the_entry(
    capsys: Capture, config: Path, log: Path, statement: str, kind: str, sequence: int,
    sentence: str,
) -> None:  # fmt: skip
    tamper(log, statement)
    status, shown = verdict(capsys, config)
    assert status == 1
    assert not shown["ok"]
    first = shown["findings"][0]
    assert (first["kind"], first["sequence"]) == (kind, sequence)
    ran = run(capsys, "audit", "verify", str(config))
    assert ran.status == 1
    assert "BROKEN" in ran.out
    assert sentence in ran.out


def test_a_tail_cut_short_shows_when_a_partners_head_is_at_hand(
    capsys: Capture, tmp_path: Path
) -> None:
    whole = write_log(tmp_path / "whole.db")
    cut = tmp_path / "cut.db"
    kept = write_log(cut, 4)
    assert verdict(capsys, cut)[0] == 0
    assert verdict(capsys, cut, "--partner-heads", heads(tmp_path, (WINDSOR, kept)))[0] == 0
    held = heads(tmp_path, (DETROIT, kept), (WINDSOR, kept), (WINDSOR, whole))
    status, shown = verdict(capsys, cut, "--partner-heads", held)
    assert status == 1
    assert shown["heads"] == 2, "another gateway's do not count"
    (finding,) = shown["findings"]
    assert (finding["kind"], finding["sequence"], finding["last"]) == ("cut-short", 5, 6)
    ran = run(capsys, "audit", "verify", str(cut), "--partner-heads", str(held))
    assert f"entries 5 to 6 are missing; {DETROIT} holds the hash of the last" in ran.out


def test_heads_as_json_count_alike(capsys: Capture, log: Path, tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    row = {"gateway": WINDSOR, "head": f"9:{'a' * 64}@1"}
    path.write_text(json.dumps({"holder": DETROIT, "heads": [row]}))
    status, shown = verdict(capsys, log, "--partner-heads", path)
    assert (status, shown["findings"][0]["kind"]) == (1, "cut-short")


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", f"{DETROIT} 1:{'a' * 64} x\n", f"{WINDSOR} 1:{'a' * 63} x\n",
     f"{WINDSOR} 1:{'a' * 64}\n", "{}", '{"heads": 1}', "[" * 100_000, "\ufeff{"],
)  # fmt: skip
def test_a_file_that_holds_no_head_of_this_log_is_wrong_use(
    capsys: Capture, log: Path, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "heads"
    path.write_text(text, encoding="utf-8")
    ran = run(capsys, "audit", "verify", str(log), "--partner-heads", str(path))
    assert ran.status == 2
    assert str(path) in ran.err
    assert "Traceback" not in ran.err


def test_a_log_that_cannot_be_read_to_its_end_is_broken(capsys: Capture, log: Path) -> None:
    raw = bytearray(log.read_bytes())
    raw[4096 * 1 : 4096 * 2] = b"\xff" * 4096
    log.write_bytes(raw)
    ran = run(capsys, "audit", "verify", str(log))
    assert ran.status == 1
    assert "damaged" in ran.out + ran.err
    assert "Traceback" not in ran.err


# --- wrong use ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["show", "verify", "export"])
def test_what_is_no_log_exits_2_and_says_what_to_name(
    capsys: Capture, tmp_path: Path, command: str
) -> None:
    config = write_config(tmp_path)
    (tmp_path / "letter").write_text("gateways: none\n")
    for target in (config, tmp_path / "letter", tmp_path / "nowhere", tmp_path):
        ran = run(capsys, "audit", command, str(target))
        assert ran.status == 2, target
        assert str(tmp_path) in ran.err
        assert "Traceback" not in ran.err


def test_another_database_is_refused(capsys: Capture, tmp_path: Path) -> None:
    write_state(tmp_path, {"epoch/ca.opp/TAC1": "1"})
    ran = run(capsys, "audit", "verify", str(tmp_path / "state.db"))
    assert ran.status == 1
    assert "something else than an audit log" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [("audit",), ("audit", "verify"), ("audit", "show", "x", "y"), ("audit", "export", "--bogus"),
     ("audit", "show", "x", "--last", "-1"), ("audit", "show", "x", "--since", "yesterday"),
     ("audit", "export", "x", "--format", "pdf"), ("audit", "heads")],
)  # fmt: skip
def test_wrong_use_exits_2(capsys: Capture, arguments: tuple[str, ...]) -> None:
    assert run(capsys, *arguments).status == 2


@pytest.mark.parametrize("command", [(), ("show",), ("verify",), ("export",), ("heads",)])
def test_every_command_has_help_with_an_example(capsys: Capture, command: tuple[str, ...]) -> None:
    ran = run(capsys, "audit", *command, "--help")
    assert ran.status == 0
    assert "radiobridge audit" in ran.out


# --- show ---------------------------------------------------------------------------------------


def shown(capsys: Capture, log: Path, *arguments: str) -> list[dict[str, Any]]:
    ran = run(capsys, "audit", "show", str(log), *arguments, "--json")
    assert ran.status == 0
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def test_show_gives_every_field(capsys: Capture, log: Path) -> None:
    second = shown(capsys, log)[1]
    assert second.pop("hash")
    assert second == {
        "sequence": 2,
        "intact": True,
        "order": "after",
        "when_ms": 1_800_000_001_000,
        "when": "2027-01-15T08:00:01.000Z",
        "what": "word-said",
        "where": WINDSOR,
        "source": "command",
        "outcome": "done",
        "identity": "local:alice",
        "detail": dict(entries()[1].detail),
    }
    assert shown(capsys, log)[5]["order"] == "before"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [1, 2, 3, 4, 5, 6]),
        (("--last", "2"), [5, 6]),
        (("--last", "0"), [1, 2, 3, 4, 5, 6]),
        (("--what", "word-said"), [2, 6]),
        (("--what", "word-said", "--what", "key-given"), [2, 3, 6]),
        (("--patch", "river"), [2, 6]),
        (("--patch", "river", "--last", "1"), [6]),
        (("--since", "2027-01-15T08:00:03Z"), [4, 5, 6]),
        (("--since", "2h"), [1, 2, 3, 4, 5, 6]),
        (("--since", "23:59"), [1, 2, 3, 4, 5, 6]),
        (("--patch", "lake"), []),
    ],
)
def test_show_chooses(
    capsys: Capture, log: Path, arguments: tuple[str, ...], expected: list[int]
) -> None:
    assert [one["sequence"] for one in shown(capsys, log, *arguments)] == expected


def test_show_is_readable_and_harmless(capsys: Capture, log: Path) -> None:
    ran = run(capsys, "audit", "show", str(log))
    lines = ran.out.splitlines()
    assert len(lines) == 12, "two for each entry, whatever an alias holds"
    assert "\x1b" not in ran.out
    assert "our word on a patch  local:alice" in ran.out
    assert "NOT DONE" in ran.out
    assert "logged before" in lines[11]
    assert '"long"' not in ran.out
    assert '{"long":"text"}' in run(capsys, "audit", "show", str(log), "--full").out


def test_show_in_french(log: Path) -> None:
    ran = run_apart("audit", "show", str(log), lang="fr_CA.UTF-8")
    assert "notre parole sur un jumelage" in ran.out
    assert "NON FAIT" in ran.out


def test_every_event_has_words_in_both_languages() -> None:
    for event in AuditEvent:
        words = audit_view.words_of(event)
        assert words is not None, event
        assert words.en != words.fr


def test_show_marks_what_was_altered(capsys: Capture, log: Path) -> None:
    tamper(log, "UPDATE entry SET record = replace(record, 'alice', 'carol') WHERE sequence = 2")
    assert [one["intact"] for one in shown(capsys, log)] == [True, False, True, True, True, True]
    tamper(log, "UPDATE entry SET record = 'nonsense' WHERE sequence = 3")
    ran = run(capsys, "audit", "show", str(log))
    assert ran.out.count("this entry was altered") == 2


# --- export -------------------------------------------------------------------------------------


def exported(capsys: Capture, log: Path, path: Path, *arguments: str) -> Ran:
    return run(capsys, "audit", "export", str(log), "--out", str(path), *arguments)


def test_an_export_can_be_verified_like_the_log(capsys: Capture, log: Path, tmp_path: Path) -> None:
    path = tmp_path / "river.jsonl"
    assert exported(capsys, log, path).status == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert verdict(capsys, path)[1] == verdict(capsys, log)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[1])["record"]["identity"] == "local:alice"
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    status, found = verdict(capsys, path)
    assert (status, found["findings"][0]["sequence"]) == (1, 3)
    path.write_bytes(b"".join(lines).replace(b"alice", b"carol"))
    status, found = verdict(capsys, path)
    assert (status, found["findings"][0]["sequence"]) == (1, 2)


def test_an_export_to_standard_output_is_the_same(
    capsys: Capture, log: Path, tmp_path: Path
) -> None:
    exported(capsys, log, tmp_path / "a.jsonl")
    ran = run(capsys, "audit", "export", str(log))
    assert ran.out == (tmp_path / "a.jsonl").read_text(encoding="utf-8")


def test_an_export_overwrites_nothing(capsys: Capture, log: Path, tmp_path: Path) -> None:
    path = tmp_path / "river.jsonl"
    path.write_text("precious")
    assert exported(capsys, log, path).status == 2
    assert path.read_text() == "precious"
    assert exported(capsys, log, tmp_path / "no" / "folder").status == 1


def test_a_sheet_for_people_runs_nothing(capsys: Capture, log: Path, tmp_path: Path) -> None:
    path = tmp_path / "river.csv"
    ran = exported(capsys, log, path, "--format", "csv", "--json")
    assert json.loads(ran.out) == {"file": str(path), "entries": 6}
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert [row["sequence"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[1]["identity"] == "local:alice"
    for row in rows:
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@"))
            assert value.isprintable()


LINE = (
    '{"hash":"00","record":{"detail":{"a":%s},"identity":%s,"order":"after","outcome":"done",'
    '"previous":"x","sequence":%s,"source":"s","what":"w","when":%s,"where":"h"}}\n'
)
values = st.sampled_from(
    ['"text"', '"\\ud800"', "1", "-1", "1.5", "true", "null", "[]", "{}", "1e999", "9" * 5000,
     '"\\u001b[2J"', "9007199254740993"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    raw=st.one_of(
        st.binary(max_size=300),
        st.tuples(values, values, values, values).map(lambda four: (LINE % four).encode()),
    )
)
def test_whatever_is_in_an_export_is_a_finding_never_a_crash(
    capsys: Capture, tmp_path: Path, raw: bytes
) -> None:
    path = tmp_path / "forged.jsonl"
    path.write_bytes(b'{"hash":' + raw.removeprefix(b'{"hash":'))
    out = tmp_path / "again.jsonl"
    out.unlink(missing_ok=True)
    for command in (("verify",), ("verify", "--json"), ("show",), ("show", "--json", "--full"),
                    ("export", "--out", str(out)), ("export", "--format", "csv")):  # fmt: skip
        ran = run(capsys, "audit", command[0], str(path), *command[1:])
        assert ran.status == (1 if command[0] == "verify" else 0)
        assert "\x1b" not in ran.out


# --- heads --------------------------------------------------------------------------------------


def test_heads_of_a_gateway_that_does_not_run_come_from_its_state(
    capsys: Capture, config: Path, tmp_path: Path
) -> None:
    held = {
        f"audit-head/{DETROIT}": f"9:{'a' * 64}@1800000000009",
        f"audit-head/{DETROIT}/hour3": f"7:{'b' * 64}@1800000000007",
        f"audit-head/{DETROIT}/day3": f"7:{'b' * 64}@1800000000007",
        f"audit-head/{WINDSOR}": f"6:{'c' * 64}@1800000000006",
        "audit-head/us.cbp/buffalo": f"2:{'d' * 64}@1800000000002",
        "epoch/ca.opp/TAC1": "4",
    }
    write_state(tmp_path / "state", held)
    ran = run(capsys, "audit", "heads", str(config), "--of", DETROIT)
    assert ran.status == 0
    assert ran.out.splitlines() == [
        f"{DETROIT} 7:{'b' * 64}@1800000000007 {WINDSOR}",
        f"{DETROIT} 9:{'a' * 64}@1800000000009 {WINDSOR}",
    ]
    listed = json.loads(run(capsys, "audit", "heads", str(config), "--json").out)
    assert listed["holder"] == WINDSOR
    assert {row["gateway"] for row in listed["heads"]} == {DETROIT, "us.cbp/buffalo"}


def test_heads_of_no_gateway_and_no_state_say_so(capsys: Capture, tmp_path: Path) -> None:
    ran = run(capsys, "audit", "heads", str(write_config(tmp_path)))
    assert ran.status == 1
    assert "no gateway answers" in ran.err
