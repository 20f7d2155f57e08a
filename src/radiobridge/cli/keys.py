"""`radiobridge keys`: an agency's key, gateways' keys, the roster, fingerprints, partners.

What an operator does with it, step by step: docs/keys.md.
"""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from radiobridge.cli.client import JsonOption
from radiobridge.cli.keys_words import (
    EXAMPLES,
    HELP,
    parse_rights,
    parse_until,
    show_one,
    show_table,
    wrong,
)
from radiobridge.cli.words import say
from radiobridge.core.enrolment import next_roster
from radiobridge.drivers.store.key_files import (
    AgencyKey,
    AgencyPublic,
    GatewayPublic,
    create_agency_key,
    create_gateway_keys,
    fingerprint,
    read_agency_key,
    read_any_public,
    read_gateway_public,
    write_public,
)
from radiobridge.drivers.store.partners_file import Partner, Trust, known_key, trust
from radiobridge.drivers.store.secret_file import locked, read_public, replace_public
from radiobridge.errors import InvalidIdError, RadioBridgeError, RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, parse_agency, parse_gateway
from radiobridge.text import Text
from radiobridge.wire.canonical import decode_bytes
from radiobridge.wire.documents import MAX_DOCUMENT
from radiobridge.wire.roster import (
    SIGNING_PUBLIC,
    Right,
    Roster,
    RosterEntry,
    read_old_roster,
    sign_roster,
)

T = TypeVar("T")

app = typer.Typer(
    name="keys",
    help=HELP["keys"],
    epilog=EXAMPLES["agency"],
    add_completion=False,
    no_args_is_help=True,
)

PublicOut = Annotated[Path | None, typer.Option("--public", help=HELP["public"])]


@app.command("agency", help=HELP["agency"], epilog=EXAMPLES["agency"])
def make_agency(
    out: Annotated[Path, typer.Option("--out", help=HELP["agency_out"])],
    agency: Annotated[str | None, typer.Argument(help=HELP["agency_id"])] = None,
    public: PublicOut = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the agency's key."""
    name = _id(parse_agency, agency, "ca.opp") if agency is not None else None
    public_path = _public_path(out, public)
    part = create_agency_key(out, name).public
    _made(out, public_path, part, {"agency": agency or ""}, as_json=as_json)
    if not as_json:
        typer.echo(_NEXT["agency"])


@app.command("gateway", help=HELP["gateway"], epilog=EXAMPLES["gateway"])
def make_gateway(
    gateway: Annotated[str, typer.Argument(help=HELP["gateway_id"])],
    out: Annotated[Path, typer.Option("--out", help=HELP["gateway_out"])],
    public: PublicOut = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a gateway's keys."""
    public_path = _public_path(out, public)
    part = create_gateway_keys(out, _id(parse_gateway, gateway, "ca.opp/windsor")).public
    _made(out, public_path, part, {"gateway": gateway}, as_json=as_json)
    if not as_json:
        typer.echo(_NEXT["gateway"])


@app.command("enrol", help=HELP["enrol"], epilog=EXAMPLES["enrol"])
def enrol(
    agency_key: Annotated[Path, typer.Option("--agency-key", help=HELP["agency_key"])],
    roster: Annotated[Path, typer.Option("--roster", help=HELP["roster"])],
    public: Annotated[list[Path] | None, typer.Argument(help=HELP["publics"])] = None,
    rights: Annotated[str, typer.Option("--rights", help=HELP["rights"])] = "voice,consent,audit",
    until: Annotated[str, typer.Option("--until", help=HELP["until"])] = "365d",
    remove: Annotated[list[str] | None, typer.Option("--remove", help=HELP["remove"])] = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help=HELP["version"])] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign the agency's next roster."""
    now = dt.datetime.now(dt.UTC)
    end_ms, given = parse_until(until, now), parse_rights(rights)
    gone = [_id(parse_gateway, name, "ca.opp/windsor") for name in remove or ()]
    if not public and not gone:
        raise wrong("name public parts to enrol, or --remove", "nommez des parties publiques")
    key = read_agency_key(agency_key)
    parts = [read_gateway_public(path) for path in public or ()]
    agency = _agency_of(key, [*(part.gateway for part in parts), *gone])
    now_ms = int(now.timestamp() * 1000)
    # Two rosters signed in one version would stop the agency's topic.
    with locked(agency_key):
        known = _known_roster(roster, agency, key)
        _check_removed(known, gone)
        new = next_roster(
            known,
            agency,
            add=[_entry(part, given, end_ms) for part in parts],
            remove=gone,
            now_ms=now_ms,
            version=version,
        )
        replace_public(roster, sign_roster(new, now_ms, key.signing))
    _show_roster(roster, new, parts, as_json=as_json)


@app.command("fingerprint", help=HELP["fingerprint"], epilog=EXAMPLES["fingerprint"])
def show_fingerprint(
    file: Annotated[list[Path], typer.Argument(help=HELP["fingerprint_file"])],
    as_json: JsonOption = False,
) -> None:
    """Show fingerprints."""
    parts = [(path, read_any_public(path)) for path in file]
    rows = [
        {"file": str(path), "name": _name(part), "fingerprint": fingerprint(part.material)}
        for path, part in parts
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        show_table(rows)


@app.command("trust", help=HELP["trust"], epilog=EXAMPLES["trust"])
def trust_agency(
    partners: Annotated[Path, typer.Argument(help=HELP["partners"])],
    agency: Annotated[str, typer.Argument(help=HELP["trust_agency"])],
    public: Annotated[str, typer.Argument(help=HELP["trust_public"])],
    label_en: Annotated[str | None, typer.Option("--label-en", help=HELP["label_en"])] = None,
    label_fr: Annotated[str | None, typer.Option("--label-fr", help=HELP["label_fr"])] = None,
    replace: Annotated[bool, typer.Option("--replace", help=HELP["replace"])] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=HELP["yes"])] = False,
    as_json: JsonOption = False,
) -> None:
    """Trust an agency's key."""
    name = _id(parse_agency, agency, "ca.opp")
    key = _trusted_key(name, public)
    en = label_en or label_fr or agency
    partner = Partner(agency=name, key=key, label=Text(_line(en), _line(label_fr or en)))
    digits = fingerprint(key)
    known = known_key(partners, name)
    if not as_json:
        typer.echo(f"{agency}: {say('fingerprint', 'empreinte')} {digits}")
    if not yes and (known is None or replace):
        _confirm(agency)
    outcome = trust(partners, partner, replace=replace)
    row = {"partners": str(partners), "agency": agency, "fingerprint": digits}
    if as_json:
        show_one({**row, "result": outcome.value}, as_json=True)
    else:
        typer.echo(_TRUSTED[outcome])


