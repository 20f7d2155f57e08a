"""Talks to a running gateway over its UNIX socket."""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from radiobridge.cli.words import say
from radiobridge.errors import CommandError, ConfigError

SOCKET_FOLDER = Path("/run/radiobridge")
SOCKET_VARIABLE = "RADIOBRIDGE_SOCKET"
_TIME_OUT_S = 10.0

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="CONFIG",
        help=say(
            "The gateway's file, which names its socket.", "Son fichier, qui nomme le socket."
        ),
    ),
]
SocketOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        "-s",
        envvar=SOCKET_VARIABLE,
        help=say(
            "The gateway's socket; else the only one in /run/radiobridge.",
            "Le socket de la passerelle; sinon le seul de /run/radiobridge.",
        ),
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help=say("As JSON.", "En JSON."))]


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIME_OUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIME_OUT_S)
        self.sock.connect(os.fspath(self._path))


def call(path: Path, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Ask the gateway at `path`; return its answer. Raises CommandError when it refuses."""
    connection = _UnixConnection(path)
    try:
        connection.request(method, url, None if body is None else json.dumps(body))
        response = connection.getresponse()
        status, answer = response.status, json.loads(response.read())
    except PermissionError as error:
        raise CommandError(
            f"{path} belongs to another user; run this as the gateway's user",
            f"{path} appartient à un autre utilisateur; exécutez ceci sous celui de la passerelle",
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise CommandError(
            f"no gateway answers at {path}; start it with `radiobridge run CONFIG`",
            f"aucune passerelle ne répond à {path}; lancez-la par `radiobridge run CONFIG`",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CommandError(
            f"the gateway at {path} does not answer as it should ({type(error).__name__})",
            f"la passerelle à {path} ne répond pas comme il faut ({type(error).__name__})",
        ) from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise _refused(status, answer)
    return answer


def _refused(status: int, answer: object) -> CommandError:
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and "en" in error:
        return CommandError(str(error["en"]), str(error.get("fr", error["en"])))
    return CommandError(f"the gateway answers {status}", f"la passerelle répond {status}")


def find_socket(config: Path | None, path: Path | None) -> Path:
    """Return the socket to use: the one named, the configuration's, or the only one there is."""
    if path is not None:
        return path
    if config is not None:
        return _configured(config)
    found = sorted(SOCKET_FOLDER.glob("*.sock"))
    if len(found) == 1:
        return found[0]
    listed = ", ".join(map(str, found))
    none = say(f"none in {SOCKET_FOLDER}", f"aucune dans {SOCKET_FOLDER}")
    raise ConfigError(
        f"which gateway? name it with --socket or --config ({listed or none})",
        f"quelle passerelle? nommez-la par --socket ou --config ({listed or none})",
    )


def _configured(config: Path) -> Path:
    """Return the socket that a gateway's file names, without checking the rest of it."""
    from radiobridge.config.tree import read_tree

    tree = read_tree(config)
    named, gateway = tree.child("socket"), tree.child("gateway")
    if named is not None and isinstance(named.value, str):
        return config.parent / Path(named.value).expanduser()
    if gateway is not None and isinstance(gateway.value, str):
        return SOCKET_FOLDER / f"{gateway.value}.sock"
    raise ConfigError(
        f"{config}: `gateway` is missing; add for example `gateway: windsor`",
        f"{config}: `gateway` manque; ajoutez par exemple `gateway: windsor`",
    )
