"""`kill -9` at any moment of writing: what was said to be durable is, and nothing is used twice."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from radiobridge.core.audit_chain import verify
from radiobridge.core.audit_findings import Verdict
from radiobridge.drivers.store.audit_file import read_log
from radiobridge.model.audit import AuditEvent
from tests.crash.seed import chance
from tests.crash.writer import AUDIT

KILLS = 100
LONGEST_S = 0.12
"""Longest life, counted from the fork: opening two databases takes a third of it."""


@dataclass
class Truth:
    """What a life has said of itself to be durable, over all lives."""

    epochs: list[int] = field(default_factory=list)
    consents: set[int] = field(default_factory=set)
    inhibit: int = 0
    lives: list[dict[str, Any]] = field(default_factory=list)

    def take(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        if verb == "epoch":
            self.epochs.append(int(rest))
        elif verb == "consent":
            self.consents.add(int(rest))
        elif verb == "inhibit":
            self.inhibit = int(rest)
        elif verb == "begin":
            found = json.loads(rest)
            self.check(found)
            self.lives.append(found)

    def check(self, found: dict[str, Any]) -> None:
        assert found["epoch"] >= max(self.epochs, default=0), "an epoch would be used again"
        assert self.consents <= set(found["consents"]), "a consent is lost"
        # One more may have been stored, and its life have ended before it could say so.
        assert found["inhibit"] in (self.inhibit, self.inhibit + 1), "an inhibit is lost"
        self.inhibit = found["inhibit"]


@contextlib.contextmanager
def writer(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.crash.writer", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def one_life(process: "subprocess.Popen[str]", truth: Truth, draw: random.Random) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    lines = iter(process.stdout.readline, "")
    child = next(int(line.split()[1]) for line in lines if line.startswith("pid "))
    time.sleep(draw.uniform(0.0, LONGEST_S))
    os.kill(child, signal.SIGKILL)
    for line in lines:
        if line == "ended\n":
            return
        truth.take(line.rstrip("\n"))
    pytest.fail("the writer itself has ended")


def verified(path: Path) -> Verdict:
    verdict = verify(read_log(path))
    assert verdict.ok, verdict
    return verdict


@pytest.mark.timeout(180)
def test_a_hundred_kills_lose_nothing_and_use_nothing_twice(tmp_path: Path) -> None:
    draw, truth = chance(), Truth()
    with writer(tmp_path) as process:
        for number in range(KILLS):
            one_life(process, truth, draw)
            if number % 10 == 9 and (tmp_path / AUDIT).exists():
                verified(tmp_path / AUDIT)
    assert len(truth.epochs) == len(set(truth.epochs)), "an epoch was used twice"
    assert truth.epochs == sorted(truth.epochs)
    verified(tmp_path / AUDIT)
    logged = {
        int(entry["detail"]["patch"])
        for entry in map(json.loads, (record.body for record in read_log(tmp_path / AUDIT)))
        if entry["what"] == AuditEvent.WORD_SAID
    }
    assert truth.consents <= logged, "what grants is in the log before it counts"
    # Nothing of this is shown by lives that end before they have written anything.
    assert len(truth.lives) > KILLS // 3
    assert len(truth.epochs) > KILLS
    assert len(truth.consents) > KILLS
    assert truth.inhibit > KILLS
