"""`radiobridge patch …`: propose, accept, narrow, withdraw, extend, activate, and look."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote

import typer

from radiobridge.cli import asking
from radiobridge.cli.client import ConfigOption, JsonOption, SocketOption, call, find_socket
from radiobridge.cli.words import language, say

_EXAMPLE = say("Example", "Exemple")
_CONFIG = "--config /etc/radiobridge/windsor.yaml"

app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "Join talkgroups of several agencies, as long as each owner agrees.",
        "Réunir des groupes de plusieurs agences, tant que chaque propriétaire est d'accord.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch list",
)

PatchArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help=say("The patch.", "Le jumelage."))
]
YesOption: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help=say("Do not ask.", "Ne rien demander."))
]
PreviewOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--preview", help=say("Show what it would be; do nothing.", "Montrer sans rien faire.")
    ),
]
UntilOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        help=say("17:30 (local time) or RFC 3339.", "17:30 (heure locale) ou RFC 3339."),
    ),
]
ForOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help=say("30min, 2h, 3d.", "30min, 2h, 3d.")),
]
LimitOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="AGENCY/TALKGROUP:WORD,...",
        help=say(
            "What is left of our own talkgroup: listen, talk, none, a class, priority=N.",
            "Ce qui reste de notre groupe : listen, talk, none, une classe, priority=N.",
        ),
    ),
]
RecordOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--record", metavar="none|own|all", help=say("Who may record.", "Qui enregistre.")
    ),
]


@app.command(
    name="list",
    help=say("List the patches and how they stand.", "Lister les jumelages et leur état."),
    epilog=f"{_EXAMPLE}: radiobridge patch list --json",
)
def list_(
    *, config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False
) -> None:
    """Print the patches."""
    _show_all(call(find_socket(config, socket), "GET", "/v1/patches"), as_json=as_json)


@app.command(
    help=say("Show all about one patch.", "Tout montrer d'un jumelage."),
    epilog=f"{_EXAMPLE}: radiobridge patch show river",
)
def show(
    patch: PatchArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one patch."""
    _show(call(find_socket(config, socket), "GET", _url(patch)), as_json=as_json)


@app.command(
    name="test",
    help=say(
        "Prove all of a patch but the radio wave, in two seconds, keying nothing.",
        "Vérifier tout un jumelage sauf l'onde, en deux secondes, sans rien émettre.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch test river",
)
def prove(
    patch: PatchArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Test one patch; exit status 1 when something is not ready."""
    answer = call(find_socket(config, socket), "POST", _url(patch, "test"))
    if as_json:
        _print_json(answer)
    else:
        from radiobridge.cli.patch_view import print_test

        print_test(answer, language())
    if not answer.get("ok"):
        raise typer.Exit(1)


@app.command(
    help=say("List what was agreed in advance.", "Lister ce qui a été convenu d'avance."),
    epilog=f"{_EXAMPLE}: radiobridge patch plans",
)
def plans(
    *, config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False
) -> None:
    """Print the plans."""
    found = call(find_socket(config, socket), "GET", "/v1/plans")
    if as_json:
        _print_json(found)
        return
    from radiobridge.cli.patch_view import print_plans

    print_plans(found, language())


@app.command(
    help=say(
        "Propose a patch: accept its terms for this agency, and show them to the others.",
        "Proposer un jumelage : en accepter les conditions et les montrer aux autres.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch propose river --purpose 'Pursuit over the bridge' "
    "--for 2h --member ca.opp/TAC1 --member us.cbp/BORDER:listen",
)
def propose(
    patch: Annotated[
        str, typer.Argument(metavar="ID", help=say("A new id.", "Un nouvel identifiant."))
    ],
    *,
    purpose: Annotated[str, typer.Option(help=say("Why.", "Pourquoi."))],
    member: Annotated[
        list[str],
        typer.Option(
            metavar=asking.MEMBER,
            help=say(
                "A talkgroup; listen|talk|both, normal|imminent-peril|emergency, priority=N, "
                "clear|encrypted, in-clear, signalling.",
                "Un groupe; listen|talk|both, normal|imminent-peril|emergency, priority=N, "
                "clear|encrypted, in-clear, signalling.",
            ),
        ),
    ],
    until: UntilOption = None,
    for_: ForOption = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help=say("Now if not said.", "Sinon maintenant.")),
    ] = None,
    incident: Annotated[
        str | None, typer.Option(help=say("The incident's number.", "Le numéro de l'incident."))
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="AGENCY", help=say("Who leads; we if not said.", "Qui mène; nous.")),
    ] = None,
    record: RecordOption = None,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a patch."""
    request: dict[str, Any] = {
        "patch": patch,
        "purpose": purpose,
        "members": [asking.member(text) for text in member],
        **_end(until, for_),
        **_given(incident=incident, host=host, recording=record),
    }
    if from_ is not None:
        request["start_ms"] = asking.moment_ms(from_)
    _give(find_socket(config, socket), "/v1/patches", request, preview, yes, as_json)


@app.command(
    help=say("Accept what another agency proposes.", "Accepter ce qu'une autre agence propose."),
    epilog=f"{_EXAMPLE}: radiobridge patch accept river",
)
def accept(
    patch: PatchArgument,
    *,
    terms: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help=say("Which, when several are proposed.", "Lesquelles, s'il y en a plusieurs."),
        ),
    ] = None,
    in_clear: Annotated[
        bool,
        typer.Option(
            "--in-clear",
            help=say(
                "Yes, our encrypted voice may be heard in clear on the air.",
                "Oui, notre voix chiffrée peut être entendue en clair sur les ondes.",
            ),
        ),
    ] = False,
    limit: LimitOption = None,
    until: UntilOption = None,
    record: RecordOption = None,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept a patch: exactly the terms that were shown."""
    request = {**_given(terms=terms), **_narrowing(limit, until, record)}
    if in_clear:
        request["in_clear"] = True
    _give(find_socket(config, socket), _url(patch, "accept"), request, preview, yes, as_json)


@app.command(
    help=say(
        "Propose to go on after the end, with the same members.",
        "Proposer de continuer après la fin, avec les mêmes membres.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch extend river --for 2h",
)
def extend(
    patch: PatchArgument,
    *,
    until: UntilOption = None,
    for_: ForOption = None,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a successor."""
    request = _end(until, for_)
    _give(find_socket(config, socket), _url(patch, "extend"), request, preview, yes, as_json)


@app.command(
    help=say("Put a plan on demand into force.", "Mettre en vigueur un plan à la demande."),
    epilog=f"{_EXAMPLE}: radiobridge patch activate flood --for 4h",
)
def activate(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help=say("The plan.", "Le plan."))],
    *,
    until: UntilOption = None,
    for_: ForOption = None,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Activate a plan."""
    url = f"/v1/plans/{quote(plan, safe='')}/activate"
    request = asking.window(until, for_)
    _give(find_socket(config, socket), url, request, preview, yes, as_json)


@app.command(
    help=say(
        "Restrict our own part at once, and for good.",
        "Restreindre notre part, aussitôt et pour de bon.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch narrow river --limit ca.opp/TAC1:listen",
)
def narrow(
    patch: PatchArgument,
    *,
    limit: LimitOption = None,
    until: UntilOption = None,
    record: RecordOption = None,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Narrow a patch."""
    request = _narrowing(limit, until, record)
    if not request:
        raise typer.BadParameter(say("give --limit, --until or --record",
                                     "donnez --limit, --until ou --record"))  # fmt: skip
    answer = call(find_socket(config, socket), "POST", _url(patch, "narrow"), request)
    _show(answer, as_json=as_json)


