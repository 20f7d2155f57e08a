"""The command as an operator types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from radiobridge.cli.main import WRONG_USE, run_command

LIMIT_S = 100.0


def bench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "radiobridge.cli.main", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "200"},
        check=False,
    )


def test_radios_that_do_not_exist_are_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "--radios", "ccdi,telegraph"]) == WRONG_USE
    assert "ccdi,usrp" in capsys.readouterr().err


@pytest.mark.real
@pytest.mark.alone
def test_help_has_an_example(tmp_path: Path) -> None:
    done = bench("--help", folder=tmp_path)
    assert done.returncode == 0
    assert "radiobridge bench --spurts 40" in done.stdout


@pytest.mark.real
@pytest.mark.alone
def test_the_path_is_measured_and_nothing_stays_behind(tmp_path: Path) -> None:
    done = bench("--only", "path", "--spurts", "1", "--json", folder=tmp_path)
    report = json.loads(done.stdout)
    # How quick this machine is under the load of other tests is not what is tested.
    assert done.returncode == (0 if report["ok"] else 1), done.stderr
    found = {figure["id"]: figure for figure in report["figures"]}
    for direction in ("opp-12.cbp-7", "cbp-7.opp-12"):
        assert found[f"path.{direction}.mouth-to-ear.median"]["value"] > 26.5
        assert found[f"path.{direction}.cor-to-ptt.median"]["value"] > 0.0
    assert found["load.gateway.ca.opp.windsor.talking"]["value"] > 0.0
    assert found["late.us.cbp.detroit"]["value"] is not None
    assert list(tmp_path.iterdir()) == []
