"""SIGHUP takes all of a new configuration or none of it; whole processes are in tests/app."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from radiobridge import assembly, serving
from radiobridge.app import Running
from radiobridge.config.identity import trusted_agencies
from radiobridge.config.load import LoadedGateway
from radiobridge.drivers.store.key_files import read_agency_key
from radiobridge.errors import ConfigError, DriverError, RadioBridgeError
from radiobridge.keyer.client import KeyerClient
from radiobridge.model.ids import AgencyId
from radiobridge.services.agreements import Agreements
from radiobridge.services.directory import Directory
from radiobridge.wire.roster import sign_roster
from tests.config.home import Home, make_home
from tests.wire.people import entry, roster

REFUSED = ConfigError("line 3: no", "ligne 3 : non")


@dataclass
class FakeAuditor:
    """Writes down what a re-read came to."""

    told: list[dict[str, Any]] = field(default_factory=list)

    def configuration(self, **detail: Any) -> None:
        self.told.append(detail)


class FakeRunning:
    """Stands for a started gateway. Those that start are in `world`, in order."""

    def __init__(self, loaded: LoadedGateway, world: "World") -> None:
        self.loaded = loaded
        self.auditor = FakeAuditor()
        self.stopped = False
        self.misled = asyncio.Event()
        self.replaced: list[LoadedGateway] = []
        self._world = world

    async def stop(self) -> None:
        self._world.log.append("stop")
        self.stopped = True

        if self._world.stopping is not None:
            raise self._world.stopping

    async def prepare(self, loaded: LoadedGateway) -> LoadedGateway:
        if self._world.replacing is not None:
            raise self._world.replacing
        return loaded

    def take(self, loaded: LoadedGateway) -> None:
        self.loaded = loaded
        if self._world.taking is not None:
            raise self._world.taking
        self.replaced.append(loaded)


@dataclass
class World:
    """What the file says next, and what starting comes to."""

    loads: Callable[[], LoadedGateway]
    replacing: Exception | None = None
    taking: Exception | None = None
    stopping: Exception | None = None
    failures: list[Exception] = field(default_factory=list)
    """What the next starts raise."""
    log: list[str] = field(default_factory=list)
    starting: "asyncio.Queue[FakeRunning]" = field(default_factory=asyncio.Queue)

    async def start(self, loaded: LoadedGateway) -> FakeRunning:
        self.log.append("start")
        if self.failures:
            raise self.failures.pop(0)
        made = FakeRunning(loaded, self)
        self.starting.put_nowait(made)
        return made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def world(home: Home, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(home.load)
    monkeypatch.setattr(serving, "load_gateway", lambda _path: made.loads())
    monkeypatch.setattr(Running, "start", made.start)
    return made


async def reread(running: FakeRunning) -> FakeRunning:
    given: Any = running
    answer: Any = await serving.Service(Path("windsor.yaml")).reread(given)
    assert isinstance(answer, FakeRunning)
    return answer


def refuse(error: Exception) -> Callable[[], LoadedGateway]:
    def load() -> LoadedGateway:
        raise error

    return load


@pytest.mark.parametrize(
    "error", [REFUSED, PermissionError("roster.jws"), ZeroDivisionError("a fault of ours")]
)
async def test_a_file_that_is_refused_changes_nothing(
    home: Home, world: World, error: Exception
) -> None:
    running = FakeRunning(home.load(), world)
    world.loads = refuse(error)
    assert await reread(running) is running
    assert world.log == []
    assert running.replaced == []
    assert str(error) in running.auditor.told[0]["error"]


async def test_other_plans_are_taken_while_voice_goes_on(home: Home, world: World) -> None:
    running = FakeRunning(home.load(), world)
    home.edit("plans.yaml", "Pursuit across the bridge", "Pursuit")
    assert await reread(running) is running
    assert world.log == []
    assert running.loaded.plans[0].purpose == "Pursuit"
    assert running.auditor.told == [{}]


@pytest.mark.parametrize(
    "error", [REFUSED, FileNotFoundError("roster.jws"), RecursionError("a fault of ours")]
)
async def test_a_roster_that_is_refused_changes_nothing(
    home: Home, world: World, error: Exception
) -> None:
    before = home.load()
    running = FakeRunning(before, world)
    world.replacing = error
    home.edit("plans.yaml", "Pursuit across the bridge", "Pursuit")
    assert await reread(running) is running
    assert running.loaded is before
    assert world.log == []


async def test_what_fails_half_taken_starts_the_old_one_in_full(home: Home, world: World) -> None:
    old = home.load()
    running = FakeRunning(old, world)
    world.taking = KeyError("a fault of ours")
    home.edit("plans.yaml", "Pursuit across the bridge", "Pursuit")
    back = await reread(running)
    assert world.log == ["stop", "start"]
    assert back.loaded is old
    assert back.auditor.told == [{"error": "'a fault of ours'", "restarted": True}]


async def test_a_stop_that_fails_does_not_keep_the_new_one_from_starting(
    home: Home, world: World
) -> None:
    running = FakeRunning(home.load(), world)
    world.stopping = RuntimeError("a device does not close")
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    fresh = await reread(running)
    assert world.log == ["stop", "start"]
    assert fresh.auditor.told == [{"restarted": True}]


async def test_other_radios_start_the_gateway_anew(home: Home, world: World) -> None:
    running = FakeRunning(home.load(), world)
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    fresh = await reread(running)
    assert fresh is not running
    assert world.log == ["stop", "start"]
    assert fresh.loaded.config.radios["tac1"].transmit.lead_in == pytest.approx(0.2)
    assert fresh.auditor.told == [{"restarted": True}]


@pytest.mark.parametrize(
    "error",
    [DriverError("no device", "pas d'appareil"), OSError("in use"), AttributeError("a plug-in")],
)
async def test_a_start_that_fails_goes_back_to_the_old(
    home: Home, world: World, error: Exception
) -> None:
    old = home.load()
    running = FakeRunning(old, world)
    world.failures = [error]
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    back = await reread(running)
    assert world.log == ["stop", "start", "start"]
    assert back.loaded is old
    assert back.auditor.told == [{"error": str(error), "restarted": True}]


async def test_a_gateway_that_began_when_the_clock_was_ahead_starts_anew(
    home: Home, world: World
) -> None:
    serves = asyncio.create_task(serving.Service(Path("windsor.yaml")).serve(home.load()))
    first = await world.starting.get()
    first.misled.set()
    second = await world.starting.get()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await serves == 0
    assert world.log == ["start", "stop", "start", "stop"]
    assert second.loaded is first.loaded


async def test_the_old_one_is_given_time_to_start_again(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_OLD_AGAIN_S", 0.0)
    running = FakeRunning(home.load(), world)
    world.failures = [DriverError("new", "neuf"), OSError("busy"), ValueError("busy")]
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    back = await reread(running)
    assert back.auditor.told == [{"error": "new", "restarted": True}]


async def test_when_the_old_one_does_not_start_again_either_the_gateway_ends(
    home: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_OLD_AGAIN_S", 0.0)
    running = FakeRunning(home.load(), world)
    world.failures = [DriverError("new", "neuf"), *[DriverError("old", "vieux")] * 3]
    home.edit("windsor.yaml", "lead_in: 120ms", "lead_in: 200ms")
    with pytest.raises(DriverError, match="old"):
        await reread(running)
    assert running.stopped


# --- what `Running` itself takes ------------------------------------------------------------------


@dataclass
class FakeControl:
    """Writes down what it is given."""

    given: list[tuple[Agreements, bytes]] = field(default_factory=list)

    def replace(self, agreements: Agreements, roster: bytes) -> None:
        self.given.append((agreements, roster))


@dataclass
class Started:
    """A gateway as far as a re-read without a restart goes."""

    home: Home
    control: FakeControl = field(default_factory=FakeControl)

    def __post_init__(self) -> None:
        loaded = self.home.load()
        self.running = Running(loaded, AsyncExitStack())
        self.directory = Directory(trusted_agencies(loaded))
        self.running._directory = self.directory
        unchecked: Any = self.control
        self.running._control = unchecked


async def test_plans_partners_and_roster_are_taken_together(home: Home) -> None:
    started = Started(home)
    home.edit("plans.yaml", "Pursuit across the bridge", "Pursuit")
    loaded = home.load()
    started.running.take(await started.running.prepare(loaded))
    ((agreements, raw),) = started.control.given
    assert [plan.purpose for plan in agreements.plans] == ["Pursuit"]
    assert raw == (home.folder / "roster.jws").read_bytes()
    assert started.running.loaded is loaded


async def test_a_partner_that_is_struck_out_is_trusted_no_more(home: Home) -> None:
    started = Started(home)
    loaded = home.load()
    partners = {name: one for name, one in loaded.partners.items() if name == "ca.opp"}
    started.running.take(await started.running.prepare(replace(loaded, partners=partners)))
    assert started.directory.agencies == {AgencyId("ca.opp")}


def _garbage(home: Home) -> None:
    (home.folder / "roster.jws").write_bytes(b"not a roster")


def _without_us(home: Home) -> None:
    end_ms = round((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
    made = roster("ca.opp", entry("ca.opp/sarnia", end_ms=end_ms), expires_ms=end_ms)
    raw = sign_roster(made, 1, read_agency_key(home.folder / "agency.key").signing)
    (home.folder / "roster.jws").write_bytes(raw)


def _gone(home: Home) -> None:
    (home.folder / "roster.jws").unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(_garbage, "not-a-document"), (_without_us, "does not name"), (_gone, "No such file")],
)
async def test_a_roster_that_is_not_ours_leaves_all_as_it_was(
    home: Home, spoil: Callable[[Home], None], why: str
) -> None:
    started = Started(home)
    before, loaded = started.running.loaded, home.load()
    partners = {name: one for name, one in loaded.partners.items() if name == "ca.opp"}
    spoil(home)
    with pytest.raises((RadioBridgeError, OSError), match=why):
        await started.running.prepare(replace(loaded, partners=partners))
    assert started.running.loaded is before
    assert started.control.given == []
    assert started.directory.agencies == {AgencyId("ca.opp"), AgencyId("us.cbp")}


async def test_the_own_agency_must_be_among_the_partners(home: Home) -> None:
    started = Started(home)
    loaded = home.load()
    partners = {name: one for name, one in loaded.partners.items() if name != "ca.opp"}
    with pytest.raises(ConfigError, match="its key proves the roster"):
        await started.running.prepare(replace(loaded, partners=partners))
    assert started.control.given == []


async def test_a_start_that_fails_closes_what_it_opened(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_keyer(*_args: Any, **_settings: Any) -> None:
        raise DriverError("no keyer", "pas de manipulateur")

    monkeypatch.setattr(KeyerClient, "start", no_keyer)
    for _ in range(2):
        # The second one finds the state folder free again.
        with pytest.raises(DriverError, match="no keyer"):
            await Running.start(home.load())


async def test_what_ends_at_the_same_time_waits_for_nobody_and_tells_what_failed(
    home: Home,
) -> None:
    running = Running(home.load(), AsyncExitStack())
    first, second, ended = asyncio.Event(), asyncio.Event(), []

    async def keyer() -> None:
        first.set()
        await second.wait()
        ended.append("keyer")

    async def gateway() -> None:
        await first.wait()
        second.set()
        raise DriverError("a link", "un lien")

    running._together += [keyer, gateway]
    running._closing.push_async_callback(running._close_together)
    with pytest.raises(DriverError, match="a link"):
        await asyncio.wait_for(running.stop(), 60)
    assert ended == ["keyer"]


def test_what_the_radio_is_configured_with_reaches_its_machines(home: Home) -> None:
    radio = home.load().config.radios["tac1"]
    squelch, transmit = assembly._squelch_settings(radio), assembly._transmit_settings(radio)
    assert squelch.hang_s == pytest.approx(0.2)
    assert squelch.vox.open_dbfs == pytest.approx(-40)
    assert transmit.lead_in_s == pytest.approx(0.12)
    assert transmit.time_out_s == pytest.approx(60)
    # The keyer answers each request: voice never begins before.
    assert transmit.reports_grant
