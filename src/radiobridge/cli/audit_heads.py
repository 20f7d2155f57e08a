"""The heads that a gateway holds: from itself while it runs, else from its state."""

import sqlite3
from contextlib import closing
from pathlib import Path

from radiobridge.cli.audit_source import state_folder
from radiobridge.cli.client import call, find_socket
from radiobridge.errors import CommandError, ConfigError

STATE_FILE = "state.db"
_KEY = "audit-head/"


def heads_of(config: Path) -> tuple[str, list[str]]:
    """Return the gateway of `config` and its lines `<gateway> <number>:<hash>@<ms>`.

    Raises CommandError when neither the gateway nor its state can be asked.
    """
    try:
        answer = call(find_socket(config, None), "GET", "/v1/audit/heads")
    except CommandError as error:
        return _from_state(config, error)
    return str(answer["gateway"]), [str(line) for line in answer["heads"]]


def _from_state(config: Path, error: CommandError) -> tuple[str, list[str]]:
    """Read the state of a gateway that does not run; it is locked while it does."""
    path = state_folder(config) / STATE_FILE
    if not path.is_file():
        raise error
    at_rest = not path.with_name(path.name + "-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if at_rest else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute(
                "SELECT key, value FROM state WHERE key >= ? AND key < ?", (_KEY, "audit-head0")
            ).fetchall()
    except sqlite3.Error:
        raise error from None
    own = _own(config)
    named = [("/".join(key.removeprefix(_KEY).split("/")[:2]), value) for key, value in rows]
    return own, sorted({f"{whose} {value}" for whose, value in named if whose != own})


def _own(config: Path) -> str:
    from radiobridge.config.tree import read_tree

    tree = read_tree(config)
    agency, gateway = tree.child("agency"), tree.child("gateway")
    if agency is None or gateway is None:
        raise ConfigError(
            f"{config}: `agency` or `gateway` is missing",
            f"{config} : `agency` ou `gateway` manque",
        )
    return f"{agency.value}/{gateway.value}"
