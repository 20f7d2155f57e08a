"""Bodies of requests and answers: JSON, strictly."""

import json
from functools import partial

from aiohttp import web

from radiobridge.errors import RadioBridgeError

_json = partial(json.dumps, ensure_ascii=False)


class RequestError(RadioBridgeError):
    """The body of a request is not JSON."""


async def body(request: web.Request) -> object:
    """Return the JSON value of a request, None for an empty one. Raises RequestError."""
    raw = await request.text()
    if not raw.strip():
        return None
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError("the request is not JSON", "la demande n'est pas du JSON") from error
    return found


def answer(value: object) -> web.Response:
    """Return `value` as JSON, with letters as they are."""
    return web.json_response(value, dumps=_json)
