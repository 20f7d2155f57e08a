"""docs/audit.md: its commands run as they are written there, its record and hash are right."""

import re
import shlex
from pathlib import Path

import pytest

from radiobridge.cli.main import run_command
from radiobridge.core.audit_chain import EMPTY, seal_entry
from radiobridge.drivers.store.audit import PATIENCE_S, QUEUE, RETRY_S
from radiobridge.model.audit import AuditEvent, Order
from radiobridge.services.audit_heads import PERIODS
from radiobridge.services.auditing import ALLOWANCE, ALLOWANCE_MS
from tests.cli.audit_logs import DETROIT, WINDSOR, write_config, write_log, write_state
from tests.core.audit_log import entry

TEXT = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]


def vector(name: str) -> str:
    found = re.search(rf"<!-- vector: {name} -->\n```\n(.*?)\n```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_record_and_its_hash_are_as_the_page_says() -> None:
    record = seal_entry(entry(1), Order.BEFORE, EMPTY)
    assert vector("record").encode() == record.body
    assert vector("hash") == record.hash


def test_each_command_does_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    head = write_log(tmp_path / "state" / "audit.db")
    write_config(tmp_path)
    (tmp_path / "detroit.yaml").write_text(
        "agency: us.cbp\ngateway: detroit\nstate: theirs\nsocket: their.sock\n", encoding="utf-8"
    )
    write_state(tmp_path / "theirs", {f"audit-head/{WINDSOR}": f"{head}@1800000009000"})
    for line in COMMANDS:
        command, _, file = line.partition(" > ")
        program, *arguments = shlex.split(command)
        assert program == "radiobridge"
        status = run_command(arguments)
        out, err = capsys.readouterr()
        assert status == 0, (line, err)
        if file:
            Path(file).write_text(out, encoding="utf-8")
    assert Path("windsor.heads").read_text() == f"{WINDSOR} {head}@1800000009000 {DETROIT}\n"


def test_the_page_shows_every_command() -> None:
    assert {shlex.split(line)[2] for line in COMMANDS} == {"show", "verify", "export", "heads"}


def test_the_page_names_every_event() -> None:
    for event in AuditEvent:
        group = f"{event.split('-')[0]}-…"
        assert f"`{event}`" in TEXT or f"`{group}`" in TEXT, event


def test_the_page_gives_the_numbers_of_the_code() -> None:
    assert f"{QUEUE:,} entries wait" in TEXT
    assert f"after {PATIENCE_S:g} s" in TEXT
    assert f"every {RETRY_S:g} s" in TEXT
    assert (ALLOWANCE, ALLOWANCE_MS) == (200, 500)
    assert "200 entries at once and two a second" in TEXT
    assert [(name, slots) for name, _, slots in PERIODS] == [("hour", 48), ("day", 400)]
    assert "for two days" in TEXT
    assert "for 400 days" in TEXT
