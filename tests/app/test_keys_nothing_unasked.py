"""No transmitter is keyed by anything that happens to a gateway while nobody talks.

Every test here ends with the line logs of all radios held against what was said (`check_lines`),
which is nothing in most of them; `test_voice` shows that the same logs see a key when there is one.
"""

import os
import signal

import pytest

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, Side
from radiobridge_sim.gateway_status import linked
from tests.app.river import LIMIT_S, TAC1, River, write_yaml

pytestmark = pytest.mark.real

BOTH = (OPP, CBP)


def everything_works(river: River) -> None:
    """A word from each bank keys what it should: the radios are not merely dead."""
    for side in BOTH:
        river.chirp(side)


def test_a_stop_and_a_start(river: River) -> None:
    for side in BOTH:
        river.signal(side, signal.SIGTERM)
    assert [river.gateway(side).wait(LIMIT_S) for side in BOTH] == [0, 0]
    river.ready()
    everything_works(river)


def test_a_killed_gateway_and_its_successor(river: River) -> None:
    for side in BOTH:
        river.signal(side, signal.SIGKILL)
    assert [river.gateway(side).wait(LIMIT_S) for side in BOTH] == [-signal.SIGKILL] * 2
    river.ready()
    everything_works(river)


def test_a_killed_keyer_and_its_successor(river: River) -> None:
    status = river.gateway(OPP).status()
    assert status is not None
    pid = status["keyer"]["pid"]
    os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        now = river.gateway(OPP).status()
        return now is not None and now["keyer"]["pid"] not in (None, pid)

    river.wait_until(replaced, LIMIT_S, Text("a new keyer", "nouveau processus"))
    river.ready()
    everything_works(river)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_brokers_that_go_and_come_back(river: River, number: signal.Signals) -> None:
    for broker in river.brokers:
        broker.kill() if number is signal.SIGKILL else broker.stop()
    gone = Text("links down", "liens coupés")
    river.wait_until(lambda: not any(linked_at_all(river, s) for s in BOTH), LIMIT_S, gone)
    river.ready()
    everything_works(river)


def linked_at_all(river: River, side: Side) -> bool:
    status = river.gateway(side).status()
    assert status is not None
    return any(link["up"] for link in status["links"])


def test_devices_that_go_and_come_back(river: River) -> None:
    for side in TAC1:
        river.plugs[side].pull()
    lost = Text("radios lost", "radios perdues")
    river.wait_until(
        lambda: all(river.radio_status(side)["interface"] == "lost" for side in TAC1),
        LIMIT_S,
        lost,
    )
    reasons = [river.radio_status(side)["interface_reason"] for side in TAC1]
    assert all(reasons), reasons
    river.ready()
    everything_works(river)


def test_a_phrase_for_a_radio_that_is_lost(river: River) -> None:
    """It is not keyed when it comes back, and the others are keyed meanwhile."""
    at = river.clock.now()
    river.plugs[OPP].pull()
    lost = Text("radio lost", "radio perdue")
    river.wait_until(lambda: river.radio_status(OPP)["interface"] == "lost", LIMIT_S, lost)
    river.wait_said(river.talk(CBP, "radio-check-en"))
    river.ready()
    assert river.ptt(OPP, at) == []
    for side in TAC1[1:]:
        assert [event.value for event in river.ptt(side, at)] == [1, 0]


def test_a_configuration_read_again(river: River) -> None:
    for side in BOTH:
        seen = len(river.events(side, "configuration-reread"))
        river.signal(side, signal.SIGHUP)
        assert '"restarted": false' in river.wait_event(side, "configuration-reread", beyond=seen)
    river.ready()
    everything_works(river)


def test_a_configuration_with_other_radios(river: River) -> None:
    """That starts the gateway anew inside its process: devices are closed and opened."""
    config = river.config(OPP)
    boot = (river.gateway(OPP).status() or {})["boot"]
    for hold in ("500ms", "800ms"):
        for radio in config["radios"].values():
            radio["transmit"] = {"hold": hold}
        write_yaml(river.gateway(OPP).config, config)
        seen = len(river.events(OPP, "configuration-reread"))
        river.signal(OPP, signal.SIGHUP)
        assert '"restarted": true' in river.wait_event(OPP, "configuration-reread", beyond=seen)
    river.wait_until(lambda: linked(river.gateway(OPP).status()), LIMIT_S, Text("link", "lien"))
    assert (river.gateway(OPP).status() or {})["boot"] != boot
    river.ready()
    everything_works(river)
