"""What must fit together within one radio: interface, audio, squelch and times."""

from collections.abc import Mapping
from typing import Any

from radiobridge.config.gateway import GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.radio import RadioConfig, SquelchMode
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report

LONGEST_WITHOUT_DEAD_MAN_S = 60.0
"""DESIGN §7: a driver without a dead-man needs a radio time-out of at most 60 s."""


def check_radio(config: GatewayConfig, name: str, tree: Node, report: Report) -> None:
    """Note what does not fit together in the radio `name`."""
    radio = config.radios[name]
    loc: Loc = ("radios", name)
    _check_audio(config, radio, loc, tree, report)
    _check_squelch(radio, loc, tree, report)
    _check_inputs(radio, loc, tree, report)
    _check_times(radio, loc, tree, report)


def _check_audio(
    config: GatewayConfig, radio: RadioConfig, loc: Loc, tree: Node, report: Report
) -> None:
    interface = radio.interface.get("driver")
    if radio.audio is None:
        if interface != "usrp":
            report.wrong(
                tree,
                loc,
                "`audio` is missing; add for example `audio: {driver: soundcard, device: USB}`",
                "`audio` manque; ajoutez par exemple `audio: {driver: soundcard, device: USB}`",
            )
        return
    driver = radio.audio.get("driver")
    if driver == "soundcard" and not _both_ways(radio.audio):
        report.wrong(
            tree,
            (*loc, "audio"),
            "`device` is missing; name the sound device, or `input` and `output`",
            "`device` manque; nommez l'appareil de son, ou `input` et `output`",
        )
    if driver in ("usrp", "wav") and not config.simulation:
        report.wrong(
            tree,
            (*loc, "audio", "driver"),
            f"audio `{driver}` with interface `{interface}` exists in simulations only; use "
            "`soundcard`, or set `simulation: true` at the top of the gateway's file",
            f"l'audio `{driver}` avec l'interface `{interface}` n'existe qu'en simulation; "
            "employez `soundcard`, ou mettez `simulation: true` en tête du fichier de la "
            "passerelle",
        )


def _both_ways(audio: Mapping[str, Any]) -> bool:
    return "device" in audio or {"input", "output"} <= audio.keys()


def _check_squelch(radio: RadioConfig, loc: Loc, tree: Node, report: Report) -> None:
    receive, interface = radio.receive, radio.interface
    at = (*loc, "receive", "squelch")
    senses = {
        "none": False,
        "lines": bool(interface.get("cor")),
        "ccdi": bool(interface.get("cor") or interface.get("mute")),
    }
    if (
        receive.squelch is SquelchMode.COR
        and senses.get(interface.get("driver", ""), True) is False
    ):
        report.wrong(
            tree,
            at,
            "squelch is `cor`, but the interface senses none; set the interface's `cor`, or "
            "`receive: {squelch: vox}`",
            "le silencieux est `cor`, mais l'interface n'en capte pas; réglez `cor` de "
            "l'interface, ou `receive: {squelch: vox}`",
        )
    if receive.vox_close >= receive.vox_open:
        report.wrong(
            tree,
            (*loc, "receive", "vox_close"),
            f"must be below vox_open ({receive.vox_open:g}dBFS), for example "
            f"`{receive.vox_open - 6:g}dBFS`",
            f"doit être sous vox_open ({receive.vox_open:g}dBFS), par exemple "
            f"`{receive.vox_open - 6:g}dBFS`",
        )


def _check_inputs(radio: RadioConfig, loc: Loc, tree: Node, report: Report) -> None:
    """Each input line says one thing; answers of a trunked system need the grant among them."""
    interface = radio.interface
    if interface.get("driver") != "lines":
        return
    used: dict[str, str] = {}
    for key in ("cor", "grant", "denied", "queued"):
        line = str(interface.get(key) or "").removeprefix("!")
        if line and (first := used.setdefault(line, key)) != key:
            free = next(one for one in ("CTS", "DSR", "DCD", "RI") if one not in used)
            report.wrong(
                tree,
                (*loc, "interface", key),
                f"{line} is already `{first}`; each needs a line of its own, for example `{free}`",
                f"{line} est déjà `{first}`; chacun a besoin de sa ligne, par exemple `{free}`",
            )
        if key in ("denied", "queued") and line and not interface.get("grant"):
            report.wrong(
                tree,
                (*loc, "interface", key),
                f"`{key}` means nothing without `grant`, the line that is on while the trunked "
                "system has granted the channel",
                f"`{key}` ne veut rien dire sans `grant`, la ligne active tant que le système "
                "accorde le canal",
            )


def _check_times(radio: RadioConfig, loc: Loc, tree: Node, report: Report) -> None:
    transmit, interface = radio.transmit, radio.interface
    driver = interface.get("driver")
    declared = interface.get("radio_time_out")
    guarded = driver != "lines" and interface.get("dead_man") != "constant"
    if not guarded and declared is None:
        _report_undeclared(interface, loc, tree, report)
    longest = min(LONGEST_WITHOUT_DEAD_MAN_S, declared or LONGEST_WITHOUT_DEAD_MAN_S)
    if not guarded and transmit.time_out > longest:
        report.wrong(
            tree,
            (*loc, "transmit", "time_out"),
            f"{transmit.time_out:g}s is too long for interface `{driver}`, which has no dead-man; "
            f"at most `{longest:g}s`, and set the radio's own time-out timer to that too",
            f"{transmit.time_out:g}s est trop long pour l'interface `{driver}`, qui n'a pas "
            f"d'homme mort; au plus `{longest:g}s`, et réglez de même le limiteur de la radio",
        )
    if transmit.hold + transmit.lead_in + transmit.tail >= transmit.time_out:
        report.wrong(
            tree,
            (*loc, "transmit", "time_out"),
            "must be longer than lead_in, hold and tail together; for example `60s`",
            "doit dépasser lead_in, hold et tail réunis; par exemple `60s`",
        )


def _report_undeclared(interface: Mapping[str, Any], loc: Loc, tree: Node, report: Report) -> None:
    """What a machine that hangs leaves keyed needs a timer that is not this machine."""
    if interface.get("dead_man") == "constant":
        key = "dead_man"
        en = "`constant` is never released by the radio itself; write `press`, or"
        fr = "`constant` n'est jamais relâché par la radio même; écrivez `press`, ou"
    else:
        key = "radio_time_out"
        en = "a serial line stays as it is when this machine hangs;"
        fr = "une ligne série reste telle quelle si cette machine se fige;"
    report.wrong(
        tree,
        (*loc, "interface", key),
        f"{en} set the radio's own time-out timer, or a hardware timer, to 60 s or less and "
        "declare it: `radio_time_out: 60s`",
        f"{fr} réglez le limiteur d'émission de la radio, ou une minuterie matérielle, à 60 s au "
        "plus et déclarez-le: `radio_time_out: 60s`",
    )
