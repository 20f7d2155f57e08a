"""A receiver that counts only with its CTCSS tone: COR and tone.

Rules. COR counts while the tone is there. While we transmit, and until the receiver has settled,
the tone cannot be heard: what counted before still does, and a COR that rises then counts as it is.
That is the hang of a repeater that we keyed ourselves: the squelch must see it, so as to wait for
voice instead of taking the tone, once it is heard, for somebody new. Without a tone to wait for,
COR is passed on as it is.
"""


class ToneGate:
    """Makes one COR out of COR and tone."""

    __slots__ = ("_cor", "_excused", "_tone", "_waits", "active")

    def __init__(self, *, waits: bool) -> None:
        """`waits`: there is a tone to wait for."""
        self.active = False
        """What counts as COR now."""
        self._waits = waits
        self._cor = False
        self._tone = False
        self._excused = False

    @property
    def heard(self) -> bool:
        """Tell whether what is heard belongs to us: the tone is there, or none is waited for."""
        return self._tone or not self._waits

    def cor(self, *, active: bool, deaf: bool) -> bool:
        """Take the receiver's own COR; `deaf`: its audio means nothing now. Return `active`."""
        self._cor = active
        self._excused = active and (self._excused or deaf)
        return self._decide(deaf=deaf)

    def tone(self, *, there: bool, deaf: bool) -> bool:
        """Take whether the tone is heard. Return `active`."""
        self._tone = there
        return self._decide(deaf=deaf)

    def _decide(self, *, deaf: bool) -> bool:
        if not self._cor:
            self.active = False
        elif not deaf or self._excused:
            self.active = self.heard or self._excused
        return self.active
