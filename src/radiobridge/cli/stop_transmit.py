"""`radiobridge stop-transmit`: the kill switch for all radios of a gateway."""

import json
from typing import Annotated

import typer

from radiobridge.cli.client import ConfigOption, JsonOption, SocketOption, call, find_socket
from radiobridge.cli.words import say

HELP = say(
    "Unkey all radios of the gateway at once, and keep them off the air until that is lifted.",
    "Couper aussitôt toutes les radios de la passerelle et les empêcher d'émettre jusqu'à nouvel "
    "ordre.",
)
EXAMPLE = (
    say("Example", "Exemple") + ": radiobridge stop-transmit; radiobridge stop-transmit --lift"
)


def stop_transmit(
    *,
    lift: Annotated[
        bool, typer.Option("--lift", help=say("Let them transmit again.", "Les laisser émettre."))
    ] = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop all transmitters, or lift that."""
    url = "/v1/stop-transmit/lift" if lift else "/v1/stop-transmit"
    answer = call(find_socket(config, socket), "POST", url)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    if lift:
        typer.echo(say("the radios may transmit again", "les radios peuvent de nouveau émettre"))
        return
    typer.echo(say("all radios are off the air", "aucune radio n'émet plus"))
    if not answer.get("durable", True):
        typer.echo(
            say(
                "not stored yet: the disk takes its time; it is tried again until it is",
                "pas encore enregistré : le disque tarde; on réessaie jusqu'à réussir",
            )
        )
