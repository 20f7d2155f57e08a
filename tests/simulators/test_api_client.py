import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from radiobridge_sim import api_client

ANSWERS = {"/v1/status": (200, b'{"links": []}'), "/broken": (200, b"{"), "/gone": (404, b"{}")}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "api.sock"
    with socketserver.UnixStreamServer(str(path), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield path
        served.shutdown()
        thread.join()


@pytest.mark.real
def test_answers_are_decoded(server: Path) -> None:
    assert api_client.get(server, "/v1/status") == {"links": []}


@pytest.mark.real
@pytest.mark.parametrize("resource", ["/broken", "/gone"])
def test_what_is_no_answer_is_a_value_error(server: Path, resource: str) -> None:
    with pytest.raises(ValueError):
        api_client.get(server, resource)


def test_nobody_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        api_client.get(tmp_path / "none.sock", "/v1/status")
