"""Options that several commands share."""

from typing import Annotated, TypeAlias

import typer

from radiobridge.cli.words import say
from radiobridge.text import Language

RADIOS = "ccdi,usrp"

RadiosOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--radios",
        metavar="CA,US",
        help=say(
            "What keys the Canadian and the American radio: ccdi, lines or usrp.",
            "Ce qui active la radio canadienne et l'américaine : ccdi, lines ou usrp.",
        ),
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help=say("Print JSON.", "Afficher en JSON."))
]
LangOption: TypeAlias = Annotated[
    Language | None,
    typer.Option("--lang", help=say("By locale when left out.", "Selon la locale par défaut.")),
]
