"""The kill switch: one radio or all of them off the air, at once, until somebody lifts it.

Taking away acts first, then it is logged and stored; a disk that fails or hangs delays no answer,
and storing is tried until it works, so that it holds over a restart. Lifting is a grant: it waits
for the log and the disk, and is refused without them.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from radiobridge.errors import CommandError, StoreError
from radiobridge.model.ids import RadioName
from radiobridge.services.auditing import Auditor
from radiobridge.services.durable import settled
from radiobridge.services.holds import Hold
from radiobridge.services.radio import RadioRunner
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore

log = structlog.get_logger()

INHIBIT_KEY = "inhibit/"
STOP_KEY = "stop-transmit"
RETRY_S = 5.0
LIFT_S = 2.0
"""Longest wait for a disk before a lift is refused."""

ALL = "*"


class KillSwitch:
    """Inhibits radios by command. Every radio of the gateway is under it."""

    def __init__(
        self, runners: Mapping[RadioName, RadioRunner], store: StateStore, auditor: Auditor
    ) -> None:
        self._runners = runners
        self._store = store
        self._auditor = auditor
        self._tasks = Tasks()
        self._wanted: dict[str, str] = {}
        self._taken: dict[str, int] = {}
        """How often each key was taken away: who lifts must find it as it was when he asked."""
        self._closed = False
        self.stopped_by: str | None = None
        """Who stopped all transmitters, None while nobody has."""

    def restore(self) -> None:
        """Keep off the air what was off before a restart."""
        for key, by in self._store.items(INHIBIT_KEY).items():
            runner = self._runners.get(RadioName(key.removeprefix(INHIBIT_KEY)))
            if runner is not None and by:
                runner.hold(Hold.INHIBIT, by)
        stopped_by = self._store.get(STOP_KEY)
        if stopped_by:
            self._stop_all(stopped_by)

    async def close(self) -> None:
        """Give what is being stored a last moment."""
        self._closed = True
        await self._tasks.settle()

    async def inhibit(self, radio: str, by: str) -> dict[str, Any]:
        """Unkey a radio and keep it off the air; return it, and whether that is stored."""
        runner = self._runner(radio)
        runner.hold(Hold.INHIBIT, by)
        self._auditor.inhibited(radio, by)
        self._took(INHIBIT_KEY + radio)
        durable = await self._store_soon(INHIBIT_KEY + radio, by)
        return {**runner.status(), "durable": durable}

    async def allow(self, radio: str, by: str) -> dict[str, Any]:
        """Lift an inhibit, and what a loop has cut, once that is durable."""
        runner = self._runner(radio)
        looped = runner.looped_times
        await self._lift(INHIBIT_KEY + radio, radio, by)
        runner.release(Hold.INHIBIT, by)
        if runner.looped_times == looped:
            runner.release(Hold.LOOP, by)
        return runner.status()

    async def stop(self, by: str) -> dict[str, Any]:
        """Unkey every radio and keep all of them off the air."""
        self._stop_all(by)
        self._auditor.inhibited(ALL, by)
        self._took(STOP_KEY)
        durable = await self._store_soon(STOP_KEY, by)
        return {**self.status(), "durable": durable}

    async def lift(self, by: str) -> dict[str, Any]:
        """Lift the stop, once that is durable. What is inhibited by itself stays so."""
        await self._lift(STOP_KEY, ALL, by)
        self.stopped_by = None
        for runner in self._runners.values():
            runner.release(Hold.STOP, by)
        return {**self.status(), "durable": True}

    def status(self) -> dict[str, Any]:
        """Return whether all transmitters are stopped, and the radios."""
        return {
            "stopped": self.stopped_by is not None,
            "stopped_by": self.stopped_by,
            "radios": [runner.status() for runner in self._runners.values()],
        }

    def _stop_all(self, by: str) -> None:
        self.stopped_by = by
        for runner in self._runners.values():
            runner.hold(Hold.STOP, by)

    async def _store_soon(self, key: str, by: str) -> bool:
        self._wanted[key] = by
        return await settled(self._tasks.spawn(self._keep(key, by)))

    async def _keep(self, key: str, by: str) -> None:
        """Store until it is stored, or wanted no more."""
        while self._wanted.get(key) == by:
            try:
                await self._store.put(key, by)
            except StoreError as error:
                log.error("inhibit-not-stored", key=key, error=str(error))  # noqa: TRY400
            else:
                return
            if self._closed:
                return
            await asyncio.sleep(RETRY_S)

    def _took(self, key: str) -> None:
        self._taken[key] = self._taken.get(key, 0) + 1

    async def _lift(self, key: str, radio: str, by: str) -> None:
        taken = self._taken.get(key, 0)
        try:
            await self._auditor.allowing(radio, by)
            async with asyncio.timeout(LIFT_S):
                await self._store.put(key, "")
            if self._taken.get(key, 0) != taken:
                raise StoreError(
                    "it was taken off the air again meanwhile",
                    "on l'a remise hors d'antenne entre-temps",
                )
        except (StoreError, TimeoutError) as error:
            # It may reach the disk all the same: say again what holds.
            self._auditor.not_allowed(radio, by, str(error))
            holding = self._wanted.get(key) or self._store.get(key)
            if holding:
                await self._store_soon(key, holding)
            en, fr = _reason(error)
            raise CommandError(
                f"'{radio}' stays off the air: {en}",
                f"« {radio} » reste hors d'antenne : {fr}",
            ) from error
        self._wanted.pop(key, None)

    def _runner(self, radio: str) -> RadioRunner:
        runner = self._runners.get(RadioName(radio))
        if runner is None:
            known = ", ".join(sorted(self._runners)) or "-"
            raise CommandError(
                f"no radio '{radio}' here; there are: {known}",
                f"aucune radio « {radio} » ici ; il y a : {known}",
            )
        return runner


def _reason(error: StoreError | TimeoutError) -> tuple[str, str]:
    if isinstance(error, StoreError):
        return error.text.en, error.text.fr
    return f"not on the disk within {LIFT_S:.0f} s", f"pas sur le disque en {LIFT_S:.0f} s"
