"""The command `radiobridge`: arguments in, exit status out (0 done, 1 failed, 2 wrong use).

Each command imports what it needs when it runs, so that help and completion are quick.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Never

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from radiobridge.cli import check, emergency, patch, radio, status, stop_transmit
from radiobridge.cli.plugins import LazyCommand, LazyGroup, add_plugins
from radiobridge.cli.usage import explain_usage, translate_help
from radiobridge.cli.words import language, say
from radiobridge.errors import ConfigError, RadioBridgeError

DONE, FAILED, WRONG_USE = 0, 1, 2
INTERRUPTED = 130

app = typer.Typer(
    name="radiobridge",
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=say(
        "Bridge the radios of agencies on both sides of a border, by consent.",
        "Relier par consentement les radios d'agences des deux côtés d'une frontière.",
    ),
    epilog=say("Example", "Exemple") + ": radiobridge demo --once",
)


@app.callback(invoke_without_command=True)
def _start(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help=say("Print the version.", "Afficher la version.")),
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("radiobridge"))
        raise typer.Exit(DONE)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(WRONG_USE)


@app.command(
    help=say("Run a gateway until SIGTERM.", "Exécuter une passerelle jusqu'à SIGTERM."),
    epilog=say("Example", "Exemple") + ": radiobridge run /etc/radiobridge/windsor.yaml",
)
def run(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help=say("The gateway's file.", "Son fichier."))
    ],
) -> None:
    """Start the gateway that `config` describes; SIGHUP re-reads all of it or nothing."""
    from radiobridge.serving import run as run_gateway

    raise typer.Exit(run_gateway(config))


app.command(name="check", help=check.HELP, epilog=check.EXAMPLE)(check.check)
app.command(name="schema", help=check.SCHEMA_HELP, epilog=check.SCHEMA_EXAMPLE)(check.schema)
app.command(name="status", help=status.HELP, epilog=status.EXAMPLE)(status.status)
app.command(name="stop-transmit", help=stop_transmit.HELP, epilog=stop_transmit.EXAMPLE)(
    stop_transmit.stop_transmit
)
app.add_typer(radio.app, name="radio")
app.add_typer(patch.app, name="patch")
app.add_typer(emergency.app, name="emergency")


def command() -> TyperGroup:
    """Return the whole command, plug-ins included."""
    group = typer.main.get_group(app)
    group.add_command(
        LazyCommand(
            "keys",
            say(
                "Make and enrol keys; trust partners.",
                "Créer et inscrire les clés; faire confiance aux partenaires.",
            ),
            _keys,
        )
    )
    group.add_command(
        LazyCommand(
            "audit",
            say(
                "Show, verify and export the audit log.",
                "Montrer, vérifier et exporter le journal d'audit.",
            ),
            _audit,
        )
    )
    add_plugins(group)
    return group


def _keys() -> Any:  # noqa: ANN401 - a Typer application, imported when it is called
    from radiobridge.cli.keys import app as keys

    return keys


def _audit() -> Any:  # noqa: ANN401 - a Typer application, imported when it is called
    from radiobridge.cli.audit import app as audit

    return audit


def main(arguments: Sequence[str] | None = None) -> Never:
    """Run one command and exit with its status."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status. Errors go to stderr, in the operator's language."""
    try:
        translate_help(arguments)
        return _status_of(command()(list(arguments), "radiobridge", standalone_mode=False))
    except TyperException as error:
        explain_usage(error)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except RadioBridgeError as error:
        _print_error(error, as_json="--json" in arguments)
        return WRONG_USE if isinstance(error, ConfigError) else FAILED
    except BrokenPipeError:
        # Who reads our output has enough; nothing is left to say.
        sys.stdout = None
        return FAILED


def _status_of(result: object) -> int:
    return result if isinstance(result, int) else DONE


def _print_error(error: RadioBridgeError, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": error.text._asdict()}, ensure_ascii=False))
    typer.echo(error.text.to(language()), err=True)


if __name__ == "__main__":
    main()
