"""What a radio tells an operator, in JSON's terms."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radiobridge.services.radio import RadioRunner


def radio_status(radio: "RadioRunner") -> dict[str, Any]:
    """Return what an operator wants to know of one radio (docs/api.md)."""
    condition = radio.condition
    down, up = radio.down, radio.up
    return {
        "name": str(radio.name),
        "talkgroup": str(radio.talkgroup),
        "interface": "up" if condition.interface_lost is None else "lost",
        "interface_reason": condition.interface_lost._asdict()
        if condition.interface_lost
        else None,
        "audio": "up" if condition.audio_lost is None else "lost",
        "audio_reason": condition.audio_lost._asdict() if condition.audio_lost else None,
        "cor": condition.cor,
        "stuck": condition.stuck,
        "ptt": down.keying,
        "state": down.transmit.state.value,
        "inhibited": condition.inhibited_by is not None,
        "inhibited_by": condition.inhibited_by,
        "holds": {hold.value: by for hold, by in condition.holds.items()},
        "channel": condition.channel,
        "channel_expected": radio.channel_expected,
        "alarms": sorted(condition.alarms),
        "level_dbfs": round(up.level_dbfs, 1),
        "ctcss_hz": up.ctcss_hz,
        "counters": {
            **down.counters,
            **down.path(),
            "frames": up.frames,
            "spurts": up.spurts,
            "errors": radio.errors,
            "silenced": up.silenced,
            **radio.signals,
            **{f"unkeyed_{cause}": n for cause, n in radio.unkeyed_by.items()},
        },
    }
