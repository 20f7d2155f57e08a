"""The demonstration's world: two agencies with everything they have, in one folder.

In this process: the air, the handhelds and the donor radios, on a thread of their own. As children:
two MQTT brokers and two gateways, which find of the simulation nothing but serial devices and UDP
ports. `stop` ends everything, in whatever state it is.
"""

import contextlib
import datetime as dt
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from radiobridge.errors import RadioBridgeError
from radiobridge.text import Text
from radiobridge_sim.agencies import Cabling, Side, make_plan, write_gateway, write_plans
from radiobridge_sim.air import Air
from radiobridge_sim.broker import Broker
from radiobridge_sim.cables import Cables, connect
from radiobridge_sim.gateway_process import PRIORITY, GatewayProcess
from radiobridge_sim.gateway_status import linked
from radiobridge_sim.handheld import Handheld, Said
from radiobridge_sim.identities import make_identities
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.network import Network, Route
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.radio import DonorRadio
from radiobridge_sim.repeater import Repeater
from radiobridge_sim.sound import FRAME, RATE, STEP
from radiobridge_sim.ticker import Ticker

QUIET_S = 0.4
"""Nobody has transmitted for this long: the exchange is over."""

STEPS_PER_FRAME = FRAME // STEP

POLL_S = 0.05
READY_S = 30.0
SETTLED_S = 5.0
"""Radios that are not quiet this long after a phrase are left to the checks that follow."""


class WorldError(RadioBridgeError):
    """Something of the simulated world does not work."""


