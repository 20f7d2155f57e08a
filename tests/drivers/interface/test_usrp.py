import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from radiobridge.drivers.interface.usrp import UsrpInterface
from radiobridge.errors import ConfigError, DriverError
from radiobridge.model.interface import CorChanged, KeyAnswer, KeyAnswered
from radiobridge_sim.serial.log import LineHistory
from radiobridge_sim.serial.usrp_peer import KeysOn, UsrpPeer
from radiobridge_sim.sound import Pcm
from tests.drivers.interface.waiting import poll_for, until

pytestmark = pytest.mark.real


def free_address() -> tuple[str, int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    return str(host), int(port)


class World:
    """A driver and its far end."""

    def __init__(self, keys_on: KeysOn = KeysOn.FLAG) -> None:
        self.history = LineHistory()
        self.heard: list[Pcm] = []
        self.peer = UsrpPeer(
            keys_on=keys_on, log=self.history, on_voice=lambda frame, _at: self.heard.append(frame)
        )
        self.peer.start()
        self.peer.peer = free_address()
        host, port = self.peer.peer
        self.line = UsrpInterface.from_settings(
            {"listen": f"{host}:{port}", "peer": self.peer.address}
        )
        self.line.open()

    def stop(self) -> None:
        self.line.close()
        self.peer.stop()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.stop()


def test_opening_and_closing_never_key(world: World) -> None:
    world.line.close()
    world.line.open()
    world.line.poll()
    world.line.close()
    assert world.history.of("PTT") == []


def test_the_key_alone_keys_and_the_unkey_ends_it(world: World) -> None:
    world.line.key()
    answer = poll_for(world.line, KeyAnswered)
    assert isinstance(answer, KeyAnswered)
    assert answer.answer is KeyAnswer.GRANTED
    until(lambda: world.peer.ptt)
    world.line.unkey()
    until(lambda: not world.peer.ptt)
    assert world.history.of("PTT")[-1].cause == "unkey"


def test_silence_keeps_a_stream_without_voice_alive() -> None:
    world = World(KeysOn.VOICE)
    world.line.key()
    until_frames(world, 8)
    assert world.peer.ptt
    assert not np.any(np.concatenate(world.heard))
    world.stop()


def until_frames(world: World, count: int) -> None:
    def polled() -> bool:
        world.line.poll()
        return len(world.heard) >= count

    until(polled)


def test_an_allstar_node_keys_with_the_first_voice_and_drops_after_the_last() -> None:
    world = World(KeysOn.VOICE)
    world.line.key()
    world.line.write(np.arange(160, dtype=np.int16))
    until(lambda: world.peer.ptt)
    world.line.unkey()
    until(lambda: not world.peer.ptt)
    assert world.history.of("PTT")[-1].cause == "stream-gone"
    assert np.array_equal(world.heard[0], np.arange(160))
    assert len(world.heard) == 1
    world.stop()


def test_voice_is_dropped_while_not_keyed() -> None:
    world = World(KeysOn.VOICE)
    world.line.write(np.ones(160, dtype=np.int16))
    world.line.key()
    world.line.write(np.full(160, 7, dtype=np.int16))
    until(lambda: bool(world.heard))
    assert int(world.heard[0][0]) == 7
    world.stop()


def test_a_stream_that_just_stops_unkeys(world: World) -> None:
    world.line.key()
    until(lambda: world.peer.ptt)
    until(lambda: not world.peer.ptt)
    assert world.history.of("PTT")[-1].cause == "stream-gone"


def test_cor_and_voice_come_from_the_stream(world: World) -> None:
    world.peer.set_cor(active=True)
    opened = poll_for(world.line, CorChanged)
    world.peer.send(np.full(160, -5, dtype=np.int16))
    frames: list[Pcm] = []

    def heard() -> bool:
        world.line.poll()
        frames.extend(world.line.read())
        return bool(frames)

    until(heard)
    world.peer.set_cor(active=False)
    closed = poll_for(world.line, CorChanged)
    assert isinstance(opened, CorChanged)
    assert isinstance(closed, CorChanged)
    assert (opened.active, closed.active) == (True, False)
    assert int(frames[0][0]) == -5
    assert frames[0].dtype == np.int16


def test_cor_ends_when_the_far_end_just_stops(world: World) -> None:
    world.peer.set_cor(active=True)
    poll_for(world.line, CorChanged)
    closed = poll_for(world.line, CorChanged)
    assert isinstance(closed, CorChanged)
    assert not closed.active


def test_packets_of_others_and_garbage_count_for_nothing(world: World) -> None:
    assert world.peer.peer is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(b"USRP" + bytes(11) + b"\1" + bytes(16), world.peer.peer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
        noisy.bind(("127.0.0.1", 0))
        noisy.sendto(b"nonsense", world.peer.peer)
    world.peer.send(np.zeros(160, dtype=np.int16), keyed=False)
    frames: list[Pcm] = []

    def heard() -> bool:
        assert not [event for event in world.line.poll() if isinstance(event, CorChanged)]
        frames.extend(world.line.read())
        return bool(frames)

    until(heard)


def test_a_peer_that_goes_is_a_failed_device(world: World) -> None:
    world.peer.stop()
    with pytest.raises(DriverError, match="cannot be reached"):
        poll_for(world.line, KeyAnswered)
    world.line.close()
    with pytest.raises(DriverError, match="cannot be reached"):
        world.line.open()
    world.peer.start()
    world.line.close()
    world.line.open()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listen": "127.0.0.1:34001"}, "'peer' is missing"),
        ({"listen": "127.0.0.1", "peer": "127.0.0.1:1"}, "host:port"),
        ({"listen": "127.0.0.1:0", "peer": "127.0.0.1:1"}, "host:port"),
        ({"listen": "127.0.0.1:1", "peer": "127.0.0.1:1", "rate": 8000}, "unknown setting"),
    ],
)
def test_wrong_settings_say_what_is_right(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        UsrpInterface.from_settings(settings)
