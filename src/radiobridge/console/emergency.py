"""The part of the API that is about emergencies; `spi.EmergencyApi` does the work."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from aiohttp import web

from radiobridge.console.requests import answer, body
from radiobridge.console.who import who
from radiobridge.spi import EmergencyApi

Desk: TypeAlias = Callable[[web.Request], EmergencyApi]


def emergency_routes(desk: Desk) -> Iterable[web.RouteDef]:
    """Return the routes; `desk` finds who does the work."""

    async def alarms(request: web.Request) -> web.Response:
        return answer(desk(request).list_alarms())

    async def raise_alarm(request: web.Request) -> web.Response:
        return answer(await desk(request).raise_alarm(await body(request), who(request)))

    async def change(request: web.Request) -> web.Response:
        api, alarm = desk(request), request.match_info["id"]
        verb = api.clear if request.match_info["verb"] == "clear" else api.acknowledge
        return answer(await verb(alarm, await body(request), who(request)))

    async def talkers(request: web.Request) -> web.Response:
        return answer(desk(request).list_measures())

    async def decide(request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        return answer(await desk(request).decide(verb, await body(request), who(request)))

    return (
        web.get("/v1/alarms", alarms),
        web.post("/v1/alarms", raise_alarm),
        web.post("/v1/alarms/{id}/{verb:acknowledge|clear}", change),
        web.get("/v1/talkers", talkers),
        web.post("/v1/talkers/{verb:demote|exclude|restore}", decide),
    )
