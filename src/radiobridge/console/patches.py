"""The part of the API that is about patches; `spi.PatchApi` does the work."""

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from aiohttp import web

from radiobridge.console.who import who
from radiobridge.errors import RadioBridgeError
from radiobridge.spi import PatchApi

Desk: TypeAlias = Callable[[web.Request], PatchApi]
Verb: TypeAlias = Callable[[PatchApi, str, object, str], Awaitable[dict[str, Any]]]

_json = partial(json.dumps, ensure_ascii=False)


class RequestError(RadioBridgeError):
    """The body of a request is not JSON."""


def patch_routes(desk: Desk) -> Iterable[web.RouteDef]:
    """Return the routes; `desk` finds who does the work."""

    async def patches(request: web.Request) -> web.Response:
        return _answer(desk(request).patches())

    async def show(request: web.Request) -> web.Response:
        return _answer(desk(request).show(request.match_info["id"]))

    async def plans(request: web.Request) -> web.Response:
        return _answer(desk(request).plans())

    async def propose(request: web.Request) -> web.Response:
        return _answer(await desk(request).propose(await _body(request), who(request)))

    async def change(request: web.Request) -> web.Response:
        verb, id_ = _VERBS[request.match_info["verb"]], request.match_info["id"]
        return _answer(await verb(desk(request), id_, await _body(request), who(request)))

    async def activate(request: web.Request) -> web.Response:
        plan = request.match_info["id"]
        return _answer(await desk(request).activate(plan, await _body(request), who(request)))

    return (
        web.get("/v1/patches", patches),
        web.post("/v1/patches", propose),
        web.get("/v1/patches/{id}", show),
        web.post("/v1/patches/{id}/{verb:" + "|".join(_VERBS) + "}", change),
        web.get("/v1/plans", plans),
        web.post("/v1/plans/{id}/activate", activate),
    )


async def _withdraw(desk: PatchApi, patch: str, _body: object, by: str) -> dict[str, Any]:
    return await desk.withdraw(patch, by)


_VERBS: dict[str, Verb] = {
    "accept": lambda desk, patch, body, by: desk.accept(patch, body, by),
    "extend": lambda desk, patch, body, by: desk.extend(patch, body, by),
    "narrow": lambda desk, patch, body, by: desk.narrow(patch, body, by),
    "withdraw": _withdraw,
}


async def _body(request: web.Request) -> object:
    """Return the JSON value of a request, None for an empty one."""
    raw = await request.text()
    if not raw.strip():
        return None
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError("the request is not JSON", "la demande n'est pas du JSON") from error
    return found


def _answer(value: object) -> web.Response:
    return web.json_response(value, dumps=_json)
