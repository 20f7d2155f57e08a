"""Every way a connection fails has words in both languages."""

import socket
import ssl

import pytest

from radiobridge.drivers.link import reasons
from radiobridge.errors import DriverError


@pytest.mark.parametrize(
    ("error", "en", "fr"),
    [
        (ConnectionRefusedError(), "nothing listens", "rien n'écoute"),
        (socket.gaierror(-2, "Name or service not known"), "is not known", "est inconnu"),
        (TimeoutError(), "does not answer", "ne répond pas"),
        (OSError(113, "No route to host"), "no way leads there", "injoignable : aucun chemin"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x"), "TLS", "TLS"),
        (DriverError("gone", "parti"), "gone", "parti"),
        (ValueError("strange"), "broke", "coupée"),
    ],
)
def test_words(error: Exception, en: str, fr: str) -> None:
    text = reasons.reason_of(error, "b.example:8883")
    assert en in text.en
    assert fr in text.fr


@pytest.mark.parametrize("code", [0x84, 0x86, 0x87, 0x8B, 0x8E, 0xEE])
def test_reason_codes(code: int) -> None:
    text = reasons.refused("b.example:8883", code)
    assert "b.example:8883 refused: " in text.en
    assert "b.example:8883 a refusé : " in text.fr


def test_a_silent_broker_is_said_to_be_silent_whoever_noticed() -> None:
    assert reasons.refused("b.example:8883", 0x8D) == reasons.silent("b.example:8883")
