"""Who asks: the user at the other end of the API's socket."""

import pwd
import socket
import struct

from aiohttp import web

_PEERCRED = struct.Struct("3i")


def who(request: web.Request) -> str:
    """Return the user at the other end of the socket, as `local:<name>`."""
    peer = request.transport.get_extra_info("socket") if request.transport else None
    if peer is None:
        return "local:unknown"
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    uid = _PEERCRED.unpack(raw)[1]
    try:
        return f"local:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"local:uid-{uid}"
