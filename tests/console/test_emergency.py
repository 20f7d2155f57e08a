"""The routes about emergencies: each reaches its command, with what was asked and by whom."""

import getpass
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from radiobridge.console.api import ApiServer
from tests.console.fake_emergency import ALARM, CLEARED, DONOR, MEASURE
from tests.console.test_api import FakeGateway, ask

ME = f"local:{getpass.getuser()}"


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def path(gateway: FakeGateway, tmp_path: Path) -> AsyncIterator[Path]:
    server = await ApiServer.start(gateway, tmp_path / "api.sock")
    yield tmp_path / "api.sock"
    await server.close()


async def test_what_there_is(path: Path) -> None:
    assert await ask(path, "GET", "/v1/alarms") == (200, [ALARM, DONOR, CLEARED])
    assert await ask(path, "GET", "/v1/talkers") == (200, [MEASURE])


async def test_every_command_says_who_asked(path: Path, gateway: FakeGateway) -> None:
    id_ = ALARM["id"]
    for url in ("/v1/alarms", f"/v1/alarms/{id_}/acknowledge", f"/v1/alarms/{id_}/clear"):
        status, answer = await ask(path, "POST", url, '{"x": "é"}')
        assert (status, answer["alias"]) == (200, "Unité 12")
    for verb in ("demote", "exclude", "restore"):
        status, answer = await ask(path, "POST", f"/v1/talkers/{verb}", '{"x": "é"}')
        assert (status, answer["verb"]) == (200, verb)
    asked = {"x": "é"}
    assert gateway.emergency.asked == [
        ("raise", id_, asked, ME),
        ("acknowledge", id_, asked, ME),
        ("clear", id_, asked, ME),
        ("demote", "", asked, ME),
        ("exclude", "", asked, ME),
        ("restore", "", asked, ME),
    ]


async def test_what_is_refused(path: Path, gateway: FakeGateway) -> None:
    status, answer = await ask(path, "POST", "/v1/alarms/ffff/acknowledge")
    assert (status, answer["error"]["fr"]) == (409, "aucune alarme ffff")
    assert (await ask(path, "POST", "/v1/alarms", "{"))[0] == 400
    assert (await ask(path, "POST", "/v1/alarms/5f3a9c01/forget"))[0] == 404
    assert (await ask(path, "POST", "/v1/talkers/burn"))[0] == 404
    assert gateway.emergency.asked == []
