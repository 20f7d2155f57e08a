"""A gateway whose event loop can be brought to a stand from outside, as by a fault of its own."""

import signal
import textwrap
from pathlib import Path

SIGNAL = signal.SIGUSR2
"""It stops the event loop, not the process."""

_STUCK = """
    import signal, time
    if "radiobridge.cli.main" in " ".join(__import__("sys").orig_argv):
        signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))
"""
"""Python runs a signal's handler in the main thread, between two steps of the event loop."""


def prepare(folder: Path) -> Path:
    """Write what makes it so into a folder; return that, for a gateway's `PYTHONPATH`."""
    path = folder / "stuck"
    path.mkdir(exist_ok=True)
    (path / "sitecustomize.py").write_text(textwrap.dedent(_STUCK), encoding="utf-8")
    return path
