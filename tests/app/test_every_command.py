"""Each command on consent, emergencies, audit and transmitters, with `--json`, on two daemons.

What a command does on one side is looked for on the other, or in the state of its own gateway.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.cli.main import run_command
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO, Side, write_plans
from tests.app.river import LIMIT_S, River
from tests.cli.command_tree import leaves

pytestmark = pytest.mark.real

GROUPS = {"patch", "emergency", "radio", "stop-transmit", "audit", "status"}
OURS, THEIRS = f"ca.opp/{OPP.talkgroup}", f"us.cbp/{CBP.talkgroup}"


class Operators:
    """People at both gateways, and what they have typed so far."""

    def __init__(
        self, river: River, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.river = river
        self.typed: list[tuple[str, ...]] = []
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def type(self, side: Side, *arguments: str) -> Any:
        """Run a command in this process against the side's daemon; return its JSON."""
        self.typed.append(arguments)
        self._monkeypatch.setenv("RADIOBRIDGE_SOCKET", str(self.river.gateway(side).socket))
        self._capsys.readouterr()
        status = run_command((*arguments, "--json"))
        out, err = self._capsys.readouterr()
        assert status == 0, (arguments, out, err)
        return json.loads(out)

    def see(self, side: Side, what: str, *path: object) -> None:
        """Wait until the side's status holds `what` somewhere below `path`."""

        def there() -> bool:
            found: Any = self.river.gateway(side).status() or {}
            for step in path:
                found = found.get(step, {})
            return what in json.dumps(found)

        self.river.wait_until(there, LIMIT_S, Text(what, what))

    def stands(self, side: Side, patch: str, **how: object) -> None:
        """Wait until a patch stands so at a side."""

        def so() -> bool:
            status = self.river.gateway(side).status() or {}
            found = [one for one in status.get("patches", []) if one["id"] == patch]
            return bool(found) and all(found[0][key] == value for key, value in how.items())

        self.river.wait_until(so, LIMIT_S, Text(f"{patch} {how}", f"{patch} {how}"))


@pytest.fixture
def operators(
    river: River, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operators]:
    for side in (OPP, CBP):
        river.set_plans(side, {})
    none = Text("no patch in force", "aucun jumelage en vigueur")
    river.wait_until(lambda: not any(map(in_force, map(river.gateway, (OPP, CBP)))), LIMIT_S, none)
    made = Operators(river, monkeypatch, capsys)
    yield made
    for patch in made.type(OPP, "patch", "list"):
        if patch["reason"] not in ("withdrawn", "expired"):
            made.type(OPP, "patch", "withdraw", patch["id"])
    made.type(OPP, "stop-transmit", "--lift")
    made.type(OPP, "radio", "allow", RADIO)


def in_force(gateway: Any) -> bool:
    return any(one["in_force"] for one in (gateway.status() or {}).get("patches", []))


def test_every_command(operators: Operators, tmp_path: Path) -> None:
    patches(operators)
    emergencies(operators)
    transmitters(operators)
    audit(operators, tmp_path)
    assert operators.type(OPP, "status")["gateway"] == str(OPP.gateway)
    wanted = {leaf.path for leaf in leaves() if leaf.path[0] in GROUPS}
    typed = {path for path in wanted for one in operators.typed if one[: len(path)] == path}
    assert wanted - typed == set(), "each command there is was typed"


