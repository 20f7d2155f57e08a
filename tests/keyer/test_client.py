"""The client with a real keyer process and real devices in it."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import uvloop

from radiobridge.errors import ConfigError, DriverError
from radiobridge.keyer.client import KeyerClient
from radiobridge.model.ids import RadioName
from radiobridge.model.interface import (
    CorChanged,
    DeviceBack,
    DeviceLost,
    KeyAnswer,
    KeyAnswered,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.model.voice import PcmFrame
from radiobridge.text import Text
from tests.keyer.radios import ALL, CCDI, LIMIT_S, LINES, USRP, Radios, Sink, radios

pytestmark = pytest.mark.real

QUICK_S = 0.003
"""Device to client, or client to device; the best quarter counts, as the machine may be busy."""

LOST_S = 1.0


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Radios]:
    with radios(tmp_path / "usb-radio") as devices:
        yield devices


class Keyer:
    """A started client with a sink on each line."""

    def __init__(self, client: KeyerClient, devices: Radios) -> None:
        self.client = client
        self.devices = devices
        self.sinks = {radio: Sink() for radio in ALL}

    async def opened(self) -> None:
        for radio in ALL:
            self.client.line(radio).attach(self.sinks[radio])
        for radio in ALL:
            await self.sinks[radio].event(DeviceBack)

    async def key(self, radio: RadioName) -> None:
        count = len(self.sinks[radio].of(KeyAnswered)) + 1
        self.client.line(radio).key()
        answer = await self.sinks[radio].event(KeyAnswered, count)
        assert isinstance(answer, KeyAnswered)
        assert answer.answer is KeyAnswer.GRANTED

    async def unkey(self, radio: RadioName) -> None:
        count = len(self.sinks[radio].of(Unkeyed)) + 1
        asked = time.monotonic()
        self.client.line(radio).unkey()
        await self.sinks[radio].event(Unkeyed, count)
        log = self.devices.history[radio]
        assert await asyncio.to_thread(log.wait, "PTT", value=False, after=asked)


@pytest.fixture
async def keyer(devices: Radios) -> AsyncIterator[Keyer]:
    keyer = Keyer(await KeyerClient.start(devices.settings), devices)
    await keyer.opened()
    yield keyer
    await keyer.client.close()


async def test_starting_and_stopping_key_nothing(devices: Radios, keyer: Keyer) -> None:
    await keyer.client.close()
    assert devices.keyed() == []
    assert all(not sink.of(DeviceLost) for sink in keyer.sinks.values())


@pytest.mark.parametrize("radio", ALL)
async def test_key_and_unkey_reach_the_device(
    devices: Radios, keyer: Keyer, radio: RadioName
) -> None:
    await keyer.key(radio)
    await keyer.unkey(radio)
    assert devices.keyed() == [radio]
    on, off = devices.history[radio].of("PTT")
    assert (on.value, off.value) == (True, False)


@pytest.mark.parametrize("radio", ALL)
async def test_a_client_that_does_not_renew_is_unkeyed_by_the_lease(
    keyer: Keyer, radio: RadioName
) -> None:
    await keyer.key(radio)
    unkeyed = await keyer.sinks[radio].event(Unkeyed)
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.LEASE


@pytest.mark.parametrize("radio", ALL)
async def test_renewals_hold_the_transmitter_without_a_gap(
    devices: Radios, keyer: Keyer, radio: RadioName
) -> None:
    await keyer.key(radio)
    for _ in range(24):
        keyer.client.line(radio).renew()
        await asyncio.sleep(0.05)
    await keyer.unkey(radio)
    assert len(devices.history[radio].of("PTT")) == 2


async def test_the_keyer_ends_a_transmission_that_is_too_long(devices: Radios) -> None:
    client = await KeyerClient.start({CCDI: devices.settings[CCDI]}, time_out_s={CCDI: -0.6})
    sink = Sink()
    line = client.line(CCDI)
    line.attach(sink)
    await sink.event(DeviceBack)
    line.key()
    while not sink.of(Unkeyed):
        line.renew()
        await asyncio.sleep(0.02)
    unkeyed = sink.of(Unkeyed)[0]
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.TIME_OUT
    await client.close()


async def test_closing_while_keyed_unkeys(devices: Radios, keyer: Keyer) -> None:
    for radio in ALL:
        await keyer.key(radio)
    await keyer.client.close()
    for radio in ALL:
        on, off = devices.history[radio].of("PTT")
        assert (on.value, off.value) == (True, False)
        assert off.cause in ("release", "client", "unkey")


@pytest.mark.parametrize("radio", ALL)
@pytest.mark.parametrize("keyed", ["keyed", "idle"])
async def test_a_lost_device_is_told_and_comes_back_unkeyed(
    devices: Radios, keyer: Keyer, radio: RadioName, keyed: str
) -> None:
    sink = keyer.sinks[radio]
    if keyed == "keyed":
        await keyer.key(radio)
    at = time.monotonic()
    devices.lose(radio)
    while not sink.of(DeviceLost):
        keyer.client.line(radio).renew()
        await asyncio.sleep(0.02)
    lost = sink.of(DeviceLost)[0]
    assert lost.at - at <= LOST_S
    assert len(sink.of(Unkeyed)) == (1 if keyed == "keyed" else 0)
    keyer.client.line(radio).key()
    failed = await sink.event(KeyAnswered, 2 if keyed == "keyed" else 1)
    assert isinstance(failed, KeyAnswered)
    assert failed.answer is KeyAnswer.FAILED
    changes = len(devices.history[radio].of("PTT"))
    devices.bring_back(radio)
    await sink.event(DeviceBack, 2)
    assert not [c for c in devices.history[radio].of("PTT")[changes:] if c.value]
    await keyer.key(radio)
    await keyer.unkey(radio)


async def test_a_killed_keyer_is_told_and_started_again_unkeyed(
    devices: Radios, keyer: Keyer
) -> None:
    await keyer.key(LINES)
    assert keyer.client.pid is not None
    first = keyer.client.pid
    os.kill(first, signal.SIGKILL)
    unkeyed = await keyer.sinks[LINES].event(Unkeyed)
    assert isinstance(unkeyed, Unkeyed)
    assert unkeyed.cause is UnkeyCause.DEVICE
    for radio in ALL:
        await keyer.sinks[radio].event(DeviceLost)
        await keyer.sinks[radio].event(DeviceBack, 2)
    assert keyer.client.pid not in (None, first)
    assert keyer.client.restarts == 1
    assert [change.value for change in devices.history[LINES].of("PTT")] == [True, False]
    await keyer.key(LINES)
    await keyer.unkey(LINES)


async def test_every_request_is_answered_while_the_keyer_is_gone(keyer: Keyer) -> None:
    assert keyer.client.pid is not None
    os.kill(keyer.client.pid, signal.SIGKILL)
    await keyer.sinks[CCDI].event(DeviceLost)
    line = keyer.client.line(CCDI)
    line.key()
    answer = await keyer.sinks[CCDI].event(KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.FAILED
    line.unkey()
    await keyer.sinks[CCDI].event(Unkeyed)


async def test_a_stopped_keyer_is_killed_and_replaced(keyer: Keyer) -> None:
    assert keyer.client.pid is not None
    os.kill(keyer.client.pid, signal.SIGSTOP)
    for radio in ALL:
        await keyer.sinks[radio].event(DeviceBack, 2)
    assert keyer.client.restarts == 1


async def test_a_late_sink_is_told_how_things_stand(devices: Radios) -> None:
    client = await KeyerClient.start(devices.settings)
    first = Sink()
    client.line(CCDI).attach(first)
    await first.event(DeviceBack)
    devices.set_cor(USRP, active=True)
    voice = client.voice_device(USRP)
    await voice.open(Heard())
    late = Sink()
    client.line(USRP).attach(late)
    await late.event(DeviceBack)
    assert isinstance(late.events[0], DeviceBack)
    await client.close()


class Heard:
    """An AudioSink that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[tuple[PcmFrame, float]] = []
        self.lost: list[Text] = []
        self.news = asyncio.Event()

    def audio(self, samples: PcmFrame, at: float) -> None:
        self.frames.append((samples, at))
        self.news.set()

    def audio_lost(self, reason: Text) -> None:
        self.lost.append(reason)
        self.news.set()

    async def wait(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            await self.news.wait()
        self.news.clear()


async def test_voice_goes_both_ways_through_the_keyer(devices: Radios, keyer: Keyer) -> None:
    nine = threading.Event()
    devices.usrp._on_voice = lambda frame, _at: nine.set() if frame[0] == 9 else None
    voice, sink = keyer.client.voice_device(USRP), Heard()
    assert voice.rate == 8000
    await voice.open(sink)
    before = time.monotonic()
    devices.usrp.send(np.arange(160, dtype=np.int16))
    await sink.wait()
    samples, at = sink.frames[0]
    assert samples.tolist() == list(range(160))
    assert samples.dtype == np.int16
    assert before <= at <= time.monotonic()
    await keyer.key(USRP)
    voice.write(np.full(160, 9, dtype=np.int16))
    assert 0 < voice.queued_s() <= 0.02
    assert await asyncio.to_thread(nine.wait, LIMIT_S)
    await keyer.unkey(USRP)
    voice.discard()
    assert voice.queued_s() == 0.0
    devices.lose(USRP)
    await sink.wait()
    assert sink.lost
    with pytest.raises(DriverError):
        await voice.open(sink)
    await voice.close()


async def test_too_much_voice_is_dropped_and_counted(keyer: Keyer) -> None:
    voice = keyer.client.voice_device(USRP)
    await voice.open(Heard())
    for _ in range(40):
        voice.write(np.zeros(160, dtype=np.int16))
    assert voice.overruns > 0
    assert voice.queued_s() <= 0.53


async def test_a_line_without_voice_says_so(keyer: Keyer) -> None:
    with pytest.raises(DriverError, match="carries no voice"):
        keyer.client.voice_device(CCDI)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"driver": "ccdi"}, "radios.tac1.interface: 'device' is missing"),
        ({"driver": "morse"}, "no driver 'morse'"),
        ({}, "no driver"),
    ],
)
async def test_wrong_settings_end_the_start(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await KeyerClient.start({RadioName("tac1"): settings})


async def test_a_gateway_without_radios_has_a_keyer_too() -> None:
    client = await KeyerClient.start({})
    await client.close()
    await client.close()


def open_files(pid: int | None) -> list[str]:
    return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]


