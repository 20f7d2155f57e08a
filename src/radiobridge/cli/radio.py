"""`radiobridge radio list|inhibit|allow`."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from radiobridge.cli.client import ConfigOption, JsonOption, SocketOption, call, find_socket
from radiobridge.cli.words import language, say

_EXAMPLE = say("Example", "Exemple")

app = typer.Typer(
    no_args_is_help=True,
    help=say(
        "List the radios; keep one off the air.", "Lister les radios; en retirer une des ondes."
    ),
    epilog=f"{_EXAMPLE}: radiobridge radio inhibit tac1",
)

RadioArgument = Annotated[
    str, typer.Argument(metavar="RADIO", help=say("The radio's name.", "Le nom de la radio."))
]


@app.command(
    name="list",
    help=say("List the radios and their state.", "Lister les radios et leur état."),
    epilog=f"{_EXAMPLE}: radiobridge radio list --json",
)
def list_(
    *, config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False
) -> None:
    """Print the radios."""
    radios = call(find_socket(config, socket), "GET", "/v1/radios")
    if as_json:
        _print_json(radios)
        return
    from radiobridge.cli.view import print_radios

    print_radios(radios, language())


@app.command(
    help=say(
        "Unkey a radio at once and keep it off the air.",
        "Couper aussitôt une radio et l'empêcher d'émettre.",
    ),
    epilog=f"{_EXAMPLE}: radiobridge radio inhibit tac1",
)
def inhibit(
    radio: RadioArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Inhibit one radio."""
    answer = _command(radio, "inhibit", find_socket(config, socket))
    done = say(f"{radio} is off the air", f"{radio} n'émet plus")
    _print_json(answer) if as_json else typer.echo(done)


@app.command(
    help=say("Let an inhibited radio transmit again.", "Laisser de nouveau émettre une radio."),
    epilog=f"{_EXAMPLE}: radiobridge radio allow tac1",
)
def allow(
    radio: RadioArgument,
    *,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift the inhibit of one radio."""
    answer = _command(radio, "allow", find_socket(config, socket))
    done = say(f"{radio} may transmit again", f"{radio} peut de nouveau émettre")
    _print_json(answer) if as_json else typer.echo(done)


def _command(radio: str, verb: str, path: Any) -> Any:  # noqa: ANN401 - a JSON value
    return call(path, "POST", f"/v1/radios/{quote(radio, safe='')}/{verb}")


def _print_json(answer: Any) -> None:  # noqa: ANN401 - a JSON value
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