class World:
    """Two sides and everything between them."""

    def __init__(
        self, folder: Path, sides: tuple[Side, Side], *, network: Network | None = None
    ) -> None:
        """Prepare; each gateway reaches each broker by a route of `network`, if there is one."""
        self.folder = folder
        self.sides = sides
        self.zero = time.monotonic()
        """The common time zero of all recordings and logs, CLOCK_MONOTONIC s."""
        self.zero_utc = dt.datetime.now(dt.UTC)
        """The same instant on the wall clock."""
        self.lines = LineLog()
        self.brokers: list[Broker] = []
        self.routes: dict[str, list[Route]] = {}
        """By unit: the ways of its gateway to the brokers, in their order."""
        self._network = network
        self._phases = dict.fromkeys((side.unit for side in sides), 0)
        self._phrases = {name: p.samples() for name, p in load_phrases().items()}
        self._stack = contextlib.ExitStack()
        self._units = {side.unit: _handheld(side) for side in sides}
        self.repeaters = {
            side.unit: Repeater(
                side.repeater_name,
                input_hz=side.input_hz,
                output_hz=side.hz,
                settings=side.repeater,
            )
            for side in sides
            if side.input_hz is not None
        }
        """The repeaters by the unit that talks through each."""
        self._cables: dict[str, Cables] = {}
        self._gateways: dict[str, GatewayProcess] = {}
        self._ended: set[str] = set()
        self.ticker: Ticker | None = None

    # -- start and stop ----------------------------------------------------------------------

    def start(self, doing: Callable[[Text], None]) -> None:
        """Start everything, without any plan; raise WorldError or DriverError."""
        doing(Text("radios on the air", "radios en ondes"))
        self._start_air()
        doing(Text("two MQTT brokers", "deux courtiers MQTT"))
        brokers = self._start_brokers()
        doing(Text("keys of two agencies", "clés de deux agences"))
        make_identities(self.folder, self.sides, dt.datetime.now(dt.UTC))
        doing(Text("two gateways", "deux passerelles"))
        for side in self.sides:
            self._write(side, self._cables[side.unit].cabling, brokers[side.unit])
            self.start_gateway(side)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until both gateways are connected to both brokers."""
        self.wait_until(self._all_up, READY_S, Text("gateways on line", "passerelles en ligne"))

    def stop_gateways(self) -> None:
        """End the gateways, together; SIGKILL for one that does not obey SIGTERM."""
        self._ended.update(self._gateways)
        running = [gateway for gateway in self._gateways.values() if gateway.running]
        for gateway in running:
            gateway.send(signal.SIGTERM)
        for gateway in running:
            gateway.stop()

    def stop(self) -> None:
        """End everything; may be called twice and at any point of `start`."""
        self.stop_gateways()
        self._stack.close()

    def _start_air(self) -> None:
        for side in self.sides:
            cables = connect(side, self.lines, self.zero, self.folder)
            self._cables[side.unit] = cables
            self._stack.callback(cables.close)
        radios = [cables.radio for cables in self._cables.values()]
        # Showing progress must not hold the thread of the air up for 5 ms, which is the default.
        self._stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0005)
        self.ticker = Ticker(
            Air([*radios, *self._units.values(), *self.repeaters.values()]), radios, self.zero
        )
        self.ticker.start()
        self._stack.callback(self.ticker.stop)

    def _start_brokers(self) -> dict[str, list[dict[str, Any]]]:
        """Start one broker in each country; return, for each unit's gateway, how to reach both."""
        passwords = {side.unit: secrets.token_urlsafe(24) for side in self.sides}
        users = {str(side.gateway): passwords[side.unit] for side in self.sides}
        for side in self.sides:
            broker = Broker(self.folder / f"broker-{side.agency}", users)
            broker.start()
            with contextlib.suppress(OSError):
                # On a machine of its own it would not wait for the others either.
                os.setpriority(os.PRIO_PROCESS, broker.pid, PRIORITY)
            self._stack.callback(broker.stop)
            self.brokers.append(broker)
        self._lay_routes()
        for side in self.sides:
            self.home(side).mkdir(mode=0o700, exist_ok=True)
            secret = self.home(side) / "broker.password"
            secret.touch(mode=0o600)
            secret.write_text(passwords[side.unit], encoding="utf-8")
        return {
            side.unit: [
                {
                    "name": str(at.agency),
                    "url": url,
                    "username": str(side.gateway),
                    "password_file": "broker.password",
                }
                for at, url in zip(self.sides, self._urls(side), strict=True)
            ]
            for side in self.sides
        }

    def _lay_routes(self) -> None:
        if self._network is None:
            return
        self._stack.enter_context(self._network)
        for side in self.sides:
            ways = [self._network.route(broker.port) for broker in self.brokers]
            self.routes[side.unit] = ways

    def _urls(self, side: Side) -> list[str]:
        routes = self.routes.get(side.unit)
        return [way.url for way in routes] if routes else [broker.url for broker in self.brokers]

    def _write(self, side: Side, cabling: Cabling, brokers: Sequence[Mapping[str, Any]]) -> None:
        home = self.home(side)
        config = write_gateway(home, side, cabling, brokers)
        write_plans(home / "plans.yaml", {})
        log = self.folder / f"{str(side.gateway).replace('/', '-')}.log"
        self._gateways[side.unit] = GatewayProcess(
            str(side.gateway), config, home / "api.sock", log
        )

    def home(self, side: Side) -> Path:
        """Return the folder of the side's gateway."""
        return self.folder / str(side.agency)

    def start_gateway(self, side: Side, environment: Mapping[str, str] | None = None) -> None:
        """Start a gateway (again), `environment` added to ours; call from the main thread."""
        self._ended.discard(side.unit)
        self._gateways[side.unit].start(environment)

    def _all_up(self) -> bool:
        return all(linked(self.gateway(side).status()) for side in self.sides)

    # -- who is who --------------------------------------------------------------------------

    def other(self, side: Side) -> Side:
        """Return the side across the river."""
        return self.sides[1] if side is self.sides[0] else self.sides[0]

    def unit(self, side: Side) -> Handheld:
        """Return the side's handheld."""
        return self._units[side.unit]

    def radio(self, side: Side) -> DonorRadio:
        """Return the side's donor radio."""
        return self._cables[side.unit].radio

    def cables(self, side: Side) -> Cables:
        """Return what hangs on the side's donor radio."""
        return self._cables[side.unit]

    @property
    def radios(self) -> list[tuple[Side, DonorRadio]]:
        """Return the donor radios that exist so far."""
        cables = self._cables
        return [(side, cables[side.unit].radio) for side in self.sides if side.unit in cables]

    def gateway(self, side: Side) -> GatewayProcess:
        """Return the side's gateway."""
        return self._gateways[side.unit]

    @property
    def logs(self) -> list[Path]:
        """Return the gateways' logs."""
        return [gateway.log for gateway in self._gateways.values()]

    # -- time --------------------------------------------------------------------------------

    @property
    def clock(self) -> Ticker:
        """Return the clock of the air; raise WorldError before `start`."""
        if self.ticker is None:
            raise WorldError("the air does not run", "les ondes ne fonctionnent pas")
        return self.ticker

    def wait_until(self, done: Callable[[], bool], timeout_s: float, what: Text) -> None:
        """Wait until `done`; raise WorldError when it takes too long or something has died."""
        until = time.monotonic() + timeout_s
        while not done():
            self.check()
            if time.monotonic() > until:
                raise WorldError(
                    f"waited {timeout_s:.0f} s in vain: {what.en}\n{self._tails()}",
                    f"attente de {timeout_s:.0f} s en vain : {what.fr}\n{self._tails()}",
                )
            time.sleep(POLL_S)

    def comes_true(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`, no longer than `timeout_s`; tell whether it came."""
        until = time.monotonic() + timeout_s
        while not done():
            self.check()
            if time.monotonic() > until:
                return False
            time.sleep(POLL_S)
        return True

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic() + seconds
        self.comes_true(lambda: time.monotonic() >= end, seconds + 1.0)

    def check(self) -> None:
        """Raise WorldError when a gateway or the air has ended by itself."""
        for name, gateway in self._gateways.items():
            if name not in self._ended and gateway.exit_status is not None:
                raise WorldError(
                    f"gateway {gateway.name} ended with status {gateway.exit_status}; its last "
                    f"lines:\n{gateway.last_lines()}",
                    f"la passerelle {gateway.name} s'est arrêtée (état {gateway.exit_status}); ses "
                    f"dernières lignes :\n{gateway.last_lines()}",
                )
        if self.ticker is not None and self.ticker.failure is not None:
            raise self.ticker.failure

    def _tails(self) -> str:
        return "\n".join(f"{g.name}:\n{g.last_lines(6)}" for g in self._gateways.values())

    # -- what people do ----------------------------------------------------------------------

    def begin(self, side: Side, phrase: str) -> Said:
        """Have a handheld begin a phrase now; do not wait.

        A phrase may begin anywhere in the 20 ms frames of the donor radio that hears it. Each side
        takes the four steps of a frame in turn, so that no delay is a matter of luck.
        """
        phase = self._phases[side.unit] = (self._phases[side.unit] + 1) % STEPS_PER_FRAME
        step = self.clock.soon()
        step += (phase + self.radio(side).settings.grid_steps - step) % STEPS_PER_FRAME
        return self.unit(side).say(phrase, self._phrases[phrase], step=step)

    def say(self, side: Side, phrase: str) -> Said:
        """Have a handheld say a phrase, and wait until the air is quiet again."""
        said = self.begin(side, phrase)
        self.wait_until(
            lambda: self.clock.step * STEP >= said.end,
            (said.end - said.start) / RATE + SETTLED_S,
            Text("the phrase to be said", "que la phrase soit dite"),
        )
        self.settle()
        return said

    def settle(self) -> None:
        """Wait until no radio has transmitted or received for a while."""
        since = time.monotonic()
        until = since + SETTLED_S

        def quiet() -> bool:
            nonlocal since
            now = time.monotonic()
            if any(cables.radio.busy for cables in self._cables.values()):
                since = now
            return now - since >= QUIET_S or now > until

        self.comes_true(quiet, SETTLED_S + 1.0)

    def end_gateway(self, side: Side, number: signal.Signals) -> float:
        """Send a gateway a signal that ends it; return when, in s since the common zero."""
        self._ended.add(side.unit)
        at = self.clock.now()
        self.gateway(side).send(number)
        return at

    # -- plans -------------------------------------------------------------------------------

    def plan(self) -> dict[str, Any]:
        """Return a plan that joins both sides, hosted by the first."""
        return make_plan(self.sides, self.sides[0].agency, dt.datetime.now(dt.UTC))

    def set_plans(self, side: Side, plans: Mapping[str, Mapping[str, Any]]) -> None:
        """Edit the side's plans, and have its gateway read them (SIGHUP)."""
        write_plans(self.home(side) / "plans.yaml", plans)
        self.gateway(side).send(signal.SIGHUP)


def _handheld(side: Side) -> Handheld:
    through = side.input_hz is not None
    return Handheld(
        side.unit,
        hz=side.hz,
        tx_hz=side.input_hz,
        ctcss_hz=side.repeater.input_ctcss_hz if through else None,
    )