def patches(on: Operators) -> None:
    river = on.river
    name = river.new_patch()
    on.type(OPP, "patch", "propose", name, "--purpose", "Poursuite", "--for", "1h",
            "--member", OURS, "--member", THEIRS)  # fmt: skip
    on.stands(CBP, name, reason="waiting-for", agencies=["us.cbp"])
    assert name in [one["id"] for one in on.type(CBP, "patch", "list")]
    assert on.type(CBP, "patch", "accept", name, "--preview")["preview"] is True
    assert on.type(CBP, "patch", "accept", name)["in_force"] is True
    for side in (OPP, CBP):
        on.stands(side, name, in_force=True)
    shown = [on.type(side, "patch", "show", name) for side in (OPP, CBP)]
    assert shown[0]["terms"] == shown[1]["terms"]
    tested = Text("the patch tested", "le jumelage vérifié")
    river.wait_until(lambda: bool(on.type(CBP, "patch", "test", name)["ok"]), LIMIT_S, tested)
    on.type(OPP, "patch", "narrow", name, "--limit", f"{OURS}:listen")
    on.stands(CBP, name, narrowed_by=["ca.opp"], in_force=True)
    further = on.type(CBP, "patch", "extend", name, "--for", "1h")["id"]
    on.stands(OPP, further, reason="waiting-for", agencies=["ca.opp"])
    on.type(OPP, "patch", "withdraw", further)
    on.stands(CBP, further, withdrawn_by=["ca.opp"])
    on.type(CBP, "patch", "withdraw", name)
    on.stands(OPP, name, reason="withdrawn", withdrawn_by=["us.cbp"])
    on_demand(on)
    assert on.type(OPP, "patch", "confirm-state")["trust"] == "trusted"


def on_demand(on: Operators) -> None:
    river = on.river
    plan = river.new_patch()
    for side in (OPP, CBP):
        content = {**river.plan(), "activation": "on-demand"}
        content["members"][THEIRS]["max_class"] = "emergency"
        content["members"][OURS]["max_class"] = "emergency"
        write_plans(river.home(side) / "plans.yaml", {plan: content})
        river.reread(side, "configuration-reread")
        assert [one["id"] for one in on.type(side, "patch", "plans")] == [plan]
    active = on.type(CBP, "patch", "activate", plan, "--for", "1h")["id"]
    for side in (OPP, CBP):
        on.stands(side, active, in_force=True)


def emergencies(on: Operators) -> None:
    raised = on.type(OPP, "emergency", "raise", OPP.talkgroup, "--talker", "mdc:1234")["id"]
    on.see(CBP, raised, "alarms")
    assert raised in [one["id"] for one in on.type(CBP, "emergency", "list")["alarms"]]
    assert on.type(CBP, "emergency", "ack", raised)["stage"] == "acknowledged"
    on.see(OPP, str(CBP.gateway), "alarms")
    on.type(OPP, "emergency", "clear", raised, "--false", "--reason", "pressed by mistake")
    on.see(CBP, "pressed by mistake", "alarms")
    on.type(OPP, "emergency", "demote", OURS, "mdc:1234")
    on.see(CBP, "demote", "talkers")
    on.type(OPP, "emergency", "exclude", OURS, "mdc:1234")
    on.see(CBP, "exclude", "talkers")
    assert on.type(OPP, "emergency", "restore", OURS, "mdc:1234")["verb"] == "restore"


def transmitters(on: Operators) -> None:
    assert RADIO in [one["name"] for one in on.type(OPP, "radio", "list")]
    assert on.type(OPP, "radio", "inhibit", RADIO)["inhibited"] is True
    on.see(OPP, '"state": "inhibited"', "radios")
    assert on.type(OPP, "radio", "allow", RADIO)["inhibited"] is False
    assert on.type(OPP, "stop-transmit")["stopped"] is True
    on.see(OPP, "local:", "transmit", "stopped_by")
    assert on.type(OPP, "stop-transmit", "--lift")["stopped"] is False


def audit(on: Operators, folder: Path) -> None:
    for side in (OPP, CBP):
        config = str(on.river.gateway(side).config)
        whats = {one["what"] for one in on.type(side, "audit", "show", config, "--last", "0")}
        assert {"word-said", "word-heard", "key-given", "patch-in-force"} <= whats
        assert on.type(side, "audit", "verify", config)["ok"] is True
        out = folder / f"{side.unit}.jsonl"
        assert on.type(side, "audit", "export", config, "--out", str(out))["entries"] > 0
        held = json.dumps(on.type(side, "audit", "heads", config))
        assert str(on.river.other(side).gateway) in held
