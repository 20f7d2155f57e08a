"""Faults of keyer, event loop, disk, radio and device: the carrier is down in time.

What happens to a gateway as a whole is in `test_unkeys`. Times are those of the line logs.
"""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO, Side
from radiobridge_sim.bench import stuck
from radiobridge_sim.cables import NOISE
from radiobridge_sim.gateway_status import linked
from radiobridge_sim.serial.ccdi_radio import CcdiRadio
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, NORTH, RADIOS, SOUTH, TAC1, Json, River, write_yaml
from tests.app.test_unkeys import PRESS_MS, UNKEY_MS, long_talk, not_again, unkeyed

pytestmark = pytest.mark.real

HOLD_MS = 1300.0
"""A spurt that breaks off is bridged for 800 ms, then comes the tail."""

NO_ANSWER_MS = 2500.0
"""A radio that says nothing is given up after 1 s."""

LOST_MS = 1000.0
"""A device that is lost is shown in the status within that time (issue 4, F)."""


def keyer_pid(river: River) -> int:
    status = river.gateway(OPP).status()
    assert status is not None
    pid: int = status["keyer"]["pid"]
    return pid


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTERM])
def test_a_keyer_that_stands_still_or_is_told_to_end(
    river: River, number: signal.Signals, figures: Figures
) -> None:
    """A stopped process holds its lines, so it is killed: by its guard, and by the gateway."""
    long_talk(river, *TAC1)
    pid = keyer_pid(river)
    at = river.clock.now()
    os.kill(pid, number)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took["lines"], took["usrp"]) <= UNKEY_MS, took
    assert took["ccdi"] <= PRESS_MS, took
    not_again(river, at, *TAC1)
    river.hush(CBP)
    if number is signal.SIGTERM:  # it waits for the gateway, which has no reason to end
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    replaced = Text("a new keyer", "nouveau processus")
    river.wait_until(lambda: keyer_pid(river) not in (None, pid), LIMIT_S, replaced)


