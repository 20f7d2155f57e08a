"""What a service manager is told: ready, alive, stopping. Source: sd_notify(3).

Without `NOTIFY_SOCKET` in the environment nothing happens.
"""

import os
import socket


def notify(state: str) -> None:
    """Send one state, such as `READY=1` or `WATCHDOG=1`. Never blocks, never raises."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
            manager.sendto(state.encode(), address)
    except OSError:
        # A manager that does not listen will notice the silence.
        return
