import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiobridge.errors import LocalProtocolError, RemoteProtocolError
from radiobridge.wire import ccdi
from radiobridge.wire.ccdi import CcdiMessage, CcdiReader, Progress, Prompt

VECTORS = [
    ("f", "3009", b"f0430096A\r"),
    ("f", "3000", b"f04300073\r"),
    ("f", "041", b"f03041A2\r"),
    ("f", "051", b"f03051A1\r"),
    ("q", "0", b"q010FE\r"),
    ("q", "5063", b"q0450635D\r"),
    ("p", "02", b"p0202CC\r"),
    ("m", "13102.03", b"m0813102.03A3\r"),
]
"""Messages as the manual MMA-00038 prints them."""


@pytest.mark.parametrize(("ident", "parameters", "raw"), VECTORS)
def test_a_message_of_the_manual_is_written_and_read(
    ident: str, parameters: str, raw: bytes
) -> None:
    assert ccdi.encode(ident, parameters) == raw
    assert CcdiReader().feed(raw) == [CcdiMessage(ident, parameters)]


def test_the_checksum_of_the_manual() -> None:
    assert ccdi.checksum(b"s0D050800TESTHi!") == "DA"


def test_the_commands_that_key_are_those_of_the_manual() -> None:
    assert ccdi.PTT_CONSTANT == b"f0430096A\r"
    assert ccdi.PTT_OFF == b"f04300073\r"
    assert ccdi.press(4) == ccdi.encode("f", "3004")
    assert ccdi.PROGRESS_ON == b"f03041A2\r"
    assert ccdi.CHANNEL_PROGRESS_ON == b"f03051A1\r"
    assert ccdi.QUERY_CHANNEL == b"f03052A0\r"


@pytest.mark.parametrize("eighths", [-1, 10])
def test_a_press_that_does_not_exist_is_our_mistake(eighths: int) -> None:
    with pytest.raises(LocalProtocolError):
        ccdi.press(eighths)


def test_a_prompt_glued_to_a_message_and_dots_inside_are_told_apart() -> None:
    message = ccdi.encode("m", "0813102.03")
    items = CcdiReader().feed(b"." + message + b"..")
    assert items == [Prompt.READY, CcdiMessage("m", "0813102.03"), Prompt.READY, Prompt.READY]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"p02", "ccdi-length"),
        (b"p0202CD", "ccdi-checksum"),
        (b"p0302CB", "ccdi-size"),
        (b"p" + b"0" * 300, "ccdi-length"),
    ],
)
def test_a_damaged_message_says_what_is_wrong(line: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        ccdi.decode(line)
    assert caught.value.reason == reason


def test_progress_channel_and_errors_are_understood() -> None:
    assert ccdi.progress_of(CcdiMessage("p", "05")) is Progress.BUSY
    assert ccdi.progress_of(CcdiMessage("p", "17")) is None
    assert ccdi.progress_of(CcdiMessage("m", "05")) is None
    assert ccdi.channel_of(CcdiMessage("p", "210010012")) == "010012"
    assert ccdi.channel_of(CcdiMessage("p", "219000000")) == ""
    assert ccdi.error_of(CcdiMessage("e", "005")) == ccdi.NOT_READY
    assert ccdi.error_of(CcdiMessage("e", "0??")) == 0
    assert ccdi.error_of(CcdiMessage("p", "05")) is None


@given(st.binary(max_size=400))
def test_any_line_is_a_message_or_a_remote_protocol_error(line: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert ccdi.encode(*ccdi.decode(line)) == line.upper() + b"\r"


messages = st.lists(
    st.builds(
        CcdiMessage,
        st.sampled_from("efgjmpq"),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=255),
    ),
    max_size=5,
)


@given(messages, st.lists(st.integers(1, 40), min_size=1))
def test_messages_survive_any_cut_of_the_byte_stream(
    sent: list[CcdiMessage], cuts: list[int]
) -> None:
    raw = b"".join(ccdi.encode(*message) + b"." for message in sent)
    reader, got, at, turn = CcdiReader(), [], 0, 0
    while at < len(raw):
        step = cuts[turn % len(cuts)]
        got += reader.feed(raw[at : at + step])
        at, turn = at + step, turn + 1
    assert [item for item in got if item is not Prompt.READY] == sent
    assert reader.bad == 0


@given(st.binary(max_size=1000))
def test_noise_never_stops_the_reader(noise: bytes) -> None:
    reader = CcdiReader()
    reader.feed(noise)
    reader.feed(b"\r")
    assert reader.feed(b"p0202CC\r") == [CcdiMessage("p", "02")]


def test_an_endless_line_is_dropped_and_counted() -> None:
    reader = CcdiReader()
    assert reader.feed(b"x" * 100_000) == []
    assert reader.feed(b"\r" + ccdi.PTT_OFF) == [CcdiMessage("f", "3000")]
    assert reader.bad == 1
