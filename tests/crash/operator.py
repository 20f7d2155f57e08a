"""Somebody who has his hands on a gateway all the time, and keeps account of what it has promised.

What the gateway answered with success (and as durable) must be so after any restart. An answer that
did not come before the gateway died leaves both open.
"""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radiobridge.cli.client import call
from radiobridge.errors import CommandError

Json = dict[str, Any]

AGAIN_S = 20.0
"""A word that is owed is said about a second after the start."""

KEPT = 12
"""Patches looked up again after each restart: the newest ones."""


@dataclass
class Account:
    """What a gateway has promised."""

    inhibited: bool | None = False
    """None: asked for, and not answered."""
    accepted: dict[str, None] = field(default_factory=dict)
    withdrawn: dict[str, None] = field(default_factory=dict)
    promises: int = 0
    checks: int = 0


class Operator:
    """Works on gateway `at`; agrees on patches with its partner `across`."""

    def __init__(
        self, at: Path, across: Path, *, agency: str, members: tuple[str, str], draw: random.Random
    ) -> None:
        """`at`, `across`: the sockets; `members`: talkgroups of both that nothing else joins."""
        self.account = Account()
        self._at, self._across = at, across
        self._agency = agency
        self._members = members
        self._draw = draw
        self._radio = ""
        self._patches = 0
        self._patch: str | None = None
        """The patch of these two, not withdrawn as far as is known."""

    def inhibits(self, radio: str) -> None:
        """Say which radio this one takes off the air and puts on again."""
        self._radio = radio

    def act(self) -> None:
        """Do one thing. Raises CommandError when the gateway does not answer."""
        self._draw.choice((self._inhibit, self._change_patch, self._change_patch))()

    def _inhibit(self) -> None:
        wanted = not self.account.inhibited
        self.account.inhibited = None
        verb = "inhibit" if wanted else "allow"
        answer = call(self._at, "POST", f"/v1/radios/{self._radio}/{verb}")
        if answer.get("durable", True):
            self.account.inhibited = wanted
            self.account.promises += 1

    def _change_patch(self) -> None:
        if self._patch is None:
            self._draw.choice((self._propose, self._accept))()
        else:
            self._draw.choice((self._join, self._withdraw))()

    def _propose(self) -> None:
        """We propose, which is our own acceptance."""
        self._patch = name = self._new()
        call(self._at, "POST", "/v1/patches", self._terms(name))
        self._promised(self.account.accepted, name)

    def _accept(self) -> None:
        """The partner proposes; we accept once we know of it."""
        self._patch = name = self._new()
        call(self._across, "POST", "/v1/patches", self._terms(name))
        self._known(self._at, name)
        call(self._at, "POST", f"/v1/patches/{name}/accept", {})
        self._promised(self.account.accepted, name)

    def _join(self) -> None:
        """The partner accepts what we have proposed, if it knows of it."""
        try:
            call(self._across, "POST", f"/v1/patches/{self._patch}/accept", {})
        except CommandError:
            call(self._at, "GET", "/v1/patches")

    def _withdraw(self) -> None:
        name, self._patch = str(self._patch), None
        # Neither is certain until it is answered.
        self.account.accepted.pop(name, None)
        try:
            answer = call(self._at, "POST", f"/v1/patches/{name}/withdraw", {})
        except CommandError:
            # Never accepted, if the gateway died in the middle of it: or it is gone again.
            call(self._at, "GET", "/v1/patches")
            return
        if answer["durable"]:
            self._promised(self.account.withdrawn, name)

    def _promised(self, to: dict[str, None], name: str) -> None:
        to[name] = None
        self.account.promises += 1
        while len(to) > KEPT:
            del to[next(iter(to))]

    def _known(self, where: Path, name: str) -> None:
        while name not in [one["id"] for one in call(where, "GET", "/v1/patches")]:
            pass

    def _new(self) -> str:
        self._patches += 1
        return f"crash-{self._patches}"

    def _terms(self, name: str) -> Json:
        members = [{"talkgroup": one} for one in self._members]
        return {"patch": name, "purpose": "Poursuite", "for_ms": 3_600_000, "members": members}

    # -- after a restart ---------------------------------------------------------------------

    def check(self, status: Json) -> None:
        """Hold a gateway that has just answered against what it promised before."""
        account = self.account
        radio = next(one for one in status["radios"] if one["name"] == self._radio)
        if account.inhibited is None:
            account.inhibited = radio["inhibited"]
        assert radio["inhibited"] is account.inhibited, "an inhibit came or went with a restart"
        for name in account.withdrawn:
            assert self._said(name) == ["withdraw"], (name, "a withdrawal is lost")
        for name in account.accepted:
            assert self._said_in_time(name) == ["accept"], (name, "an acceptance is lost")
        account.checks += 1

    def _said(self, name: str) -> list[str]:
        """Return our agency's word on a patch, as the gateway has it."""
        words = call(self._at, "GET", f"/v1/patches/{name}")["words"]
        return [one["verb"] for one in words if one["gateway"].startswith(self._agency)]

    def _said_in_time(self, name: str) -> list[str]:
        """Return it once it is there: terms that were accepted stand, and their word is said again
        after the gateway has asked the brokers what it said before, if it could not be stored."""
        until = time.monotonic() + AGAIN_S
        while not (said := self._said(name)) and time.monotonic() < until:
            time.sleep(0.02)
        return said
