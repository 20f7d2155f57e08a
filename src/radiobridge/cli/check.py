"""`radiobridge check` and `radiobridge schema`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from radiobridge.cli.words import language, say

HELP = say(
    "Check gateways' files and all that they name; report every error.",
    "Vérifier les fichiers de passerelles et tout ce qu'ils nomment; montrer chaque erreur.",
)
EXAMPLE = say("Example", "Exemple") + ": radiobridge check config/ca.opp/windsor.yaml"
SCHEMA_HELP = say(
    "Print the JSON Schema of a configuration file, for editors.",
    "Afficher le JSON Schema d'un fichier de configuration, pour les éditeurs.",
)
SCHEMA_EXAMPLE = say("Example", "Exemple") + ": radiobridge schema > config/schema.json"


class SchemaKind(StrEnum):
    """A kind of configuration file."""

    GATEWAY = "gateway"
    TALKGROUPS = "talkgroups"
    PARTNERS = "partners"
    PLANS = "plans"
    PROFILE = "profile"


def check(
    configs: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG", help=say("Gateways' files.", "Leurs fichiers.")),
    ],
    *,
    without_files: Annotated[
        bool,
        typer.Option(
            "--without-files",
            help=say(
                "Do not look for keys, roster and certificates: for another machine.",
                "Ne pas chercher clés, registre ni certificats: pour une autre machine.",
            ),
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=say("As JSON.", "En JSON."))] = False,
) -> None:
    """Check each file; exit 2 when any is wrong."""
    from radiobridge.config.load import Files

    files = Files.UNSEEN if without_files else Files.CHECKED
    results = [_check(path, files) for path in configs]
    if as_json:
        ok = all(result["ok"] for result in results)
        typer.echo(json.dumps({"ok": ok, "files": results}, ensure_ascii=False, indent=2))
    else:
        for result in results:
            _print(result)
    if not all(result["ok"] for result in results):
        raise typer.Exit(2)


def _check(path: Path, files: Any) -> dict[str, Any]:  # noqa: ANN401 - config is imported late
    from radiobridge.config.load import load_gateway
    from radiobridge.config.problems import ConfigErrors, Problem

    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    try:
        remarks = load_gateway(path, files=files).remarks
    except ConfigErrors as error:
        problems = error.problems
    return {
        "file": str(path),
        "ok": not problems,
        "problems": [_as_dict(problem) for problem in problems],
        "remarks": [_as_dict(remark) for remark in remarks],
    }


def _as_dict(problem: Any) -> dict[str, Any]:  # noqa: ANN401 - config is imported late
    place = problem.place
    return {
        "file": place.file,
        "line": place.line,
        "path": problem.path,
        **problem.text._asdict(),
    }


def _print(result: dict[str, Any]) -> None:
    for problem in result["problems"]:
        typer.echo(_line(problem), err=True)
    for remark in result["remarks"]:
        typer.echo(f"{_line(remark)} ({say('a remark only', 'simple remarque')})")
    if result["ok"]:
        typer.echo(f"{result['file']}: {say('right', 'correct')}")
        return
    count = len(result["problems"])
    many = "s" if count > 1 else ""
    counted = say(f"{count} error{many}", f"{count} erreur{many}")
    typer.echo(f"{result['file']}: {counted}", err=True)


def _line(problem: dict[str, Any]) -> str:
    path = f"{problem['path']}: " if problem["path"] else ""
    return f"{problem['file']}:{problem['line']}: {path}{problem[language().value]}"


def schema(
    kind: Annotated[
        SchemaKind, typer.Argument(help=say("Which file.", "Quel fichier."))
    ] = SchemaKind.GATEWAY,
) -> None:
    """Print the JSON Schema of one kind of file."""
    from radiobridge.config.schema import schema_text

    typer.echo(schema_text(kind.value), nl=False)
