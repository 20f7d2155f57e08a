"""The steps that dispatchers play by commands: propose, accept, narrow, alarm, withdraw."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from radiobridge.drivers.store.key_files import read_gateway_keys
from radiobridge.model.ids import PatchId, TalkgroupId
from radiobridge.text import Text
from radiobridge_sim import api_client
from radiobridge_sim.agencies import Side
from radiobridge_sim.dispatcher import Dispatcher
from radiobridge_sim.eavesdropper import Eavesdropper, given_keys, opened
from radiobridge_sim.gateway_status import patch_in_force, patch_why
from radiobridge_sim.world import World

AGREE_S = 15.0
"""Longest wait for a consent to take effect."""

PURPOSE = "Two agencies, one river: demonstration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What came of a consent that was withdrawn in mid-sentence, with every link cut."""

    keyed: bool
    """The radio transmitted the other side's voice when the word was given."""
    ptt_off_ms: float | None
    """From the word to PTT off; None when it stayed on."""
    answered_ms: float
    again: bool
    """PTT came on again."""


class Desk:
    """The dispatchers of both sides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ears: Eavesdropper | None = None
        self._withdrawn_at = 0.0

    def dispatcher(self, side: Side) -> Dispatcher:
        """Return who gives commands to a side's gateway."""
        return Dispatcher(self.world.gateway(side).socket)

    # -- agreements --------------------------------------------------------------------------

    def propose(self, side: Side, patch: PatchId, *, hours: int = 1) -> None:
        """Propose to join both sides."""
        members = [
            word
            for one in self.world.sides
            for word in ("--member", f"{_talkgroup(one)}:both,emergency,clear")
        ]
        command = ("patch", "propose", patch, "--purpose", PURPOSE, *members)
        self.dispatcher(side).run(*command, "--for", f"{hours}h", "--yes")

    def accept(self, side: Side, patch: PatchId) -> bool:
        """Accept what the other side proposes; tell whether it came into force on both."""
        self.dispatcher(side).run("patch", "accept", patch, "--yes")
        return self.in_force(patch)

    def agree(self, patch: PatchId, *, hours: int = 1) -> bool:
        """Propose on one side, accept on the other."""
        first, second = self.world.sides
        self.propose(first, patch, hours=hours)
        self.waiting(second, patch)
        return self.accept(second, patch)

    def waiting(self, side: Side, patch: PatchId) -> Text | None:
        """Return why the patch is not in force, once the gateway knows of it."""
        self.world.comes_true(lambda: self.why(side, patch) is not None, AGREE_S)
        return self.why(side, patch)

    def why(self, side: Side, patch: PatchId) -> Text | None:
        """Return what a gateway says about a patch."""
        return patch_why(self._status(side), patch)

    def in_force(self, patch: PatchId) -> bool:
        """Wait until the patch is in force on both sides; tell whether it is."""
        return self.world.comes_true(
            lambda: all(patch_in_force(self._status(side), patch) for side in self.world.sides),
            AGREE_S,
        )

    def over(self, patch: PatchId) -> bool:
        """Wait until the patch is in force on neither side; tell whether it is."""
        return self.world.comes_true(
            lambda: not any(patch_in_force(self._status(side), patch) for side in self.world.sides),
            AGREE_S,
        )

    def withdraw(self, side: Side, patch: PatchId) -> None:
        """Withdraw over the API itself: a command takes half a second to start."""
        api_client.post(self.world.gateway(side).socket, f"/v1/patches/{patch}/withdraw")

    def listen_only(self, side: Side, patch: PatchId) -> bool:
        """Narrow the side's own talkgroup to listening; tell whether both gateways know."""
        self.dispatcher(side).run("patch", "narrow", patch, "--limit", f"{_talkgroup(side)}:listen")
        return self.world.comes_true(
            lambda: all(
                _access(self._status(one), patch, _talkgroup(side)) == "listen"
                for one in self.world.sides
            ),
            AGREE_S,
        )

    # -- alarms ------------------------------------------------------------------------------

    def raise_alarm(self, side: Side) -> str:
        """Raise an alarm for the side's talkgroup; return its id."""
        shown = self.dispatcher(side).run("emergency", "raise", side.talkgroup)
        return str(shown["id"])

    def alarm_shown(self, alarm: str, *, stage: str) -> bool:
        """Wait until both gateways show the alarm at that stage; tell whether they do."""
        return self.world.comes_true(
            lambda: all(_alarm_stage(self._status(s), alarm) == stage for s in self.world.sides),
            AGREE_S,
        )

    def acknowledge(self, side: Side, alarm: str) -> None:
        """Acknowledge an alarm."""
        self.dispatcher(side).run("emergency", "ack", alarm)

    def clear(self, side: Side, alarm: str) -> None:
        """Clear an alarm that was true."""
        self.dispatcher(side).run("emergency", "clear", alarm, "--valid", "--reason", "over")

    # -- withdrawing with every link cut -----------------------------------------------------

    def withdraw_cut_off(self, side: Side, patch: PatchId) -> Withdrawal:
        """Cut both brokers and withdraw, while the side's radio transmits the other's voice."""
        radio = self.world.radio(side)
        for broker in self.world.brokers:
            broker.pause()
        try:
            keyed = radio.busy
            at = self.world.clock.now()
            since = time.monotonic()
            self.withdraw(side, patch)
            answered_ms = 1000.0 * (time.monotonic() - since)
            self._withdrawn_at = since
            self.world.pause(1.0)
        finally:
            for broker in self.world.brokers:
                broker.resume()
        events = [e for e in self.world.lines.events(side.donor, "PTT") if e.t >= at]
        off = next((e.t for e in events if not e.value), None)
        return Withdrawal(
            keyed=keyed,
            ptt_off_ms=None if off is None else 1000.0 * (off - at),
            answered_ms=answered_ms,
            again=any(e.value for e in events),
        )

    # -- who stored everything ---------------------------------------------------------------

    def eavesdrop(self, side: Side) -> None:
        """Have a partner store everything that its broker carries, from now on."""
        broker = self.world.brokers[self.world.sides.index(side)]
        password = (self.world.home(side) / "broker.password").read_text(encoding="utf-8")
        self._ears = Eavesdropper(broker.url, str(side.gateway), password)
        self._ears.start()

    def opened_by(self, side: Side, of: Side) -> tuple[Sequence[bool], Sequence[bool]]:
        """Return which of the voice packets of `of` that partner can open with all it stored.

        First those said before it withdrew or lost its right, then those said afterwards.
        """
        if self._ears is None:
            return (), ()
        keys = read_gateway_keys(self.world.home(side) / f"{side.gateway.name}.keys")
        talkgroup = TalkgroupId(of.agency, of.talkgroup)
        heard = list(self._ears.heard)
        grants = given_keys([m for m in heard if m.at < self._withdrawn_at], keys, talkgroup)
        before = [m for m in heard if m.at < self._withdrawn_at]
        after = [m for m in heard if m.at >= self._withdrawn_at]
        return opened(before, talkgroup, grants), opened(after, talkgroup, grants)

    def close(self) -> None:
        """Stop storing."""
        if self._ears is not None:
            self._ears.stop()
            self._ears = None

    def _status(self, side: Side) -> dict[str, Any] | None:
        return self.world.gateway(side).status()


def _talkgroup(side: Side) -> str:
    return f"{side.agency}/{side.talkgroup}"


def _access(status: dict[str, Any] | None, patch: PatchId, talkgroup: str) -> str | None:
    for one in (status or {}).get("patches", ()):
        for member in one.get("members", ()) if one.get("id") == patch else ():
            if member.get("talkgroup") == talkgroup:
                return str(member.get("access"))
    return None


def _alarm_stage(status: dict[str, Any] | None, alarm: str) -> str | None:
    for one in (status or {}).get("alarms", ()):
        if one.get("id") == alarm:
            return str(one.get("stage"))
    return None
