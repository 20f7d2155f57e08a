"""A gateway's status for a terminal. Takes what the API gives, and more or less than it knows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from radiobridge.cli.state_words import STATES
from radiobridge.text import Language, Text

Json: TypeAlias = Mapping[str, Any]

_MS_FROM = 10_000_000_000
"""A time above this is in ms since 1970, below it in s (year 2286)."""

_REFUSED = ("document-", "roster-entry-", "alarm-unproven")
"""Counters of what partners or brokers sent, and should not have."""


def print_status(status: Json, language: Language, console: Console | None = None) -> None:
    """Print all of a gateway's status."""
    out = console or Console(highlight=False)
    out.print(_headline(status, language))
    out.print(_clock(status.get("clock"), language))
    tables = (
        _links(_rows(status, "links"), language),
        radio_table(_rows(status, "radios"), language),
        _partners(_rows(status, "partners"), language),
        patch_table(_rows(status, "patches"), language),
        _floor(_rows(status, "floor"), language),
    )
    for table in tables:
        if table.row_count:
            out.print(table)
    for line in (*_link_notes(status, language), *_state_notes(status, language)):
        out.print(line)
    for line in _radio_notes(_rows(status, "radios"), language):
        out.print(line)


def print_radios(radios: Iterable[Json], language: Language, out: Console | None = None) -> None:
    """Print the radios."""
    rows, out = list(radios), out or Console(highlight=False)
    out.print(radio_table(rows, language))
    for line in _radio_notes(rows, language):
        out.print(line)


