"""`radiobridge patch …` against two daemons at work: from a proposal to voice, and to silence."""

import contextlib
import io
import signal
import time
import wave
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from radiobridge.cli.client import call
from radiobridge.model.announcement import News
from radiobridge.text import Language, Text
from radiobridge_sim.agencies import CBP, OPP, Side, write_plans
from radiobridge_sim.gateway_status import patch_in_force
from radiobridge_sim.measure import measure_phrase
from radiobridge_sim.sound import RATE
from tests.app.commands import as_json, radiobridge
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real

OURS, THEIRS = f"ca.opp/{OPP.talkgroup}", f"us.cbp/{CBP.talkgroup}"
MEMBERS = ("--member", OURS, "--member", THEIRS)

AUDIBLE_MS = 500.0
"""From the last consent to the first voice across."""

TESTED_MS = 2000

ANNOUNCED_S = 10.0
"""An announcement is over by then."""

SILENT_MS = 100.0
"""From a withdrawal to silence on our own side."""

FOUND = 0.5
"""Share of a recording that shows that it is this one."""

LOUD = 300
"""A sample beyond this is voice, not the hiss of a carrier."""


@pytest.fixture
def apart(river: River) -> Iterator[River]:
    """Two agencies that have agreed to nothing, before and after."""
    part(river)
    yield river
    for side in (OPP, CBP):
        for patch in as_json("patch", "list", socket=socket(river, side)):
            if patch["reason"] not in ("withdrawn", "expired"):
                radiobridge("patch", "withdraw", patch["id"], socket=socket(river, side))


def part(river: River) -> None:
    for side in (OPP, CBP):
        river.set_plans(side, {})
    none = Text("no patch in force", "aucun jumelage en vigueur")
    river.wait_until(lambda: not any(in_force(river, s) for s in (OPP, CBP)), LIMIT_S, none)


def in_force(river: River, side: Side) -> list[str]:
    status = river.gateway(side).status() or {}
    return [one["id"] for one in status.get("patches", []) if one["in_force"]]


def socket(river: River, side: Side) -> Path:
    return river.gateway(side).socket


def patch(river: River, side: Side, *arguments: str) -> Any:
    """Run a patch command; return what it prints as JSON."""
    return as_json("patch", *arguments, socket=socket(river, side))


def restart(river: River, side: Side) -> None:
    river.signal(side, signal.SIGKILL)
    river.gateway(side).wait(LIMIT_S)
    river.start_gateway(side)
    river.wait_ready()


def propose(river: River, *more: str) -> str:
    name = river.new_patch()
    shown = patch(river, OPP, "propose", name, "--purpose", "Poursuite", "--for", "1h",
                  *MEMBERS, *more)  # fmt: skip
    assert shown["id"] == name
    return name


def seen(river: River, side: Side, name: str) -> dict[str, Any]:
    """Wait until a side knows a patch; return how it stands there."""
    there = Text(f"{name} to be known", f"{name} connu")

    def found() -> list[dict[str, Any]]:
        status = river.gateway(side).status() or {}
        return [one for one in status.get("patches", []) if one["id"] == name]

    river.wait_until(lambda: bool(found()), LIMIT_S, there)
    return found()[0]


def agree(river: River) -> str:
    name = propose(river)
    seen(river, CBP, name)
    patch(river, CBP, "accept", name)
    wait_in_force(river, name)
    return name


def wait_in_force(river: River, name: str) -> None:
    both = Text(f"{name} to be in force", f"{name} en vigueur")
    river.wait_until(
        lambda: all(name in in_force(river, side) for side in (OPP, CBP)), LIMIT_S, both
    )


def test_from_proposal_to_voice_to_silence(apart: River) -> None:
    name = propose(apart)
    assert seen(apart, CBP, name)["agencies"] == ["us.cbp"]
    assert patch(apart, OPP, "show", name)["why"]["fr"] == "en attente de l'accord de us.cbp"
    shown = radiobridge("patch", "accept", name, "--preview", socket=socket(apart, CBP))
    assert "IN CLEAR ON AIR" in shown.stdout
    in_french = radiobridge("patch", "show", name, socket=socket(apart, CBP), language="fr")
    assert "EN CLAIR SUR LES ONDES" in in_french.stdout
    assert patch(apart, CBP, "accept", name)["in_force"] is True
    wait_in_force(apart, name)
    said = apart.talk(CBP, "radio-check-en")
    apart.wait_said(said)
    apart.heard(said, CBP, OPP)
    assert patch(apart, CBP, "withdraw", name)["reason"] == "withdrawn"
    # Patches of other tests are in the list too, for a day.
    (found,) = [one for one in patch(apart, CBP, "list") if one["id"] == name]
    assert found["withdrawn_by"] == ["us.cbp"]
    gone = Text("withdrawn over there", "retiré là-bas")
    apart.wait_until(lambda: name not in in_force(apart, OPP), LIMIT_S, gone)
    again = radiobridge("patch", "accept", name, socket=socket(apart, CBP))
    assert again.returncode == 1
    assert "new patch id" in again.stderr


