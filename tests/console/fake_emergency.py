"""An `EmergencyApi` that writes down what it was asked, and knows some alarms."""

from typing import Any

from radiobridge.errors import CommandError

ALARM: dict[str, Any] = {
    "id": "5f3a9c01",
    "raiser": "ca.opp/windsor",
    "kind": "field",
    "talkgroup": "ca.opp/TAC1",
    "radio": "tac1",
    "talker": "mdc:1234",
    "alias": "Unité 12",
    "by": None,
    "raised_ms": 1_800_000_000_000,
    "raises": 1,
    "stage": "raised",
    "open": True,
    "rank": True,
    "escalated": True,
    "acknowledged_by": [],
    "cleared_by": None,
    "verdict": None,
    "reason": None,
}
DONOR = {
    **ALARM,
    "id": "00000002",
    "kind": "donor",
    "rank": False,
    "escalated": False,
    "alias": "[bold]not markup[/bold]",
    "verdict": "false",
    "reason": "bumped the desk",
}
CLEARED = {
    **ALARM,
    "id": "00000003",
    "stage": "cleared",
    "open": False,
    "rank": False,
    "escalated": False,
    "acknowledged_by": [{"gateway": "us.cbp/detroit", "by": "local:ann"}],
    "cleared_by": {"gateway": "ca.opp/windsor", "by": "local:bob"},
    "verdict": "valid",
    "reason": "assistance given",
}
MEASURE = {
    "talkgroup": "ca.opp/TAC1",
    "talker": "mdc:1234",
    "verb": "exclude",
    "gateway": "us.cbp/detroit",
    "by": "local:ann",
    "reach": "own-transmitters",
}


class FakeEmergency:
    """Knows three alarms and one measure; refuses any other alarm."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object, str]] = []
        """Verb, id, request, who."""
        self.durable = True

    def list_alarms(self) -> list[dict[str, Any]]:
        return [ALARM, DONOR, CLEARED]

    def list_measures(self) -> list[dict[str, Any]]:
        return [MEASURE]

    async def raise_alarm(self, request: object, by: str) -> dict[str, Any]:
        return self._take("raise", ALARM["id"], request, by)

    async def acknowledge(self, alarm: str, request: object, by: str) -> dict[str, Any]:
        return self._take("acknowledge", alarm, request, by)

    async def clear(self, alarm: str, request: object, by: str) -> dict[str, Any]:
        return self._take("clear", alarm, request, by)

    async def decide(self, verb: str, request: object, by: str) -> dict[str, Any]:
        self.asked.append((verb, "", request, by))
        return {**MEASURE, "verb": verb, "reach": "everybody", "durable": self.durable}

    def _take(self, verb: str, alarm: str, request: object, by: str) -> dict[str, Any]:
        if alarm != ALARM["id"]:
            raise CommandError(f"no alarm {alarm}", f"aucune alarme {alarm}")
        self.asked.append((verb, alarm, request, by))
        return {**ALARM, "durable": self.durable}
