"""`radiobridge keys`, the whole way an operator goes: from a drawn key to a trusted partner."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typer.testing import CliRunner

from radiobridge.cli.main import run_command
from radiobridge.drivers.store.key_files import fingerprint, read_gateway_keys
from radiobridge.model.ids import AgencyId, parse_gateway
from radiobridge.wire.canonical import decode_bytes
from radiobridge.wire.roster import Right, Roster, read_old_roster


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Out:
    """What a command came to."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def keys(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> Out:
        status = run_command(["keys", *arguments])
        captured = capsys.readouterr()
        return Out(status, captured.out, captured.err)

    return run


def signed_roster() -> Roster:
    public = json.loads(Path("opp.key.pub").read_text())["key"]
    key = Ed25519PublicKey.from_public_bytes(decode_bytes(public))
    return read_old_roster(Path("opp.roster").read_bytes(), AgencyId("ca.opp"), key)


ENROL = ("enrol", "--agency-key", "opp.key", "--roster", "opp.roster")


def test_the_whole_way(keys: Any) -> None:
    made = keys("agency", "ca.opp", "--out", "opp.key", "--json")
    assert made.status == 0
    windsor = keys("gateway", "ca.opp/windsor", "--out", "w.keys", "--public", "hand/over.pub")
    assert windsor.status == 2, "the folder for the public part is missing"
    assert not Path("w.keys").exists()
    assert keys("gateway", "ca.opp/windsor", "--out", "w.keys").status == 0
    assert keys("gateway", "ca.opp/sarnia", "--out", "s.keys").status == 0
    assert oct(Path("w.keys").stat().st_mode)[-3:] == "600"

    first = keys(*ENROL, "w.keys.pub", "--rights", "voice,consent", "--until", "30d", "--json")
    assert (first.status, first.json["version"]) == (0, 1)
    second = keys(*ENROL, "s.keys.pub", "--rights", "voice")
    assert second.status == 0
    roster = signed_roster()
    assert roster.version == 2
    assert {str(e.gateway): set(e.rights) for e in roster.gateways} == {
        "ca.opp/sarnia": {Right.VOICE},
        "ca.opp/windsor": {Right.VOICE, Right.CONSENT},
    }
    assert roster.gateways[1].signing_key == read_gateway_keys(Path("w.keys")).public.signing_key

    removed = keys(*ENROL, "--remove", "ca.opp/sarnia", "--json")
    assert [row["gateway"] for row in removed.json["gateways"]] == ["ca.opp/windsor"]
    assert signed_roster().version == 3

    shown = keys("fingerprint", "opp.key.pub", "opp.key", "w.keys.pub", "--json").json
    assert shown[0]["fingerprint"] == shown[1]["fingerprint"] == made.json["fingerprint"]
    assert shown[2]["name"] == "ca.opp/windsor"

    trusted = keys("trust", "p.yaml", "ca.opp", "opp.key.pub", "--label-fr", "Police", "--yes")
    assert trusted.status == 0
    assert made.json["fingerprint"] in trusted.out
    public = json.loads(Path("opp.key.pub").read_text())["key"]
    entry = yaml.safe_load(Path("p.yaml").read_text())["partners"]["ca.opp"]
    assert entry == {"key": public, "label": {"en": "Police", "fr": "Police"}}


def test_no_output_holds_a_secret(keys: Any) -> None:
    outs = [
        keys("agency", "ca.opp", "--out", "opp.key", "--json"),
        keys("gateway", "ca.opp/windsor", "--out", "w.keys"),
        keys(*ENROL, "w.keys.pub", "--json"),
        keys("fingerprint", "opp.key", "w.keys"),
        keys("trust", "p.yaml", "ca.opp", "opp.key", "--yes"),
    ]
    secrets = [json.loads(Path("w.keys").read_text())[name] for name in ("signing", "hpke")]
    secrets.append(json.loads(Path("opp.key").read_text())["signing"])
    files = [path.read_text() for path in Path().iterdir() if path.suffix not in (".key", ".keys")]
    for secret in secrets:
        assert not any(secret[:16] in out.out + out.err for out in outs)
        assert not any(secret[:16] in content for content in files)


