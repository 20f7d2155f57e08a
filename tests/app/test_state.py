"""A gateway whose disk is lost or restored from a copy: closed until somebody settles it."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP
from tests.app.commands import as_json, radiobridge
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real


@pytest.fixture
def settled(river: River) -> Iterator[River]:
    """Whatever happens, windsor's state is trusted again afterwards."""
    yield river
    radiobridge("patch", "confirm-state", socket=river.gateway(OPP).socket)


def state(river: River) -> Path:
    return river.home(OPP) / "state"


def stop(river: River) -> None:
    river.signal(OPP, signal.SIGTERM)
    river.gateway(OPP).wait(LIMIT_S)


def start(river: River) -> None:
    river.start_gateway(OPP)
    river.wait_ready()


def wait_trust(river: River, trust: str) -> None:
    said = Text(f"state {trust}", f"état {trust}")

    def found() -> bool:
        status = river.gateway(OPP).status() or {}
        return bool(status.get("state", {}).get("trust") == trust)

    river.wait_until(found, LIMIT_S, said)


def test_a_lost_state_opens_nothing_until_an_operator_confirms(settled: River) -> None:
    river = settled
    stop(river)
    shutil.rmtree(state(river))
    start(river)
    wait_trust(river, "lost")
    # Long enough for anything that would reopen it.
    time.sleep(2.0)
    at = river.clock.now()
    river.say(CBP, "radio-check-en")
    assert not any(river.ptt(side, at) for side in TAC1)
    shown = radiobridge("status", socket=river.gateway(OPP).socket, language="fr")
    assert "ÉTAT PERDU" in shown.stdout
    refused = radiobridge(
        "patch", "propose", river.new_patch(), "--purpose", "x", "--for", "1h",
        "--member", "ca.opp/TAC1", "--member", "us.cbp/BORDER",
        socket=river.gateway(OPP).socket,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "lost its state" in refused.stderr
    answer = as_json("patch", "confirm-state", socket=river.gateway(OPP).socket)
    assert answer["trust"] == "trusted"
    river.wait_in_force()
    river.chirp(CBP)


def test_a_state_restored_from_a_copy_is_found_out(settled: River, tmp_path: Path) -> None:
    river = settled
    stop(river)
    shutil.copytree(state(river), tmp_path / "copy")
    start(river)
    wait_trust(river, "trusted")
    river.wait_event(OPP, "link-up")
    # Its first head is on both brokers by now, and so is what the copy does not know.
    known = Text("a head heard over there", "un état entendu là-bas")
    river.wait_until(
        lambda: str(OPP.gateway) in (river.gateway(CBP).status() or {})["state"]["heads"],
        LIMIT_S,
        known,
    )
    time.sleep(2.0)
    stop(river)
    shutil.rmtree(state(river))
    shutil.copytree(tmp_path / "copy", state(river))
    start(river)
    wait_trust(river, "lost")
    as_json("patch", "confirm-state", socket=river.gateway(OPP).socket)
    river.wait_in_force()
