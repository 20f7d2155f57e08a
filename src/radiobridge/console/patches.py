"""The part of the API that is about patches; `spi.PatchApi` does the work."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from aiohttp import web

from radiobridge.console.requests import answer, body
from radiobridge.console.who import who
from radiobridge.spi import PatchApi

Desk: TypeAlias = Callable[[web.Request], PatchApi]
Verb: TypeAlias = Callable[[PatchApi, str, object, str], Awaitable[dict[str, Any]]]


def patch_routes(desk: Desk) -> Iterable[web.RouteDef]:
    """Return the routes; `desk` finds who does the work."""

    async def patches(request: web.Request) -> web.Response:
        return answer(desk(request).patches())

    async def show(request: web.Request) -> web.Response:
        return answer(desk(request).show(request.match_info["id"]))

    async def plans(request: web.Request) -> web.Response:
        return answer(desk(request).plans())

    async def propose(request: web.Request) -> web.Response:
        return answer(await desk(request).propose(await body(request), who(request)))

    async def change(request: web.Request) -> web.Response:
        verb, id_ = _VERBS[request.match_info["verb"]], request.match_info["id"]
        return answer(await verb(desk(request), id_, await body(request), who(request)))

    async def activate(request: web.Request) -> web.Response:
        plan = request.match_info["id"]
        return answer(await desk(request).activate(plan, await body(request), who(request)))

    return (
        web.get("/v1/patches", patches),
        web.post("/v1/patches", propose),
        web.get("/v1/patches/{id}", show),
        web.post("/v1/patches/{id}/{verb:" + "|".join(_VERBS) + "}", change),
        web.get("/v1/plans", plans),
        web.post("/v1/plans/{id}/activate", activate),
    )


async def _test(desk: PatchApi, patch: str, _body: object, _by: str) -> dict[str, Any]:
    return await desk.test(patch)


async def _withdraw(desk: PatchApi, patch: str, _body: object, by: str) -> dict[str, Any]:
    return await desk.withdraw(patch, by)


_VERBS: dict[str, Verb] = {
    "accept": lambda desk, patch, body, by: desk.accept(patch, body, by),
    "extend": lambda desk, patch, body, by: desk.extend(patch, body, by),
    "narrow": lambda desk, patch, body, by: desk.narrow(patch, body, by),
    "withdraw": _withdraw,
    "test": _test,
}