def test_a_key_alone_can_be_trusted_too(keys: Any) -> None:
    keys("agency", "--out", "x.key")
    public = json.loads(Path("x.key.pub").read_text())["key"]
    assert keys("trust", "p.yaml", "us.cbp", public, "--yes").status == 0
    again = keys("trust", "p.yaml", "us.cbp", "x.key", "--json", "--yes").json
    assert again["result"] == "already"
    assert again["fingerprint"] == fingerprint(decode_bytes(public))


def test_another_key_needs_replace(keys: Any) -> None:
    keys("agency", "--out", "x.key")
    keys("agency", "--out", "y.key")
    keys("trust", "p.yaml", "us.cbp", "x.key", "--yes")
    before = Path("p.yaml").read_text()
    refused = keys("trust", "p.yaml", "us.cbp", "y.key", "--yes")
    assert refused.status == 1
    assert "--replace" in refused.err
    assert Path("p.yaml").read_text() == before
    replaced = keys("trust", "p.yaml", "us.cbp", "y.key", "--yes", "--replace", "--json")
    assert replaced.json["result"] == "replaced"


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_a_person_compares_the_fingerprint(keys: Any, answer: str, status: int) -> None:
    from radiobridge.cli.keys import app

    keys("agency", "--out", "x.key")
    result = CliRunner().invoke(app, ["trust", "p.yaml", "us.cbp", "x.key"], input=answer)
    assert (result.exit_code, Path("p.yaml").exists()) == (status, status == 0)


def test_nothing_is_overwritten(keys: Any) -> None:
    keys("agency", "--out", "x.key")
    before = Path("x.key").read_bytes()
    for command in (("agency",), ("gateway", "ca.opp/windsor")):
        refused = keys(*command, "--out", "x.key")
        assert refused.status == 1
        assert "exists" in refused.err
    assert Path("x.key").read_bytes() == before


def enrolled(keys: Any) -> None:
    keys("agency", "ca.opp", "--out", "opp.key")
    keys("gateway", "ca.opp/windsor", "--out", "w.keys")
    keys(*ENROL, "w.keys.pub")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("w.keys.pub", "--rights", "all"), 2),
        (("w.keys.pub", "--rights", ""), 2),
        (("w.keys.pub", "--until", "soon"), 2),
        (("w.keys.pub", "--until", "2020-01-01"), 2),
        (("w.keys.pub", "--until", "2027-01-01T00:00:00"), 2),
        (("w.keys.pub", "--until", "99999d"), 2),
        (("w.keys.pub", "--version", "0"), 2),
        (("--remove", "ca.opp/nobody"), 2),
        (("--remove", "nobody"), 2),
        (("other.pub",), 2),
        (("w.keys",), 1),
        (("missing.pub",), 1),
        (("twin.pub",), 1),
    ],
)
def test_wrong_enrolment_changes_nothing(
    keys: Any, arguments: tuple[str, ...], status: int
) -> None:
    enrolled(keys)
    keys("gateway", "us.cbp/detroit", "--out", "d.keys", "--public", "other.pub")
    twin = json.loads(Path("w.keys.pub").read_text())
    Path("twin.pub").write_text(json.dumps({**twin, "gateway": "ca.opp/twin"}))
    before = Path("opp.roster").read_bytes()
    out = keys(*ENROL, *arguments)
    assert out.status == status
    assert out.err
    assert Path("opp.roster").read_bytes() == before


def test_another_agencys_key_does_not_continue_the_roster(keys: Any) -> None:
    enrolled(keys)
    before = Path("opp.roster").read_bytes()
    keys("agency", "ca.opp", "--out", "new.key")
    out = keys("enrol", "--agency-key", "new.key", "--roster", "opp.roster", "w.keys.pub")
    assert out.status == 1
    assert "bad-signature" in out.err
    assert Path("opp.roster").read_bytes() == before