@app.command(
    help=say(
        "Take our consent back (or refuse it): silence at once, for good.",
        "Retirer notre accord (ou le refuser) : silence aussitôt, pour de bon.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch withdraw river",
)
def withdraw(
    patch: PatchArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw from a patch."""
    _show(call(find_socket(config, socket), "POST", _url(patch, "withdraw")), as_json=as_json)


@app.command(
    name="confirm-state",
    help=say(
        "Trust this gateway's state after it was lost or restored: ask the partners first whether "
        "this agency has withdrawn from anything.",
        "Se fier à l'état de cette passerelle, perdu ou restauré : demandez d'abord aux "
        "partenaires si cette agence s'est retirée de quelque chose.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge patch confirm-state",
)
def confirm_state(
    *,
    yes: YesOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm the state."""
    path = find_socket(config, socket)
    if sys.stdin.isatty() and not yes:
        _show_all(call(path, "GET", "/v1/patches"), as_json=False)
        typer.confirm(
            say(
                "Did you ask every partner, and is nothing withdrawn that is not shown above?",
                "Avez-vous demandé à chaque partenaire; aucun retrait ne manque ci-dessus?",
            ),
            abort=True,
            err=True,
        )
    answer = call(path, "POST", "/v1/state/confirm")
    done = say("the state is trusted; patches go on", "l'état est fiable; les jumelages reprennent")
    _print_json(answer) if as_json else typer.echo(done)


def _give(
    path: Path, url: str, request: dict[str, Any], preview: bool, yes: bool, as_json: bool
) -> None:
    """Do what gives; on a terminal, show it and ask first."""
    if preview or (sys.stdin.isatty() and not yes):
        shown = call(path, "POST", url, {**request, "preview": True})
        _show(shown, as_json=as_json)
        if preview:
            return
        if url.endswith("/accept"):
            # Exactly what was read, whatever arrives meanwhile.
            request = {**request, "terms": shown["terms"]}
        typer.confirm(say("Is that what you agree to?", "Est-ce bien ce que vous acceptez?"),
                      abort=True, err=True)  # fmt: skip
    _show(call(path, "POST", url, request), as_json=as_json)


def _end(until: str | None, for_: str | None) -> dict[str, Any]:
    found: dict[str, Any] = dict(asking.window(until, for_))
    if not found:
        raise typer.BadParameter(say("give --until or --for", "donnez --until ou --for"))
    return found


def _narrowing(limit: list[str] | None, until: str | None, record: str | None) -> dict[str, Any]:
    request: dict[str, Any] = _given(recording=record)
    if limit:
        request["limits"] = [asking.limit(text) for text in limit]
    if until is not None:
        request["end_ms"] = asking.moment_ms(until)
    return request


def _given(**values: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _url(patch: str, verb: str = "") -> str:
    return f"/v1/patches/{quote(patch, safe='')}" + (f"/{verb}" if verb else "")


def _show(answer: Any, *, as_json: bool) -> None:  # noqa: ANN401 - a JSON value
    if as_json:
        _print_json(answer)
        return
    from radiobridge.cli.patch_view import print_patch

    print_patch(answer, language())


def _show_all(answer: Any, *, as_json: bool) -> None:  # noqa: ANN401 - a JSON value
    if as_json:
        _print_json(answer)
        return
    from radiobridge.cli.patch_view import print_patches

    print_patches(answer, language())


def _print_json(answer: Any) -> None:  # noqa: ANN401 - a JSON value
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
