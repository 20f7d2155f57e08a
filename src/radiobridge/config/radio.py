"""The settings of one donor radio. Durations are in s, levels in dBFS, gains in dB."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from radiobridge.config.base import Choice, Id, LanguageName, Settings, Words
from radiobridge.config.units import (
    AnswerTime,
    CoolDown,
    CorLimit,
    CtcssTone,
    Gain,
    Level,
    ShortTime,
    TransmitTime,
    written,
    wrong,
)
from radiobridge.model.talker import MAX_NAME, clean, is_clean, is_talker

DriverMapping = Annotated[dict[str, Any], Field(examples=["{driver: ccdi, device: /dev/ttyS0}"])]
"""`driver` and that driver's own settings; checked by `config.drivers`, once for each driver."""


Channel = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[!-~]+$", examples=["'000012'"])
]
"""One word; quoted where it is a number."""


def _mdc_code(text: str) -> str:
    if re.fullmatch(r"[0-9A-F]{2}/[0-9A-F]{2}", text, re.ASCII) is None:
        raise wrong(
            f"'{text[:20]}' is not operation/argument in upper-case hex; write for example `40/80`",
            f"'{text[:20]}' n'est pas opération/argument en hexadécimal majuscule; écrivez par "
            "exemple `40/80`",
        )
    return text


def _talker(text: str) -> str:
    if not is_talker(text):
        raise wrong(
            f"'{clean(text)}' is not a talker id; write for example `mdc:1234`, "
            "`p25:BEE00.2D1.1234567` or `name:Unit 12`",
            f"'{clean(text)}' n'est pas un identifiant de locuteur; écrivez par exemple "
            "`mdc:1234`, `p25:BEE00.2D1.1234567` ou `name:Unité 12`",
        )
    return text


def _alias(text: str) -> str:
    if not is_clean(text):
        better = clean(text) or "Unit 12"
        raise wrong(
            f"an alias has 1 to {MAX_NAME} letters, digits and marks of one line, without < > & / "
            f"\\ [ ] and the like; for example `{better}`",
            f"un alias a de 1 à {MAX_NAME} lettres, chiffres et signes sur une ligne, sans < > & / "
            f"\\ [ ] et semblables; par exemple `{better}`",
        )
    return text


MdcCode = Annotated[str, AfterValidator(_mdc_code), Field(examples=["40/80"])]
TalkerName = Annotated[str, AfterValidator(_talker), Field(examples=["mdc:1234"])]
Alias = Annotated[str, AfterValidator(_alias), Field(examples=["Unit 12"])]


class SquelchMode(StrEnum):
    """What says that somebody talks to this radio."""

    COR = "cor"
    """The radio's own carrier-operated relay."""
    VOX = "vox"
    """The level of the audio."""


class ReceiveConfig(Settings):
    """From the radio to the network."""

    squelch: Annotated[SquelchMode, Choice] = SquelchMode.COR
    """What opens the receiver: the radio's own `cor` line, or the level of its audio (`vox`)."""
    debounce: ShortTime = written("0ms")
    """How long COR must hold still before it counts; each ms delays the first syllable's key-up."""
    hang: ShortTime = written("200ms")
    """How long a closed squelch waits before the spurt ends, so that flutter does not cut it."""
    settling: ShortTime = written("150ms")
    """How long COR is not believed after the radio itself has transmitted."""
    cor_delay: ShortTime = written("0ms")
    """How late the radio's COR comes after the voice; the preroll is 250 ms longer than this."""
    cor_limit: CorLimit = written("120s")
    """A COR open for longer is stuck: the radio is taken out of its group, with an alarm."""
    quiet: ShortTime | None = None
    """Behind a repeater, whose carrier stays: nobody heard for so long ends the spurt."""
    vox_open: Level = written("-40dBFS")
    """With `squelch: vox`: audio above this opens."""
    vox_close: Level = written("-46dBFS")
    """With `squelch: vox`: audio below this closes, after `hang`."""
    gain: Gain = written("0dB")
    """Applied to received audio: a 1 kHz tone at 60 % deviation must come to -20 dBFS."""
    ctcss: CtcssTone | None = None
    """The tone without which what is received does not count: COR and tone, or VOX and tone."""
    mdc_emergency: list[MdcCode] = Field(default=["40/80", "40/81", "00/81"])
    """MDC1200 operation/argument that this fleet's emergency buttons send."""


class TransmitConfig(Settings):
    """From the network to the radio."""

    lead_in: ShortTime = written("0ms")
    """Silence between PTT and voice, for a radio that cannot tell when it is on the air."""
    tail: ShortTime = written("40ms")
    """Silence between the end of the voice and unkeying."""
    hold: ShortTime = written("800ms")
    """How long a gap inside a spurt is played as silence before the radio is unkeyed."""
    time_out: TransmitTime = written("60s")
    """Longest transmission; at most 60 s with an interface that has no dead-man."""
    cool_down: CoolDown = written("2s")
    """How long the radio stays off the air after a time-out."""
    gain: Gain = written("0dB")
    """Applied to the audio that the radio transmits."""
    answer_time_out: AnswerTime = written("2s")
    """How long a request to transmit may stay unanswered before it counts as failed."""


class RadioConfig(Settings):
    """One donor radio."""

    talkgroup: Annotated[Id, Field(examples=["TAC1"])]
    """The talkgroup of this agency that the radio is on."""
    channel: Channel | None = None
    """The channel that the radio must be on; it is cut both ways until it has said so (`ccdi`)."""
    profile: Id | None = None
    """A file of `profiles/` beside this one or of `hardware/profiles/`; settings here override."""
    interface: DriverMapping
    """What keys the radio and senses its receiver: `{driver: …}` and its settings."""
    audio: DriverMapping | None = None
    """The radio's sound: `{driver: …}` and its settings. Left out when the interface carries it."""
    receive: ReceiveConfig = Field(default_factory=ReceiveConfig)
    """From the radio to the network."""
    transmit: TransmitConfig = Field(default_factory=TransmitConfig)
    """From the network to the radio."""
    talkers: dict[TalkerName, Alias] = Field(default_factory=dict)
    """What people call those who talk by this radio: `{"mdc:1234": Unit 12}`."""
    announce: bool = True
    """Tell who listens to this radio when a patch begins and ends, in the radio's language."""
    language: LanguageName | None = None
    """The language of this radio's users, where it differs from the gateway's."""


class ProfileConfig(Settings):
    """`hardware/profiles/<name>.yaml`: settings that every radio of a family shares."""

    label: Words
    """The radio family."""
    notes: Words | None = None
    """What a technician should know."""
    interface: DriverMapping = Field(default_factory=dict)
    """Defaults for the radio's `interface`, used when it names the same driver, or none."""
    audio: DriverMapping = Field(default_factory=dict)
    """Defaults for the radio's `audio`, used when it names the same driver, or none."""
    receive: dict[str, Any] = Field(default_factory=dict)
    """Defaults for the radio's `receive`."""
    transmit: dict[str, Any] = Field(default_factory=dict)
    """Defaults for the radio's `transmit`."""
