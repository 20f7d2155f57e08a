"""The audit logs of two daemons at work: whole, held against each other, and telling of changes."""

import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radiobridge.cli.client import call
from radiobridge.drivers.store.audit_file import copy_log
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Side
from tests.app.commands import as_json, radiobridge
from tests.app.river import LIMIT_S, River

pytestmark = pytest.mark.real


def log(river: River, side: Side) -> Path:
    return river.home(side) / "state" / "audit.db"


def audit(river: River, side: Side, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an audit command on a gateway's file."""
    verb, *rest = arguments
    config = str(river.gateway(side).config)
    return radiobridge("audit", verb, config, *rest, socket=river.gateway(side).socket)


def entries(river: River, side: Side, *choice: str) -> list[dict[str, Any]]:
    done = audit(river, side, "show", "--last", "0", "--json", *choice)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def held_sequence(river: River, holder: Side, whose: Side) -> int:
    """Return how far `holder` knows the log of `whose` to go."""
    status: Mapping[str, Any] = river.gateway(holder).status() or {}
    heads = status.get("audit", {}).get("heads", {})
    return int(str(heads.get(str(whose.gateway), "0")).partition(":")[0])


def heard_ms(line: str) -> int:
    """Return when a head was heard, of `<gateway> <number>:<hash>@<ms> …`."""
    return int(line.partition("@")[2].split()[0])


def copy_of(path: Path, folder: Path) -> Path:
    """Return a copy of a log that is being written."""
    copy = folder / "copy.db"
    copy_log(path, copy)
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    return copy


def test_both_logs_tell_the_story_and_are_whole(river: River) -> None:
    river.agree()
    river.chirp(CBP)
    radio = river.gateway(OPP).socket
    assert radiobridge("radio", "inhibit", "tac1", socket=radio).returncode == 0
    assert radiobridge("radio", "allow", "tac1", socket=radio).returncode == 0
    for side in (OPP, CBP):
        done = audit(river, side, "verify")
        assert done.returncode == 0, done.stdout
        assert "whole and in order" in done.stdout
    ours = entries(river, OPP)
    whats = {one["what"] for one in ours}
    assert {"started", "roster", "word-said", "word-heard", "key-given", "patch-in-force",
            "spurt-started", "spurt-ended", "inhibit", "allow"} <= whats  # fmt: skip
    orders = {one["what"]: one["order"] for one in ours if one["outcome"] == "done"}
    assert (orders["allow"], orders["inhibit"]) == ("before", "after")
    accepted = [e for e in entries(river, OPP, "--patch", river.patch) if e["what"] == "word-said"]
    assert [(one["detail"]["verb"], one["order"]) for one in accepted][:1] == [("accept", "before")]
    theirs = [e for e in entries(river, CBP, "--patch", river.patch) if e["what"] == "word-heard"]
    assert theirs[0]["detail"]["terms"] == accepted[0]["detail"]["terms"], "the same terms, proven"
    first_key = next(one for one in ours if one["what"] == "key-given")
    assert first_key["order"] == "before"
    spurt = next(one for one in reversed(ours) if one["what"] == "spurt-ended")
    assert spurt["identity"] == str(CBP.gateway)
    assert spurt["detail"]["duration_ms"] > 0


def test_no_key_is_ever_in_a_log(river: River) -> None:
    for side in (OPP, CBP):
        for one in entries(river, side, "--what", "key-given"):
            assert set(one["detail"]) == {"talkgroup", "epoch", "gateways"}


def test_a_partners_heads_show_a_tail_cut_short(river: River, tmp_path: Path) -> None:
    began_ms = (river.gateway(CBP).status() or {})["clock"]["bridge_ms"]
    before = held_sequence(river, CBP, OPP)
    river.chirp(CBP)
    further = Text("a further head", "une tête plus avancée")
    river.wait_until(lambda: held_sequence(river, CBP, OPP) > before, LIMIT_S, further)
    heads = tmp_path / "windsor.heads"
    held = audit(river, CBP, "heads", "--of", str(OPP.gateway)).stdout.splitlines(keepends=True)
    # Other tests lose windsor's disk: what was heard of its logs before is not about this one.
    fresh = [line for line in held if heard_ms(line) >= began_ms]
    heads.write_text("".join(fresh))
    done = audit(river, OPP, "verify", "--partner-heads", str(heads))
    assert done.returncode == 0, done.stdout
    copy = copy_of(log(river, OPP), tmp_path)
    cut = max(int(line.split()[1].partition(":")[0]) for line in fresh) - 2
    with closing(sqlite3.connect(copy, isolation_level=None)) as database:
        database.execute("DROP TRIGGER entry_remains")
        database.execute("DELETE FROM entry WHERE sequence > ?", (cut,))
    alone = radiobridge("audit", "verify", str(copy), socket=copy)
    assert alone.returncode == 0, "without a partner's head nothing shows"
    done = radiobridge(
        "audit", "verify", str(copy), "--partner-heads", str(heads), "--json", socket=copy
    )
    assert done.returncode == 1
    first = json.loads(done.stdout)["findings"][0]
    assert (first["kind"], first["sequence"]) == ("cut-short", cut + 1)
    assert first["holder"] == str(CBP.gateway)


def test_any_byte_changed_in_a_copy_is_named(river: River, tmp_path: Path) -> None:
    copy = copy_of(log(river, OPP), tmp_path)
    random_ = random.Random(7)
    with closing(sqlite3.connect(copy)) as database:
        rows = database.execute("SELECT sequence, record FROM entry").fetchall()
    for sequence, record in random_.sample(rows, min(4, len(rows))):
        spoilt = tmp_path / "spoilt.db"
        shutil.copyfile(copy, spoilt)
        at = random_.randrange(len(record))
        other = record[:at] + ("x" if record[at] != "x" else "y") + record[at + 1 :]
        with closing(sqlite3.connect(spoilt, isolation_level=None)) as database:
            database.execute("DROP TRIGGER entry_stays")
            database.execute("UPDATE entry SET record = ? WHERE sequence = ?", (other, sequence))
        done = radiobridge("audit", "verify", str(spoilt), socket=spoilt)
        assert done.returncode == 1
        assert f"entry {sequence} was altered" in done.stdout


def test_an_export_is_verified_elsewhere(river: River, tmp_path: Path) -> None:
    out = tmp_path / "river.jsonl"
    done = audit(river, OPP, "export", "--out", str(out))
    assert done.returncode == 0, done.stderr
    verdict = as_json("audit", "verify", str(out), socket=out)
    assert verdict["ok"]
    assert verdict["gateway"] == str(OPP.gateway)


def test_the_api_gives_the_heads(river: River) -> None:
    answer = call(river.gateway(CBP).socket, "GET", "/v1/audit/heads")
    assert answer["gateway"] == str(CBP.gateway)
    held = Text("a head of the partner", "une tête du partenaire")
    river.wait_until(lambda: held_sequence(river, CBP, OPP) > 0, LIMIT_S, held)
    answer = call(river.gateway(CBP).socket, "GET", "/v1/audit/heads")
    assert any(line.startswith(f"{OPP.gateway} ") for line in answer["heads"])
