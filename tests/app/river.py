"""Two gateways as processes, two brokers, four donor radios on the air: the world of these tests.

`ca.opp/windsor` transmits TAC1 by three radios, one for each way of keying: `tac1` (CCDI on a pty),
`north` (lines over RFC 2217) and `south` (USRP). It receives by `tac1` alone. One phrase from the
other bank keys all three, so one signal to a gateway is measured on all. `us.cbp/detroit` has one
USRP radio. The first broker speaks TLS, the second does not; both want passwords and have ACLs.

The world is shared between tests. `ready` brings it back to where every test begins; `check_lines`
holds everything since the last check against what was said: no transmitter was ever keyed unasked.
"""

import contextlib
import copy
import datetime as dt
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from radiobridge.model.ids import PatchId
from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP, RADIO, Cabling, Side, make_plan
from radiobridge_sim.air import Air
from radiobridge_sim.broker import Broker
from radiobridge_sim.certificates import Authority
from radiobridge_sim.gateway_status import linked, patch_in_force, patch_why
from radiobridge_sim.handheld import Handheld, Said
from radiobridge_sim.line_log import LineEvent
from radiobridge_sim.measure import PhraseMeasure, measure_phrase
from radiobridge_sim.radio import DonorRadio
from radiobridge_sim.sound import RATE
from radiobridge_sim.ticker import Ticker
from radiobridge_sim.world import World
from tests.app import observer
from tests.app.plugs import Plug, plug

NORTH = replace(OPP, unit="north-1", hz=154_452_500, interface="lines")
SOUTH = replace(OPP, unit="south-1", hz=158_737_500, interface="usrp")
TAC1 = (OPP, NORTH, SOUTH)
"""The sides of the three radios that transmit TAC1."""

RADIOS = {OPP: RADIO, NORTH: "north", SOUTH: "south"}
"""What the gateway calls them."""

AFTER_S = 1.5
"""A transmission ends that long after the phrase: hang, tail, and `hold` when the end is lost."""

LIMIT_S = 30.0
"""How long anything real may take before it has failed."""

FOUND = 0.75
"""Share of the windows of a phrase that are found again."""

FAULTS_MS = 200.0
"""What may be missing at one place."""

AGAIN_S = 4.0
"""From one beginning of a phrase to the next."""

LONG = "long-en"
"""Nine seconds."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Why a transmitter may be keyed: somebody on the other bank talks, times in s."""

    by: Side
    since: float
    until: float