async def test_the_keyer_holds_nothing_of_its_parent(keyer: Keyer, tmp_path: Path) -> None:
    with (tmp_path / "of the gateway").open("w") as inherited:
        os.set_inheritable(inherited.fileno(), True)
        client = await KeyerClient.start({RadioName("tac1"): {"driver": "none"}})
        held = await asyncio.to_thread(open_files, client.pid)
        await client.close()
    assert sorted(held)[:3] == ["/dev/null"] * 3
    assert [name.partition(":")[0] for name in sorted(held)[3:]] == [
        "anon_inode",
        "pipe",
        "socket",
    ]
    assert keyer.client.pid is not None


def test_it_works_under_uvloop(devices: Radios) -> None:
    async def story() -> None:
        keyer = Keyer(await KeyerClient.start(devices.settings), devices)
        await keyer.opened()
        for radio in ALL:
            await keyer.key(radio)
            await keyer.unkey(radio)
        await keyer.client.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
    assert len(devices.keyed()) == 3


@pytest.mark.parametrize("radio", [CCDI, USRP])
async def test_keying_and_cor_take_a_few_milliseconds(
    devices: Radios, keyer: Keyer, radio: RadioName
) -> None:
    log, sink, line = devices.history[radio], keyer.sinks[radio], keyer.client.line(radio)
    key_s, cor_s = [], []
    for turn in range(20):
        asked = time.monotonic()
        line.key()
        await sink.event(KeyAnswered, turn + 1)
        on = await asyncio.to_thread(log.wait, "PTT", value=True, after=asked)
        assert on is not None
        key_s.append(on.at - asked)
        await keyer.unkey(radio)
        heard = time.monotonic()
        devices.set_cor(radio, active=True)
        await sink.event(CorChanged, 2 * turn + 1)
        cor_s.append(time.monotonic() - heard)
        devices.set_cor(radio, active=False)
        await sink.event(CorChanged, 2 * turn + 2)
    assert sorted(key_s)[len(key_s) // 4] <= QUICK_S
    assert sorted(cor_s)[len(cor_s) // 4] <= QUICK_S


async def test_closing_while_the_keyer_starts_again_leaves_nothing(devices: Radios) -> None:
    client = await KeyerClient.start(devices.settings)
    sink = Sink()
    client.line(CCDI).attach(sink)
    for pause in (0.0, 0.12, 0.3):
        assert client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        await sink.event(DeviceLost)
        await asyncio.sleep(pause)
        await client.close()
        await client.close()
        client = await KeyerClient.start(devices.settings)
        sink = Sink()
        client.line(CCDI).attach(sink)
    await client.close()


async def test_a_start_that_is_given_up_leaves_nothing(devices: Radios) -> None:
    for pause in (0.0, 0.001, 0.05, 0.2):
        start = asyncio.create_task(KeyerClient.start(devices.settings))
        await asyncio.sleep(pause)
        start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await start).close()
    assert devices.keyed() == []
