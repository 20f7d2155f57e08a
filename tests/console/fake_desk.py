"""A `PatchApi` that writes down what it was asked, and knows one patch."""

from typing import Any

from radiobridge.errors import CommandError

PATCH: dict[str, Any] = {
    "id": "river",
    "in_force": True,
    "reason": "in-force",
    "why": {"en": "in force; narrowed by us.cbp", "fr": "en vigueur; restreint par us.cbp"},
    "agencies": [],
    "withdrawn_by": [],
    "narrowed_by": ["us.cbp"],
    "purpose": "Poursuite sur le pont",
    "incident": "2026-114",
    "host": "ca.opp",
    "start_ms": 1_800_000_000_000,
    "end_ms": 1_800_007_200_000,
    "recording": "own",
    "terms": "5f13191dca9b0650dc9ef0a40b769d6284877966666d766a654c465b1dfe91c5",
    "members": [
        {
            "talkgroup": "ca.opp/TAC1",
            "access": "both",
            "max_class": "emergency",
            "max_priority": 3,
            "air": "clear",
            "signalling": True,
            "in_clear": False,
        }
    ],
    "notes": [
        {
            "en": "ca.opp/TAC1: IN CLEAR ON AIR",
            "fr": "ca.opp/TAC1 : EN CLAIR SUR LES ONDES",
        }
    ],
}
SHOWN = {
    **PATCH,
    "agreed": PATCH,
    "other_terms": [{"terms": "ab" * 32}],
    "words": [
        {"gateway": "ca.opp/windsor", "verb": "accept", "terms": PATCH["terms"], "version": 1},
        {"gateway": "us.cbp/detroit", "verb": "narrow", "terms": PATCH["terms"], "version": 2},
        {"gateway": "ca.rcmp/ottawa", "verb": "withdraw", "terms": None, "version": 3},
    ],
}
CHECKS = [
    {"id": "clock", "ok": True, "text": {"en": "own clock", "fr": "horloge"}},
    {"id": "agency:us.cbp", "ok": False, "text": {"en": "nobody answers", "fr": "personne"}},
]
PLAN = {**PATCH, "id": "flood", "activation": "on-demand", "patches": [PATCH]}


class FakeDesk:
    """See the top of the file."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object, str]] = []
        """(verb, patch or plan, request, who)."""

    def patches(self) -> list[dict[str, Any]]:
        return [PATCH]

    def show(self, patch: str) -> dict[str, Any]:
        if patch != "river":
            raise CommandError(f"no patch '{patch}'", f"aucun jumelage « {patch} »")
        return SHOWN

    def plans(self) -> list[dict[str, Any]]:
        return [PLAN]

    async def test(self, patch: str) -> dict[str, Any]:
        self.asked.append(("test", patch, None, ""))
        return {"id": patch, "ok": patch == "river", "took_ms": 12, "checks": CHECKS}

    async def propose(self, request: object, by: str) -> dict[str, Any]:
        return self._give("propose", "river", request, by)

    async def accept(self, patch: str, request: object, by: str) -> dict[str, Any]:
        return self._give("accept", patch, request, by)

    async def extend(self, patch: str, request: object, by: str) -> dict[str, Any]:
        return self._give("extend", patch, request, by)

    async def activate(self, plan: str, request: object, by: str) -> dict[str, Any]:
        return self._give("activate", plan, request, by)

    async def narrow(self, patch: str, request: object, by: str) -> dict[str, Any]:
        self.asked.append(("narrow", patch, request, by))
        return {**self.show(patch), "durable": True}

    async def withdraw(self, patch: str, by: str) -> dict[str, Any]:
        self.asked.append(("withdraw", patch, None, by))
        return {**self.show(patch), "durable": False}

    def _give(self, verb: str, name: str, request: object, by: str) -> dict[str, Any]:
        self.asked.append((verb, name, request, by))
        if isinstance(request, dict) and request.get("preview"):
            return {"preview": True, **PATCH}
        return SHOWN
