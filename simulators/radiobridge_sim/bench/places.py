"""Where a fault of the table happens: two simplex radios, or what they are not."""

from dataclasses import dataclass, replace

from radiobridge_sim.agencies import Side
from radiobridge_sim.repeater import RepeaterSettings
from radiobridge_sim.trunked import TrunkedSettings

HANG_S = 5.0
_TONE_HZ = 100.0
_SPLIT_HZ = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One world. The first side is the far one: the other talks."""

    trunked: TrunkedSettings | None = None
    """The far radio works on such a system."""
    repeater: bool = False
    """Who talks does so by a repeater with hang, tail, courtesy beep and tone."""
    one_channel: bool = False
    """Both donor radios are on one channel: the air closes a loop."""

    def sides(self, sides: tuple[Side, Side]) -> tuple[Side, Side]:
        """Return the sides as they are in this world."""
        far, near = sides
        if self.trunked is not None:
            far = replace(far, interface="lines", trunked=self.trunked)
        if self.repeater:
            near = _by_repeater(near)
        if self.one_channel:
            far, near = (replace(one, interface="lines", hz=far.hz) for one in (far, near))
        return far, near


SIMPLEX = Place()


def _by_repeater(side: Side) -> Side:
    return replace(
        side,
        interface="lines",
        input_hz=side.hz + _SPLIT_HZ,
        repeater=RepeaterSettings(
            hang_s=HANG_S, courtesy_hz=800.0, ctcss_hz=_TONE_HZ, input_ctcss_hz=_TONE_HZ
        ),
        settings={"receive": {"quiet": "700ms", "settling": "250ms", "ctcss": _TONE_HZ}},
    )
