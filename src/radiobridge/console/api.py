"""The HTTP API of a running gateway, on a UNIX socket that only its user can open.

    GET  /v1/status                  the gateway as it is now
    GET  /v1/radios                  its radios
    POST /v1/radios/{name}/inhibit   unkey a radio and keep it off the air
    POST /v1/radios/{name}/allow     lift that
    POST /v1/stop-transmit           unkey all radios and keep them off the air
    POST /v1/stop-transmit/lift      lift that
    POST /v1/state/confirm           trust the state after it was lost
    GET  /v1/patches                 how each patch stands
    POST /v1/patches                 propose one
    GET  /v1/patches/{id}            all about one
    POST /v1/patches/{id}/{verb}     accept, extend, narrow, withdraw, test
    GET  /v1/audit/heads             how far the audit logs of other gateways go
    GET  /v1/plans                   what was agreed in advance
    POST /v1/plans/{id}/activate     put a plan on demand into force
    GET  /v1/alarms                  how each alarm stands
    POST /v1/alarms                  raise one
    POST /v1/alarms/{id}/{verb}      acknowledge, clear
    GET  /v1/talkers                 who is demoted or excluded
    POST /v1/talkers/{verb}          demote, exclude, restore

Requests carry a JSON object, or nothing (`docs/api.md`). Answers are JSON. A refused command
answers 409 (what is not JSON 400, an unknown path 404) with `{"error": {"en": …, "fr": …}}`. Who
asked is taken from the socket (SO_PEERCRED), never from the request.
"""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import structlog
from aiohttp import web

from radiobridge.console.emergency import emergency_routes
from radiobridge.console.patches import patch_routes
from radiobridge.console.requests import RequestError
from radiobridge.console.who import who
from radiobridge.errors import CommandError, ConfigError, RadioBridgeError, os_reason
from radiobridge.spi import GatewayApi
from radiobridge.text import Text

_LARGEST_REQUEST = 65_536
_BACKLOG = 16
_CLOSING_S = 0.5
"""How long requests under way may take when the gateway stops."""

_API: web.AppKey[GatewayApi] = web.AppKey("api")

_log = structlog.get_logger()


class ApiServer:
    """The API of one gateway, being served."""

    def __init__(self, runner: web.AppRunner, path: Path, inode: int) -> None:
        self._runner = runner
        self._path = path
        self._inode = inode

    @classmethod
    async def start(cls, api: GatewayApi, path: Path) -> Self:
        """Serve `api` on a socket at `path`, mode 0600.

        Raises ConfigError when another process listens there or the socket cannot be made.
        """
        listener, inode = await asyncio.to_thread(_listen, path)
        runner = web.AppRunner(
            make_app(api), access_log=None, handle_signals=False, shutdown_timeout=_CLOSING_S
        )
        await runner.setup()
        await web.SockSite(runner, listener).start()
        return cls(runner, path, inode)

    async def close(self) -> None:
        """Stop serving and remove the socket, unless a successor has put its own there."""
        await self._runner.cleanup()
        await asyncio.to_thread(_remove, self._path, self._inode)


def make_app(api: GatewayApi) -> web.Application:
    """Return the application that serves `api`."""
    app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[_errors_as_json])
    app[_API] = api
    app.router.add_get("/v1/status", _status)
    app.router.add_get("/v1/radios", _radios)
    app.router.add_get("/v1/audit/heads", _audit_heads)
    app.router.add_post("/v1/radios/{name}/{verb:inhibit|allow}", _command)
    app.router.add_post("/v1/stop-transmit", _stop)
    app.router.add_post("/v1/stop-transmit/lift", _lift)
    app.router.add_post("/v1/state/confirm", _confirm)
    app.add_routes(patch_routes(lambda request: request.app[_API].desk))
    app.add_routes(emergency_routes(lambda request: request.app[_API].emergency))
    return app


_json = partial(json.dumps, ensure_ascii=False)


async def _status(request: web.Request) -> web.Response:
    return web.json_response(request.app[_API].status(), dumps=_json)


async def _radios(request: web.Request) -> web.Response:
    return web.json_response(request.app[_API].radios(), dumps=_json)


async def _audit_heads(request: web.Request) -> web.Response:
    return web.json_response(request.app[_API].audit_heads(), dumps=_json)


async def _command(request: web.Request) -> web.Response:
    api, name = request.app[_API], request.match_info["name"]
    command = api.inhibit if request.match_info["verb"] == "inhibit" else api.allow
    return web.json_response(await command(name, who(request)), dumps=_json)


async def _stop(request: web.Request) -> web.Response:
    return web.json_response(await request.app[_API].stop_transmit(who(request)), dumps=_json)


async def _lift(request: web.Request) -> web.Response:
    return web.json_response(await request.app[_API].lift_stop(who(request)), dumps=_json)


async def _confirm(request: web.Request) -> web.Response:
    return web.json_response(await request.app[_API].confirm_state(who(request)), dumps=_json)


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except CommandError as error:
        return _refused(409, error.text)
    except RequestError as error:
        return _refused(400, error.text)
    except RadioBridgeError as error:
        return _refused(500, error.text)
    except web.HTTPException as error:
        return _refused(error.status, Text(error.reason, error.reason))
    except Exception:  # noqa: BLE001 - the gateway goes on; the log says what failed
        _log.exception("api-request-failed", path=request.path)
        return _refused(500, Text("the gateway failed; see its log", "échec; voir le journal"))


def _refused(status: int, text: Text) -> web.Response:
    body: dict[str, Any] = {"error": {"en": text.en, "fr": text.fr}}
    return web.json_response(body, status=status, dumps=_json)


def _listen(path: Path) -> tuple[socket.socket, int]:
    """Return a listening socket at `path`, and its inode.

    Nobody can connect before its mode is 0600.
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as error:
        reason = os_reason(error)
        raise ConfigError(
            f"socket: {path} cannot be made: {reason.en}; choose another path for `socket`",
            f"socket: {path} ne peut être créé: {reason.fr}; changez le chemin de `socket`",
        ) from error
    return listener, path.stat().st_ino


def _clear(path: Path) -> None:
    """Remove the socket that a dead gateway left; refuse anything else."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(
            f"socket: {path} is not a socket; choose another path for `socket`",
            f"socket: {path} n'est pas un socket; changez le chemin de `socket`",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(os.fspath(path)) == 0:
            raise ConfigError(
                f"socket: another gateway answers at {path}; stop it first",
                f"socket: une autre passerelle répond à {path}; arrêtez-la d'abord",
            )
    path.unlink()


def _remove(path: Path, inode: int) -> None:
    try:
        if path.lstat().st_ino == inode:
            path.unlink()
    except OSError:
        return
