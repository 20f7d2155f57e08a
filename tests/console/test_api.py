"""The API over its real socket, as the CLI and the console reach it."""

import asyncio
import getpass
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from radiobridge.console.api import ApiServer
from radiobridge.errors import CommandError, ConfigError
from tests.console.fake_desk import PATCH, PLAN, SHOWN, FakeDesk
from tests.console.fake_emergency import FakeEmergency


class FakeGateway:
    """A `GatewayApi` with one radio that remembers who inhibited it."""

    def __init__(self) -> None:
        self.radio: dict[str, Any] = {"name": "tac1", "inhibited": None}
        self.broken = False
        self.desk = FakeDesk()
        self.emergency = FakeEmergency()

    def status(self) -> dict[str, Any]:
        if self.broken:
            raise RuntimeError("secret detail")
        return {"gateway": "ca.opp/windsor", "radios": self.radios(), "label": "é"}

    def radios(self) -> list[dict[str, Any]]:
        return [self.radio]

    def audit_heads(self) -> dict[str, Any]:
        return {"gateway": "ca.opp/windsor", "heads": ["us.cbp/detroit 1:ab@2"]}

    async def inhibit(self, radio: str, by: str) -> dict[str, Any]:
        return self._set(radio, by)

    async def allow(self, radio: str, by: str) -> dict[str, Any]:
        assert by
        return self._set(radio, None)

    async def stop_transmit(self, by: str) -> dict[str, Any]:
        return {"stopped_by": by}

    async def confirm_state(self, by: str) -> dict[str, Any]:
        return {"by": by}

    async def lift_stop(self, by: str) -> dict[str, Any]:
        del by
        return {"stopped_by": None}

    def _set(self, radio: str, by: str | None) -> dict[str, Any]:
        if radio != "tac1":
            raise CommandError(f"no radio {radio}", f"aucune radio {radio}")
        self.radio["inhibited"] = by
        return self.radio


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def path(gateway: FakeGateway, tmp_path: Path) -> AsyncIterator[Path]:
    server = await ApiServer.start(gateway, tmp_path / "run" / "api.sock")
    yield tmp_path / "run" / "api.sock"
    await server.close()


async def ask(path: Path, method: str, url: str, body: str | None = None) -> tuple[int, Any]:
    connector = aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://localhost{url}", data=body) as response,
    ):
        return response.status, await response.json()


async def test_status_and_radios(path: Path) -> None:
    status, answer = await ask(path, "GET", "/v1/status")
    assert (status, answer["gateway"], answer["label"]) == (200, "ca.opp/windsor", "é")
    assert await ask(path, "GET", "/v1/radios") == (200, [{"name": "tac1", "inhibited": None}])


async def test_inhibit_and_allow_say_who_asked(path: Path, gateway: FakeGateway) -> None:
    status, radio = await ask(path, "POST", "/v1/radios/tac1/inhibit?by=somebody-else")
    assert (status, radio["inhibited"]) == (200, f"local:{getpass.getuser()}")
    status, radio = await ask(path, "POST", "/v1/radios/tac1/allow")
    assert (status, radio["inhibited"], gateway.radio["inhibited"]) == (200, None, None)


async def test_what_is_refused_says_why_in_both_languages(path: Path) -> None:
    refused = await ask(path, "POST", "/v1/radios/tac9/inhibit")
    assert refused == (409, {"error": {"en": "no radio tac9", "fr": "aucune radio tac9"}})


WRONG = [
    ("GET", "/v1/nothing", 404),
    ("GET", "/v1/radios/tac1/inhibit", 405),
    ("POST", "/v1/radios/tac1/explode", 404),
    ("DELETE", "/v1/status", 405),
]


@pytest.mark.parametrize(("method", "url", "expected"), WRONG)
async def test_wrong_requests_are_json_too(
    path: Path, method: str, url: str, expected: int
) -> None:
    status, answer = await ask(path, method, url)
    assert status == expected
    assert answer["error"]["en"]


async def test_a_bug_is_not_shown_to_the_caller(path: Path, gateway: FakeGateway) -> None:
    gateway.broken = True
    status, answer = await ask(path, "GET", "/v1/status")
    assert status == 500
    assert "secret detail" not in str(answer)
    gateway.broken = False
    assert (await ask(path, "GET", "/v1/status"))[0] == 200


