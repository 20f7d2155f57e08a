"""A client of a broker that floods one topic with garbage, as fast as it is told to.

A process of its own, so that it takes nothing from what it disturbs but the processor. It writes
MQTT 5 on a bare socket: a client library would be too slow. It asks to hear the topic itself
(without its own packets), and of the garbage

    a third is noise,
    a third looks like the first packet of a spurt that begins now, under a key nobody has,
    a third is the newest real packet on the topic, with one bit turned.

So every check of a receiver has work: the cheap ones, and those that need a key.
"""

import argparse
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICK_S = 0.005
ANSWER_S = 10.0
READ_BYTES = 65_536
NOISE_BYTES = 110
"""About as long as a voice packet."""

_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _SUBACK = 0x10, 0x20, 0x30, 0x82, 0x90
_PING = b"\xc0\x00"
_PING_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a flood has come to."""

    packets: int
    over_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Return packets for each second."""
        return self.packets / self.over_s


class Flood:
    """The flood as a child process; it ends at `stop`, and with its parent's pipe."""

    def __init__(self, address: tuple[str, int], user: str, password: Path, topic: str) -> None:
        """Log in as `user`, with the password in a file, to send on `topic`."""
        self._command = [sys.executable, "-m", __name__, *map(str, address), user, str(password)]
        self._command += [topic]
        self._child: subprocess.Popen[str] | None = None

    def start(self, rate: int) -> None:
        """Send `rate` packets a second from now on."""
        self._child = subprocess.Popen(
            [*self._command, "--rate", str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None  # noqa: S101  PIPE was asked for
        if self._child.stdout.readline() != "flooding\n":
            self.stop()
            raise ConnectionError(f"the flood cannot log in: {self._command[3:]}")

    @property
    def pid(self) -> int:
        """Return the process id; call after `start`."""
        assert self._child is not None  # noqa: S101  see above
        return self._child.pid

    def stop(self) -> Sent:
        """End it; return what it has sent."""
        child, self._child = self._child, None
        if child is None:
            return Sent(packets=0, over_s=1.0, cpu_s=0.0)
        child.send_signal(signal.SIGTERM)
        told, _ = child.communicate(timeout=ANSWER_S)
        return Sent(**json.loads(told.splitlines()[-1])) if told.strip() else Sent(
            packets=0, over_s=1.0, cpu_s=0.0
        )  # fmt: skip


# -- in the process of its own ---------------------------------------------------------------


class _Client:
    """MQTT 5 on a bare socket, as far as this needs it (MQTT 5.0, sections 3.1, 3.3 and 3.8)."""

    def __init__(self, host: str, port: int, user: str, password: str, topic: str) -> None:
        self._topic = topic.encode()
        self._socket = socket.create_connection((host, port), ANSWER_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.newest = b""
        """The newest real packet on the topic."""
        flags = 0xC2  # user name, password, clean start
        header = _string(b"MQTT") + bytes((5, flags)) + (60).to_bytes(2, "big") + b"\0"
        login = _string(secrets.token_hex(8).encode()) + _string(user.encode())
        self._socket.sendall(_packet(_CONNECT, header + login + _string(password.encode())))
        self._expect(_CONNACK)
        no_local = 0x04
        wanted = b"\0\1\0" + _string(self._topic) + bytes((no_local,))
        self._socket.sendall(_packet(_SUBSCRIBE, wanted))
        self._expect(_SUBACK)

    def _expect(self, kind: int) -> None:
        """Read until an answer of that kind; exit when it is a refusal."""
        while True:
            for first, body in self._read():
                if first == kind:
                    refused = body[1] if kind == _CONNACK else body[-1]
                    if refused >= 0x80:
                        sys.exit(f"refused: {refused:#x}")
                    self._socket.setblocking(True)
                    return

    def _read(self) -> list[tuple[int, bytes]]:
        """Return the packets that have come in (first byte, rest); wait for some bytes."""
        data = self._socket.recv(READ_BYTES)
        if not data:
            sys.exit("the broker has closed the connection")
        self._buffer += data
        found = []
        while (cut := _cut(self._buffer)) is not None:
            first, body, self._buffer = cut
            found.append((first, body))
        return found

    def look(self) -> None:
        """Take what others have sent on the topic meanwhile."""
        self._socket.setblocking(False)
        try:
            for first, body in self._read():
                if first & 0xF0 == _PUBLISH:
                    skip = 2 + int.from_bytes(body[:2], "big") + 1
                    self.newest = body[skip:]
        except BlockingIOError:
            return
        finally:
            self._socket.setblocking(True)

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Send all of them at once, QoS 0; wait while the broker does not take them."""
        head = _string(self._topic) + b"\0"
        self._socket.sendall(b"".join([_packet(_PUBLISH, head + one) for one in payloads]))

    def ping(self) -> None:
        """Tell the broker that somebody is there."""
        self._socket.sendall(_PING)


def garbage(number: int, newest: bytes, draw: random.Random) -> bytes:
    """Return the payload of packet `number`."""
    kind = number % 3
    if kind == 0 or (kind == 2 and not newest):
        return draw.randbytes(NOISE_BYTES)
    if kind == 1:
        start_ms = time.time_ns() // 1_000_000
        # Version 1 with a proof; normal class; SFrame with a KID of 8 bytes and CTR 0; 1 hash.
        head = b"\x12\x00" + start_ms.to_bytes(6, "big") + bytes(4)
        sframe = b"\xf0" + draw.randbytes(8) + draw.randbytes(60)
        return head + sframe + draw.randbytes(8 + 64) + b"\x01"
    bit = draw.randrange(8 * len(newest))
    turned = bytearray(newest)
    turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(first: int, body: bytes) -> bytes:
    size, rest = b"", len(body)
    while True:
        rest, low = rest >> 7, rest & 0x7F
        size += bytes((low | (0x80 if rest else 0),))
        if not rest:
            return bytes((first,)) + size + body


def _cut(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the first packet's first byte, its body, and what follows; None: not whole yet."""
    size = shift = 0
    for place in range(1, min(5, len(data))):
        size |= (data[place] & 0x7F) << shift
        shift += 7
        if not data[place] & 0x80:
            end = place + 1 + size
            return (data[0], data[place + 1 : end], data[end:]) if len(data) >= end else None
    return None


def _serve(client: _Client, rate: int) -> None:
    """Flood until SIGTERM, or until nobody holds the pipe any more; then tell what it came to."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    print("flooding", flush=True)  # noqa: T201  the parent waits for it
    draw, sent = random.Random(1), 0
    begin = pinged = time.monotonic()
    parent = os.getppid()
    while not stopped and os.getppid() == parent:
        now = time.monotonic()
        client.look()
        # Never a burst after a stall: the rate is what is asked for, not the sum.
        due = min(int((now - begin) * rate) - sent, int(rate * TICK_S * 4))
        if due > 0:
            client.publish([garbage(sent + n, client.newest, draw) for n in range(due)])
            sent += due
        if now - pinged > _PING_S:
            client.ping()
            pinged = now
        time.sleep(TICK_S)
    over_s = time.monotonic() - begin
    told = {"packets": sent, "over_s": over_s, "cpu_s": time.process_time()}
    print(json.dumps(told), flush=True)  # noqa: T201  see above


def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("host", "port", "user", "password", "topic"):
        parser.add_argument(name)
    parser.add_argument("--rate", type=int, required=True)
    asked = parser.parse_args()
    password = Path(asked.password).read_text(encoding="utf-8").strip()
    _serve(_Client(asked.host, int(asked.port), asked.user, password, asked.topic), asked.rate)


if __name__ == "__main__":
    _main()