_TRUSTED = {
    Trust.ADDED: say("trusted from the next start or SIGHUP", "reconnue au prochain SIGHUP"),
    Trust.ALREADY: say("already trusted; nothing changed", "déjà reconnue; rien n'est changé"),
    Trust.REPLACED: say("key replaced", "clé remplacée"),
}

_NEXT = {
    "agency": say(
        "Keep the key file offline; hand the public part to partners, and compare fingerprints.",
        "Gardez la clé hors ligne; remettez la partie publique et comparez les empreintes.",
    ),
    "gateway": say(
        "Take the public part to the agency's centre: `radiobridge keys enrol`.",
        "Portez la partie publique au centre de l'agence: `radiobridge keys enrol`.",
    ),
}


def _public_path(out: Path, public: Path | None) -> Path:
    """Return where the public part goes; checked before a key is made."""
    if public is not None and not public.parent.is_dir():
        raise wrong(
            f"{public.parent} is no folder; make it, or leave --public out",
            f"{public.parent} n'est pas un dossier; créez-le ou omettez --public",
        )
    return public or out.with_name(f"{out.name}.pub")


def _made(
    out: Path,
    public_path: Path,
    part: AgencyPublic | GatewayPublic,
    names: dict[str, str],
    *,
    as_json: bool,
) -> None:
    """Write the public part of the new key file, and say where both are."""
    write_public(public_path, part)
    row = {
        **names,
        "key_file": str(out),
        "public_file": str(public_path),
        "fingerprint": fingerprint(part.material),
    }
    show_one({name: value for name, value in row.items() if value}, as_json=as_json)


def _name(part: AgencyPublic | GatewayPublic) -> str:
    return str(part.gateway if isinstance(part, GatewayPublic) else part.agency or "")


