"""Whatever happens to a gateway that transmits, the carrier is down in time.

Times are those of the line logs: from the instant before the signal to the change of PTT.
"""

import os
import signal
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiobridge.drivers.store.key_files import read_gateway_keys
from radiobridge.wire.documents import read_document
from radiobridge.wire.topics import presence_topic
from radiobridge.wire.words import Presence
from radiobridge_sim.agencies import CBP, OPP, Side
from tests.app.figures import Figures
from tests.app.observer import Observer
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real

UNKEY_MS = 500.0
"""The promise (issue 2): a gateway that dies or stands still is unkeyed within that time."""

STALE_S = 2.5
"""Voice of 2 s ago counts no more, and a spurt ends 200 ms (hang) after its talker."""

PRESS_MS = 520.0
"""A press of the CCDI radio ends by itself, 500 ms by the radio's own clock."""


def long_talk(river: River, *sides: Side) -> None:
    """Have cbp-7 speak for long, and wait until these radios transmit it."""
    river.talk(CBP)
    river.wait_keyed(*sides)
    river.pause(0.3)


def unkeyed(river: River, at: float, figures: Figures, *sides: Side) -> dict[str, float]:
    """Wait until all are unkeyed; return and record after how many ms each was."""
    took = {side.interface: round(river.unkeyed_ms(side, at), 1) for side in sides}
    figures.add("unkeyed, ms", took)
    return took


def not_again(river: River, at: float, *sides: Side) -> None:
    """Assert that PTT changed once only since `at`, for all that is said."""
    river.pause(1.0)
    for side in sides:
        assert [event.value for event in river.ptt(side, at)] == [0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_gateway_that_dies_or_stands_still(
    river: River, number: signal.Signals, figures: Figures
) -> None:
    long_talk(river, *TAC1)
    at = river.signal(OPP, number)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took.values()) <= UNKEY_MS, took
    not_again(river, at, *TAC1)
    river.signal(OPP, signal.SIGKILL)
    river.hush(CBP)


def test_a_gateway_that_is_told_to_stop(river: River, figures: Figures) -> None:
    """SIGTERM: unkeyed at once, then goodbye to partners and brokers, then exit status 0."""
    topics = [presence_topic(OPP.gateway, str(side.agency)) for side in (OPP, CBP)]
    keys = read_gateway_keys(river.home(OPP) / f"{OPP.gateway.name}.keys").public
    signer = Ed25519PublicKey.from_public_bytes(keys.signing_key)
    with Observer(river.brokers[0].port) as opp, Observer(river.brokers[1].port) as cbp:
        long_talk(river, *TAC1)
        told_ms = time.time_ns() // 1_000_000
        at = river.signal(OPP, signal.SIGTERM)
        took = unkeyed(river, at, figures, *TAC1)
        assert max(took.values()) <= UNKEY_MS, took
        assert river.gateway(OPP).wait(LIMIT_S) == 0
        not_again(river, at, *TAC1)
        for observer, topic in zip((opp, cbp), topics, strict=True):
            last = read_document(observer.of(topic)[-1], topic, signer, told_ms)
            assert Presence.from_body(last.body).online is False
            # A will says the same, but was signed when the gateway connected.
            assert last.header.issued_ms >= told_ms - 1
    river.hush(CBP)
    status = river.gateway(CBP).status()
    assert status is not None
    assert [one["online"] for one in status["partners"]] == [False]


def test_a_gateway_that_goes_on_after_it_stood_still(river: River) -> None:
    """The rest of the spurt that was cut is not keyed again; the next one is heard whole."""
    long_talk(river, *TAC1)
    at = river.signal(OPP, signal.SIGSTOP)
    river.wait_unkeyed(*TAC1)
    river.signal(OPP, signal.SIGCONT)
    not_again(river, at, *TAC1)
    river.hush(CBP)
    river.settle()
    river.ready()
    said = river.talk(CBP, "dont-shoot-en")
    river.wait_said(said)
    river.heard(said, CBP, OPP)


@pytest.mark.parametrize("longer_s", [0.3, STALE_S])
def test_a_gateway_that_stood_still_until_all_was_said(river: River, longer_s: float) -> None:
    """What waited in its sockets is the rest of a spurt that broke, or too old: it keys nothing."""
    long_talk(river, *TAC1)
    at = river.signal(OPP, signal.SIGSTOP)
    river.hush(CBP)
    river.wait_unkeyed(*TAC1)
    river.pause(longer_s)
    river.signal(OPP, signal.SIGCONT)
    not_again(river, at, *TAC1)
    river.ready()
    river.chirp(CBP)


def test_a_keyer_that_dies(river: River, figures: Figures) -> None:
    """The kernel closes the lines, the stream ends, the press of the CCDI radio runs out."""
    long_talk(river, *TAC1)
    status = river.gateway(OPP).status()
    assert status is not None
    at = river.clock.now()
    os.kill(status["keyer"]["pid"], signal.SIGKILL)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took["lines"], took["usrp"]) <= UNKEY_MS, took
    assert took["ccdi"] <= PRESS_MS, took
    not_again(river, at, *TAC1)
    river.hush(CBP)


def test_a_gateway_and_its_keyer_that_die_together(river: River, figures: Figures) -> None:
    """Nobody is left to say PTT off: only what the devices do by themselves."""
    long_talk(river, *TAC1)
    status = river.gateway(OPP).status()
    assert status is not None
    at = river.signal(OPP, signal.SIGSTOP)
    os.kill(status["keyer"]["pid"], signal.SIGKILL)
    river.signal(OPP, signal.SIGKILL)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took["lines"], took["usrp"]) <= UNKEY_MS, took
    assert took["ccdi"] <= PRESS_MS, took
    not_again(river, at, *TAC1)
    river.hush(CBP)


def test_the_gateway_of_the_talker_that_dies(river: River, figures: Figures) -> None:
    """The far side bridges `hold`, then unkeys; it waits for no will and no time-out."""
    long_talk(river, *TAC1)
    at = river.signal(CBP, signal.SIGKILL)
    river.hush(CBP)
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took.values()) <= 1300.0, took


def test_devices_that_are_lost_while_they_transmit(river: River, figures: Figures) -> None:
    """A pulled cable: a line drops, a press runs out; neither is keyed when it comes back."""
    long_talk(river, *TAC1)
    at = river.clock.now()
    for side in (OPP, TAC1[1]):
        river.plugs[side].pull()
    took = unkeyed(river, at, figures, OPP, TAC1[1])
    assert took["ccdi"] <= PRESS_MS, took
    assert took["lines"] <= UNKEY_MS, took
    for side in (OPP, TAC1[1]):
        river.plugs[side].plug_in()
    not_again(river, at, OPP, TAC1[1])
    assert river.keyed(TAC1[2])
    river.hush(CBP)


def test_the_broker_that_carries_the_voice_dies(river: River) -> None:
    """There is a second one: the transmission goes on, keyed once, and everything is heard."""
    at = river.clock.now()
    said = river.talk(CBP, "still-there-en")
    river.wait_keyed(*TAC1)
    river.pause(0.7)
    river.brokers[0].kill()
    river.wait_said(said)
    for side in TAC1:
        assert [event.value for event in river.ptt(side, at)] == [1, 0]
    river.heard(said, CBP, OPP)


def test_all_brokers_die(river: River, figures: Figures) -> None:
    long_talk(river, *TAC1)
    at = river.clock.now()
    for broker in river.brokers:
        broker.kill()
    took = unkeyed(river, at, figures, *TAC1)
    assert max(took.values()) <= 1300.0, took
    river.hush(CBP)
