"""One wrong line at a time: file, line, path, and what would be right, in both languages."""

from typing import NamedTuple

import pytest

from radiobridge.text import Language
from tests.config.home import Home

G, T, P, A = "windsor.yaml", "talkgroups.yaml", "plans.yaml", "partners.yaml"


class Case(NamedTuple):
    file: str
    old: str
    new: str
    at: str
    """Words on the line that must be reported."""
    path: str
    en: str
    fr: str


CASES = {
    "unknown key": Case(
        G, "gateway: windsor", "gatway: windsor", "gatway", "gatway",
        "unknown key `gatway`; did you mean `gateway`?", "vouliez-vous dire `gateway`?",
    ),
    "unknown key, nothing near": Case(
        G, "state: state", "xyzzy: state", "xyzzy", "xyzzy",
        "known are agency, brokers", "possibles: agency, brokers",
    ),
    "key one level too high": Case(
        G, "    talkgroup: TAC1", "    talkgroup: TAC1\n    lead_in: 1ms", "lead_in: 1ms",
        "radios.tac1.lead_in", "belongs inside `transmit: {…}`", "va dans `transmit: {…}`",
    ),
    "unknown driver key": Case(
        G, "cor: CTS", "corr: CTS", "corr: CTS", "radios.tac1.interface.corr",
        "did you mean `cor`?", "vouliez-vous dire `cor`?",
    ),
    "missing": Case(
        G, "agency: ca.opp\n", "", "gateway: windsor", "agency",
        "is missing; add `agency: ca.opp`", "manque; ajoutez `agency: ca.opp`",
    ),
    "number for a name": Case(
        G, "gateway: windsor", "gateway: 12", "gateway: 12", "gateway",
        "12 is not text; put it in quotes", "12 n'est pas du texte",
    ),
    "not an id": Case(
        G, "gateway: windsor", "gateway: wind/sor", "wind/sor", "gateway",
        "'wind/sor' is not an id", "'wind/sor' n'est pas un identifiant",
    ),
    "no value": Case(
        G, "keys: windsor.keys", "keys:", "keys:", "keys", "name of a file", "nom d'un fichier"
    ),
    "text for a flag": Case(
        G, "state: state", "simulation: yes", "simulation", "simulation",
        "write `true` or `false`", "écrivez `true` ou `false`",
    ),
    "text for a number": Case(
        G, "complexity: 5", "complexity: high", "complexity", "voice.complexity",
        "not a whole number", "pas un nombre entier",
    ),
    "number too large": Case(
        G, "complexity: 5", "complexity: 11", "complexity", "voice.complexity",
        "11 is too large; at most 10", "11 est trop grand; au plus 10",
    ),
    "list for a mapping": Case(
        G, "voice: {bitrate: 16kbit/s, complexity: 5}", "voice: [1]", "voice", "voice",
        "is not a mapping", "n'est pas un bloc",
    ),
    "mapping for a list": Case(
        T, "receive: [windsor/tac1]", "receive: {a: b}", "receive: {a", "talkgroups.TAC1.receive",
        "is not a list", "n'est pas une liste",
    ),
    "word out of several": Case(
        G, "squelch: cor", "squelch: noise", "squelch: noise", "radios.tac1.receive.squelch",
        "'noise' is none of cor, vox", "'noise' n'est aucun de cor, vox",
    ),
    "no unit": Case(
        G, "lead_in: 120ms", "lead_in: 120", "lead_in", "radios.tac1.transmit.lead_in",
        "needs a number and a unit (ms, s, min, h); write for example `120ms`",
        "demande un nombre et une unité (ms, s, min, h)",
    ),
    "wrong unit": Case(
        G, "vox_open: -40dBFS", "vox_open: -40dBm", "vox_open", "radios.tac1.receive.vox_open",
        "unknown unit `dBm`", "unité `dBm` inconnue",
    ),
    "unknown talkgroup": Case(
        G, "talkgroup: TAC2", "talkgroup: TAC3", "talkgroup: TAC3", "radios.tac2.talkgroup",
        "unknown talkgroup `TAC3`; did you mean `TAC", "groupe inconnu `TAC3`",
    ),
    "unknown profile": Case(
        G, "    talkgroup: TAC1", "    talkgroup: TAC1\n    profile: generic-line",
        "profile:", "radios.tac1.profile",
        "unknown profile `generic-line`; did you mean `generic-lines`?",
        "profil inconnu `generic-line`; vouliez-vous dire `generic-lines`?",
    ),
    "unknown interface driver": Case(
        G, "driver: lines", "driver: line", "driver: line", "radios.tac1.interface.driver",
        "unknown interface driver `line`; did you mean `lines`?", "vouliez-vous dire `lines`?",
    ),
    "unknown audio driver": Case(
        G, "driver: soundcard", "driver: alsa", "driver: alsa", "radios.tac1.audio.driver",
        "unknown audio driver `alsa`; known are", "pilote audio inconnu `alsa`",
    ),
    "no driver": Case(
        G, "{driver: lines, ", "{", "/dev/rb-a", "radios.tac1.interface",
        "`driver` is missing; write one of ccdi, lines", "`driver` manque; écrivez l'un de ccdi",
    ),
    "channel of a radio that never says it": Case(
        G, "    talkgroup: TAC1", "    talkgroup: TAC1\n    channel: '12'", "channel:",
        "radios.tac1.channel",
        "interface `lines` never reports a channel, so the radio would stay cut; remove `channel`, "
        "or use an interface that does, as `ccdi`",
        "l'interface `lines` n'indique jamais de canal",
    ),
    "channel of a node": Case(
        G, "    talkgroup: TAC2", "    talkgroup: TAC2\n    channel: '12'", "channel:",
        "radios.tac2.channel", "interface `usrp` never reports a channel", "retirez `channel`",
    ),
    "no audio": Case(
        G, "    audio: {driver: soundcard, device: Card A}\n", "", "tac1:", "radios.tac1",
        "`audio` is missing", "`audio` manque",
    ),
    "sound card without a name": Case(
        G, ", device: Card A", ", input: Card A", "soundcard", "radios.tac1.audio",
        "name the sound device, or `input` and `output`", "ou `input` et `output`",
    ),
    "device is no path": Case(
        G, "/dev/rb-a", "COM3", "COM3", "radios.tac1.interface.device",
        "neither a path nor a serial URL", "ni un chemin ni une URL série",
    ),
    "line that does not exist": Case(
        G, "cor: CTS", "cor: RTS", "cor: RTS", "radios.tac1.interface.cor",
        "not one of the forms allowed here; for example `CTS`", "par exemple `CTS`",
    ),
    "address without a port": Case(
        G, "127.0.0.1:34001", "127.0.0.1", "listen", "radios.tac2.interface.listen",
        "is not host and port", "n'est pas hôte et port",
    ),
    "usrp with another audio driver": Case(
        G, "32001\"}\n", "32001\"}\n    audio: {driver: soundcard, device: B}\n", "device: B",
        "radios.tac2.audio", "carries the voice itself; remove `audio`", "retirez `audio`",
    ),
    "usrp with another usrp": Case(
        G, "32001\"}\n",
        "32001\"}\n    audio: {driver: usrp, listen: '127.0.0.1:9', peer: '127.0.0.1:8'}\n",
        "127.0.0.1:9", "radios.tac2.audio", "carries the voice itself", "porte elle-même la voix",
    ),
    "audio of a simulation": Case(
        G, "{driver: soundcard, device: Card A}",
        "{driver: usrp, listen: '127.0.0.1:9', peer: '127.0.0.1:8'}", "127.0.0.1:9",
        "radios.tac1.audio.driver", "set `simulation: true`", "mettez `simulation: true`",
    ),
    "audio from a file": Case(
        G, "{driver: soundcard, device: Card A}", "{driver: wav}", "wav",
        "radios.tac1.audio.driver", "in simulations only", "n'existe qu'en simulation",
    ),
    "squelch without COR": Case(
        G, ", cor: CTS", "", "squelch: cor", "radios.tac1.receive.squelch",
        "the interface senses none", "l'interface n'en capte pas",
    ),
    "one line for two things": Case(
        G, ", cor: CTS", ", cor: CTS, grant: '!CTS'", "grant", "radios.tac1.interface.grant",
        "CTS is already `cor`; each needs a line of its own, for example `DSR`",
        "CTS est déjà `cor`",
    ),
    "denied without a grant": Case(
        G, ", cor: CTS", ", cor: CTS, denied: DCD", "denied", "radios.tac1.interface.denied",
        "`denied` means nothing without `grant`", "`denied` ne veut rien dire sans `grant`",
    ),
    "VOX closes above opening": Case(
        G, "vox_close: -46dBFS", "vox_close: -40dBFS", "vox_close",
        "radios.tac1.receive.vox_close", "must be below vox_open (-40dBFS)", "doit être sous",
    ),
    "time_out over the limit": Case(
        G, "time_out: 60s", "time_out: 4min", "transmit: {", "radios.tac1.transmit.time_out",
        "4min is outside 1s to 3min; for example `60s`", "4min est hors de 1s à 3min",
    ),
    "time_out without a dead-man": Case(
        G, "time_out: 60s", "time_out: 61s", "transmit: {", "radios.tac1.transmit.time_out",
        "which has no dead-man; at most `60s`", "qui n'a pas d'homme mort; au plus `60s`",
    ),
    "time_out over the radio's own": Case(
        G, "radio_time_out: 1min", "radio_time_out: 30s", "transmit: {",
        "radios.tac1.transmit.time_out", "at most `30s`", "au plus `30s`",
    ),
    "time_out shorter than the rest": Case(
        G, "lead_in: 120ms, time_out: 60s", "lead_in: 1s, time_out: 1s", "transmit: {",
        "radios.tac1.transmit.time_out", "longer than lead_in, hold and tail", "doit dépasser",
    ),
    "lines without a timer": Case(
        G, ", radio_time_out: 1min", "", "DTR!RTS",
        "radios.tac1.interface.radio_time_out",
        "declare it: `radio_time_out: 60s`", "déclarez-le: `radio_time_out: 60s`",
    ),
    "lines without a timer and without ptt": Case(
        G, 'ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min', "cor: CTS", "/dev/rb-a",
        "radios.tac1.interface.radio_time_out", "stays as it is when this machine hangs",
        "reste telle quelle si cette machine se fige",
    ),
    "a timer that is too long": Case(
        G, "radio_time_out: 1min", "radio_time_out: 61s", "radio_time_out",
        "radios.tac1.interface.radio_time_out", "61s is outside 1s to 60s", "61s est hors de",
    ),
    "constantly on without a timer": Case(
        G, 'driver: lines, device: /dev/rb-a, ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min',
        "driver: ccdi, device: /dev/rb-a, dead_man: constant", "constant",
        "radios.tac1.interface.dead_man", "write `press`, or set the radio's own",
        "écrivez `press`, ou réglez",
    ),
    "broker with a wrong scheme": Case(
        G, "mqtts://broker", "https://broker", "https", "brokers[0].url",
        "is not mqtt or mqtts; write for example `mqtts://broker.example:8883`",
        "n'est ni mqtt ni mqtts",
    ),
    "broker without a host": Case(
        G, "mqtts://broker.opp.example:8883", "mqtts://:8883", "mqtts://:8883", "brokers[0].url",
        "is not scheme, host and port", "n'est pas schéma, hôte et port",
    ),
    "broker with a bad port": Case(
        G, ":8883", ":88830", ":88830", "brokers[0].url", "host and port", "hôte et port"
    ),
    "password in a URL": Case(
        G, "mqtts://broker", "mqtts://me:secret@broker", "url", "brokers[0].url",
        "use `username` and `password_file`", "employez `username` et `password_file`",
    ),
    "tls file missing": Case(
        G, "ca: ca.pem", "ca: no.pem", "no.pem", "brokers[0].tls.ca",
        "no.pem: does not exist; correct the path", "no.pem: n'existe pas; corrigez le chemin",
    ),
    "tls without mqtts": Case(
        G, "mqtts://broker", "mqtt://broker", "tls:", "brokers[0].tls",
        "`mqtt://` does not use TLS", "`mqtt://` n'emploie pas TLS",
    ),
    "certificate without its key": Case(
        G, ", key: tls.key", "", "tls:", "brokers[0].tls",
        "`certificate` without `key`", "`certificate` sans `key`",
    ),
    "one broker twice": Case(
        G, "radios:\n", "  - url: 'mqtts://broker.opp.example:8883'\nradios:\n", "- url: '",
        "brokers[1].url", "is already the broker on line 12", "est déjà le serveur de la ligne 12",
    ),
    "map of another agency": Case(
        T, "agency: ca.opp", "agency: ca.rcmp", "ca.rcmp", "agency",
        "this map is of ca.rcmp, the gateway is of ca.opp", "cette carte est de ca.rcmp",
    ),
    "map with a radio too many": Case(
        T, "[windsor/tac1]", "[windsor/tac1, windsor/tac9]", "tac9", "talkgroups.TAC1.receive[1]",
        "unknown radio of windsor `tac9`; did you mean `tac", "radio inconnue de windsor `tac9`",
    ),
    "not gateway/radio": Case(
        T, "[windsor/tac1]", "[tac1]", "[tac1]", "talkgroups.TAC1.receive[0]",
        "write for example `windsor/tac1`", "écrivez par exemple `windsor/tac1`",
    ),
    "two transmitters for one coverage": Case(
        T, "main: windsor/tac2, river:", "main: windsor/tac2, main:", "main: sarnia",
        "talkgroups.TAC2.transmit.main", "two transmitters for the coverage `main`",
        "deux émetteurs pour la couverture `main`",
    ),
    "coverages that differ in case": Case(
        T, "main: windsor/tac2, river:", "main: windsor/tac2, MAIN:", "MAIN",
        "talkgroups.TAC2.transmit.MAIN", "two transmitters for one coverage",
        "deux émetteurs pour une couverture",
    ),
    "two radios for one coverage": Case(
        T, "{main: windsor/tac1}", "{main: [windsor/tac1, sarnia/tac1]}", "[windsor/tac1, sarnia",
        "talkgroups.TAC1.transmit.main", "is not text", "n'est pas du texte",
    ),
    "air": Case(
        T, "air: encrypted", "air: secret", "air: secret", "talkgroups.TAC2.air",
        "none of clear, encrypted", "aucun de clear, encrypted",
    ),
    "join of an unknown talkgroup": Case(
        T, "- [TAC1, TAC2]", "- [TAC1, TAC2, TAC7]", "TAC7", "joins[0][2]",
        "unknown talkgroup `TAC7`", "groupe inconnu `TAC7`",
    ),
    "join of one": Case(
        T, "- [TAC1, TAC2]", "- [TAC1]", "- [TAC1]", "joins[0]",
        "too few entries; at least 2", "trop peu d'éléments; au moins 2",
    ),
    "in two joins": Case(
        T, "- [TAC1, TAC2]", "- [TAC1, TAC2]\n  - [TAC2, TAC1]", "- [TAC2", "joins[1][0]",
        "TAC2 is in two joins", "TAC2 est dans deux jonctions",
    ),
    "label in one language": Case(
        T, "{en: Tactical 1, fr: Tactique 1}", "{en: Tactical 1}", "Tactical 1",
        "talkgroups.TAC1.label.fr", "is missing; add `fr: Tactique 1`", "ajoutez `fr: Tactique 1`",
    ),
    "talkgroups in two cases": Case(
        T, "joins:", "  tac1: {label: {en: a, fr: b}, air: clear}\njoins:", "  tac1: {",
        "talkgroups.tac1", "`tac1` and `TAC1` differ in case only",
        "`tac1` et `TAC1` ne diffèrent que par la casse",
    ),
    "plan of an unknown agency": Case(
        P, "us.cbp/D1", "us.cpb/D1", "us.cpb", "plans.bridge.members.us.cpb/D1",
        "unknown agency `us.cpb`; did you mean `us.cbp`?", "agence inconnue `us.cpb`",
    ),
    "plan of an unknown own talkgroup": Case(
        P, "ca.opp/TAC1", "ca.opp/TAC9", "TAC9", "plans.bridge.members.ca.opp/TAC9",
        "unknown talkgroup `TAC9`", "groupe inconnu `TAC9`",
    ),
    "foreign host": Case(
        P, "host: ca.opp", "host: us.dea", "us.dea", "plans.bridge.host",
        "`us.dea` owns no member of this plan; the host is ca.opp or us.cbp",
        "l'hôte est ca.opp ou us.cbp",
    ),
    "plan that ends before it starts": Case(
        P, "until: 2027", "until: 2025", "until", "plans.bridge.until",
        "ends before it starts; `until` must be after `from`", "`until` doit être après `from`",
    ),
    "plan in local time": Case(
        P, "until: 2027-01-01T00:00:00Z", "until: 2027-01-01 00:00", "until",
        "plans.bridge.until", "is not a time in UTC; write for example `2026-07-01T12:00:00Z`",
        "n'est pas une heure UTC",
    ),
    "plan on the 31st of February": Case(
        P, "2027-01-01T", "2027-02-31T", "until", "plans.bridge.until", "not a time", "pas une"
    ),
    "plan with a wrong air": Case(
        P, "max_priority: 3, air: clear", "max_priority: 3, air: encrypted", "max_priority",
        "plans.bridge.members.ca.opp/TAC1.air", "is `encrypted`, but the map says `clear`",
        "vaut `encrypted`, mais la carte dit `clear`",
    ),
    "plan with a wrong class": Case(
        P, "max_class: emergency", "max_class: urgent", "urgent",
        "plans.bridge.members.ca.opp/TAC1.max_class",
        "'urgent' is none of normal, imminent-peril, emergency", "'urgent' n'est aucun de",
    ),
    "plan with a wrong member": Case(
        P, "us.cbp/D1", "us.cbp", "us.cbp:", "plans.bridge.members.us.cbp",
        "write for example `ca.opp/TAC1`", "écrivez par exemple `ca.opp/TAC1`",
    ),
    "plan with one member": Case(
        P, "      us.cbp/D1: {access: listen, air: encrypted, signalling: true}\n", "", "members",
        "plans.bridge.members", "two members or more", "au moins deux membres",
    ),
    "plan of two lines": Case(
        P, "incident: standing", 'incident: "a\\nb"', "incident", "plans.bridge.incident",
        "write one line", "écrivez une ligne",
    ),
    "plan without us": Case(
        P, "ca.opp/TAC1", "us.cbp/D2", "members", "plans.bridge.members",
        "names no talkgroup of ca.opp", "ne nomme aucun groupe de ca.opp",
    ),
    "not a key": Case(
        A, "us.cbp: {key: ", "us.cbp: {key: AA", "us.cbp", "partners.us.cbp.key",
        "not an Ed25519 public key (43 characters of base64url)", "clé publique Ed25519",
    ),
    "partners without the own agency": Case(
        A, "ca.opp:", "ca.rcmp:", "partners:", "partners",
        "the own agency ca.opp is missing", "l'agence ca.opp elle-même manque",
    ),
    "partners in two cases": Case(
        A, "us.cbp:", "CA.OPP: {key: 1, label: {en: a, fr: b}}\n  us.cbp:", "CA.OPP",
        "partners.CA.OPP", "differ in case only", "ne diffèrent que par la casse",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_file_line_path_and_advice(home: Home, name: str) -> None:
    case = CASES[name]
    home.edit(case.file, case.old, case.new)
    line = home.line(case.file, case.at)
    found = [p for p in home.problems() if p.path == case.path and case.en in p.text.en]
    assert found, "\n".join(p.to(Language.EN) for p in home.problems())
    start = f"{home.folder / case.file}:{line}: {case.path}: "
    assert found[0].to(Language.EN).startswith(start)
    assert found[0].to(Language.FR).startswith(start)
    assert case.fr in found[0].text.fr


ONE_ERROR_ONLY = sorted(
    CASES.keys()
    - {
        # These truly make a second thing wrong as well.
        "unknown key",
        "unknown talkgroup",
        "no driver",
        "not gateway/radio",
        "in two joins",
        "two transmitters for one coverage",
        "plan without us",
        "plan of an unknown own talkgroup",
        "partners in two cases",
        "missing",
    }
)


@pytest.mark.parametrize("name", ONE_ERROR_ONLY)
def test_one_mistake_is_one_error(home: Home, name: str) -> None:
    case = CASES[name]
    home.edit(case.file, case.old, case.new)
    assert [p.path for p in home.problems()] == [case.path]


def test_a_radio_that_the_map_does_not_have(home: Home) -> None:
    home.edit("talkgroups.yaml", "    receive: [windsor/tac1]\n", "")
    home.edit("talkgroups.yaml", "    transmit: {main: windsor/tac1}\n", "")
    problem = home.only_problem()
    assert problem.place.line == home.line("windsor.yaml", "talkgroup: TAC1")
    assert problem.path == "radios.tac1.talkgroup"
    assert "not served by this radio in the map; add `windsor/tac1`" in problem.text.en
    assert "ajoutez `windsor/tac1`" in problem.text.fr


def test_a_password_is_not_repeated(home: Home) -> None:
    home.edit("windsor.yaml", "mqtts://broker", "mqtts://me:secret@broker")
    assert "secret" not in "".join(p.to(Language.EN) for p in home.problems())


def test_radios_in_two_cases(home: Home) -> None:
    home.edit("windsor.yaml", "  tac2:", "  TAC1:")
    assert any(
        p.path == "radios.TAC1" and "`TAC1` and `tac1` differ in case only" in p.text.en
        for p in home.problems()
    )


def test_a_receiver_cannot_transmit(home: Home) -> None:
    home.edit(
        "windsor.yaml",
        '{driver: lines, device: /dev/rb-a, ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min}',
        "{driver: none}",
    )
    home.edit("windsor.yaml", "squelch: cor", "squelch: vox")
    problem = home.only_problem()
    assert problem.path == "radios.tac1.interface.driver"
    assert "`none` cannot key, but the map lets this radio transmit TAC1" in problem.text.en


def test_one_radio_on_two_talkgroups(home: Home) -> None:
    home.edit("talkgroups.yaml", "[windsor/tac2]", "[windsor/tac2, windsor/tac1]")
    texts = [p.text.en for p in home.problems() if p.path == "talkgroups.TAC2.receive[1]"]
    assert any("already on TAC1" in text for text in texts)


def test_a_socket_path_that_no_system_takes(home: Home) -> None:
    home.edit("windsor.yaml", "api.sock", "a" * 120 + ".sock")
    assert "longer than 107 bytes" in home.only_problem().text.en


def test_two_agencies_with_one_key(home: Home) -> None:
    theirs = home.text("partners.yaml").split("us.cbp: {key: ")[1].split(",")[0]
    home.edit("partners.yaml", f"{theirs},", f"{_ours(home)},")
    problem = home.only_problem()
    assert problem.path == "partners.us.cbp.key"
    assert "ca.opp has the same key" in problem.text.en


def _ours(home: Home) -> str:
    return home.text("partners.yaml").split("ca.opp: {key: ")[1].split(",")[0]