def test_an_event_loop_that_is_stuck(
    river: River, figures: Figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process lives, and its sockets are open; nothing renews the lease."""
    monkeypatch.setenv("PYTHONPATH", str(stuck.prepare(tmp_path)), prepend=os.pathsep)
    river.signal(OPP, signal.SIGKILL)
    river.gateway(OPP).wait(LIMIT_S)
    river.ready()
    long_talk(river, *TAC1)
    at = river.signal(OPP, stuck.SIGNAL)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took.values()) <= UNKEY_MS, took
    not_again(river, at, *TAC1)
    assert river.gateway(OPP).running
    river.signal(OPP, signal.SIGKILL)
    river.hush(CBP)


def test_a_disk_that_is_full(river: River, figures: Figures) -> None:
    """No file takes a byte more: voice goes on, and a gateway told to stop still unkeys at once."""
    long_talk(river, *TAC1)
    pid = river.gateway(OPP).pid
    assert pid is not None
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    river.pause(1.0)
    assert all(river.keyed(side) for side in TAC1)
    at = river.signal(OPP, signal.SIGTERM)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took.values()) <= UNKEY_MS, took
    assert river.gateway(OPP).wait(LIMIT_S) is not None
    not_again(river, at, *TAC1)
    river.hush(CBP)


@contextlib.contextmanager
def reconfigured(river: River, changes: dict[Side, Callable[[Json], Any]]) -> Iterator[None]:
    """Run the gateways of these sides with other settings of their radios meanwhile."""
    before = {side: river.config(side) for side in changes}
    after = {side: river.config(side) for side in changes}
    for side, change in changes.items():
        change(after[side]["radios"])
    _take(river, after)
    try:
        river.ready()
        yield
    finally:
        river.all_hush()
        river.settle()
        _take(river, before)


def _take(river: River, configs: dict[Side, Json]) -> None:
    for side, config in configs.items():
        write_yaml(river.gateway(side).config, config)
        assert '"restarted": true' in river.reread(side, "configuration-reread")
    links = Text("links", "liens")
    river.wait_until(
        lambda: all(linked(river.gateway(side).status()) for side in configs), LIMIT_S, links
    )


EARLY_MS = 200.0
"""The timer runs from the request; the line follows."""

TIME_OUT_S = 2.0
COR_LIMIT_S = 5.0


def test_a_transmission_that_is_too_long_and_a_receiver_that_stays_open(
    river: River, figures: Figures
) -> None:
    """One talker is too long for `north`, whose timer ends it; then for the receiver across."""

    def short_timer(radios: Json) -> None:
        radios[RADIOS[NORTH]].setdefault("transmit", {})["time_out"] = f"{TIME_OUT_S:.0f}s"

    def short_limit(radios: Json) -> None:
        radios[RADIO].setdefault("receive", {})["cor_limit"] = f"{COR_LIMIT_S:.0f}s"

    with reconfigured(river, {OPP: short_timer, CBP: short_limit}):
        at = river.clock.now()
        long_talk(river, *TAC1)
        opened = next(e.t for e in river.lines.events(CBP.donor, "COR") if e.t > at and e.value)
        river.wait_unkeyed(NORTH)
        on, off = river.ptt(NORTH, at)
        over_ms = 1000.0 * (off.t - on.t - TIME_OUT_S)
        figures.add("unkeyed after a time-out of 2 s, ms", {"lines": over_ms})
        stuck_at = opened + COR_LIMIT_S
        river.wait_unkeyed(OPP, SOUTH)
        took = {s.interface: 1000.0 * (river.ptt(s, at)[-1].t - stuck_at) for s in (OPP, SOUTH)}
        figures.add("unkeyed after a COR limit of 5 s, ms", took)
        assert -EARLY_MS <= over_ms <= UNKEY_MS, over_ms
        assert all(0.0 <= one <= HOLD_MS for one in took.values()), took
        for side in TAC1:
            assert [event.value for event in river.ptt(side, at)] == [1, 0]
        assert river.radio_status(CBP)["stuck"] is True
        river.hush(CBP)
        cleared = Text("COR closed", "COR refermé")
        river.wait_until(lambda: river.radio_status(CBP)["stuck"] is False, LIMIT_S, cleared)
        river.chirp(CBP)


@pytest.fixture
def radio(river: River) -> Iterator[CcdiRadio]:
    """The device of `tac1`, which is as it was afterwards."""
    device = river.plugs[OPP].ccdi
    assert device is not None
    yield device
    device.not_ready = device.inhibited = device.silent = device.mute = False


def wait_not_delivered(river: River, *, beyond: int) -> str:
    return river.wait_event(OPP, "not-delivered", beyond=beyond)


@pytest.mark.parametrize(("answer", "reason"), [("not_ready", "busy"), ("inhibited", "denied")])
def test_a_radio_that_answers_queued_or_denied(
    river: River, radio: CcdiRadio, answer: str, reason: str
) -> None:
    """Nothing of it keys later, and the other radios are not waited for, nor do they wait."""
    setattr(radio, answer, True)
    at, seen = river.clock.now(), len(river.events(OPP, "not-delivered"))
    long_talk(river, NORTH, SOUTH)
    told = wait_not_delivered(river, beyond=seen)
    assert f'"reason": "{reason}"' in told
    assert '"radio": "tac1"' in told
    setattr(radio, answer, False)
    river.pause(0.5)
    assert river.ptt(OPP, at) == []
    assert river.keyed(NORTH)
    assert river.keyed(SOUTH)
    river.hush(CBP)


def test_a_radio_that_answers_nothing(river: River, radio: CcdiRadio, figures: Figures) -> None:
    """First one that keys and does not say so, then one that does not even key."""
    at, seen = river.clock.now(), len(river.events(OPP, "not-delivered"))
    radio.silent = True
    long_talk(river, *TAC1)
    river.wait_unkeyed(OPP)
    on, off = river.ptt(OPP, at)
    lasted_ms = 1000.0 * (off.t - on.t)
    figures.add("unkeyed after PTT on, ms", {"ccdi": lasted_ms})
    assert lasted_ms <= NO_ANSWER_MS
    wait_not_delivered(river, beyond=seen)
    radio.mute = True
    river.pause(0.5)
    assert len(river.ptt(OPP, at)) == 2
    assert river.keyed(NORTH)
    assert river.keyed(SOUTH)
    river.hush(CBP)


# -- devices that are lost -------------------------------------------------------------------


def shown_as_lost(river: River, at: float, figures: Figures) -> None:
    """Wait until the status says that `tac1` is lost; it has one second for that."""
    lost = Text("radio lost", "radio perdue")
    river.wait_until(lambda: river.radio_status(OPP)["interface"] == "lost", LIMIT_S, lost)
    shown_ms = 1000.0 * (river.clock.now() - at)
    figures.add("shown as lost, ms", {"ccdi": shown_ms})
    assert shown_ms <= LOST_MS


def back_without_a_restart(river: River, boot: str, pid: int) -> None:
    up = Text("radio back", "radio de retour")
    river.wait_until(lambda: river.radio_status(OPP)["interface"] == "up", LIMIT_S, up)
    status = river.gateway(OPP).status()
    assert status is not None
    assert (status["boot"], status["keyer"]["pid"]) == (boot, pid)


def test_a_serial_line_that_babbles_and_a_device_under_another_name(
    river: River, radio: CcdiRadio, figures: Figures
) -> None:
    """Nobody else notices; the radio is not keyed again for what is still being said."""
    boot, pid = (river.gateway(OPP).status() or {})["boot"], keyer_pid(river)
    long_talk(river, *TAC1)
    at = since = river.clock.now()
    until = time.monotonic() + 1.5

    def babble() -> bool:
        radio.babble(NOISE)
        return time.monotonic() > until

    river.comes_true(lambda: babble() or river.radio_status(OPP)["interface"] == "lost", LIMIT_S)
    shown_as_lost(river, at, figures)
    took = unkeyed(river, at, figures, OPP)
    assert took["ccdi"] <= PRESS_MS, took
    river.comes_true(babble, LIMIT_S)
    assert "noise" in str(river.radio_status(OPP)["interface_reason"])
    back_without_a_restart(river, boot, pid)
    before = radio.tty
    at = river.clock.now()
    river.plugs[OPP].pull()
    shown_as_lost(river, at, figures)
    river.plugs[OPP].plug_in()
    assert radio.tty != before
    back_without_a_restart(river, boot, pid)
    assert not river.keyed(OPP)
    river.hush(CBP)
    river.settle()
    for side in (NORTH, SOUTH):
        assert [event.value for event in river.ptt(side, since)] == [0]
    river.chirp(CBP)
