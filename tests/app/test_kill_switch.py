"""The kill switch and the channel guard on a whole gateway, with real lines and no broker."""

import signal
import time
from collections.abc import Iterator

import pytest
import yaml

from radiobridge.cli.client import call
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO
from tests.app.commands import as_json, radiobridge
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real

ANSWER_MS = 100.0
CUT_MS = 200.0

RIGHT, WRONG = "000001", "000002"


def stop(river: River) -> float:
    """Stop all transmitters; return how long the answer took, in ms."""
    began = time.monotonic()
    answer = call(river.gateway(OPP).socket, "POST", "/v1/stop-transmit")
    assert answer["stopped"] is True
    return 1000 * (time.monotonic() - began)


@pytest.fixture
def lifted(river: River) -> Iterator[River]:
    yield river
    done = radiobridge("stop-transmit", "--lift", socket=river.gateway(OPP).socket)
    assert done.returncode == 0, done.stderr


def test_all_transmitters_stop_at_once_with_no_broker(lifted: River, figures: Figures) -> None:
    lifted.talk(CBP)
    lifted.wait_keyed(*TAC1)
    for broker in lifted.brokers:
        broker.kill()
    asked = lifted.clock.now()
    answered_ms = stop(lifted)
    figures.add("stop-transmit, no broker: answer", {"ms": answered_ms})
    assert answered_ms <= ANSWER_MS
    for side in TAC1:
        off_ms = lifted.unkeyed_ms(side, asked)
        figures.add(f"stop-transmit: {side.donor} PTT off", {"ms": off_ms})
        assert off_ms <= ANSWER_MS
    lifted.hush(CBP)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stop_holds_over_a_restart_until_it_is_lifted(
    river: River, number: signal.Signals
) -> None:
    done = radiobridge("stop-transmit", socket=river.gateway(OPP).socket, language="fr")
    assert "aucune radio n'émet plus" in done.stdout
    river.signal(OPP, number)
    river.gateway(OPP).wait(LIMIT_S)
    river.start_gateway(OPP)
    river.wait_ready()
    river.wait_in_force()
    at = river.clock.now()
    river.say(CBP, "radio-check-en")
    assert not any(river.ptt(side, at) for side in TAC1)
    radios = as_json("radio", "list", socket=river.gateway(OPP).socket)
    assert all("stop" in radio["holds"] for radio in radios)
    lifted = as_json("stop-transmit", "--lift", socket=river.gateway(OPP).socket)
    assert lifted["stopped"] is False
    river.chirp(CBP)


def test_a_radio_that_is_turned_to_another_channel_is_cut_both_ways(
    river: River, figures: Figures
) -> None:
    def guarded(text: str) -> str:
        config = yaml.safe_load(text)
        config["radios"][RADIO]["channel"] = RIGHT
        return yaml.safe_dump(config)

    with river.edited(OPP, "gateway.yaml", guarded):
        river.reread(OPP, "configuration-reread")
        river.wait_ready()
        river.wait_in_force()
        river.talk(CBP)
        river.wait_keyed(*TAC1)
        turned = river.clock.now()
        river.plugs[OPP].turn(WRONG)
        off_ms = river.unkeyed_ms(OPP, turned)
        figures.add("wrong channel: PTT off", {"ms": off_ms})
        assert off_ms <= CUT_MS
        river.hush(CBP)
        river.settle()
        assert river.radio_status(OPP)["alarms"] == ["wrong-channel"]
        shown = radiobridge("radio", "list", socket=river.gateway(OPP).socket)
        assert f"on channel {WRONG} instead of {RIGHT}" in shown.stdout
        at = river.clock.now()
        river.say(OPP, "radio-check-fr")
        assert not river.ptt(CBP, at)
        logged = as_json(
            "audit", "show", str(river.gateway(OPP).config), "--what", "channel-wrong",
            socket=river.gateway(OPP).socket,
        )  # fmt: skip
        assert logged[-1]["detail"] == {"radio": RADIO, "reported": WRONG, "expected": RIGHT}
        assert logged[-1]["order"] == "after"
        river.signal(OPP, signal.SIGTERM)
        river.gateway(OPP).wait(LIMIT_S)
        river.start_gateway(OPP)
        river.wait_ready()
        river.wait_in_force()
        asked = Text("the radio to have said its channel", "que la radio dise son canal")
        river.wait_until(
            lambda: river.radio_status(OPP)["alarms"] == ["wrong-channel"], LIMIT_S, asked
        )
        at = river.clock.now()
        river.talk(CBP)
        river.wait_keyed(*(side for side in TAC1 if side is not OPP))
        river.hush(CBP)
        river.settle()
        assert not river.ptt(OPP, at)
        river.plugs[OPP].turn(RIGHT)
        right = Text("no alarm", "pas d'alarme")
        river.wait_until(lambda: not river.radio_status(OPP)["alarms"], LIMIT_S, right)
        river.chirp(CBP)
