"""What a gateway says about itself, over the UNIX socket of its HTTP API."""

import http.client
import json
import socket
from pathlib import Path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(path: Path, resource: str, *, timeout_s: float = 2.0) -> object:
    """Return what `GET resource` answers, decoded from JSON.

    Raises OSError when nobody listens, ValueError for an answer that is no JSON or no success.
    """
    return _ask(path, "GET", resource, timeout_s)


def post(path: Path, resource: str, *, timeout_s: float = 5.0) -> object:
    """Return what `POST resource` (with an empty object) answers; raises as `get` does."""
    return _ask(path, "POST", resource, timeout_s)


def _ask(path: Path, verb: str, resource: str, timeout_s: float) -> object:
    connection = _UnixConnection(path, timeout_s)
    body = b"{}" if verb == "POST" else None
    try:
        connection.request(verb, resource, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ValueError(f"{resource}: {answer.status}")
    answered: object = json.loads(content)
    return answered
