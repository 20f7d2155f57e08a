"""A gateway that does nothing but key all its radios: the process that tests kill.

`python -m tests.keyer.gateway_process SETTINGS_JSON [hang]` prints one JSON line with the keyer's
process id once all radios have granted, and renews until it ends. `hang` stops the event loop then.
"""

import asyncio
import json
import sys
import time

from radiobridge.keyer.client import KeyerClient
from radiobridge.model.interface import DeviceBack, KeyAnswer, KeyAnswered
from tests.keyer.radios import Sink

RENEW_S = 0.05


async def main(settings: str, mode: str) -> None:
    """Key everything and hold it."""
    client = await KeyerClient.start(json.loads(settings))
    lines = [client.line(radio) for radio in json.loads(settings)]
    sinks = [Sink() for _ in lines]
    for line, sink in zip(lines, sinks, strict=True):
        line.attach(sink)
        await sink.event(DeviceBack)
    for line in lines:
        line.key()
    for sink in sinks:
        answer = await sink.event(KeyAnswered)
        assert isinstance(answer, KeyAnswered)
        assert answer.answer is KeyAnswer.GRANTED
    told = False
    while True:
        for line in lines:
            line.renew()
        if not told:
            told = True
            print(json.dumps({"keyer": client.pid}), flush=True)  # noqa: T201 - to the test
        if mode == "hang":
            time.sleep(3600)  # noqa: ASYNC251 - the point of it
        await asyncio.sleep(RENEW_S)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
