"""`radiobridge status`."""

import json

import typer

from radiobridge.cli.client import ConfigOption, JsonOption, SocketOption, call, find_socket
from radiobridge.cli.words import language, say

HELP = say(
    "Show a running gateway: links, radios, partners, patches, and why they are not in force.",
    "Montrer une passerelle: liens, radios, partenaires, jumelages, et pourquoi ils ne sont pas "
    "en vigueur.",
)
EXAMPLE = say("Example", "Exemple") + ": radiobridge status --config /etc/radiobridge/windsor.yaml"


def status(
    *, config: ConfigOption = None, socket: SocketOption = None, as_json: JsonOption = False
) -> None:
    """Print what a running gateway says of itself."""
    answer = call(find_socket(config, socket), "GET", "/v1/status")
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    from radiobridge.cli.emergency_view import print_alarms, print_talkers
    from radiobridge.cli.undelivered_view import undelivered_lines
    from radiobridge.cli.view import print_status

    print_status(answer, language())
    for line in undelivered_lines(answer.get("not_delivered") or (), language()):
        typer.echo(line)
    alarms = [alarm for alarm in answer.get("alarms") or () if alarm.get("open")]
    if alarms:
        print_alarms(alarms, language())
    print_talkers(answer.get("talkers") or (), language())
