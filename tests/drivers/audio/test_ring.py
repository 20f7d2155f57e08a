"""The play ring: whatever sizes go in and out, the same bytes in the same order."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from radiobridge.drivers.audio.ring import PlayRing

RATE = 8000
FRAME = 320


@given(pushes=st.lists(st.binary(max_size=400), max_size=15), sizes=st.lists(st.integers(1, 500)))
def test_the_same_bytes_come_out_in_the_same_order(pushes: list[bytes], sizes: list[int]) -> None:
    ring = PlayRing(RATE)
    for pcm in pushes:
        ring.push(pcm)
    whole = b"".join(pushes)
    assert ring.queued_s() == len(whole) / 16_000
    out = b"".join(ring.pull(size) for size in sizes)
    assert out == whole[: sum(sizes)]
    assert ring.queued_s() == (len(whole) - len(out)) / 16_000


def test_above_half_a_second_the_oldest_goes() -> None:
    ring = PlayRing(RATE)
    for n in range(30):
        ring.push(bytes([n]) * FRAME)
    assert ring.overruns == 5
    assert ring.queued_s() == 0.5
    assert ring.pull(FRAME) == bytes([5]) * FRAME


def test_clear_leaves_only_the_rest_of_what_is_being_played() -> None:
    ring = PlayRing(RATE)
    ring.push(b"a" * FRAME)
    ring.push(b"b" * FRAME)
    assert ring.pull(200) == b"a" * 200
    ring.clear()
    assert ring.pull(FRAME) == b"a" * 120
    assert ring.pull(FRAME) == b""


def test_one_thread_may_push_while_another_pulls() -> None:
    ring, out, frames = PlayRing(RATE), bytearray(), 3000
    pushed = threading.Event()

    def pull() -> None:
        while not pushed.is_set() or ring.queued_s():
            out.extend(ring.pull(100))

    puller = threading.Thread(target=pull)
    puller.start()
    for n in range(frames):
        ring.push(n.to_bytes(4, "big") * 80)
    pushed.set()
    puller.join()
    kept = [bytes(out[at : at + 4]) for at in range(0, len(out), 4)]
    assert len(out) == (frames - ring.overruns) * FRAME
    assert kept == sorted(kept)
