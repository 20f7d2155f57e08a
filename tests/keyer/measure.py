"""Measures the figures of hardware/fail-safe.md: `python -m tests.keyer.measure [RUNS [WORDS]]`.

Every fault (whose name has these words), RUNS times (10), on fresh devices that are all keyed. For
each device: median and longest time in ms from the fault to PTT off, by the device's own line log,
and the causes that it gives.
"""

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from radiobridge.model.ids import RadioName
from tests.keyer.radios import ALL, Radios, radios
from tests.keyer.test_gateway_dies import Gateway, gateway, guard_of, went_off

Fault = Callable[[Gateway, Radios], None]

STOP, KILL, TERM = signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM


def both(first: signal.Signals, second: signal.Signals) -> Fault:
    """Send one signal to the keyer and one to the gateway, which is stopped meanwhile."""

    def fault(process: Gateway, _devices: Radios) -> None:
        process.kill(STOP)
        os.kill(process.keyer, first)
        process.kill(second)

    return fault


def lose_all(_process: Gateway, devices: Radios) -> None:
    """Pull every device."""
    for radio in ALL:
        devices.lose(radio)


FAULTS: dict[str, Fault] = {
    "gateway killed": lambda process, _: _done(process.kill(KILL)),
    "gateway stopped": lambda process, _: _done(process.kill(STOP)),
    "Ctrl-Z in its terminal": lambda process, _: os.killpg(process.process.pid, signal.SIGTSTP),
    "event loop stuck": lambda _process, _: None,
    "keyer killed": lambda process, _: os.kill(process.keyer, KILL),
    "keyer and gateway killed": both(KILL, KILL),
    "keyer stopped": lambda process, _: os.kill(process.keyer, STOP),
    "keyer and gateway stopped": both(STOP, STOP),
    "keyer stopped, gateway killed": both(STOP, KILL),
    "keyer told to end": lambda process, _: os.kill(process.keyer, TERM),
    "guard killed": lambda process, _: os.kill(guard_of(process.keyer), KILL),
    "device lost": lose_all,
}


def _done(_at: float) -> None:
    """Drop what a signal returns."""


async def once(name: str) -> dict[RadioName, tuple[float, str]]:
    """Return after how many ms each device was unkeyed, and the cause in its log."""
    with tempfile.TemporaryDirectory() as folder, radios(Path(folder) / "usb") as devices:
        stuck, job = name == "event loop stuck", name.startswith("Ctrl-Z")
        mode = "hang" if stuck else "renew"
        async with gateway(devices, mode, terminal=job) as process:
            if not stuck:
                await asyncio.sleep(0.25)
            at = time.monotonic()
            FAULTS[name](process, devices)
            found = {}
            for radio in ALL:
                log = devices.history[radio]
                since = log.of("PTT")[0].at if stuck else at
                took = await went_off(devices, radio, since)
                found[radio] = (1000.0 * took, log.of("PTT")[-1].cause)
            return found


async def main(runs: int, words: str) -> None:
    """Print one line for each fault and device."""
    for name in [name for name in FAULTS if words in name]:
        seen = [await once(name) for _ in range(runs)]
        for radio in ALL:
            times = sorted(one[radio][0] for one in seen)
            causes = ", ".join(sorted({one[radio][1] for one in seen}))
            line = f"{statistics.median(times):5.0f} / {times[-1]:5.0f} ms  {causes}"
            print(f"{name:30} {radio:6} {line}", flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, " ".join(sys.argv[2:])))
