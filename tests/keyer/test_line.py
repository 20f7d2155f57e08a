"""The thread of one radio, with an interface that does as it is told. Only the lease is real."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from radiobridge.errors import DriverError
from radiobridge.keyer.line import CONFIRM_S, REOPEN_S, Line
from radiobridge.keyer.protocol import LEASE_S, event_of, unpack
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    DeviceBack,
    DeviceLost,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    UnkeyCause,
    Unkeyed,
)
from tests.keyer.fake_interface import FakeInterface

LIMIT_S = 10.0


class Bench:
    """A line under test and what it reports."""

    def __init__(self, time_out_s: float = 60.0) -> None:
        self.radio = FakeInterface()
        self.reports: list[tuple[int, InterfaceEvent]] = []
        self.reading = True
        self._news = threading.Condition()
        self.line = Line(0, self.radio, None, time_out_s, self._send)

    def _send(self, raw: bytes) -> bool:
        message = unpack(raw)
        with self._news:
            if self.reading:
                self.reports.append((message.serial, event_of(message)))
            self._news.notify_all()
        return self.reading

    def wait(self, found: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(found, LIMIT_S), self.reports

    def event(self, kind: type[InterfaceEvent], count: int = 1) -> InterfaceEvent:
        self.wait(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    def events(self, kind: type[InterfaceEvent]) -> list[InterfaceEvent]:
        return [event for _, event in self.reports if isinstance(event, kind)]

    def key(self, serial: int = 1) -> None:
        self.line.key(serial, time.monotonic())

    def granted(self, serial: int = 1) -> None:
        self.line.start()
        self.key(serial)
        self.event(KeyAnswered)

    def cause(self) -> UnkeyCause:
        event = self.event(Unkeyed)
        assert isinstance(event, Unkeyed)
        return event.cause

    def stop(self) -> None:
        self.radio.blocked.set()
        for hang in self.radio.hangs.values():
            hang.set()
        self.line.stop()
        end = time.monotonic() + LIMIT_S
        while not self.line.ended():
            assert time.monotonic() < end
            time.sleep(0.001)
        self.radio.dispose()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.stop()
    assert not bench.radio.keyed


def test_opening_keys_nothing(bench: Bench) -> None:
    bench.line.start()
    bench.event(DeviceBack)
    assert bench.radio.calls == ["open"]


def test_a_lease_that_is_not_renewed_runs_out(bench: Bench) -> None:
    before = time.monotonic()
    bench.granted()
    assert bench.cause() is UnkeyCause.LEASE
    unkeyed = bench.event(Unkeyed)
    assert unkeyed.at - before >= LEASE_S
    assert bench.radio.calls == ["open", "key", "unkey"]
    assert not bench.line.busy()


def test_renewals_hold_and_refresh_until_told_to_stop(bench: Bench) -> None:
    bench.granted()
    end = time.monotonic() + 2 * LEASE_S
    while time.monotonic() < end:
        bench.line.renew(1, time.monotonic())
        time.sleep(0.01)
    assert bench.events(Unkeyed) == []
    bench.line.unkey(1)
    assert bench.cause() is UnkeyCause.COMMAND
    assert "refresh" in bench.radio.calls


def test_a_renewal_that_waited_in_the_socket_renews_nothing(bench: Bench) -> None:
    made = time.monotonic()
    bench.granted()
    end = made + 2 * LEASE_S
    while time.monotonic() < end:
        bench.line.renew(1, made)
        time.sleep(0.01)
    assert bench.cause() is UnkeyCause.LEASE


def test_a_renewal_from_the_future_holds_no_longer_than_a_lease(bench: Bench) -> None:
    bench.granted()
    bench.line.renew(1, time.monotonic() + 3600)
    assert bench.cause() is UnkeyCause.LEASE


def test_what_is_over_is_not_renewed_back_to_life(bench: Bench) -> None:
    bench.granted()
    bench.line.unkey(1)
    bench.cause()
    bench.line.renew(1, time.monotonic())
    bench.line.renew(2, time.monotonic())
    bench.key(2)
    bench.event(KeyAnswered, 2)
    assert bench.radio.calls.count("key") == 2


def test_the_longest_transmission_ends_under_a_living_lease() -> None:
    bench = Bench(time_out_s=0.3)
    bench.granted()
    while not bench.events(Unkeyed):
        bench.line.renew(1, time.monotonic())
        time.sleep(0.01)
    assert bench.cause() is UnkeyCause.TIME_OUT
    bench.line.renew(1, time.monotonic())
    bench.stop()
    assert bench.radio.calls.count("key") == 1


def test_an_unkey_is_answered_whatever_there_was(bench: Bench) -> None:
    bench.line.start()
    bench.line.unkey(0)
    assert bench.cause() is UnkeyCause.COMMAND
    bench.key(1)
    bench.event(KeyAnswered)
    bench.line.unkey(1)
    bench.event(Unkeyed, 2)
    bench.line.unkey(1)
    bench.event(Unkeyed, 3)
    assert "key" in bench.radio.calls


def test_a_refusal_unkeys_and_is_the_answer(bench: Bench) -> None:
    bench.radio.answer = KeyAnswer.DENIED
    bench.granted()
    answer = bench.event(KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.DENIED
    assert bench.radio.calls == ["open", "key", "unkey"]
    assert bench.events(Unkeyed) == []
    assert not bench.line.busy()


def test_a_radio_that_drops_ptt_is_unkeyed_for_good(bench: Bench) -> None:
    bench.granted()
    bench.radio.say(Unkeyed(cause=UnkeyCause.RADIO, at=time.monotonic()))
    assert bench.cause() is UnkeyCause.RADIO
    assert bench.radio.calls == ["open", "key", "unkey"]


@pytest.mark.parametrize(
    "error", [DriverError("gone", "parti"), OSError(5, "EIO"), ZeroDivisionError()]
)
@pytest.mark.parametrize("step", ["key", "poll", "unkey", "refresh"])
def test_whatever_a_driver_raises_closes_its_device(
    bench: Bench, step: str, error: Exception
) -> None:
    bench.line.start()
    bench.event(DeviceBack)
    bench.key()
    if step != "key":
        bench.event(KeyAnswered)
    bench.radio.fails[step] = error
    if step == "unkey":
        bench.line.unkey(1)
    elif step == "key":
        bench.key(2)
    else:
        bench.line.renew(1, time.monotonic())
    bench.event(DeviceLost)
    assert "close" in bench.radio.calls
    assert not bench.radio.keyed
    bench.radio.fails.clear()
    bench.event(DeviceBack, 2)
    kinds = [type(event) for _, event in bench.reports]
    assert kinds.index(Unkeyed) < kinds.index(DeviceLost)


def test_a_device_lost_while_receiving_closes_cor(bench: Bench) -> None:
    bench.line.start()
    bench.radio.say(CorChanged(active=True, at=1.0))
    bench.event(CorChanged)
    bench.radio.fails["poll"] = DriverError("gone", "parti")
    bench.line.wake()
    closed = bench.event(CorChanged, 2)
    assert isinstance(closed, CorChanged)
    assert not closed.active


def test_a_request_while_the_device_is_lost_fails_and_does_not_wait_for_it(bench: Bench) -> None:
    bench.radio.fails["open"] = DriverError("no such device", "absent")
    bench.line.start()
    bench.event(DeviceLost)
    bench.key()
    answer = bench.event(KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert (answer.answer, answer.detail) == (KeyAnswer.FAILED, "no such device")
    bench.radio.fails.clear()
    bench.event(DeviceBack)
    assert not bench.radio.keyed
    assert "key" not in bench.radio.calls


def test_a_device_that_stays_lost_is_told_once(bench: Bench) -> None:
    bench.radio.fails["open"] = DriverError("no such device", "absent")
    bench.line.start()
    while bench.radio.calls.count("open") < 4:
        time.sleep(0.01)
    assert len(bench.events(DeviceLost)) == 1


def test_a_device_that_comes_and_goes_is_opened_less_and_less_often(bench: Bench) -> None:
    bench.radio.fails["poll"] = DriverError("noise", "bruit")
    bench.line.start()
    bench.event(DeviceLost, 4)
    opened = [event.at for event in bench.events(DeviceBack)]
    waits = [after - before for before, after in pairwise(opened)]
    assert all(wait >= pause for wait, pause in zip(waits, REOPEN_S, strict=False))
    bench.radio.fails.clear()
    bench.event(DeviceBack, 5)
    assert not bench.radio.keyed


def test_a_device_that_does_not_unkey_is_overdue(bench: Bench) -> None:
    bench.granted()
    bench.radio.blocked.clear()
    bench.line.unkey(1)
    now = time.monotonic()
    assert not bench.line.overdue(now)
    assert bench.line.overdue(now + CONFIRM_S + 0.01)
    assert bench.line.busy()
    bench.radio.blocked.set()
    bench.cause()
    assert not bench.line.overdue(now + 3600)


def test_a_device_that_fails_and_does_not_close_is_overdue_under_a_living_lease(
    bench: Bench,
) -> None:
    bench.granted()
    bench.radio.fails["refresh"] = DriverError("broken", "en panne")
    bench.radio.hangs["close"] = threading.Event()
    renewed_until(bench, "close")
    bench.line.renew(1, time.monotonic())
    now = time.monotonic()
    assert bench.line.overdue(now + CONFIRM_S + 0.01)
    bench.radio.hangs["close"].set()
    assert bench.cause() is UnkeyCause.DEVICE
    assert not bench.line.overdue(now + 3600)


@pytest.mark.parametrize(
    "event",
    [
        Unkeyed(cause=UnkeyCause.RADIO, at=1.0),
        KeyAnswered(answer=KeyAnswer.DENIED, at=1.0),
        KeyAnswered(answer=KeyAnswer.FAILED, at=1.0),
    ],
)
def test_a_device_that_ends_it_and_does_not_unkey_is_overdue_under_a_living_lease(
    bench: Bench, event: InterfaceEvent
) -> None:
    bench.radio.hangs["unkey"] = threading.Event()
    bench.granted()
    bench.radio.say(event)
    renewed_until(bench, "unkey")
    bench.line.renew(1, time.monotonic())
    assert bench.line.overdue(time.monotonic() + CONFIRM_S + 0.01)


def renewed_until(bench: Bench, call: str) -> None:
    """Renew the lease until the driver has been called so."""
    end = time.monotonic() + LIMIT_S
    while call not in bench.radio.calls:
        assert time.monotonic() < end, bench.radio.calls
        bench.line.renew(1, time.monotonic())
        time.sleep(0.001)


def test_an_order_that_came_too_late_for_its_lease_never_keys(bench: Bench) -> None:
    bench.radio.blocked.clear()
    bench.line.start()
    bench.line.key(1, time.monotonic() - 2 * LEASE_S)
    bench.radio.blocked.set()
    assert bench.cause() is UnkeyCause.LEASE
    assert "key" not in bench.radio.calls


def test_a_new_request_ends_the_one_before(bench: Bench) -> None:
    bench.granted(1)
    bench.key(2)
    bench.event(KeyAnswered, 2)
    assert bench.radio.calls == ["open", "key", "unkey", "key"]
    assert [serial for serial, event in bench.reports if isinstance(event, Unkeyed)] == [1]


def test_silence_unkeys_and_stop_closes(bench: Bench) -> None:
    bench.granted()
    bench.line.silence()
    assert bench.cause() is UnkeyCause.CLOSING
    bench.key(2)
    bench.event(KeyAnswered, 2)
    bench.line.stop()
    bench.wait(lambda: len(bench.events(Unkeyed)) == 2)
    while not bench.line.ended():
        time.sleep(0.001)
    assert bench.radio.calls[-2:] == ["unkey", "close"]


def test_what_the_gateway_missed_is_told_again(bench: Bench) -> None:
    bench.line.start()
    bench.event(DeviceBack)
    bench.reading = False
    bench.radio.say(ChannelReported(channel="000013", at=1.0))
    bench.radio.say(CorChanged(active=True, at=1.0))
    bench.key()
    while bench.line.busy():
        time.sleep(0.001)
    bench.reading = True
    bench.line.resend()
    bench.line.resend()
    told = [type(event) for _, event in bench.reports[1:]]
    assert told == [DeviceBack, CorChanged, ChannelReported, Unkeyed]
