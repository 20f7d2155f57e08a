"""How members, limits and times are written on a command line."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import typer

from radiobridge.cli.asking import duration_ms, limit, member, moment_ms, window


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ca.opp/TAC1", {"talkgroup": "ca.opp/TAC1"}),
        ("us.cbp/B:listen", {"talkgroup": "us.cbp/B", "access": "listen"}),
        (
            "us.cbp/B:talk,encrypted,in-clear,emergency,priority=3,signalling",
            {
                "talkgroup": "us.cbp/B",
                "access": "talk",
                "air": "encrypted",
                "in_clear": True,
                "max_class": "emergency",
                "max_priority": 3,
                "signalling": True,
            },
        ),
    ],
)
def test_members(text: str, found: dict[str, Any]) -> None:
    assert member(text) == found


@pytest.mark.parametrize(
    "text",
    ["TAC1", "/TAC1", "ca.opp/", "a/b/c", "ca.opp/TAC1:loud", "ca.opp/TAC1:listen,talk",
     "ca.opp/TAC1:priority=x", "ca.opp/TAC1:none"],
)  # fmt: skip
def test_members_that_are_none(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        member(text)


def test_limits() -> None:
    assert limit("ca.opp/TAC1:none") == {"talkgroup": "ca.opp/TAC1", "access": "none"}
    assert limit("ca.opp/TAC1:normal,priority=0") == {
        "talkgroup": "ca.opp/TAC1",
        "max_class": "normal",
        "max_priority": 0,
    }


@pytest.mark.parametrize("text", ["ca.opp/TAC1", "ca.opp/TAC1:clear", "ca.opp/TAC1:in-clear"])
def test_what_cannot_be_narrowed(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        limit(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30min", 1800), ("2h", 7200), ("3d", 259200)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_ms(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "2", "0h", "-1h", "2 h", "1h30", "٢h", "1e3s"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration_ms(text)


EASTERN = timezone(timedelta(hours=-5))
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=EASTERN)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("17:30", datetime(2026, 7, 1, 22, 30, tzinfo=UTC)),
        ("9:05", datetime(2026, 7, 2, 14, 5, tzinfo=UTC)),
        ("12:00", datetime(2026, 7, 2, 17, 0, tzinfo=UTC)),
        ("2026-07-01T17:30:00Z", datetime(2026, 7, 1, 17, 30, tzinfo=UTC)),
        ("2026-07-01T17:30:00-05:00", datetime(2026, 7, 1, 22, 30, tzinfo=UTC)),
    ],
)
def test_times(text: str, at: datetime) -> None:
    assert moment_ms(text, NOON) == at.timestamp() * 1000


@pytest.mark.parametrize("text", ["", "25:00", "tomorrow", "2026-07-01", "2026-13-01T00:00:00Z"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment_ms(text, NOON)


def test_one_end_only() -> None:
    assert window(None, "2h") == {"for_ms": 7_200_000}
    assert window(None, None) == {}
    with pytest.raises(typer.BadParameter):
        window("17:30", "2h")
