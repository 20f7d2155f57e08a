"""SIGHUP takes all of a new configuration or none of it; plans that agree join, others do not."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.gateway_status import patch_in_force, patch_why
from tests.app.commands import as_json, radiobridge
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real

BAD: dict[str, tuple[str, Callable[[str], str]]] = {
    "plans that are no YAML": ("plans.yaml", lambda text: text + "\n\t- ["),
    "an unknown key in a plan": ("plans.yaml", lambda text: text.replace("purpose:", "purposs:")),
    "an unknown key in the gateway's file": ("gateway.yaml", lambda text: text + "radioz: {}\n"),
    "two radios on one device": (
        "gateway.yaml",
        lambda text: re.sub(r"rfc2217://\S+", "/dev/ttyS0", text).replace(
            "driver: ccdi\n      device: ", "driver: ccdi\n      device: /dev/ttyS0 # "
        ),
    ),
    "a map that names a radio that is not there": (
        "talkgroups.yaml",
        lambda text: text.replace("windsor/north", "windsor/nort"),
    ),
    "a partner's key that is none": (
        "partners.yaml",
        lambda text: re.sub(r"key: \S+", "key: abc", text),
    ),
    "a roster of nobody": ("roster.jws", lambda text: text[:-8] + "AAAAAAAA"),
    "an empty file": ("gateway.yaml", lambda _text: ""),
}
"""Mistakes: which file, and what becomes of it."""


def why(river: River, side: Side, patch: PatchId) -> Text | None:
    return patch_why(river.gateway(side).status(), patch)


def nothing_passes(river: River) -> None:
    """Both sides talk; no transmitter is keyed for it."""
    since = river.clock.now()
    for side in (OPP, CBP):
        river.begin(side, "radio-check-fr")
    river.pause(0.5)
    river.settle()
    for side in (OPP, CBP):
        assert [e for e in river.lines.events(side.donor, "COR") if e.t >= since], "nobody talked"
    for side in (*TAC1, CBP):
        assert river.ptt(side, since) == []


def test_mistakes_are_refused_and_voice_goes_on(river: River) -> None:
    before = river.gateway(OPP).status()
    assert before is not None
    said = river.talk(CBP, "position-en")
    river.wait_keyed(*TAC1)
    since = river.clock.now()
    for mistake, (name, change) in BAD.items():
        with river.edited(OPP, name, change):
            line = river.reread(OPP, "configuration-refused")
        assert name.partition(".")[0] in line, f"{mistake}: {line}"
        after = river.gateway(OPP).status()
        assert after is not None
        assert after["boot"] == before["boot"], mistake
        assert patch_in_force(after, river.patch), mistake
    assert river.clock.now() < said.end / 8000, "the talk was too short for this test"
    river.wait_said(said)
    for side in TAC1:
        river.check_held(side, since, said)
    river.heard(said, CBP, OPP)


def test_a_good_one_is_taken_and_voice_goes_on(river: River) -> None:
    before = river.gateway(OPP).status()
    assert before is not None
    other = river.new_patch()
    said = river.talk(CBP, "still-there-en")
    river.wait_keyed(*TAC1)
    since = river.clock.now()
    both = {
        "plans": {str(river.patch): river.plan(), str(other): river.plan() | {"purpose": "Flood"}}
    }
    with river.edited(OPP, "plans.yaml", lambda _text: yaml.safe_dump(both)):
        assert '"restarted": false' in river.reread(OPP, "configuration-reread")
        taken = Text("the new plan", "le nouveau plan")
        river.wait_until(lambda: why(river, OPP, other) is not None, LIMIT_S, taken)
        river.wait_said(said)
    assert (river.gateway(OPP).status() or {})["boot"] == before["boot"]
    for side in TAC1:
        river.check_held(side, since, said)
    river.heard(said, CBP, OPP)


@pytest.mark.parametrize("what", ["socket", "state"])
def test_one_that_cannot_start_gives_way_to_the_old_one(river: River, what: str) -> None:
    """It reads well, but the gateway cannot start with it: that shows only when it tries."""
    bad = f"{what}: gateway.yaml/{what}"
    with river.edited(OPP, "gateway.yaml", lambda text: re.sub(rf"{what}: .*", bad, text)):
        river.reread(OPP, "configuration-refused")
    river.ready()
    river.chirp(CBP)


DIFFERENCES: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "one letter of the purpose": (
        "purpose",
        lambda plan: plan.update(purpose=plan["purpose"][:-1] + "m"),
    ),
    "one second of the end": (
        "end",
        lambda plan: plan.update(until=plan["until"].replace("Z", "")[:-2] + "59Z"),
    ),
    "one priority": (
        "members[us.cbp/BORDER].max_priority",
        lambda plan: plan["members"]["us.cbp/BORDER"].update(max_priority=1),
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_plan_that_differs_in_one_character_joins_nothing(river: River, difference: str) -> None:
    field, change = DIFFERENCES[difference]
    ours, theirs, patch = river.plan(), river.plan(), river.new_patch()
    if ours["until"].endswith("59Z"):
        ours["until"] = theirs["until"] = ours["until"][:-3] + "00Z"
    change(theirs)
    assert ours != theirs
    river.set_plans(OPP, {patch: ours})
    river.set_plans(CBP, {patch: theirs})

    def named(side: Side, agency: str) -> bool:
        told = why(river, side, patch)
        return told is not None and agency in told.en and field in told.en

    both = Text("both to name the difference", "la différence nommée")
    river.wait_until(lambda: named(OPP, "us.cbp") and named(CBP, "ca.opp"), LIMIT_S, both)
    shown = radiobridge("status", socket=river.gateway(OPP).socket)
    assert f"us.cbp differ in {field}" in re.sub(r"\s+", " ", shown.stdout), shown.stdout
    montre = radiobridge("status", socket=river.gateway(CBP).socket, language="fr")
    assert f"dans {field}" in re.sub(r"\s+", " ", montre.stdout), montre.stdout
    if field == "purpose":
        nothing_passes(river)


def test_a_plan_of_one_side_only_says_for_whom_it_waits(river: River) -> None:
    patch = river.new_patch()
    river.set_plans(OPP, {patch: river.plan()})
    waiting = Text("waiting for us.cbp", "attend us.cbp")
    river.wait_until(
        lambda: "acceptance of us.cbp" in str(why(river, OPP, patch)), LIMIT_S, waiting
    )
    status = as_json("status", socket=river.gateway(OPP).socket)
    found = next(one for one in status["patches"] if one["id"] == patch)
    assert (found["in_force"], found["reason"]) == (False, "waiting-for")
    shown = radiobridge("status", socket=river.gateway(OPP).socket)
    assert "waiting for the acceptance of us.cbp" in shown.stdout
    montre = radiobridge("status", socket=river.gateway(OPP).socket, language="fr")
    assert "en attente de l'accord de us.cbp" in montre.stdout
    nothing_passes(river)


def test_a_plan_that_is_dropped_while_somebody_talks(river: River) -> None:
    """Taking away is immediate: the transmitters are down before anybody else is told."""
    river.talk(CBP)
    river.wait_keyed(*TAC1)
    at = river.clock.now()
    river.set_plans(OPP, {})
    took = {side.interface: river.unkeyed_ms(side, at) for side in TAC1}
    river.pause(1.0)
    for side in TAC1:
        assert [event.value for event in river.ptt(side, at)] == [0], took
    river.hush(CBP)
