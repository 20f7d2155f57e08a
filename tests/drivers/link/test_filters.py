"""Topic filters, by the examples of MQTT 5.0, section 4.7.1."""

import pytest

from radiobridge.drivers.link.filters import matches


@pytest.mark.parametrize(
    ("topic_filter", "topic", "held"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("#", "sport/tennis", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("rb/1/ca.opp/+/voice/TAC1", "rb/1/ca.opp/windsor/voice/TAC1", True),
        ("rb/1/ca.opp/+/voice/TAC1", "rb/1/ca.opp/windsor/voice/TAC2", False),
        ("rb/1/ca.opp/+/voice/TAC1", "rb/1/us.cbp/windsor/voice/TAC1", False),
    ],
)
def test_examples(topic_filter: str, topic: str, held: bool) -> None:
    assert matches(topic_filter, topic) is held
