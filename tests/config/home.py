"""A gateway's files in a folder, all right; tests then spoil one line of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from radiobridge.config.load import Files, LoadedGateway, load_gateway
from radiobridge.config.problems import ConfigErrors, Problem
from radiobridge.drivers.store.key_files import create_agency_key, create_gateway_keys
from radiobridge.model.ids import parse_agency, parse_gateway
from radiobridge.text import Language
from radiobridge.wire.canonical import encode_bytes
from radiobridge.wire.roster import Right, Roster, RosterEntry, sign_roster

GATEWAY = """\
agency: ca.opp
gateway: windsor
talkgroups: talkgroups.yaml
partners: partners.yaml
plans: plans.yaml
keys: windsor.keys
roster: roster.jws
state: state
socket: api.sock
voice: {bitrate: 16kbit/s, complexity: 5}
brokers:
  - url: mqtts://broker.opp.example:8883
    tls: {ca: ca.pem, certificate: cert.pem, key: tls.key}
radios:
  tac1:
    talkgroup: TAC1
    interface: {driver: lines, device: /dev/rb-a, ptt: "DTR!RTS", cor: CTS, radio_time_out: 1min}
    audio: {driver: soundcard, device: Card A}
    receive: {squelch: cor, hang: 200ms, vox_open: -40dBFS, vox_close: -46dBFS}
    transmit: {lead_in: 120ms, time_out: 60s}
  tac2:
    talkgroup: TAC2
    interface: {driver: usrp, listen: "127.0.0.1:34001", peer: "127.0.0.1:32001"}
"""

TALKGROUPS = """\
agency: ca.opp
talkgroups:
  TAC1:
    label: {en: Tactical 1, fr: Tactique 1}
    air: clear
    receive: [windsor/tac1]
    transmit: {main: windsor/tac1}
  TAC2:
    label: {en: Tactical 2, fr: Tactique 2}
    air: encrypted
    receive: [windsor/tac2]
    transmit: {main: windsor/tac2, river: sarnia/tac2}
    separate_coverage: true
joins:
  - [TAC1, TAC2]
"""

PLANS = """\
plans:
  bridge:
    purpose: Pursuit across the bridge
    incident: standing
    host: ca.opp
    from: 2026-01-01T00:00:00Z
    until: 2027-01-01T00:00:00Z
    recording: own
    members:
      ca.opp/TAC1: {access: both, max_class: emergency, max_priority: 3, air: clear}
      us.cbp/D1: {access: listen, air: encrypted, signalling: true}
"""

PARTNERS = """\
partners:
  ca.opp: {{key: {ours}, label: {{en: OPP, fr: PPO}}}}
  us.cbp: {{key: {theirs}, label: {{en: CBP, fr: ASF}}}}
"""

_GATEWAY_ID = parse_gateway("ca.opp/windsor")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one gateway."""

    folder: Path

    @property
    def gateway(self) -> Path:
        return self.folder / "windsor.yaml"

    def text(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the one place where `old` stands."""
        text = self.text(file)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        self.write(file, text.replace(old, new))

    def line(self, file: str, words: str) -> int:
        """Return the line on which `words` stands first."""
        return next(n for n, text in enumerate(self.text(file).splitlines(), 1) if words in text)

    def load(self, files: Files = Files.CHECKED) -> LoadedGateway:
        return load_gateway(self.gateway, files=files)

    def problems(self, files: Files = Files.CHECKED) -> tuple[Problem, ...]:
        """Return what loading finds wrong; nothing when it is right."""
        try:
            self.load(files)
        except ConfigErrors as error:
            return error.problems
        return ()

    def only_problem(self, files: Files = Files.CHECKED) -> Problem:
        problems = self.problems(files)
        assert len(problems) == 1, "\n".join(p.to(Language.EN) for p in problems)
        return problems[0]


def make_home(folder: Path) -> Home:
    """Write files that are right in every respect, keys and roster included."""
    home = Home(folder)
    agency = create_agency_key(folder / "agency.key", parse_agency("ca.opp"))
    other = create_agency_key(folder / "other.key", parse_agency("us.cbp"))
    home.write("windsor.yaml", GATEWAY)
    home.write("talkgroups.yaml", TALKGROUPS)
    home.write("plans.yaml", PLANS)
    ours, theirs = encode_bytes(agency.public.key), encode_bytes(other.public.key)
    home.write("partners.yaml", PARTNERS.format(ours=ours, theirs=theirs))
    keys = create_gateway_keys(folder / "windsor.keys", _GATEWAY_ID)
    now = datetime.now(UTC)
    end_ms = round((now + timedelta(days=1)).timestamp() * 1000)
    entry = RosterEntry(
        gateway=_GATEWAY_ID,
        signing_key=keys.public.signing_key,
        hpke_key=keys.public.hpke_key,
        rights=frozenset(Right),
        end_ms=end_ms,
    )
    roster = Roster(agency=entry.gateway.agency, version=1, gateways=(entry,), expires_ms=end_ms)
    signed = sign_roster(roster, round(now.timestamp() * 1000), agency.signing)
    (folder / "roster.jws").write_bytes(signed)
    for name in ("ca.pem", "cert.pem", "tls.key"):
        home.write(name, "not looked into\n")
        (folder / name).chmod(0o600)
    return home
