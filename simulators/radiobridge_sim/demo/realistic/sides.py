"""The two sides of the realistic demonstration: radios as the field has them.

On the Canadian bank a repeater that wants a tone and hangs for 3 s, on the American one a trunked
system that grants after 0.6 s and queues one request in eight. Both donor radios are half-duplex.
The settings are those that a technician writes for such radios.
"""

from dataclasses import replace

from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.repeater import RepeaterSettings
from radiobridge_sim.trunked import TrunkedSettings

CTCSS_HZ = 100.0
HANG_S = 3.0
GRANT_S = 0.6
QUEUE_S = (0.3, 0.9)
QUEUED_SHARE = 0.125
KEY_UP_S = 0.1
"""From PTT to the carrier of the radio that talks into the repeater."""

_SPACING_HZ = 5_000_000
"""Between the repeater's output and its input."""


def realistic_sides(seed: int) -> tuple[Side, Side]:
    """Return both sides; `seed` says which requests are queued."""
    return _hill(), _trunk(seed)


def _hill() -> Side:
    return replace(
        OPP,
        interface="ccdi",
        input_hz=OPP.hz + _SPACING_HZ,
        key_up_s=KEY_UP_S,
        repeater=RepeaterSettings(
            hang_s=HANG_S, ctcss_hz=CTCSS_HZ, input_ctcss_hz=CTCSS_HZ, tone_in_hang=True
        ),
        settings={
            "receive": {"ctcss": CTCSS_HZ, "quiet": "700ms", "settling": "250ms"},
            "transmit": {"lead_in": "150ms", "tail": "60ms"},
        },
    )


def _trunk(seed: int) -> Side:
    return replace(
        CBP,
        interface="lines",
        trunked=TrunkedSettings(
            grant_s=(GRANT_S, GRANT_S),
            queued_share=QUEUED_SHARE,
            queue_s=QUEUE_S,
            denied_share=0.0,
            seed=seed,
        ),
        settings={
            "receive": {"settling": "200ms"},
            "transmit": {"lead_in": "50ms", "tail": "60ms"},
        },
    )
