"""What is said about wrong use. Typer speaks English only; these are its sentences in French."""

import re
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from radiobridge.cli.words import language, say
from radiobridge.text import Language

_FRENCH = (
    (r"No such option: (\S+?)\.?( |$)", r"Option inconnue: \1.\2"),
    (r"No such command (.+?)\.( |$)", r"Commande inconnue: \1.\2"),
    (r"Did you mean (.+?)\?", r"Vouliez-vous dire \1?"),
    (r"\(Possible options: (.+?)\)", r"(Options proches: \1)"),
    (r"Missing argument (.+)\.", r"Il manque l'argument \1."),
    (r"Missing option (.+)\.", r"Il manque l'option \1."),
    (r"Missing command\.", "Il manque une commande."),
    (r"Got unexpected extra arguments? \((.+)\)", r"Arguments en trop: \1"),
    (r"Option (.+) requires an argument\.", r"L'option \1 demande une valeur."),
    (r"Option (.+) does not take a value\.", r"L'option \1 ne prend pas de valeur."),
    (r"Invalid value for (.+?): ", r"Valeur incorrecte pour \1: "),
    (r"is not one of", "n'est aucun de"),
    (r"is not a valid (\w+)\.", r"n'est pas un \1 correct."),
)


def explain_usage(error: TyperException) -> None:
    """Print what was wrong, and how to get help."""
    message = error.format_message()
    if not message.strip():
        return
    if language() is Language.FR:
        for english, french in _FRENCH:
            message = re.sub(english, french, message)
    context = getattr(error, "ctx", None)
    if context is not None:
        typer.echo(context.get_usage(), err=True)
        help_en = f"Try '{context.command_path} --help' for help."
        help_fr = f"Voir '{context.command_path} --help'."
        typer.echo(say(help_en, help_fr), err=True)
    typer.echo(f"\n{say('Error', 'Erreur')}: {message}", err=True)


def translate_help(arguments: Sequence[str]) -> None:
    """Set the titles of Typer's help in French, when French help is about to be shown."""
    wanted = not arguments or "--help" in arguments or "-h" in arguments
    if not wanted or language() is not Language.FR:
        return
    from typer import rich_utils

    rich_utils.COMMANDS_PANEL_TITLE = "Commandes"
    rich_utils.DEFAULT_STRING = "[défaut: {}]"
    rich_utils.REQUIRED_LONG_STRING = "[requis]"
    rich_utils.ENVVAR_STRING = "[variable: {}]"
