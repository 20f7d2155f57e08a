"""`radiobridge emergency …`: raise, acknowledge and clear alarms; demote or exclude a talker."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote

import typer

from radiobridge.cli.client import ConfigOption, JsonOption, SocketOption, call, find_socket
from radiobridge.cli.words import language, say

_EXAMPLE = say("Example", "Exemple")

app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Raise, acknowledge and clear alarms; demote or exclude a talker.",
        "Donner, confirmer et clore des alarmes; déclasser ou exclure un locuteur.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency list",
)

AlarmArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help=say("The alarm, as listed.", "L'alarme, comme listée."))
]
RaiserOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--raiser",
        metavar="AGENCY/GATEWAY",
        help=say("Whose alarm, when an id is there twice.", "De qui, si l'identifiant est double."),
    ),
]
TalkgroupArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TALKGROUP",
        help=say("AGENCY/NAME, or the name of our own.", "AGENCE/NOM, ou le nom d'un des nôtres."),
    ),
]
TalkerArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TALKER",
        help=say(
            "mdc:1234, or radio:GATEWAY/RADIO for whoever that donor radio hears.",
            "mdc:1234, ou radio:PASSERELLE/RADIO pour quiconque cette radio entend.",
        ),
    ),
]


@app.command(
    name="list",
    help=say("List the alarms and how they stand.", "Lister les alarmes et leur état."),
    epilog=f"{_EXAMPLE}: radiobridge emergency list --all",
)
def list_(
    *,
    all_: Annotated[
        bool, typer.Option("--all", help=say("Those that are over too.", "Aussi les closes."))
    ] = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the alarms, and who is demoted or excluded."""
    path = find_socket(config, socket)
    alarms = [one for one in call(path, "GET", "/v1/alarms") if all_ or one.get("open")]
    talkers = call(path, "GET", "/v1/talkers")
    if as_json:
        _print_json({"alarms": alarms, "talkers": talkers})
        return
    from radiobridge.cli.emergency_view import print_alarms, print_talkers

    print_alarms(alarms, language())
    print_talkers(talkers, language())


@app.command(
    name="raise",
    help=say(
        "Raise an alarm for somebody on a talkgroup: its spurts are emergencies from now on.",
        "Donner l'alarme pour quelqu'un d'un groupe : ses messages deviennent des urgences.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency raise TAC1 --talker mdc:1234",
)
def raise_(
    talkgroup: TalkgroupArgument,
    *,
    talker: Annotated[
        str | None,
        typer.Option(metavar="TALKER", help=say("Who: mdc:1234.", "Qui : mdc:1234.")),
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help=say("How people call him.", "Comment on l'appelle."))
    ] = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Raise an alarm."""
    request = _given(talkgroup=talkgroup, talker=talker, alias=alias)
    _show(call(find_socket(config, socket), "POST", "/v1/alarms", request), as_json=as_json)


@app.command(
    help=say(
        "Acknowledge an alarm: somebody here takes care of it.",
        "Confirmer une alarme : quelqu'un ici s'en occupe.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency ack 5f3a9c01",
)
def ack(
    alarm: AlarmArgument,
    *,
    raiser: RaiserOption = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an alarm."""
    url = f"/v1/alarms/{quote(alarm, safe='')}/acknowledge"
    answer = call(find_socket(config, socket), "POST", url, _given(raiser=raiser))
    _show(answer, as_json=as_json)


@app.command(
    help=say(
        "Clear an alarm of this agency, valid or false. It is over once acknowledged too.",
        "Clore une alarme de cette agence, fondée ou non. Elle l'est une fois confirmée.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency clear 5f3a9c01 --false --reason 'a mistake'",
)
def clear(
    alarm: AlarmArgument,
    *,
    valid: Annotated[
        bool | None,
        typer.Option("--valid/--false", help=say("What it was.", "Ce que c'était.")),
    ] = None,
    reason: Annotated[str, typer.Option(help=say("Why it is over.", "Pourquoi c'est fini."))],
    raiser: RaiserOption = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Clear an alarm."""
    if valid is None:
        raise typer.BadParameter(say("say --valid or --false", "dites --valid ou --false"))
    verdict = "valid" if valid else "false"
    url = f"/v1/alarms/{quote(alarm, safe='')}/clear"
    request = _given(verdict=verdict, reason=reason, raiser=raiser)
    _show(call(find_socket(config, socket), "POST", url, request), as_json=as_json)


@app.command(
    help=say(
        "Demote a talker: its emergencies count as normal talk.",
        "Déclasser un locuteur : ses urgences ne comptent plus que comme paroles normales.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency demote ca.opp/TAC1 mdc:1234",
)
def demote(
    talkgroup: TalkgroupArgument,
    talker: TalkerArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Demote a talker."""
    _decide("demote", talkgroup, talker, find_socket(config, socket), as_json=as_json)


@app.command(
    help=say("Exclude a talker: it is not carried.", "Exclure un locuteur : on ne l'entend plus."),
    epilog=f"{_EXAMPLE}: radiobridge emergency exclude ca.opp/TAC1 radio:windsor/tac1",
)
def exclude(
    talkgroup: TalkgroupArgument,
    talker: TalkerArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Exclude a talker."""
    _decide("exclude", talkgroup, talker, find_socket(config, socket), as_json=as_json)


@app.command(
    help=say(
        "Take back what this gateway has decided about a talker.",
        "Retirer ce que cette passerelle a décidé d'un locuteur.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge emergency restore ca.opp/TAC1 mdc:1234",
)
def restore(
    talkgroup: TalkgroupArgument,
    talker: TalkerArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a talker."""
    _decide("restore", talkgroup, talker, find_socket(config, socket), as_json=as_json)


def _decide(verb: str, talkgroup: str, talker: str, path: Path, *, as_json: bool) -> None:
    request = _given(talkgroup=talkgroup, talker=talker)
    answer = call(path, "POST", f"/v1/talkers/{verb}", request)
    if as_json:
        _print_json(answer)
        return
    from radiobridge.cli.emergency_view import print_decision

    print_decision(answer, language())


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(alarm: Any, *, as_json: bool) -> None:  # noqa: ANN401 - a JSON value
    if as_json:
        _print_json(alarm)
        return
    from radiobridge.cli.emergency_view import print_alarm

    print_alarm(alarm, language())


def _print_json(answer: Any) -> None:  # noqa: ANN401 - a JSON value
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
