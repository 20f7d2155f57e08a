"""`radiobridge status` and `radiobridge radio` against a real API on a real socket."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.cli import client
from radiobridge.console.api import ApiServer
from radiobridge.errors import CommandError
from tests.cli.commands import Ran, run
from tests.console.fake_desk import FakeDesk
from tests.console.fake_emergency import FakeEmergency

RADIO = {"name": "tac1", "talkgroup": "ca.opp/TAC1", "interface": "up", "state": "idle"}


class FakeGateway:
    """A `GatewayApi` with one radio."""

    def __init__(self) -> None:
        self.inhibited = False
        self.stopped = False
        self.confirmed_by = ""
        self.desk = FakeDesk()
        self.emergency = FakeEmergency()

    def status(self) -> dict[str, Any]:
        return {"gateway": "ca.opp/windsor", "clock": {"synchronised": True}, "radios": []}

    def radios(self) -> list[dict[str, Any]]:
        return [{**RADIO, "inhibited": self.inhibited}]

    def audit_heads(self) -> dict[str, Any]:
        return {"gateway": "ca.opp/windsor", "heads": ["us.cbp/detroit 1:ab@2"]}

    async def inhibit(self, radio: str, by: str) -> dict[str, Any]:
        return self._set(radio, by, inhibited=True)

    async def allow(self, radio: str, by: str) -> dict[str, Any]:
        return self._set(radio, by, inhibited=False)

    async def stop_transmit(self, by: str) -> dict[str, Any]:
        self.stopped = True
        return {"stopped": True, "stopped_by": by, "radios": self.radios(), "durable": False}

    async def confirm_state(self, by: str) -> dict[str, Any]:
        self.confirmed_by = by
        return {"trust": "trusted", "by": by}

    async def lift_stop(self, by: str) -> dict[str, Any]:
        del by
        self.stopped = False
        return {"stopped": False, "stopped_by": None, "radios": self.radios(), "durable": True}

    def _set(self, radio: str, by: str, *, inhibited: bool) -> dict[str, Any]:
        if radio != "tac1":
            raise CommandError(f"no radio '{radio}' ({by})", f"aucune radio « {radio} »")
        self.inhibited = inhibited
        return self.radios()[0]


class Served:
    """An API in a thread of its own, because the CLI blocks."""

    def __init__(self, path: Path) -> None:
        self.path, self.gateway = path, FakeGateway()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await ApiServer.start(self.gateway, self.path)
        self._ready.set()
        await self._stop.wait()
        await server.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "api.sock") as served:
        yield served


def ask(capsys: pytest.CaptureFixture[str], served: Served, *arguments: str) -> Ran:
    return run(capsys, *arguments, "--socket", str(served.path))


def test_status(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = ask(capsys, served, "status")
    assert ran.status == 0
    assert "ca.opp/windsor" in ran.out
    assert "clock synchronised" in ran.out
    answer = json.loads(ask(capsys, served, "status", "--json").out)
    assert answer["gateway"] == "ca.opp/windsor"


def test_list(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = ask(capsys, served, "radio", "list")
    assert "tac1" in ran.out
    assert "ca.opp/TAC1" in ran.out
    (radio,) = json.loads(ask(capsys, served, "radio", "list", "--json").out)
    assert radio["state"] == "idle"


def test_inhibit_and_allow(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = ask(capsys, served, "radio", "inhibit", "tac1")
    assert (ran.status, ran.out, served.gateway.inhibited) == (0, "tac1 is off the air\n", True)
    ran = ask(capsys, served, "radio", "allow", "tac1", "--json")
    assert (ran.status, json.loads(ran.out)["inhibited"]) == (0, False)
    assert served.gateway.inhibited is False


def test_an_unknown_radio_exits_1(capsys: pytest.CaptureFixture[str], served: Served) -> None:
    ran = ask(capsys, served, "radio", "inhibit", "tac/9 é")
    assert ran.status == 1
    assert ran.err.startswith("no radio 'tac/9 é' (local:")


def test_an_error_as_json_is_in_both_languages(
    capsys: pytest.CaptureFixture[str], served: Served
) -> None:
    ran = ask(capsys, served, "radio", "allow", "tac9", "--json")
    assert ran.status == 1
    assert json.loads(ran.out)["error"]["fr"] == "aucune radio « tac9 »"


def test_in_french(
    capsys: pytest.CaptureFixture[str], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_CA.UTF-8")
    assert "tac1 n'émet plus" in ask(capsys, served, "radio", "inhibit", "tac1").out
    assert "interdite" in ask(capsys, served, "radio", "list").out


def test_the_socket_is_found_by_the_configuration(
    capsys: pytest.CaptureFixture[str], served: Served, tmp_path: Path
) -> None:
    config = tmp_path / "g.yaml"
    config.write_text("gateway: windsor\nsocket: api.sock\nnonsense: here\n", encoding="utf-8")
    assert run(capsys, "status", "--config", str(config)).status == 0
    assert served.path.exists()


def test_the_socket_is_found_by_the_environment(
    capsys: pytest.CaptureFixture[str], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RADIOBRIDGE_SOCKET", str(served.path))
    assert run(capsys, "radio", "list").status == 0


def test_the_only_socket_is_taken_and_several_are_asked_about(
    capsys: pytest.CaptureFixture[str], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SOCKET_FOLDER", served.path.parent)
    assert run(capsys, "radio", "list").status == 0
    (served.path.parent / "other.sock").touch()
    ran = run(capsys, "radio", "list")
    assert ran.status == 2
    assert "which gateway?" in ran.err
    assert "other.sock" in ran.err


def test_no_gateway_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ran = run(capsys, "status", "--socket", str(tmp_path / "none.sock"))
    assert ran.status == 1
    assert "no gateway answers at" in ran.err
    assert "radiobridge run" in ran.err


def test_a_dead_gateways_socket_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import socket

    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "no gateway answers at" in run(capsys, "status", "--socket", str(path)).err