def test_a_lost_roster_goes_on_above_its_version(keys: Any) -> None:
    enrolled(keys)
    Path("opp.roster").unlink()
    assert keys(*ENROL, "w.keys.pub", "--version", "40").status == 0
    assert signed_roster().version == 40


def test_until_a_day_includes_it(keys: Any) -> None:
    keys("agency", "ca.opp", "--out", "opp.key")
    keys("gateway", "ca.opp/windsor", "--out", "w.keys")
    keys(*ENROL, "w.keys.pub", "--until", "2030-06-30")
    entry = signed_roster().gateways[0]
    assert entry.gateway == parse_gateway("ca.opp/windsor")
    assert entry.end_ms == 1_909_094_400_000, "2030-07-01T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("gateway", "windsor", "--out", "x"), 2),
        (("gateway", "ca.opp/../x", "--out", "x"), 2),
        (("agency", "ca/opp", "--out", "x"), 2),
        (("agency",), 2),
        (("fingerprint",), 2),
        (("fingerprint", "missing"), 1),
        (("trust", "p.yaml", "us.cbp", "neither", "--yes"), 2),
        (("trust", "p.yaml", "us/cbp", "x.key", "--yes"), 2),
        (("trust", "p.yaml", "us.cbp", "w.keys.pub", "--yes"), 2),
        (("trust", "p.yaml", "us.cbp", "opp.key.pub", "--yes"), 2),
        (("trust", "p.yaml", "ca.opp", "opp.key.pub", "--yes", "--label-en", "a\nb"), 2),
        (("nonsense",), 2),
    ],
)
def test_wrong_use(keys: Any, arguments: tuple[str, ...], status: int) -> None:
    enrolled(keys)
    before = set(Path().iterdir())
    out = keys(*arguments)
    assert out.status == status
    assert out.err
    assert set(Path().iterdir()) == before


def test_a_key_that_others_can_read_signs_nothing(keys: Any) -> None:
    enrolled(keys)
    before = Path("opp.roster").read_bytes()
    Path("opp.key").chmod(0o644)
    out = keys(*ENROL, "w.keys.pub")
    assert out.status == 1
    assert "chmod 600" in out.err
    assert Path("opp.roster").read_bytes() == before


def test_errors_in_french(keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_CA.UTF-8")
    keys("agency", "--out", "x.key")
    assert "existe" in keys("agency", "--out", "x.key").err
    assert "identifiant" in keys("gateway", "x", "--out", "y").err


@pytest.mark.parametrize("command", ["agency", "gateway", "enrol", "fingerprint", "trust"])
def test_help_has_an_example(keys: Any, command: str) -> None:
    out = keys(command, "--help")
    assert out.status == 0
    assert f"radiobridge keys {command}" in out.out.split("Example")[1]


def test_two_who_enrol_at_once_take_turns(keys: Any) -> None:
    names = ("windsor", "sarnia", "ottawa", "cornwall")
    assert keys("agency", "ca.opp", "--out", "opp.key").status == 0
    for name in names:
        assert keys("gateway", f"ca.opp/{name}", "--out", f"{name}.keys").status == 0
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "radiobridge.cli.main", "keys", *ENROL, f"{name}.keys.pub"],
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait(60) for process in running] == [0] * len(names)
    roster = signed_roster()
    assert roster.version == len(names)
    assert {entry.gateway.name for entry in roster.gateways} == set(names)


@pytest.mark.parametrize(("what", "right"), [("agency", "ca.opp"), ("gateway", "ca.opp/windsor")])
def test_a_wrong_id_shows_a_right_one_of_its_kind(keys: Any, what: str, right: str) -> None:
    made = keys(what, "a/b/c", "--out", "x.key")
    assert made.status == 2
    assert made.err.rstrip().endswith(f"such as {right}")