def test_narrowed_to_listening(apart: River) -> None:
    name = agree(apart)
    shown = patch(apart, OPP, "narrow", name, "--limit", f"{OURS}:talk")
    assert shown["narrowed_by"] == ["ca.opp"]
    at = apart.clock.now()
    apart.say(CBP, "radio-check-en")
    assert not any(apart.ptt(side, at) for side in TAC1)
    seen_there = Text("narrowed over there", "restreint là-bas")
    apart.wait_until(
        lambda: seen(apart, CBP, name)["narrowed_by"] == ["ca.opp"], LIMIT_S, seen_there
    )
    said = apart.talk(OPP, "radio-check-fr")
    apart.wait_said(said)
    apart.heard(said, OPP, CBP)


def test_extended_by_a_successor(apart: River) -> None:
    name = agree(apart)
    shown = patch(apart, OPP, "extend", name, "--for", "1h")
    assert shown["start_ms"] == patch(apart, OPP, "show", name)["end_ms"]
    assert shown["id"] == f"{name}-2"
    seen(apart, CBP, shown["id"])
    assert patch(apart, CBP, "accept", shown["id"])["reason"] == "not-yet"
    assert name in in_force(apart, CBP)


def test_a_plan_on_demand(apart: River) -> None:
    name = apart.new_patch()
    plan = {**apart.plan(), "activation": "on-demand"}
    for side in (OPP, CBP):
        write_plans(apart.home(side) / "plans.yaml", {name: plan})
        apart.reread(side, "configuration-reread")
        assert [one["id"] for one in patch(apart, side, "plans")] == [name]
    assert not in_force(apart, OPP)
    shown = patch(apart, CBP, "activate", name, "--for", "1h")
    assert shown["id"] == f"{name}-1"
    wait_in_force(apart, shown["id"])
    (found,) = patch(apart, OPP, "plans")
    assert [one["in_force"] for one in found["patches"]] == [True]


def test_what_was_accepted_by_command_is_there_after_a_restart(apart: River) -> None:
    name = agree(apart)
    restart(apart, OPP)
    wait_in_force(apart, name)
    patch(apart, OPP, "withdraw", name)
    restart(apart, OPP)
    assert patch(apart, OPP, "show", name)["reason"] == "withdrawn"


def test_a_withdrawal_with_no_broker_at_all(apart: River, figures: Figures) -> None:
    name = agree(apart)
    said = apart.talk(CBP)
    apart.wait_keyed(*TAC1)
    for broker in apart.brokers:
        broker.kill()
    # The transmitters would hold on for 800 ms: silence must be the withdrawal's doing.
    keyed = [side for side in TAC1 if apart.keyed(side)]
    asked = apart.clock.now()
    shown = call(socket(apart, OPP), "POST", f"/v1/patches/{name}/withdraw")
    answered_ms = 1000 * (apart.clock.now() - asked)
    assert shown["reason"] == "withdrawn"
    figures.add("withdraw, no broker: answer", {"ms": answered_ms})
    for side in keyed:
        off_ms = apart.unkeyed_ms(side, asked)
        figures.add(f"withdraw, no broker: {side.donor} PTT off", {"ms": off_ms})
        assert off_ms <= SILENT_MS
    apart.hush(CBP)
    del said


def test_a_withdrawal_while_the_other_side_talks(apart: River, figures: Figures) -> None:
    name = agree(apart)
    apart.talk(CBP)
    apart.wait_keyed(*TAC1)
    time.sleep(0.5)
    asked = apart.clock.now()
    call(socket(apart, OPP), "POST", f"/v1/patches/{name}/withdraw")
    for side in TAC1:
        off_ms = apart.unkeyed_ms(side, asked)
        figures.add(f"withdraw: {side.donor} PTT off", {"ms": off_ms})
        assert off_ms <= SILENT_MS
    apart.hush(CBP)


def test_last_consent_to_first_voice(apart: River, figures: Figures) -> None:
    name = propose(apart)
    seen(apart, CBP, name)
    apart.talk(CBP)
    time.sleep(0.5)
    asked = apart.clock.now()
    call(socket(apart, CBP), "POST", f"/v1/patches/{name}/accept")
    apart.wait_keyed(*TAC1)
    time.sleep(1.0)
    first_ms = 1000 * (first_sound(apart, OPP, asked) - asked)
    figures.add("accept to first voice heard across", {"ms": first_ms})
    assert first_ms <= AUDIBLE_MS
    apart.hush(CBP)


def first_sound(river: River, side: Side, since: float) -> float:
    """Return when a handheld first heard something, in s of the common time."""
    start = round(since * RATE)
    heard = np.abs(river.unit(side).heard.samples()[start:].astype(np.int32))
    loud = np.flatnonzero(heard > LOUD)
    assert loud.size, "nothing was heard"
    return (start + int(loud[0])) / RATE


def test_every_side_shows_the_same(apart: River) -> None:
    name = agree(apart)
    ours, theirs = (patch(apart, side, "show", name) for side in (OPP, CBP))
    for key in ("terms", "in_force", "reason", "members", "start_ms", "end_ms", "withdrawn_by"):
        assert ours[key] == theirs[key], key
    assert patch_in_force(apart.gateway(OPP).status(), ours["id"])


