"""A process that writes what a gateway writes, as a gateway does, until somebody kills it.

It says on its standard output what is durable, each in one write, as soon as it is:

    begin JSON      what it found on the disk
    epoch N         from here on N would be used to encrypt
    consent N       the audit log and the state have it: from here on it counts
    inhibit N       that the radio stays off the air, by the word of operator N

Interpreter and imports are loaded once: a line on standard input forks the next life off, `pid N`
says which process that is, and `ended` that it is gone.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from radiobridge.core.voice_keys import Listener, PersistEpoch, VoiceKeys
from radiobridge.drivers.clock import Synchronised, SystemClock
from radiobridge.drivers.store.audit import SqliteAuditLog
from radiobridge.drivers.store.state import SqliteStateStore
from radiobridge.model.audit import AuditEvent
from radiobridge.model.ids import parse_gateway, parse_talkgroup
from radiobridge.services.auditing import Auditor
from radiobridge.services.clock import BridgeTime
from radiobridge.services.control import EPOCH_KEY
from radiobridge.services.kill_switch import INHIBIT_KEY
from radiobridge.services.words import ADOPTED_KEY

ME, PARTNER = parse_gateway("ca.opp/windsor"), parse_gateway("us.cbp/detroit")
TAC1 = parse_talkgroup("ca.opp/TAC1")
RADIO = INHIBIT_KEY + "tac1"
STATE, AUDIT = "state.db", "audit.db"


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def live(folder: Path) -> None:
    store, audit = SqliteStateStore(folder / STATE), SqliteAuditLog(folder / AUDIT)
    await store.open()
    await audit.open()
    bridge = BridgeTime(SystemClock(Synchronised.TRUSTED), store)
    auditor = Auditor(ME, audit, bridge)
    epoch, inhibit = int(store.get(f"{EPOCH_KEY}{TAC1}") or 0), int(store.get(RADIO) or 0)
    known = sorted(int(key.removeprefix(ADOPTED_KEY)) for key in store.items(ADOPTED_KEY))
    found = {"epoch": epoch, "consents": known, "inhibit": inhibit}
    say(f"begin {json.dumps(found)}")
    auditor.started("1", "boot")
    await asyncio.gather(
        epochs(store, bridge, epoch),
        consents(store, auditor, known),
        inhibits(store, auditor, inhibit),
        house(bridge, auditor),
    )


async def epochs(store: SqliteStateStore, bridge: BridgeTime, last: int) -> None:
    """Somebody joins or leaves: each time the next epoch, stored before it is used."""
    keys = VoiceKeys(ME, os.urandom, {TAC1: last})
    listeners = [Listener(PARTNER, b"key"), Listener(PARTNER, b"another key")]
    for turn in forever():
        for effect in keys.follow(TAC1, [listeners[turn % 2]], bridge.now_ms()):
            if isinstance(effect, PersistEpoch):
                await store.put(f"{EPOCH_KEY}{TAC1}", str(effect.epoch))
                keys.epoch_stored(effect.talkgroup, effect.epoch, bridge.now_ms())
        sending = keys.sending(TAC1)
        assert sending is not None
        say(f"epoch {sending.epoch}")


async def consents(store: SqliteStateStore, auditor: Auditor, known: list[int]) -> None:
    """First the audit log, then the state, then it counts."""
    number = max(known, default=0)
    for _ in forever():
        number += 1
        await auditor.before(
            AuditEvent.WORD_SAID, source="command", identity="op", detail={"patch": str(number)}
        )
        await store.put(f"{ADOPTED_KEY}{number}", "terms")
        say(f"consent {number}")


async def inhibits(store: SqliteStateStore, auditor: Auditor, last: int) -> None:
    """What takes away acts first: the log comes after."""
    for turn in forever():
        auditor.inhibited("tac1", str(last + turn))
        await store.put(RADIO, str(last + turn))
        say(f"inhibit {last + turn}")


async def house(bridge: BridgeTime, auditor: Auditor) -> None:
    for turn in forever():
        if bridge.observe():
            await bridge.persist()
        auditor.after(
            AuditEvent.SPURT_ENDED, source="radio", identity="ca.opp/TAC1", detail={"turn": turn}
        )
        await asyncio.sleep(0.001)


def forever() -> "range":
    return range(1, sys.maxsize)


def fork(folder: Path, body: Callable[[Path], Awaitable[None]]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        asyncio.run(body(folder))  # type: ignore[arg-type]
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    folder = Path(sys.argv[1])
    for _ in sys.stdin:
        child = fork(folder, live)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
