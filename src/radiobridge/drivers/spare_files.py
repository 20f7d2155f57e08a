"""File handles kept for the day on which there are none.

Voice needs no new ones. But nobody could ask what is wrong: the API accepts nothing either. So a
few are held back, and let go when none is left otherwise; when there are enough again, they are
taken back. Linux gives a process `RLIMIT_NOFILE` of them (getrlimit(2)).
"""

import os
import resource
from contextlib import suppress

import structlog

from radiobridge.text import Text

SPARE = 8
"""Enough for the API and a command or two."""

log = structlog.get_logger()


class SpareFiles:
    """Holds some file handles back; `look` now and then, and `close` last."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self.none_left = not self._take(SPARE)
        """Nothing that needs a file handle works, except what the spare ones are for."""

    def look(self) -> None:
        """See whether there are any left, and let the spare ones go if not. Never raises."""
        if not self.none_left:
            if self._take(1):
                os.close(self._held.pop())
                return
            self.none_left = True
            self.close()
            why = no_file_handles()
            log.error("no-file-handles", error=why.en)
        elif self._take(SPARE + 1):
            os.close(self._held.pop())
            self.none_left = False
            log.warning("file-handles-again")

    def close(self) -> None:
        """Let the spare ones go."""
        held, self._held = self._held, []
        for handle in held:
            os.close(handle)

    def _take(self, count: int) -> bool:
        """Take some more, or none at all."""
        taken: list[int] = []
        try:
            for _ in range(count):
                taken.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401
        except OSError:
            for handle in taken:
                with suppress(OSError):
                    os.close(handle)
            return False
        self._held += taken
        return True


def no_file_handles() -> Text:
    """Say that none is left, and what to do."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Text(
        f"none of {limit} file handles is left: voice goes on, but no broker, device or file can be"
        " opened again; raise LimitNOFILE in the unit and restart, and report what used them up",
        f"il ne reste aucun des {limit} descripteurs de fichier : la voix continue, mais"
        " ni courtier, ni appareil, ni fichier ne peut être rouvert; augmentez LimitNOFILE dans"
        " l'unité, redémarrez, et signalez ce qui les a pris",
    )
