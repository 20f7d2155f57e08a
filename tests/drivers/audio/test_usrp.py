"""Sound over USRP against a bare UDP socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import numpy as np
import pytest

from radiobridge.drivers.audio.usrp import UsrpAudio
from radiobridge.errors import ConfigError, DriverError
from radiobridge.wire import usrp
from tests.drivers.audio.sink import LIMIT_S, Sink, tone, udp_socket


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with udp_socket() as sock:
        yield sock


@pytest.fixture
def port() -> int:
    with udp_socket() as sock:
        number: int = sock.getsockname()[1]
        return number


@pytest.fixture
async def device(peer: socket.socket, port: int) -> AsyncIterator[tuple[UsrpAudio, Sink]]:
    audio, sink = make(port, peer), Sink()
    await audio.open(sink)
    yield audio, sink
    await audio.close()


class StoppedClock:
    """Time as the driver sees it: moves only when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    stopped = StoppedClock()
    monkeypatch.setattr("radiobridge.drivers.audio.usrp.monotonic", stopped)
    return stopped


def make(port: int, peer: socket.socket) -> UsrpAudio:
    listen, far = f"127.0.0.1:{port}", f"127.0.0.1:{peer.getsockname()[1]}"
    return UsrpAudio.from_settings({"driver": "usrp", "listen": listen, "peer": far})


async def receive(peer: socket.socket) -> usrp.UsrpPacket:
    async with asyncio.timeout(LIMIT_S):
        return usrp.decode(await asyncio.get_running_loop().sock_recv(peer, 2048))


def waiting(peer: socket.socket) -> list[bytes]:
    """Return what has come in already."""
    packets = []
    with suppress(BlockingIOError):
        while True:
            packets.append(peer.recv(2048))
    return packets


async def test_a_spurt_arrives_whole_in_order_and_ends_with_one_header(
    device: tuple[UsrpAudio, Sink], peer: socket.socket
) -> None:
    audio, _ = device
    frames = tone(8000, 12)
    for frame in frames:
        audio.write(frame)
    packets = [await receive(peer) for _ in range(13)]
    heard = [np.frombuffer(packet.payload, "<i2") for packet in packets[:-1]]
    assert np.array_equal(heard, frames)
    assert [packet.keyed for packet in packets] == [True] * 12 + [False]
    assert packets[-1].payload == b""
    assert [packet.seq for packet in packets] == sorted({packet.seq for packet in packets})
    assert waiting(peer) == []


async def test_only_two_frames_run_ahead_of_real_time(
    device: tuple[UsrpAudio, Sink], peer: socket.socket, clock: StoppedClock
) -> None:
    audio, _ = device
    for frame in tone(8000, 5):
        audio.write(frame)
    assert round(audio.queued_s(), 6) == 0.1
    assert len(waiting(peer)) == 2
    clock.now += 0.03
    await receive(peer)
    assert round(audio.queued_s(), 6) == 0.07
    assert waiting(peer) == []


async def test_a_gap_inside_a_spurt_counts_as_an_underrun_a_pause_does_not(
    device: tuple[UsrpAudio, Sink], peer: socket.socket, clock: StoppedClock
) -> None:
    audio, _ = device
    frame = tone(8000, 1)[0]
    audio.write(frame)
    clock.now += 0.035
    audio.write(frame)
    assert audio.underruns == 0
    clock.now += 0.06
    audio.write(frame)
    assert audio.underruns == 1
    clock.now += 0.5
    while (await receive(peer)).keyed:
        pass
    audio.write(frame)
    assert audio.underruns == 1


async def test_above_half_a_second_the_oldest_is_dropped_and_counted(
    device: tuple[UsrpAudio, Sink], clock: StoppedClock
) -> None:
    del clock
    audio, _ = device
    for frame in tone(8000, 40):
        audio.write(frame)
    assert audio.overruns == 40 - 2 - 25
    assert round(audio.queued_s(), 6) == 0.54


async def test_discard_ends_the_spurt(
    device: tuple[UsrpAudio, Sink], peer: socket.socket, clock: StoppedClock
) -> None:
    audio, _ = device
    for frame in tone(8000, 20):
        audio.write(frame)
    audio.discard()
    clock.now += 1.0
    packets = [await receive(peer) for _ in range(3)]
    assert [packet.keyed for packet in packets] == [True, True, False]


async def test_voice_from_the_peer_is_heard(
    device: tuple[UsrpAudio, Sink], peer: socket.socket, port: int
) -> None:
    _, sink = device
    frames = tone(8000, 5)
    for n, frame in enumerate(frames):
        peer.sendto(usrp.voice(n, frame.tobytes()), ("127.0.0.1", port))
    peer.sendto(usrp.key_only(6, keyed=False), ("127.0.0.1", port))
    await sink.until(lambda: len(sink.frames) == 5)
    assert np.array_equal(sink.frames, frames)
    assert all(frame.flags.writeable for frame in sink.frames)


async def test_garbage_is_counted_and_nothing_else(
    device: tuple[UsrpAudio, Sink], peer: socket.socket, port: int
) -> None:
    audio, sink = device
    for junk in (b"", b"USRP", b"x" * 352, usrp.voice(1, bytes(320))[:-1], b"y" * 2048):
        peer.sendto(junk, ("127.0.0.1", port))
    peer.sendto(usrp.voice(2, bytes(320)), ("127.0.0.1", port))
    await sink.until(lambda: len(sink.frames) == 1)
    assert audio.refused == 5


async def test_another_host_is_not_heard(port: int) -> None:
    audio, sink = UsrpAudio(("127.0.0.1", port), ("127.0.0.9", 9)), Sink()
    await audio.open(sink)
    audio.datagram_received(usrp.voice(1, bytes(320)), ("127.0.0.1", 40_000))
    await audio.close()
    assert (sink.frames, audio.refused) == ([], 1)


async def test_a_peer_that_is_not_there_is_no_failure(port: int) -> None:
    with udp_socket() as gone:
        far = gone.getsockname()
    audio, sink = UsrpAudio(("127.0.0.1", port), far), Sink()
    await audio.open(sink)
    for frame in tone(8000, 5):
        audio.write(frame)
        await asyncio.sleep(0)
    await audio.close()
    assert sink.lost == []


async def test_an_address_in_use_says_which(peer: socket.socket) -> None:
    taken = peer.getsockname()[1]
    with pytest.raises(DriverError, match=f"127.0.0.1:{taken}") as caught:
        await UsrpAudio(("127.0.0.1", taken), ("127.0.0.1", 9)).open(Sink())
    assert "ne peut être ouvert" in caught.value.text.fr


async def test_closed_it_opens_again(peer: socket.socket, port: int) -> None:
    audio, sink = make(port, peer), Sink()
    for _ in range(2):
        await audio.open(sink)
        audio.write(tone(8000, 1)[0])
        assert (await receive(peer)).keyed
        await audio.close()
        await audio.close()
        assert not (await receive(peer)).keyed
    audio.write(tone(8000, 1)[0])


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http"])
def test_a_wrong_address_says_what_would_be_right(listen: str) -> None:
    with pytest.raises(ConfigError, match="listen"):
        UsrpAudio.from_settings({"listen": listen, "peer": "127.0.0.1:1"})