class River(World):
    """The world; see the top of the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, (OPP, CBP))
        self.plugs: dict[Side, Plug] = {}
        self.passwords = {str(side.gateway): secrets.token_urlsafe(24) for side in self.sides}
        self.patch = PatchId("river-0")
        self._patches = 0
        self._plan = make_plan(self.sides, OPP.agency, dt.datetime.now(dt.UTC))
        self._edited: set[Side] = set()
        self._asked: list[Asked] = []
        self._checked_until = 0.0
        for side in (NORTH, SOUTH):
            self._units[side.unit] = Handheld(side.unit, hz=side.hz)
            self._phases[side.unit] = 0

    # -- start -------------------------------------------------------------------------------

    def _start_air(self) -> None:
        for side in (*TAC1, CBP):
            self.plugs[side] = plug(side, self.folder, self.lines, self.zero)
            self._cables[side.unit] = self.plugs[side].cables
            self._stack.callback(self.plugs[side].cables.close)
        self._stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0005)
        radios = [cables.radio for cables in self._cables.values()]
        self.ticker = Ticker(Air([*radios, *self._units.values()]), radios, self.zero)
        self.ticker.start()
        self._stack.callback(self.ticker.stop)

    def _start_brokers(self) -> dict[str, list[dict[str, Any]]]:
        authority = Authority(self.folder / "authority")
        users = {**self.passwords, observer.USER: observer.PASSWORD}
        for side, signed_by in ((OPP, authority), (CBP, None)):
            broker = Broker(self.folder / f"broker-{side.agency}", users, authority=signed_by)
            broker.start()
            self._stack.callback(broker.stop)
            self.brokers.append(broker)
        for side in self.sides:
            self.home(side).mkdir(mode=0o700, exist_ok=True)
            secret = self.home(side) / "broker.password"
            secret.touch(mode=0o600)
            secret.write_text(self.passwords[str(side.gateway)], encoding="utf-8")
        return {side.unit: self._links(side, authority) for side in self.sides}

    def _links(self, side: Side, authority: Authority) -> list[dict[str, Any]]:
        login = {"username": str(side.gateway), "password_file": "broker.password"}
        tls = {"url": self.brokers[0].tls_url, "tls": {"ca": str(authority.certificate)}}
        return [
            {"name": str(OPP.agency), **tls, **login},
            {"name": str(CBP.agency), "url": self.brokers[1].url, **login},
        ]

    def _write(self, side: Side, cabling: Cabling, brokers: Sequence[Mapping[str, Any]]) -> None:
        super()._write(side, cabling, brokers)
        config = self.config(side)
        config["log"]["level"] = "debug"
        config["heads"] = {"every": "2s"}
        if side is OPP:
            talkgroups = yaml.safe_load((self.home(side) / "talkgroups.yaml").read_text())
            transmit = talkgroups["talkgroups"][OPP.talkgroup]["transmit"]
            for other in (NORTH, SOUTH):
                cabling = self.plugs[other].cables.cabling
                radio = {"talkgroup": OPP.talkgroup, "interface": dict(cabling.interface)}
                if cabling.audio is not None:
                    radio["audio"] = dict(cabling.audio)
                config["radios"][RADIOS[other]] = radio
                transmit[RADIOS[other]] = f"{OPP.gateway.name}/{RADIOS[other]}"
            write_yaml(self.home(side) / "talkgroups.yaml", talkgroups)
        write_yaml(self.gateway(side).config, config)

    # -- where every test begins -------------------------------------------------------------

    def ready(self) -> None:
        """Bring everything back: all runs, is connected, usable and quiet, a patch in force."""
        for broker in self.brokers:
            broker.start()
        for one in self.plugs.values():
            one.plug_in()
        for side in self.sides:
            self.gateway(side).send(signal.SIGCONT)
            if not self.gateway(side).running:
                self.start_gateway(side)
        for side in list(self._edited):
            self.reread(side, "configuration-reread")
        self._edited.clear()
        self.wait_until(self._all_ready, LIMIT_S, Text("all ready", "tout prêt"))
        if all(str(self.patch) in plans(self.home(side)) for side in self.sides):
            self.wait_in_force(or_withdrawn=True)
        if not self.in_force(self.patch):
            self.agree()

    def _all_ready(self) -> bool:
        status = [self.gateway(side).status() for side in self.sides]
        return all(linked(one) and _usable(one) and _partner_online(one) for one in status)

    def agree(self, **changes: Any) -> PatchId:
        """Have both sides take a plan of a new id, and wait until it is in force."""
        patch, plan = self.new_patch(), self.plan() | changes
        for side in self.sides:
            self.set_plans(side, {patch: plan})
        self.patch = patch
        self.wait_in_force()
        return patch

    def wait_in_force(self, *, or_withdrawn: bool = False) -> None:
        """Wait until both gateways say that the patch is in force (or that it never will be)."""
        in_force = Text("the patch to be in force", "jumelage en vigueur")
        self.wait_until(
            lambda: self.in_force(self.patch) or (or_withdrawn and self._withdrawn()),
            LIMIT_S,
            in_force,
        )

    def _withdrawn(self) -> bool:
        """Tell whether a gateway says that the patch was withdrawn, by command for instance."""
        told = [patch_why(self.gateway(side).status(), self.patch) for side in self.sides]
        return any(why is not None and why.en.startswith("withdrawn") for why in told)

    def new_patch(self) -> PatchId:
        """Return an id that was never used: a patch that was withdrawn is never resumed."""
        self._patches += 1
        return PatchId(f"river-{self._patches}")

    def in_force(self, patch: PatchId) -> bool:
        """Tell whether both gateways say that a patch is in force."""
        return all(patch_in_force(self.gateway(side).status(), patch) for side in self.sides)

    # -- files -------------------------------------------------------------------------------

    def config(self, side: Side) -> Json:
        """Return the gateway's file."""
        loaded: Json = yaml.safe_load(self.gateway(side).config.read_text())
        return loaded

    def plan(self) -> Json:
        """Return the plan that both sides have, always the same."""
        return copy.deepcopy(self._plan)

    @contextlib.contextmanager
    def edited(self, side: Side, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """Change one of an agency's files meanwhile. `reread` tells the gateway; so does `ready`.

        Fails when that changes nothing: the test would show nothing.
        """
        path = self.home(side) / name
        before = path.read_text()
        after = change(before)
        assert after != before, f"{path} is as it was"
        path.write_text(after)
        self._edited.add(side)
        try:
            yield
        finally:
            path.write_text(before)

    def reread(self, side: Side, event: str) -> str:
        """Have a gateway read its files again; return the log line that tells what came of it."""
        seen = len(self.events(side, event))
        self.signal(side, signal.SIGHUP)
        return self.wait_event(side, event, beyond=seen)

    # -- what is said ------------------------------------------------------------------------

    def talk(self, side: Side, phrase: str = LONG, *, after_s: float = AFTER_S) -> Said:
        """Have a handheld begin to speak; transmitters across may be keyed for that.

        Nobody says the same twice within 3 s, to the sample: a gateway takes that for a loop.
        """
        before = [asked.since for asked in self._asked if asked.by is side]
        self.pause(max(0.0, max(before, default=-AGAIN_S) + AGAIN_S - self.clock.now()))
        said = self.begin(side, phrase)
        until = said.end / RATE + after_s
        self._asked.append(Asked(by=side, since=said.start / RATE, until=until))
        return said

    def expect(self, seconds: float) -> None:
        """Let every transmitter be keyed for a while: the gateways have something to say."""
        now = self.clock.now()
        for side in self.sides:
            self._asked.append(Asked(by=side, since=now, until=now + seconds))

    def hush(self, side: Side, *, after_s: float = AFTER_S) -> None:
        """Have a handheld fall silent."""
        self.unit(side).hush()
        last = next(i for i, a in reversed(list(enumerate(self._asked))) if a.by is side)
        until = min(self._asked[last].until, self.clock.now() + after_s)
        self._asked[last] = replace(self._asked[last], until=until)

    def all_hush(self) -> None:
        """Have all handhelds fall silent, whatever a test left them saying."""
        for unit in self._units.values():
            unit.hush()

    def wait_said(self, said: Said) -> None:
        """Wait until a phrase is over and all is quiet."""
        end = said.end / RATE
        over = Text("the phrase to be over", "fin de la phrase")
        self.wait_until(lambda: self.clock.now() > end, LIMIT_S, over)
        self.settle()

    def chirp(self, side: Side) -> None:
        """Have a handheld talk for a moment: all transmitters across are keyed, once."""
        across = (CBP,) if side is OPP else TAC1
        at = self.clock.now()
        self.talk(side)
        self.wait_keyed(*across)
        self.hush(side)
        self.settle()
        for one in across:
            assert [event.value for event in self.ptt(one, at)] == [1, 0]

    def heard(self, said: Said, mouth: Side, ear: Side) -> PhraseMeasure:
        """Assert that what was said was heard, from its beginning to its end.

        The demonstration and its tests look at every frame. Here other processes start and end
        meanwhile, and a frame or two that come late on a busy machine prove nothing.
        """
        samples = self.unit(mouth).said.samples(), self.unit(ear).heard.samples()
        measured = measure_phrase(*samples, said.start, said.end)
        faults = max(measured.missing_ms, measured.clipped_start_ms, measured.clipped_end_ms)
        assert measured.found >= FOUND, replace(measured, matches=())
        assert faults <= FAULTS_MS, replace(measured, matches=())
        return measured

    # -- what the lines did ------------------------------------------------------------------

    def radio_of(self, side: Side) -> DonorRadio:
        """Return the donor radio of a side, also of those that are no agency of their own."""
        return self.plugs[side].radio

    def ptt(self, side: Side, since: float = 0.0) -> list[LineEvent]:
        """Return the changes of a radio's PTT since then."""
        return [event for event in self.lines.events(side.donor, "PTT") if event.t >= since]

    def keyed(self, side: Side) -> bool:
        """Tell whether a radio's PTT is on."""
        events = self.ptt(side)
        return bool(events) and bool(events[-1].value)

    def wait_keyed(self, *sides: Side) -> None:
        """Wait until the PTT of these radios is on."""
        on = Text("PTT on", "PTT actif")
        self.wait_until(lambda: all(self.keyed(side) for side in sides), LIMIT_S, on)

    def wait_unkeyed(self, *sides: Side) -> None:
        """Wait until the PTT of these radios is off."""
        off = Text("PTT off", "PTT coupé")
        self.wait_until(lambda: not any(self.keyed(side) for side in sides), LIMIT_S, off)

    def unkeyed_ms(self, side: Side, at: float) -> float:
        """Return how long after `at` a radio that was keyed then was unkeyed."""
        before = [event for event in self.ptt(side) if event.t <= at]
        assert before, f"{side.donor} was never keyed"
        assert before[-1].value, f"{side.donor} was not keyed any more"
        self.wait_unkeyed(side)
        return 1000.0 * (self.ptt(side, at)[0].t - at)

    def check_held(self, side: Side, since: float, said: Said) -> None:
        """Assert that a radio that was keyed at `since` was so to the end of what was said."""
        changes = [
            (event.value, round(event.t - said.end / RATE, 3), event.cause)
            for event in self.ptt(side, since)
        ]
        assert [value for value, _, _ in changes] == [0], (side.donor, changes)
        assert changes[0][1] >= 0.0, (side.donor, changes)

    def check_lines(self) -> None:
        """Assert that since the last check no transmitter was keyed but for what was said."""
        now = self.clock.now()
        unasked = [
            (side.donor, interval)
            for side in (*TAC1, CBP)
            for interval in self.lines.intervals(side.donor, "PTT", now)
            if interval[1] > self._checked_until and not self._was_asked(side, interval)
        ]
        self._checked_until = now
        assert not unasked, f"keyed unasked: {unasked}; asked: {self._asked[-4:]}"
        assert not any(self.keyed(side) for side in (*TAC1, CBP)), "still keyed"

    def _was_asked(self, side: Side, interval: tuple[float, float]) -> bool:
        on, off = interval
        across = OPP if side is CBP else CBP
        return any(a.by is across and a.since <= on and off <= a.until for a in self._asked)

    # -- processes ---------------------------------------------------------------------------

    def signal(self, side: Side, number: signal.Signals) -> float:
        """Send a gateway a signal, one that ends it for instance; return when."""
        if number in (signal.SIGKILL, signal.SIGTERM):
            return self.end_gateway(side, number)
        at = self.clock.now()
        self.gateway(side).send(number)
        return at

    def events(self, side: Side, name: str | None = None) -> list[str]:
        """Return the lines of a gateway's log, all or those of one event."""
        lines = self.gateway(side).log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if name is None or f'"event": "{name}"' in line]

    def wait_event(self, side: Side, name: str, *, beyond: int = 0) -> str:
        """Wait for a log line of that event beyond the first few; return it."""
        logged = Text(f"'{name}' in the log", f"« {name} » au journal")
        self.wait_until(lambda: len(self.events(side, name)) > beyond, LIMIT_S, logged)
        return self.events(side, name)[-1]

    def radio_status(self, side: Side) -> Json:
        """Return what the gateway says of one of the TAC1 radios, or of CBP's."""
        gateway = OPP if side in TAC1 else CBP
        status = self.gateway(gateway).status()
        assert status is not None, f"{gateway.gateway} does not answer"
        name = RADIOS.get(side, RADIO)
        found: Json = next(radio for radio in status["radios"] if radio["name"] == name)
        return copy.deepcopy(found)


def plans(home: Path) -> Json:
    """Return the plans that an agency has."""
    loaded: Json = yaml.safe_load((home / "plans.yaml").read_text())["plans"]
    return loaded


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a configuration file."""
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def _usable(status: Mapping[str, Any] | None) -> bool:
    radios = (status or {}).get("radios") or []
    return bool(radios) and all(
        radio["interface"] == radio["audio"] == "up" and not radio["inhibited"] for radio in radios
    )


def _partner_online(status: Mapping[str, Any] | None) -> bool:
    partners = (status or {}).get("partners") or []
    return any(partner["online"] for partner in partners)