def test_a_test_proves_all_but_the_radio_wave_and_keys_nothing(
    apart: River, figures: Figures
) -> None:
    name = agree(apart)
    # Keys are given a moment after the last consent.
    time.sleep(1.0)
    at = apart.clock.now()
    result = patch(apart, OPP, "test", name)
    assert result["ok"], [one for one in result["checks"] if not one["ok"]]
    assert result["took_ms"] <= TESTED_MS
    figures.add("patch test", {"ms": result["took_ms"]})
    assert patch(apart, CBP, "test", name)["ok"]
    apart.settle()
    assert not any(apart.ptt(side, at) for side in (*TAC1, CBP))
    apart.end_gateway(CBP, signal.SIGKILL)
    apart.gateway(CBP).wait(LIMIT_S)
    shown = radiobridge("patch", "test", name, socket=socket(apart, OPP), language="fr")
    assert shown.returncode == 1
    assert "PAS prêt" in shown.stdout
    apart.start_gateway(CBP)
    apart.wait_ready()


def test_a_patch_is_announced_on_the_air_of_each_side(apart: River) -> None:
    with announcing(apart):
        at = apart.clock.now()
        apart.expect(ANNOUNCED_S)
        name = agree(apart)
        check_announced(apart, at, News.ON)
        at = apart.clock.now()
        apart.expect(ANNOUNCED_S)
        patch(apart, CBP, "withdraw", name)
        check_announced(apart, at, News.OFF)
    for side in (OPP, CBP):
        assert len(apart.events(side, "announced")) >= 2


def test_no_announcement_goes_over_anybody(apart: River) -> None:
    """A handheld talks on CBP's own channel while the patch comes into force."""
    with announcing(apart):
        name = propose(apart)
        seen(apart, CBP, name)
        at, told = apart.clock.now(), len(announcements(apart, CBP))
        apart.expect(2 * ANNOUNCED_S)
        said = apart.talk(CBP, "position-en", after_s=ANNOUNCED_S)
        heard = Text("the handheld to be heard", "portatif entendu")
        apart.wait_until(lambda: cor(apart, CBP, at), LIMIT_S, heard)
        patch(apart, CBP, "accept", name)
        wait_in_force(apart, name)
        apart.wait_said(said)
        waited = Text("the announcement to be made or dropped", "annonce faite ou abandonnée")
        apart.wait_until(lambda: len(announcements(apart, CBP)) > told, LIMIT_S, waited)
        apart.wait_unkeyed(*TAC1, CBP)
        apart.settle()
        end = said.end / RATE
        over = [event for event in apart.ptt(CBP, at) if event.value == 1 and event.t < end]
        assert not over, "keyed while somebody talked on that channel"
    for side in (OPP, CBP):
        apart.reread(side, "configuration-reread")


def announcements(river: River, side: Side) -> list[str]:
    """Return what has become of announcements at a side until now."""
    return river.events(side, "announced") + river.events(side, "announcement-dropped")


def cor(river: River, side: Side, since: float) -> bool:
    """Tell whether a donor radio has received somebody since then."""
    return any(event.t >= since for event in river.lines.events(side.donor, "COR"))


@contextlib.contextmanager
def announcing(river: River) -> Iterator[None]:
    """Let both sides announce patches meanwhile."""

    def told(text: str) -> str:
        config = yaml.safe_load(text)
        for talkgroup in config["talkgroups"].values():
            talkgroup["announce"] = True
        return str(yaml.safe_dump(config))

    with contextlib.ExitStack() as stack:
        for side in (OPP, CBP):
            stack.enter_context(river.edited(side, "talkgroups.yaml", told))
            river.reread(side, "configuration-reread")
        river.settle()
        yield


def check_announced(river: River, since: float, news: News) -> None:
    """Assert that each side has keyed once, was heard in its language, and unkeyed by itself."""
    river.wait_keyed(*TAC1, CBP)
    river.wait_unkeyed(*TAC1, CBP)
    river.settle()
    for side in (*TAC1, CBP):
        changes = [event.value for event in river.ptt(side, since)]
        assert (changes.count(1), changes[-1]) == (1, 0), (side.donor, river.ptt(side, since))
    for side in (OPP, CBP):
        first_sound(river, side, since)
        (other,) = set(Language) - {side.language}
        own, foreign = (found(river, side, since, news, one) for one in (side.language, other))
        assert own >= FOUND > foreign, (side.donor, own, foreign)


def found(river: River, side: Side, since: float, news: News, language: Language) -> float:
    """Return which share of a recorded announcement a side's handheld has heard."""
    heard = river.unit(side).heard.samples()
    recording = files("radiobridge") / "speech" / f"patch-{news.value}-{language.value}.wav"
    with wave.open(io.BytesIO(recording.read_bytes())) as file:
        clip = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    start = round(river.ptt(side, since)[0].t * RATE)
    said = np.zeros(max(len(heard), start + len(clip)), dtype=np.int16)
    said[start : start + len(clip)] = clip
    return measure_phrase(said, heard, start, start + len(clip)).found
