"""`radiobridge stop-transmit` against a real API on a real socket."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run, run_apart
from tests.cli.test_radio import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "api.sock") as served:
        yield served


def test_stop_and_lift(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = run(capsys, "stop-transmit", "--socket", str(served.path))
    assert ran.status == 0, ran.err
    assert "all radios are off the air" in ran.out
    assert "not stored yet" in ran.out
    assert served.gateway.stopped
    printed = run(capsys, "stop-transmit", "--lift", "--json", "--socket", str(served.path))
    assert json.loads(printed.out)["stopped"] is False
    assert not served.gateway.stopped


def test_in_french_with_help(served: Served) -> None:
    ran = run_apart("stop-transmit", "--socket", str(served.path), lang="fr_CA.UTF-8")
    assert "aucune radio n'émet plus" in ran.out
    lifted = run_apart("stop-transmit", "--lift", "--socket", str(served.path), lang="fr_CA.UTF-8")
    assert "peuvent de nouveau émettre" in lifted.out
    helped = run_apart("stop-transmit", "--help")
    assert "radiobridge stop-transmit --lift" in helped.out
