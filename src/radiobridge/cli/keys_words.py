"""Words and forms of `radiobridge keys`: help in two languages, rights, dates, tables."""

import datetime as dt
import json
import re
import sys
from collections.abc import Mapping, Sequence

import typer
from rich.console import Console
from rich.table import Table

from radiobridge.cli.words import say
from radiobridge.wire.roster import Right


def show_one(row: Mapping[str, str | int], *, as_json: bool) -> None:
    """Print one thing: as a JSON object, or a line for each of its members."""
    if as_json:
        typer.echo(json.dumps(row, indent=2, ensure_ascii=False))
        return
    for name, value in row.items():
        typer.echo(f"{_COLUMNS[name]}: {value}")


def show_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows, which have the same members."""
    names = list(rows[0]) if rows else []
    table = Table(*(_COLUMNS[name] for name in names))
    for row in rows:
        table.add_row(*(row[name] for name in names))
    # Wide enough for a fingerprint on one line, also into a pipe.
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def wrong(en: str, fr: str) -> typer.BadParameter:
    """Return the error for wrong use: exit status 2."""
    return typer.BadParameter(say(en, fr))


def parse_rights(text: str) -> frozenset[Right]:
    """Return the rights in `voice,consent,audit`. Raises typer.BadParameter."""
    try:
        rights = frozenset(Right(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(Right)
        raise wrong(
            f"--rights {text!r}: write some of {known}, with commas",
            f"--rights {text!r}: écrivez parmi {known}, avec des virgules",
        ) from None
    return rights


def parse_until(text: str, now: dt.datetime) -> int:
    """Return the end in ms since 1970: `365d`, `2027-06-30` (its last moment, UTC) or RFC 3339.

    Raises typer.BadParameter, also for a time that is over or more than ten years away.
    """
    try:
        end = _until(text, now)
    except (ValueError, OverflowError):
        raise wrong(
            f"--until {text!r}: write 365d, 2027-06-30 or 2027-06-30T12:00:00Z",
            f"--until {text!r}: écrivez 365d, 2027-06-30 ou 2027-06-30T12:00:00Z",
        ) from None
    if not now < end <= now + dt.timedelta(days=3653):
        raise wrong(
            f"--until {text!r} is not within the next ten years",
            f"--until {text!r} n'est pas dans les dix prochaines années",
        )
    return int(end.timestamp() * 1000)


def _until(text: str, now: dt.datetime) -> dt.datetime:
    if days := re.fullmatch(r"([0-9]{1,5})d", text):
        return now + dt.timedelta(days=int(days[1]))
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)
        return day + dt.timedelta(days=1)
    end = dt.datetime.fromisoformat(text)
    if end.tzinfo is None:
        raise ValueError("a time without a zone")
    return end


_COLUMNS = {
    "agency": say("agency", "agence"),
    "gateway": say("gateway", "passerelle"),
    "name": say("name", "nom"),
    "file": say("file", "fichier"),
    "key_file": say("key file (secret)", "fichier de clé (secret)"),
    "public_file": say("public part", "partie publique"),
    "fingerprint": say("fingerprint", "empreinte"),
    "roster": say("roster", "registre"),
    "version": say("version", "version"),
    "expires": say("expires", "expire"),
    "rights": say("rights", "droits"),
    "until": say("until", "jusqu'à"),
    "enrolled": say("enrolled", "inscrite"),
}

_EXAMPLE = say("Example", "Exemple")

HELP = {
    "keys": say(
        "Keys of agencies and gateways, the roster, trust between agencies.",
        "Clés des agences et des passerelles, registre, confiance entre agences.",
    ),
    "json": say("Print JSON.", "Afficher en JSON."),
    "public": say(
        "Where the public part goes; default: the key file's name and .pub.",
        "Où va la partie publique; par défaut: le nom du fichier et .pub.",
    ),
    "agency": say(
        "Draw the agency's key, which signs its roster. Do it on a machine that stays offline.",
        "Tirer la clé de l'agence, qui signe son registre, sur une machine hors ligne.",
    ),
    "agency_id": say("The agency's id: ca.opp.", "Identifiant de l'agence: ca.opp."),
    "agency_out": say("The new key file (secret).", "Le nouveau fichier de clé (secret)."),
    "gateway": say(
        "Draw a gateway's keys, on the gateway itself.",
        "Tirer les clés d'une passerelle, sur la passerelle même.",
    ),
    "gateway_id": say("The gateway: ca.opp/windsor.", "La passerelle: ca.opp/windsor."),
    "gateway_out": say("The new key file (secret).", "Le nouveau fichier de clés (secret)."),
    "enrol": say(
        "Sign the agency's next roster: enrol gateways, renew them, or remove them.",
        "Signer le prochain registre: inscrire des passerelles, les renouveler, les retirer.",
    ),
    "agency_key": say("The agency's key file.", "Le fichier de clé de l'agence."),
    "roster": say(
        "The signed roster; made or replaced in a version one higher.",
        "Le registre signé; créé ou remplacé, version suivante.",
    ),
    "publics": say("Public parts of gateways.", "Parties publiques de passerelles."),
    "rights": say(
        "voice: send and hear; consent: accept and withdraw; audit: hold heads.",
        "voice: émettre et entendre; consent: accorder et retirer; audit: témoins.",
    ),
    "until": say(
        "When the entries end: 365d, 2027-06-30 or RFC 3339.",
        "Fin des inscriptions: 365d, 2027-06-30 ou RFC 3339.",
    ),
    "remove": say("A gateway to remove; repeatable.", "Une passerelle à retirer; répétable."),
    "version": say(
        "At least this version, when the newest roster was lost.",
        "Au moins cette version, si le dernier registre est perdu.",
    ),
    "fingerprint": say(
        "Show fingerprints of key files and public parts, to compare by telephone.",
        "Afficher les empreintes de fichiers de clés ou de parties publiques, à comparer.",
    ),
    "fingerprint_file": say("Key files or public parts.", "Fichiers de clés, parties publiques."),
    "trust": say(
        "Trust an agency's key, after comparing its fingerprint by telephone.",
        "Reconnaître la clé d'une agence, son empreinte comparée par téléphone.",
    ),
    "partners": say("The partners' file, kept but for the entry.", "Le fichier des partenaires."),
    "trust_agency": say("The agency: us.cbp.", "L'agence: us.cbp."),
    "trust_public": say(
        "Its public part, or its key (43 characters).",
        "Sa partie publique, ou sa clé (43 caractères).",
    ),
    "label_en": say("What operators call it, in English.", "Son nom pour l'opérateur, en anglais."),
    "label_fr": say("What operators call it, in French.", "Son nom pour l'opérateur, en français."),
    "replace": say("Replace another key of that agency.", "Remplacer une autre clé."),
    "yes": say("The fingerprint has been compared.", "L'empreinte a été comparée."),
}

EXAMPLES = {
    "agency": f"{_EXAMPLE}: radiobridge keys agency ca.opp --out /media/safe/ca.opp.key",
    "gateway": f"{_EXAMPLE}: radiobridge keys gateway ca.opp/windsor "
    "--out /etc/radiobridge/windsor.keys",
    "enrol": f"{_EXAMPLE}: radiobridge keys enrol --agency-key ca.opp.key --roster ca.opp.roster "
    "windsor.keys.pub --rights voice,consent,audit --until 365d",
    "fingerprint": f"{_EXAMPLE}: radiobridge keys fingerprint us.cbp.key.pub",
    "trust": f"{_EXAMPLE}: radiobridge keys trust partners.yaml us.cbp us.cbp.key.pub "
    '--label-en "U.S. Customs and Border Protection" --label-fr "Douanes des É.-U."',
}
