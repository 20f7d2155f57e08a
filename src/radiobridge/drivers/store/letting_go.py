"""Who opens a file waits for the thread of this process that still closes it.

Closing writes the whole log back, and on a slow disk that outlasts a store's `close`. To open the
file meanwhile would be told as another process's doing, and would end its lock: POSIX drops what a
process has locked in a file when the process closes any descriptor of it (fcntl(2)).
"""

import os
import threading
from pathlib import Path
from time import monotonic

from radiobridge.errors import StoreError
from radiobridge.text import Text

LET_GO_S = 12.0
"""How long the next to open a file waits. The four starts that a restart may try (the new
configuration, then the old one three times) end within `serving.RESTART_S`, each told why."""

_change = threading.Lock()
_closing: dict[str, tuple[threading.Thread, ...]] = {}


def lets_go(path: Path, thread: threading.Thread) -> None:
    """Note that `thread`, which holds the file `path`, has been told to close it and end."""
    key = os.path.abspath(path)  # noqa: PTH100  `resolve` asks the disk, which may hang
    with _change:
        _closing[key] = (*_alive(key), thread)


def wait_until_let_go(path: Path, what: Text, within_s: float) -> None:
    """Block this thread until all that were told to close the file `path` have ended.

    One that was told so itself (it tries to write what it has) waits for those before it only.
    Returns at once when there is none. Raises StoreError after `within_s`; `what` names the file.
    """
    key = os.path.abspath(path)  # noqa: PTH100
    with _change:
        earlier = _before_me(_alive(key))
    until = monotonic() + within_s
    for thread in earlier:
        thread.join(max(0.0, until - monotonic()))
    if not any(thread.is_alive() for thread in earlier):
        return
    raise StoreError(
        f"the disk does not answer: {what.en} {path} was not closed within {within_s:g} s",
        f"le disque ne répond pas : {what.fr} {path} n'a pas été fermé en {within_s:g} s",
    )


def _before_me(threads: tuple[threading.Thread, ...]) -> tuple[threading.Thread, ...]:
    me = threading.current_thread()
    return threads[: threads.index(me)] if me in threads else threads


def _alive(key: str) -> tuple[threading.Thread, ...]:
    return tuple(thread for thread in _closing.get(key, ()) if thread.is_alive())
