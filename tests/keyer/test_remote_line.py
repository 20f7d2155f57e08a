"""What the gateway remembers of a radio for who attaches late."""

import asyncio

from radiobridge.keyer.remote_line import RemoteLine
from radiobridge.model.interface import ChannelReported, DeviceBack, DeviceLost, InterfaceEvent
from radiobridge.text import Text
from tests.services.virtual_time import in_virtual_time, now

GONE = Text("gone", "parti")


class Sink:
    """An InterfaceSink that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[InterfaceEvent] = []

    def interface_event(self, event: InterfaceEvent) -> None:
        self.told.append(event)

    def devices(self) -> list[type[InterfaceEvent]]:
        return [
            type(event)
            for event in self.told
            if isinstance(event, DeviceBack | DeviceLost | ChannelReported)
        ]


def line() -> RemoteLine:
    return RemoteLine(0, asyncio.get_running_loop(), lambda _raw: True)


@in_virtual_time
async def test_a_channel_is_told_to_who_attaches_late() -> None:
    made, sink = line(), Sink()
    made.event(0, DeviceBack(at=now()))
    made.event(0, ChannelReported(channel="12", at=now()))
    made.attach(sink)
    assert sink.devices() == [DeviceBack, ChannelReported]


@in_virtual_time
async def test_a_channel_is_forgotten_with_its_device() -> None:
    made, sink = line(), Sink()
    made.event(0, DeviceBack(at=now()))
    made.event(0, ChannelReported(channel="12", at=now()))
    made.gone(GONE)
    made.event(0, DeviceBack(at=now()))
    made.attach(sink)
    assert sink.devices() == [DeviceBack]


@in_virtual_time
async def test_a_lost_device_is_on_no_channel() -> None:
    made, sink = line(), Sink()
    made.attach(sink)
    made.event(0, DeviceLost(reason=GONE, at=now()))
    made.event(0, ChannelReported(channel="12", at=now()))
    assert sink.devices() == [DeviceLost]