def _rows(status: Json, key: str) -> list[Json]:
    return [row for row in _list(status.get(key)) if isinstance(row, Mapping)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _headline(status: Json, language: Language) -> Styled:
    line = Styled(plain(status.get("gateway"), language), style="bold")
    since = _word(Text("since", "depuis"), language)
    for part in (status.get("version"), _since(status.get("since"), since)):
        if part:
            line.append(f"  {part}", style="not bold dim")
    return line


def _clock(clock: object, language: Language) -> Styled:
    if isinstance(clock, Mapping) and clock.get("synchronised"):
        text, style = Text("clock synchronised", "horloge synchronisée"), "green"
    else:
        text, style = (
            Text(
                "clock NOT synchronised: no patch with other agencies comes into force",
                "horloge NON synchronisée: aucun jumelage avec d'autres agences n'entre en vigueur",
            ),
            "bold red",
        )
    return Styled(text.to(language), style=style)


def _links(rows: Iterable[Json], language: Language) -> Table:
    table = _table(
        language, Text("link", "lien"), Text("state", "état"), Text("since", "depuis"), _WHY
    )
    for row in rows:
        state = _state("up" if row.get("up") else "down", language)
        table.add_row(_name(row, language), state, _since(row.get("since")), _reason(row, language))
    return table


def radio_table(rows: Iterable[Json], language: Language) -> Table:
    """Return the table of the radios."""
    table = _table(
        language,
        Text("radio", "radio"),
        _TALKGROUP,
        Text("state", "état"),
        Text("interface", "interface"),
        Text("audio", "audio"),
        Text("COR", "COR"),
        Text("PTT", "PTT"),
        Text("level", "niveau"),
    )
    for row in rows:
        state = "inhibited" if row.get("inhibited") else row.get("state")
        state = "stuck" if row.get("stuck") is True else state
        table.add_row(
            _name(row, language),
            plain(row.get("talkgroup"), language),
            _state(state, language),
            _state(row.get("interface"), language),
            _state(row.get("audio"), language),
            _lamp(row.get("cor"), "green"),
            _lamp(row.get("ptt"), "bold red"),
            _level(row.get("level_dbfs")),
        )
    return table


def _link_notes(status: Json, language: Language) -> Iterator[Styled]:
    """Yield who is cut off from whom, and since when."""
    links = _rows(status, "links")
    if links and not any(link.get("up") for link in links):
        at = _since(max(_number(link.get("since")) for link in links))
        text = Text(
            f"NO BROKER since {at}: patches between own radios go on, agreements hold until they "
            "end, nothing crosses to partners",
            f"AUCUN COURTIER depuis {at} : les jumelages entre radios locales continuent, les "
            "accords tiennent jusqu'à leur fin, rien ne passe aux partenaires",
        )
        yield Styled(text.to(language), style="bold red")
    for link in links:
        counters = link.get("counters")
        refused = counters.get("voice_filters_refused") if isinstance(counters, Mapping) else 0
        if refused:
            name, count = plain(link.get("name"), language), _number(refused)
            text = Text(
                f"DEAF: the broker of {name} refuses {count:.0f} of our voice topics; let this "
                "gateway read below rb/1/",
                f"SOURD : le courtier de {name} refuse {count:.0f} de nos sujets de voix ; laissez "
                "cette passerelle lire sous rb/1/",
            )
            yield Styled(text.to(language), style="bold red")
    for partner in _rows(status, "partners"):
        if partner.get("online") is False:
            name, at = plain(partner.get("gateway"), language), _since(partner.get("since"))
            text = Text(
                f"partner lost since {at}: {name}", f"partenaire perdu depuis {at} : {name}"
            )
            yield Styled(text.to(language), style="red")


def _state_notes(status: Json, language: Language) -> Iterator[Styled]:
    """Yield what is wrong with what this gateway, or a broker, remembers."""
    state = status.get("state")
    state = state if isinstance(state, Mapping) else {}
    if state.get("trust") == "lost":
        text = Text(
            "STATE LOST: nothing foreign is joined until a gateway of this agency or an operator "
            "confirms (`radiobridge patch confirm-state`)",
            "ÉTAT PERDU : aucun jumelage étranger avant qu'une passerelle de l'agence ou un "
            "opérateur confirme (`radiobridge patch confirm-state`)",
        )
        yield Styled(text.to(language), style="bold red")
    for one in _rows(state, "withheld"):
        topic, by = plain(one.get("topic"), language), plain(one.get("according_to"), language)
        text = Text(
            f"WITHHELD: {topic}, which {by} knows in a newer version",
            f"RETENU : {topic}, que {by} connaît dans une version plus récente",
        )
        yield Styled(text.to(language), style="red")
    for one in _rows(state, "links_behind"):
        link, topic = plain(one.get("link"), language), plain(one.get("topic"), language)
        text = Text(f"{link} has only an old {topic}", f"{link} n'a qu'un ancien {topic}")
        yield Styled(text.to(language), style="yellow")
    counters = status.get("counters")
    if isinstance(counters, Mapping) and (refused := _refused(counters, language)):
        text = Text(
            f"refused since the start: {refused}", f"refusé depuis le démarrage : {refused}"
        )
        yield Styled(text.to(language), style="yellow")
    audit = status.get("audit")
    if isinstance(audit, Mapping) and audit.get("error"):
        reason = plain(audit["error"], language)
        text = Text(
            f"AUDIT LOG NOT WRITTEN, so no new consent is given: {reason}",
            f"JOURNAL D'AUDIT NON ÉCRIT, donc aucun nouvel accord : {reason}",
        )
        yield Styled(text.to(language), style="bold red")
    process = status.get("process")
    if isinstance(process, Mapping) and process.get("error"):
        yield Styled(plain(process["error"], language), style="bold red")
    stopped = status.get("transmit")
    if isinstance(stopped, Mapping) and stopped.get("stopped_by"):
        who = plain(stopped["stopped_by"], language)
        text = Text(f"ALL TRANSMITTERS STOPPED by {who}", f"TOUS LES ÉMETTEURS COUPÉS par {who}")
        yield Styled(text.to(language), style="bold red")


def _refused(counters: Json, language: Language) -> str:
    """Return what came from outside and was refused: `document-bad-signature 3`."""
    return ", ".join(
        f"{plain(name, language)} {count}"
        for name, count in sorted(counters.items())
        if str(name).startswith(_REFUSED) and isinstance(count, int) and count > 0
    )


def _radio_notes(rows: Iterable[Json], language: Language) -> Iterator[Styled]:
    """Yield a line for each radio that is not simply at work."""
    for row in rows:
        if notes := "; ".join(_notes(row, language)):
            yield Styled.assemble(_name(row, language), f": {notes}")


def _notes(row: Json, language: Language) -> Iterator[str]:
    """Yield what an operator should know of a radio that is not simply at work."""
    reasons = (plain(row.get(key), language) for key in ("interface_reason", "audio_reason"))
    yield from dict.fromkeys(reason for reason in reasons if reason)
    if by := plain(row.get("inhibited_by"), language):
        yield Text(f"inhibited by {by}", f"interdite par {by}").to(language)
    if row.get("channel_expected") and "wrong-channel" in _list(row.get("alarms")):
        on, right = plain(row.get("channel"), language) or "?", row["channel_expected"]
        yield Text(
            f"on channel {on} instead of {right}: cut",
            f"sur le canal {on} au lieu de {right} : coupée",
        ).to(language)
    for alarm in _list(row.get("alarms")):
        known = _ALARMS.get(str(alarm))
        yield (known or Text(f"alarm: {alarm}", f"alarme: {alarm}")).to(language)


_ALARMS = {
    "channel-unknown": Text(
        "channel not known yet: cut until the radio says it",
        "canal pas encore connu : coupée jusqu'à ce que la radio l'indique",
    ),
    "channel-not-told": Text(
        "the radio refuses to say its channel: remove `channel`, or update the radio",
        "la radio refuse d'indiquer son canal : retirez `channel`, ou mettez la radio à jour",
    ),
    "loop": Text(
        "LOOP BY RADIO: it hears what was sent before, and is cut until `radio allow`",
        "BOUCLE PAR RADIO : elle entend ce qui a été envoyé, coupée jusqu'à `radio allow`",
    ),
    "loop-suspected": Text(
        "a loop by radio is suspected: its carrier fell when the gateway let go",
        "boucle par radio soupçonnée : sa porteuse est tombée quand la passerelle a lâché",
    ),
}


def _partners(rows: Iterable[Json], language: Language) -> Table:
    table = _table(
        language, Text("partner", "partenaire"), Text("state", "état"), Text("since", "depuis")
    )
    for row in rows:
        names = (str(row[key]) for key in ("agency", "gateway") if row.get(key))
        gateway = str(row.get("gateway") or "")
        name = gateway if "/" in gateway else "/".join(names)
        state = _state("online" if row.get("online") else "offline", language)
        table.add_row(cell(name), state, _since(row.get("since")))
    return table


def patch_table(rows: Iterable[Json], language: Language) -> Table:
    """Return the table of the patches."""
    table = _table(language, Text("patch", "jumelage"), Text("state", "état"), _MEMBERS, _WHY)
    for row in rows:
        state = _state("in-force" if row.get("in_force") else "not-in-force", language)
        members = Styled("\n".join(_member(m, language) for m in _list(row.get("members"))))
        why = plain(row.get("why") or row.get("reason"), language)
        name = cell(plain(row.get("id"), language))
        table.add_row(name, state, members, cell(why))
    return table


def _member(member: object, language: Language) -> str:
    if not isinstance(member, Mapping):
        return plain(member, language)
    access = plain(member.get("access"), language)
    name = plain(member.get("talkgroup"), language)
    return f"{name} ({_word(STATES.get(access), language, access)})" if access else name


def _floor(rows: Iterable[Json], language: Language) -> Table:
    table = _table(language, Text("joined talkgroups", "groupes réunis"), Text("talks", "parle"))
    for row in rows:
        groups = ", ".join(plain(name, language) for name in _list(row.get("talkgroups")))
        talks = _holder(row.get("holder"), language)
        if row.get("near_limit") is True:
            talks = f"{talks} · {_NEAR_LIMIT.to(language)}"
        table.add_row(cell(groups), cell(talks))
    return table


def _holder(holder: object, language: Language) -> str:
    if isinstance(holder, Mapping) and not {"en", "fr"} <= holder.keys():
        talker = holder.get("alias") or holder.get("talker")
        named = [talker, holder.get("talkgroup"), holder.get("sender")]
        rank = str(holder.get("class") or "")
        named.append(STATES.get(rank, Text(rank, rank)).to(language))
        return " · ".join(plain(name, language) for name in named if name)
    return plain(holder, language) or "–"


_NEAR_LIMIT = Text("talk time nearly over", "temps de parole presque écoulé")
_WHY = Text("why", "pourquoi")
_MEMBERS = Text("members", "membres")
_TALKGROUP = Text("talkgroup", "groupe")
"""The columns that give way on a narrow terminal."""


def _table(language: Language, *titles: Text) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for title in titles:
        wraps = title in (_WHY, _MEMBERS, _TALKGROUP)
        table.add_column(title.to(language), overflow="fold", no_wrap=not wraps)
    return table


def _name(row: Json, language: Language) -> Styled:
    return Styled(plain(row.get("name"), language), style="bold")


def cell(text: str) -> Styled:
    """Return text that came from outside: never read as markup."""
    return Styled(text)


def _reason(row: Json, language: Language) -> Styled:
    return cell("" if row.get("up") else plain(row.get("reason"), language))


def _state(state: object, language: Language) -> Styled:
    name = str(state or "").lower().replace("_", "-")
    style = "red" if name in _BAD else "green" if name in _GOOD else ""
    return Styled(_word(STATES.get(name), language, name or "–"), style=style)


_BAD = {"lost", "down", "offline", "inhibited", "cool-down", "stuck"}
_GOOD = {"up", "online", "in-force", "voice"}


def _lamp(on: object, style: str) -> Styled:
    return Styled("●", style=style) if on else Styled("·", style="dim")


def _level(level: object) -> Styled:
    if not isinstance(level, int | float):
        return Styled("")
    return Styled(f"{level:.0f} dBFS")


def _word(text: Text | None, language: Language, otherwise: str = "") -> str:
    return text.to(language) if text else otherwise


def plain(value: object, language: Language) -> str:
    """Return a value of the API as one line: text in both languages, a word, or nothing."""
    if isinstance(value, Mapping):
        value = value.get(language.value) or value.get("en")
    return "" if value is None else "".join(c if c.isprintable() else " " for c in str(value))


def local_time(value: object) -> str:
    """Return a time of the API as local time."""
    return _since(value)


def _number(value: object) -> float:
    """Return a number of the API, 0 for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _since(value: object, word: str = "") -> str:
    """Return a time (s or ms since 1970, or text) as local time."""
    if isinstance(value, str):
        shown = value
    elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        seconds = value / 1000 if value > _MS_FROM else value
        if seconds > _MS_FROM:
            return ""
        shown = datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    else:
        return ""
    return f"{word} {shown}".strip()