def _agency_of(key: AgencyKey, gateways: list[GatewayId]) -> AgencyId:
    """Return the agency whose roster this is; all gateways and the key are of one."""
    agencies = {gateway.agency for gateway in gateways} | ({key.agency} if key.agency else set())
    if len(agencies) != 1:
        names = ", ".join(sorted(agencies))
        raise wrong(
            f"a roster is of one agency, these are of {names}",
            f"un registre est celui d'une seule agence, ceux-ci sont de {names}",
        )
    return agencies.pop()


def _known_roster(path: Path, agency: AgencyId, key: AgencyKey) -> Roster | None:
    """Return the roster in `path`, or None when there is no such file yet."""
    if not path.exists():
        return None
    try:
        raw = read_public(path, MAX_DOCUMENT).strip()
        return read_old_roster(raw, agency, key.signing.public_key())
    except RemoteProtocolError as error:
        raise RadioBridgeError(
            f"{path} is no roster signed by this agency key ({error}); nothing was changed",
            f"{path} n'est pas un registre signé par cette clé ({error}); rien n'est changé",
        ) from None


def _check_removed(known: Roster | None, gone: list[GatewayId]) -> None:
    there = {entry.gateway for entry in known.gateways} if known is not None else set()
    for gateway in gone:
        if gateway not in there:
            raise wrong(f"{gateway} is not in the roster", f"{gateway} n'est pas au registre")


def _entry(part: GatewayPublic, rights: frozenset[Right], end_ms: int) -> RosterEntry:
    return RosterEntry(
        gateway=part.gateway,
        signing_key=part.signing_key,
        hpke_key=part.hpke_key,
        rights=rights,
        end_ms=end_ms,
    )


def _show_roster(path: Path, roster: Roster, new: list[GatewayPublic], *, as_json: bool) -> None:
    added = {part.gateway for part in new}
    rows = [
        {
            "gateway": str(entry.gateway),
            "rights": ",".join(sorted(entry.rights)),
            "until": _date(entry.end_ms),
            "fingerprint": fingerprint(entry.signing_key + entry.hpke_key),
            "enrolled": "now" if entry.gateway in added else "before",
        }
        for entry in roster.gateways
    ]
    head: dict[str, str | int] = {
        "roster": str(path),
        "version": roster.version,
        "expires": _date(roster.expires_ms),
    }
    if as_json:
        typer.echo(json.dumps({**head, "gateways": rows}, indent=2))
        return
    show_one(head, as_json=False)
    show_table(rows)


def _date(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _trusted_key(agency: AgencyId, public: str) -> bytes:
    """Return the key in a public part, a key file, or the 43 characters of base64url."""
    path = Path(public)
    if path.exists():
        part = read_any_public(path)
        if not isinstance(part, AgencyPublic):
            raise wrong(
                f"{path} is of the gateway {part.gateway}; partners trust an agency's key",
                f"{path} est de la passerelle {part.gateway}; il faut la clé d'une agence",
            )
        if part.agency not in (None, agency):
            raise wrong(
                f"{path} is of {part.agency}, not of {agency}",
                f"{path} est de {part.agency}, et non de {agency}",
            )
        return part.key
    try:
        key = decode_bytes(public)
    except RemoteProtocolError:
        key = b""
    if len(key) != SIGNING_PUBLIC:
        raise wrong(
            f"{public[:60]!r} is neither a file nor a public key of 43 characters",
            f"{public[:60]!r} n'est ni un fichier ni une clé publique de 43 caractères",
        )
    return key


def _line(label: str) -> str:
    label = label.strip()
    if not label.isprintable() or not label or len(label) > 200:
        raise wrong("a label is one line of text", "un libellé est une ligne de texte")
    return label


def _confirm(agency: str) -> None:
    question = say(
        f"Does {agency} read the same fingerprint to you?",
        f"{agency} vous lit-elle la même empreinte?",
    )
    if not typer.confirm(question, err=True):
        raise RadioBridgeError("nothing was changed", "rien n'est changé")


def _id(parse: Callable[[str], T], text: str, example: str) -> T:
    """Return the id in an argument; a wrong one is wrong use."""
    try:
        return parse(text)
    except InvalidIdError:
        raise wrong(
            f"{text[:60]!r} is no id; ids are letters, digits and . _ -, such as {example}",
            f"{text[:60]!r} n'est pas un identifiant: lettres, chiffres et . _ -, comme {example}",
        ) from None
