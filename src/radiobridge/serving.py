"""The life of the process: gateways one after the other, as signals say.

SIGTERM and SIGINT stop, also in the middle of a restart. SIGHUP takes all of the new configuration
or none of it. Plans, partners, talkgroup map and roster change while voice goes on. Anything else
(radios, brokers, keys) starts the gateway anew inside the process; if the new one does not start,
for whatever reason, the old one is started again.

Who hears that the event loop turns (systemd's watchdog): a gateway that runs says so itself, by its
house-keeping. From the end of one to the start of the next it is said here, for RESTART_S at most:
a restart that hangs is killed. So is a process that has not ended STOP_S after SIGTERM, whatever
thread of it waits for a disk that does not answer.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog

from radiobridge.app import Running
from radiobridge.config.load import LoadedGateway, load_gateway
from radiobridge.drivers.log_writer import configure_logging, log_loop_error
from radiobridge.drivers.process import LastResort
from radiobridge.drivers.service_manager import notify
from radiobridge.errors import RadioBridgeError

T = TypeVar("T")

log = structlog.get_logger()

BEAT_S = 1.0
RESTART_S = 60.0
"""The longest restart, with the old configuration tried again in it."""

STOP_S = 9.0
"""From SIGTERM to the end of the process, whatever hangs: less than the unit's TimeoutStopSec.

More than the patiences of `Running.stop` together, so that what ends in order can."""

EXIT_S = 0.5
"""From the end in order to the end of the process: threads that still wait are not waited for."""

_OLD_TRIES = 3
_OLD_AGAIN_S = 1.0
"""How often, and after how long, the old configuration is tried again when the new one fails."""


class _Told(BaseException):
    """SIGTERM came: nothing more is started. Not an Exception: no failure, and nothing to mend."""


def run(path: Path) -> int:
    """Run the gateway of a configuration file until it is told to stop; return the exit status.

    Raises RadioBridgeError when it cannot start: the caller shows it.
    """
    loaded = load_gateway(path)
    writer = configure_logging(loaded.config.log.format, loaded.config.log.level)
    last = LastResort()
    try:
        return _loop_runner()(_main(path, loaded, last))
    finally:
        last.cancel()
        writer.close()


async def _main(path: Path, loaded: LoadedGateway, last: LastResort) -> int:
    status = await Service(path, lambda: last.within(STOP_S, 1)).serve(loaded)
    last.within(EXIT_S, status)
    return status


def _loop_runner() -> Callable[[Any], int]:
    """Return uvloop's runner where there is one: it wakes for half the price."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    runner: Callable[[Any], int] = uvloop.run
    return runner


class Service:
    """Serves the gateway of one configuration file. `told` is called once SIGTERM has come."""

    def __init__(self, path: Path, told: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._told = told
        self._stop, self._reload = asyncio.Event(), asyncio.Event()

    async def serve(self, loaded: LoadedGateway) -> int:
        """Run gateways one after the other until a signal says stop; return the exit status."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_error)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        running: Running | None = None
        try:
            running = await self._start(loaded)
            notify("READY=1")
            while True:
                await _any(self._stop, self._reload, running.misled)
                if self._stop.is_set():
                    return 0
                if running.misled.is_set():
                    running = await self._start_by_the_clock(running)
                else:
                    self._reload.clear()
                    running = await self.reread(running)
        except _Told:
            return 0
        finally:
            notify("STOPPING=1")
            if running is not None:
                await running.stop()
                log.info("gateway-stopped")

    def _told_to_stop(self) -> None:
        if self._stop.is_set():
            return
        log.info("gateway-stopping")
        self._stop.set()
        self._told()

    async def reread(self, running: Running) -> Running:
        """Take all of the new configuration, or none of it and say why; whatever goes wrong."""
        old = running.loaded
        try:
            loaded = await self._unless_told(asyncio.to_thread(load_gateway, self._path))
            same = loaded.config == old.config
            prepared = await self._unless_told(running.prepare(loaded)) if same else None
        except Exception as error:  # noqa: BLE001 - whatever goes wrong
            _say_refused(error)
            running.auditor.configuration(error=str(error))
            return running
        if prepared is None:
            return await self._start_anew(loaded, running)
        try:
            running.take(prepared)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong
            # Half of it may be taken: only a fresh start with the old one is all of the old one.
            _say_refused(error)
            async with _said_alive():
                await _stop(running)
                return _went_back(await self._start_old(old), error)
        log.info("configuration-reread", restarted=False)
        running.auditor.configuration()
        return running

    async def _start_by_the_clock(self, running: Running) -> Running:
        """Start again with the time that is right: this gateway began when the clock was ahead."""
        async with _said_alive():
            await _stop(running)
            return await self._start_old(running.loaded)

    async def _start_anew(self, loaded: LoadedGateway, running: Running) -> Running:
        """Start a gateway with other radios, brokers or keys in the place of the one that runs."""
        old = running.loaded
        async with _said_alive():
            await _stop(running)
            try:
                fresh = await self._start(loaded)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong
                _say_refused(error)
                return _went_back(await self._start_old(old), error)
        log.info("configuration-reread", restarted=True)
        fresh.auditor.configuration(restarted=True)
        return fresh

    async def _start_old(self, old: LoadedGateway) -> Running:
        """Start with the old configuration again; raise what stops it when it does not start.

        A device that has just been let go may take a moment before it can be opened again.
        """
        for _ in range(_OLD_TRIES - 1):
            try:
                return await self._start(old)
            except Exception:
                log.exception("old-configuration-not-started")
            await self._unless_told(asyncio.sleep(_OLD_AGAIN_S))
        return await self._start(old)

    async def _start(self, loaded: LoadedGateway) -> Running:
        return await self._unless_told(Running.start(loaded))

    async def _unless_told(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; when SIGTERM comes first, give it up, and raise _Told once it is undone."""
        if self._stop.is_set():
            work.close()
            raise _Told
        doing = asyncio.ensure_future(work)
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                doing.cancel()
                await asyncio.wait({doing})
        finally:
            doing.cancel()
            told.cancel()
        if doing.cancelled():
            raise _Told
        return doing.result()


@asynccontextmanager
async def _said_alive() -> AsyncIterator[None]:
    """Tell the service manager that the event loop turns while no gateway is there to say so."""
    beats = asyncio.create_task(_beat(), name="restart-beats")
    try:
        yield
    finally:
        beats.cancel()


async def _beat() -> None:
    now = asyncio.get_running_loop().time
    until = now() + RESTART_S
    while now() < until:
        notify("WATCHDOG=1")
        await asyncio.sleep(BEAT_S)
    log.error("restart-takes-too-long", after_s=RESTART_S)


async def _any(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def _went_back(fresh: Running, error: Exception) -> Running:
    fresh.auditor.configuration(error=str(error), restarted=True)
    return fresh


async def _stop(running: Running) -> None:
    """Stop a gateway that another follows: what does not close in order stops nobody."""
    try:
        await running.stop()
    except Exception:
        log.exception("not-stopped-in-order")


def _say_refused(error: Exception) -> None:
    """Log why a configuration is refused, and where that comes from unless it speaks for itself."""
    known = isinstance(error, RadioBridgeError | OSError)
    log.error("configuration-refused", error=str(error), exc_info=None if known else error)
