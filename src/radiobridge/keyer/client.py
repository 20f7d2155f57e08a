"""The gateway's end of the keyer: starts the process, gives orders, reports, starts it again.

Nothing here waits: orders and voice are one non-blocking send each, and what the keyer reports is
delivered from the event loop's reader callback. The gateway watches the keyer as the keyer watches
the gateway: one that takes no order, answers no ping within a second (0.4 s while a radio is
keyed), or does not confirm an unkeying within half a second is killed, which closes its devices,
and is started again. One that starts is given START_S for it, and no order but its settings: it
imports before it reads, and nothing is keyed meanwhile.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Self

import structlog

from radiobridge.errors import ConfigError, DriverError
from radiobridge.keyer.protocol import (
    MAX_MESSAGE,
    MAX_RADIOS,
    Kind,
    Message,
    event_of,
    json_of,
    pack,
    pack_json,
    rate_of,
    unpack,
)
from radiobridge.keyer.remote_line import RemoteLine
from radiobridge.keyer.voice import KeyerVoice
from radiobridge.model.ids import RadioName
from radiobridge.model.interface import NOT_OPEN
from radiobridge.text import Text

DEFAULT_TIME_OUT_S = 60.0
FENCE_S = 1.0
"""The keyer's own longest transmission is that much longer than the gateway's."""

PING_S = 0.25
SILENT_S = 1.0
KEYED_PING_S = 0.1
KEYED_SILENT_S = 0.4
"""While a radio is keyed the keyer is asked more often and given less time."""

UNKEY_S = 0.5
START_S = 15.0
CLOSE_S = 1.5
END_S = 0.5
"""How long its end may take once it has closed, and again once it has been killed."""

RESTART_S = (0.1, 0.5, 1.0, 2.0, 5.0)

_BATCH = 64
_REAP_S = 0.005
_log = structlog.get_logger(__name__)


class KeyerClient:
    """The keyer process of this gateway and the radios in it."""

    def __init__(
        self,
        radios: Mapping[RadioName, Mapping[str, Any]],
        time_out_s: Mapping[RadioName, float],
        *,
        simulation: bool,
    ) -> None:
        if len(radios) > MAX_RADIOS:
            raise ConfigError(
                f"{len(radios)} radios; one gateway serves {MAX_RADIOS} at most",
                f"{len(radios)} radios; une passerelle en sert {MAX_RADIOS} au plus",
            )
        self._loop = asyncio.get_running_loop()
        self._orders = [
            {
                "settings": dict(settings),
                "time_out_s": time_out_s.get(name, DEFAULT_TIME_OUT_S) + FENCE_S,
                "simulation": simulation,
            }
            for name, settings in radios.items()
        ]
        self._lines = [RemoteLine(i, self._loop, self._ordered) for i in range(len(radios))]
        self._by_name = dict(zip(radios, self._lines, strict=True))
        self._names = tuple(radios)
        self._voices: dict[RadioName, KeyerVoice] = {}
        self._sock: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._ready_count = 0
        self._closed = asyncio.Event()
        self._closing = asyncio.Event()
        self._failures = 0
        self._up_at = 0.0
        self._restarting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ping_at: float | None = None
        self.restarts = 0
        """Times that the keyer process had to be started again."""

    @classmethod
    async def start(
        cls,
        radios: Mapping[RadioName, Mapping[str, Any]],
        *,
        time_out_s: Mapping[RadioName, float] | None = None,
        simulation: bool = False,
    ) -> Self:
        """Start the process with these interfaces (`{"driver": ..., ...}` for each radio).

        Returns when it has taken the settings; devices open meanwhile and are reported by
        DeviceBack or DeviceLost. `time_out_s` is each radio's longest transmission. Raises
        ConfigError for wrong settings and DriverError when the process does not start.
        """
        client = cls(radios, time_out_s or {}, simulation=simulation)
        try:
            await client._launch()
        except BaseException:
            await client.close()
            raise
        client._watch()
        return client

    def line(self, radio: RadioName) -> RemoteLine:
        """Return the hold on that radio's transmitter (an `spi.KeyerLine`)."""
        return self._by_name[radio]

    def voice_device(self, radio: RadioName) -> KeyerVoice:
        """Return the sound (an `spi.AudioDevice`) of an interface that carries voice.

        Raises DriverError when the interface of that radio carries none.
        """
        line = self._by_name[radio]
        if not line.rate:
            raise DriverError(
                f"the interface of radio '{radio}' carries no voice: give it `audio`",
                f"l'interface de la radio « {radio} » ne porte pas la voix : donnez-lui `audio`",
            )
        return self._voices.setdefault(radio, KeyerVoice(line))

    @property
    def pid(self) -> int | None:
        """Return the process id of the keyer, None while it does not run."""
        return self._process.pid if self._process is not None else None

    async def close(self) -> None:
        """Unkey all, wait for the confirmation, end the process; never raises."""
        self._closing.set()
        if self._timer is not None:
            self._timer.cancel()
        self._started(_no_start("closing", "fermeture"))
        if self._restarting is not None:
            await asyncio.wait({self._restarting}, timeout=CLOSE_S)
        if self._sock is not None:
            self._send(pack(Kind.CLOSE, 0, 0, time.monotonic()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), CLOSE_S)
        self._drop()
        await self._reap()

    # The process.

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            self._process = await self._spawned(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        if self._closing.is_set():  # and `close` waited no longer for the process to begin
            ours.close()
            raise _no_start("closing", "fermeture")
        self._sock = ours
        self._ready = self._loop.create_future()
        self._ready_count = 0
        self._ping_at = None
        self._loop.add_reader(ours.fileno(), self._readable)
        now = time.monotonic()
        for index, order in enumerate(self._orders):
            self._send(pack_json(Kind.ADD, index, now, order))
        if not self._orders:  # no READY to wait for
            self._send(pack(Kind.PING, 0, 0, now))
        try:
            await asyncio.wait_for(self._ready, START_S)
        except TimeoutError:
            raise _no_start("no answer", "aucune réponse") from None
        self._up_at = time.monotonic()
        _log.info("keyer-started", pid=self._process.pid, radios=len(self._orders))

    async def _spawned(self, fd: int) -> subprocess.Popen[bytes]:
        spawning = self._loop.run_in_executor(None, _spawn, fd)
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            _abandon(await spawning)
            raise

    def _died(self, reason: Text) -> None:
        """The process is gone or of no use: everything is unkeyed by its end."""
        process = self._process
        self._drop()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(_no_start(*reason))
            return
        if self._closing.is_set():
            for line in self._lines:
                line.released()
            self._closed.set()
            return
        for line in self._lines:
            line.gone(Text(f"keyer: {reason.en}", f"processus d'émission : {reason.fr}"))
        _log.error("keyer-ended", pid=process.pid if process else None, reason=reason.en)
        if time.monotonic() - self._up_at > RESTART_S[-1]:
            self._failures = 0
        if self._restarting is None or self._restarting.done():
            self._restarting = self._loop.create_task(self._restart())

    async def _restart(self) -> None:
        while not self._closing.is_set():
            await self._reap()
            pause = RESTART_S[min(self._failures, len(RESTART_S) - 1)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
                return
            self._failures += 1
            self.restarts += 1
            try:
                await self._launch()
            except (DriverError, ConfigError, OSError) as error:
                _log.error("keyer-not-started", reason=str(error))
                self._drop()
                # What it told of its devices before it failed holds no more.
                for line in self._lines:
                    if line.device_open:
                        line.gone(NOT_OPEN)
                continue
            return

    def _drop(self) -> None:
        """Close our end, which alone makes the keyer unkey, and kill what is left."""
        if self._sock is not None:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None
        if self._process is not None and not self._closed.is_set():
            self._process.kill()

    async def _reap(self) -> None:
        """Wait for the end of the process; for ever unless we close: no two may hold one device."""
        process, self._process = self._process, None
        if process is None:
            return
        since, told = self._loop.time(), False
        while process.poll() is None:
            waited_s = self._loop.time() - since
            if waited_s > END_S:
                process.kill()
            if waited_s > 2 * END_S and not told:
                told = True
                _log.error("keyer-not-ended", pid=process.pid)
            if waited_s > 2 * END_S and self._closing.is_set():
                return
            await asyncio.sleep(_REAP_S if waited_s < END_S else END_S / 5)

    def _watch(self) -> None:
        """Ping the keyer, and kill it when it does not do what it must."""
        live = any(line.live for line in self._lines)
        self._timer = self._loop.call_later(KEYED_PING_S if live else PING_S, self._watch)
        if self._sock is None:
            return
        self._readable()
        if self._starting:
            return
        now = time.monotonic()
        silent_s = KEYED_SILENT_S if live else SILENT_S
        if self._ping_at is not None and now - self._ping_at > silent_s:
            self._died(Text("does not answer", "ne répond pas"))
        elif any(line.unkey_overdue(now, UNKEY_S) for line in self._lines):
            self._died(Text("does not confirm that it unkeyed", "ne confirme pas la coupure"))
        elif self._ping_at is None:
            self._ping_at = now
            self._send(pack(Kind.PING, 0, 0, now))

    # Messages.

    @property
    def _starting(self) -> bool:
        """Tell whether the process has not taken its settings yet: `_launch` watches it."""
        return self._ready is not None and not self._ready.done()

    def _ordered(self, raw: bytes) -> bool:
        """Send what a radio orders; False, and not sent, while the keyer starts."""
        return not self._starting and self._send(raw)

    def _send(self, raw: bytes) -> bool:
        """Send one message; False when the keyer is gone. A keyer that reads nothing is killed."""
        if self._sock is None:
            return False
        try:
            self._sock.send(raw, socket.MSG_NOSIGNAL)
        except OSError as error:
            reason = _DEAF if isinstance(error, BlockingIOError) else _ENDED
            self._loop.call_soon(self._give_up, self._sock, reason)
            if self._process is not None and not self._closing.is_set():
                self._process.kill()
            return False
        return True

    def _give_up(self, sock: socket.socket, reason: Text) -> None:
        if self._sock is sock:
            self._died(reason)

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._sock is None:
                return
            try:
                raw = self._sock.recv(MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                raw = b""
            if not raw:
                self._died(_ENDED)
                return
            self._take(unpack(raw))

    def _take(self, message: Message) -> None:
        match message.kind:
            case Kind.HEARD:
                self._lines[message.radio].heard(message)
            case Kind.PONG:
                self._ping_at = None
                if not self._orders:
                    self._started(None)
            case Kind.READY:
                self._lines[message.radio].rate = rate_of(message)
                self._ready_count += 1
                if self._ready_count == len(self._orders):
                    self._started(None)
            case Kind.REFUSED:
                self._started(self._refusal(message))
            case Kind.CLOSED:
                self._closed.set()
            case _:
                self._lines[message.radio].event(message.serial, event_of(message))

    def _started(self, error: Exception | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)

    def _refusal(self, message: Message) -> Exception:
        words, name = json_of(message), self._names[message.radio]
        return ConfigError(
            f"radios.{name}.interface: {words['en']}", f"radios.{name}.interface: {words['fr']}"
        )


_ENDED = Text("ended", "s'est terminé")
_DEAF = Text("takes no orders", "ne prend plus d'ordres")


def _no_start(en: str, fr: str) -> DriverError:
    return DriverError(
        f"the keyer process does not start: {en}", f"le processus d'émission ne démarre pas : {fr}"
    )


def _spawn(fd: int) -> subprocess.Popen[bytes]:
    """Start the process: `-P` keeps the working directory out of its module path."""
    module = "radiobridge.keyer.process"
    command = [sys.executable, "-P", "-m", module, "--fd", str(fd), "--parent", str(os.getpid())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(fd,))


def _abandon(process: subprocess.Popen[bytes]) -> None:
    """End a process that nobody waits for any more; it has keyed nothing."""
    process.kill()
    process.wait()
