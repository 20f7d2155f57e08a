"""Voice detection by level: two thresholds, so that a level near one of them does not chatter.

Hang, settling and limits belong to the squelch (`core.squelch`), not here.
"""

from dataclasses import dataclass

from radiobridge.errors import LocalProtocolError


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxSettings:
    """Thresholds of a VOX."""

    open_dbfs: float = -40.0
    close_dbfs: float = -46.0
    attack_frames: int = 2
    """Loud frames in a row that open it: one alone is a click, not voice. The preroll gives back
    what was said meanwhile."""

    def __post_init__(self) -> None:
        if self.close_dbfs > self.open_dbfs:
            raise LocalProtocolError("a VOX closes at or below the level at which it opens")
        if self.attack_frames < 1:
            raise LocalProtocolError("a VOX needs at least one frame to open")


class Vox:
    """Tells voice from silence by the level of each frame."""

    __slots__ = ("_active", "_loud", "_settings")

    def __init__(self, settings: VoxSettings) -> None:
        self._settings = settings
        self._active = False
        self._loud = 0

    @property
    def active(self) -> bool:
        """Tell whether the last frame was voice."""
        return self._active

    @property
    def loud(self) -> bool:
        """Tell whether the last frame was loud, voice or not."""
        return self._active or self._loud > 0

    def feed(self, level_dbfs: float) -> bool:
        """Take the level of the next 20 ms and tell whether it is voice."""
        if self._active:
            self._active = level_dbfs >= self._settings.close_dbfs
            self._loud = 0
            return self._active
        self._loud = self._loud + 1 if level_dbfs >= self._settings.open_dbfs else 0
        self._active = self._loud >= self._settings.attack_frames
        return self._active

    def reset(self) -> None:
        """Forget what was heard; the next voice has to open it anew."""
        self._active = False
        self._loud = 0