async def test_only_the_owner_may_connect(path: Path) -> None:
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) & 0o007 == 0


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_close_removes_the_socket(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    server = await ApiServer.start(gateway, path)
    await server.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a list is wanted


async def test_a_socket_of_a_dead_gateway_is_replaced(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = await ApiServer.start(gateway, path)
    assert (await ask(path, "GET", "/v1/radios"))[0] == 200
    await server.close()


async def test_a_living_gateway_is_not_pushed_aside(path: Path) -> None:
    with pytest.raises(ConfigError, match="another gateway answers") as caught:
        await ApiServer.start(FakeGateway(), path)
    assert "une autre passerelle répond" in caught.value.text.fr
    assert (await ask(path, "GET", "/v1/radios"))[0] == 200


async def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.touch()
    with pytest.raises(ConfigError, match="is not a socket"):
        await ApiServer.start(FakeGateway(), path)
    assert path.exists()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        await ApiServer.start(FakeGateway(), tmp_path / "file" / "api.sock")


def test_it_works_in_the_daemons_loop(tmp_path: Path) -> None:
    async def once() -> tuple[int, Any]:
        server = await ApiServer.start(FakeGateway(), tmp_path / "api.sock")
        answer = await ask(tmp_path / "api.sock", "POST", "/v1/radios/tac1/inhibit")
        await server.close()
        return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status, radio = runner.run(once())
    assert (status, radio["inhibited"]) == (200, f"local:{getpass.getuser()}")


async def test_patches_and_plans(path: Path) -> None:
    assert await ask(path, "GET", "/v1/patches") == (200, [PATCH])
    assert await ask(path, "GET", "/v1/patches/river") == (200, SHOWN)
    assert await ask(path, "GET", "/v1/plans") == (200, [PLAN])
    status, answer = await ask(path, "GET", "/v1/patches/lake")
    assert (status, answer["error"]["en"]) == (409, "no patch 'lake'")


@pytest.mark.parametrize("verb", ["accept", "extend", "narrow", "withdraw"])
async def test_words_on_a_patch_say_who_asked(path: Path, gateway: FakeGateway, verb: str) -> None:
    status, answer = await ask(path, "POST", f"/v1/patches/river/{verb}", '{"x": 1}')
    assert (status, answer["id"]) == (200, "river")
    request = None if verb == "withdraw" else {"x": 1}
    assert gateway.desk.asked == [(verb, "river", request, f"local:{getpass.getuser()}")]


async def test_proposals_and_activations(path: Path, gateway: FakeGateway) -> None:
    status, answer = await ask(path, "POST", "/v1/patches", '{"preview": true}')
    assert (status, answer["preview"]) == (200, True)
    assert (await ask(path, "POST", "/v1/plans/flood/activate"))[0] == 200
    assert [one[:3] for one in gateway.desk.asked] == [
        ("propose", "river", {"preview": True}),
        ("activate", "flood", None),
    ]


async def test_what_is_no_json_is_refused(path: Path, gateway: FakeGateway) -> None:
    status, answer = await ask(path, "POST", "/v1/patches", "{")
    assert (status, answer["error"]["fr"]) == (400, "la demande n'est pas du JSON")
    assert (await ask(path, "POST", "/v1/patches", "[" * 60_000))[0] == 400
    assert (await ask(path, "POST", "/v1/patches/river/burn"))[0] == 404
    assert gateway.desk.asked == []


async def test_all_transmitters(path: Path) -> None:
    status, answer = await ask(path, "POST", "/v1/stop-transmit")
    assert (status, answer) == (200, {"stopped_by": f"local:{getpass.getuser()}"})
    assert await ask(path, "POST", "/v1/stop-transmit/lift") == (200, {"stopped_by": None})
    assert (await ask(path, "GET", "/v1/stop-transmit"))[0] == 405


async def test_an_operator_confirms_the_state(path: Path) -> None:
    status, answer = await ask(path, "POST", "/v1/state/confirm")
    assert (status, answer) == (200, {"by": f"local:{getpass.getuser()}"})
