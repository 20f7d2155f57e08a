"""Voice over each broker alone: one speaks TLS, one does not; both want passwords and have ACLs."""

import signal
from typing import Any

import pytest
import yaml

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP
from radiobridge_sim.certificates import Authority
from tests.app.observer import Observer
from tests.app.river import LIMIT_S, TAC1, River

pytestmark = pytest.mark.real

TLS, PLAIN = 0, 1
NAMES = {TLS: "ca.opp", PLAIN: "us.cbp"}


def link(river: River, broker: int) -> dict[str, Any]:
    """Return what the OPP's gateway says of one of its links."""
    links = (river.gateway(OPP).status() or {}).get("links") or []
    found: dict[str, Any] = next((one for one in links if one["name"] == NAMES[broker]), {})
    return found


def wait_down(river: River, broker: int, why: str) -> str:
    """Wait until a link is down for a reason that says `why`; return the reason."""
    down = Text(f"link down: {why}", f"lien coupé : {why}")
    river.wait_until(
        lambda: (
            link(river, broker).get("up") is False and why in link(river, broker)["reason"]["en"]
        ),
        LIMIT_S,
        down,
    )
    return str(link(river, broker)["reason"]["en"])


@pytest.mark.parametrize("alone", [TLS, PLAIN], ids=["tls", "plain"])
def test_one_broker_alone_carries_everything(river: River, alone: int) -> None:
    other = PLAIN if alone is TLS else TLS
    river.brokers[other].kill()
    down = Text("the other link down", "l'autre lien coupé")
    river.wait_until(lambda: link(river, other)["up"] is False, LIMIT_S, down)
    before = link(river, alone)["counters"]
    said = river.talk(CBP, "radio-check-en")
    river.wait_said(said)
    river.heard(said, CBP, OPP)
    river.agree()
    river.chirp(OPP)
    after = link(river, alone)["counters"]
    assert after["voice_received"] > before["voice_received"]
    assert after["voice_sent"] > before["voice_sent"]
    assert after["documents_received"] > before["documents_received"]


def test_a_broker_that_somebody_else_signed_gets_nothing(river: River) -> None:
    stranger = Authority(river.folder / "stranger", name="somebody else")

    def trust_a_stranger(text: str) -> str:
        config: dict[str, Any] = yaml.safe_load(text)
        config["brokers"][TLS]["tls"]["ca"] = str(stranger.certificate)
        return yaml.safe_dump(config)

    with river.edited(OPP, "gateway.yaml", trust_a_stranger):
        river.reread(OPP, "configuration-reread")
        reason = wait_down(river, TLS, "certificate")
        assert link(river, TLS)["counters"]["connects"] == 0 or "certificate" in reason
        up = Text("the other link up", "l'autre lien en service")
        river.wait_until(lambda: link(river, PLAIN).get("up") is True, LIMIT_S, up)
        river.wait_in_force()
        river.chirp(CBP)
        assert link(river, TLS)["counters"]["voice_sent"] == 0


def test_a_wrong_password_is_refused_and_the_right_one_is_taken_without_a_restart(
    river: River,
) -> None:
    with river.edited(OPP, "broker.password", lambda text: text + "x"):
        river.brokers[PLAIN].kill()
        river.brokers[PLAIN].start()
        wait_down(river, PLAIN, "refused")
        river.chirp(CBP)
    up = Text("the link up again", "le lien rétabli")
    river.wait_until(lambda: link(river, PLAIN)["up"] is True, LIMIT_S, up)


def test_who_has_a_gateways_password_writes_under_its_name_only(river: River) -> None:
    user = str(OPP.gateway)
    for broker in river.brokers:
        with (
            Observer(broker.port, user, river.passwords[user]) as thief,
            Observer(broker.port) as observer,
        ):
            assert thief.publish("rb/1/ca.opp/windsor/ack/test", b"mine")
            assert not thief.publish("rb/1/us.cbp/detroit/voice/BORDER", b"not mine")
            assert not thief.publish("rb/1/ca.opp/sarnia/ack/test", b"not mine")
            observer.wait(lambda o=observer: o.of("rb/1/ca.opp/windsor/ack/test"), "own topic")  # type: ignore[misc]
            assert not [payload for _, payload in observer.read if payload == b"not mine"]


def test_what_a_broker_or_a_listener_sends_keys_nothing(river: River) -> None:
    """Whoever runs a broker can put anything on any topic: old voice again, or noise."""
    voice = "rb/1/us.cbp/detroit/voice/BORDER"
    with Observer(river.brokers[PLAIN].port) as observer:
        river.chirp(CBP)
        packets = observer.of(voice)
    assert packets
    at = river.clock.now()
    user = str(CBP.gateway)
    river.signal(CBP, signal.SIGSTOP)
    with Observer(river.brokers[PLAIN].port, user, river.passwords[user]) as replayer:
        for packet in packets:
            replayer.publish(voice, packet)
            replayer.publish(voice, packet[:-1] + bytes([packet[-1] ^ 1]))
    river.signal(CBP, signal.SIGCONT)
    for side in TAC1:
        assert river.ptt(side, at) == []
