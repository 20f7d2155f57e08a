import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError
from radiobridge.keyer import protocol
from radiobridge.keyer.protocol import Kind
from radiobridge.model.interface import (
    ChannelReported,
    CorChanged,
    DeviceBack,
    DeviceLost,
    InterfaceEvent,
    KeyAnswer,
    KeyAnswered,
    RadioAlarm,
    UnkeyCause,
    Unkeyed,
)
from radiobridge.text import Text

EVENTS: list[InterfaceEvent] = [
    CorChanged(active=True, at=1.5),
    CorChanged(active=False, at=1.5),
    *(KeyAnswered(answer=answer, at=2.0, detail="é") for answer in KeyAnswer),
    *(Unkeyed(cause=cause, at=3.25) for cause in UnkeyCause),
    DeviceLost(reason=Text("/dev/ttyUSB0: gone", "/dev/ttyUSB0 : parti"), at=4.0),
    DeviceBack(at=4.5),
    ChannelReported(channel="010012", at=5.0),
    RadioAlarm(kind="donor-emergency", active=True, at=6.0, detail="switch"),
    RadioAlarm(kind="restarted", active=False, at=6.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_each_event_arrives_as_it_was_sent(event: InterfaceEvent) -> None:
    message = protocol.unpack(protocol.pack_event(7, 99, event))
    assert (message.radio, message.serial) == (7, 99)
    assert protocol.event_of(message) == event


def test_orders_are_fourteen_bytes() -> None:
    raw = protocol.pack(Kind.RENEW, 3, 2**32 - 1, 1234.5)
    assert len(raw) == 14
    assert protocol.unpack(raw) == (Kind.RENEW, 3, 2**32 - 1, 1234.5, b"")


def test_settings_and_rates_arrive() -> None:
    settings = {"driver": "ccdi", "baud": 28800, "cor": True}
    assert protocol.json_of(protocol.unpack(protocol.pack_json(Kind.ADD, 0, 0.0, settings))) == (
        settings
    )
    assert protocol.rate_of(protocol.unpack(protocol.pack_rate(2, 0.0, 8000))) == 8000


@given(st.text(max_size=600), st.text(max_size=600))
def test_any_reason_of_a_driver_can_be_told(en: str, fr: str) -> None:
    event = DeviceLost(reason=Text(en, fr), at=0.0)
    told = protocol.event_of(protocol.unpack(protocol.pack_event(0, 0, event)))
    assert isinstance(told, DeviceLost)
    assert max(map(len, told.reason)) <= 400


@given(st.binary(max_size=200))
@example(protocol.pack(protocol.Kind.CHANNEL, 0, 0, 0.0, b"\x80"))
@example(protocol.pack(protocol.Kind.ANSWERED, 0, 0, 0.0))
def test_any_packet_is_a_message_or_our_own_mistake(raw: bytes) -> None:
    try:
        message = protocol.unpack(raw)
        protocol.event_of(message)
    except LocalProtocolError:
        return
    assert message.kind >= Kind.COR


def test_a_message_that_would_not_fit_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        protocol.pack_json(Kind.ADD, 0, 0.0, {"x": "y" * protocol.MAX_MESSAGE})
    with pytest.raises(LocalProtocolError):
        protocol.json_of(protocol.Message(Kind.ADD, 0, 0, 0.0, b"[]"))
