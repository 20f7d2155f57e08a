"""A donor radio: the air on one side, what a gateway finds on its cables on the other.

Sound comes and goes as USRP over UDP. How it is keyed depends on the kind:

- `Keying.USRP`: the stream is the key. Every voice packet keys; AllStarLink goes by these alone, a
  DVSwitch program (`KeysOn.FLAG`) also by a header that says so. A header that says otherwise
  unkeys once everything before it has been played; so does a stream that stops for 100 ms.
  It sends voice only while its receiver is open, and a header alone after it.
- `Keying.SERIAL`: a serial device (CCDI or bare lines) calls `ptt`, and gets COR by `on_cor`.
  PTT off drops the carrier at once, with whatever is not yet played. It sends sound continuously.

Either way it cuts what it receives into frames of 20 ms on a grid of its own, as a sound device
does, and sends each as soon as it is full.

How it differs from the real thing: no pre-emphasis, no limiter, no analog noise while idle; its
receiver tells COR at the end of the 5 ms step in which the carrier came.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from radiobridge_sim.air import AirUnit, Emission, Reception
from radiobridge_sim.line_log import LineEvent, LineLog
from radiobridge_sim.playout import Playout
from radiobridge_sim.serial.usrp_peer import KeysOn
from radiobridge_sim.sound import FRAME, RATE, SILENCE, STEP, Pcm
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket

STREAM_STOPPED_S = 0.1
"""A USRP peer unkeys when the stream stops for this long."""


class Keying(Enum):
    """What keys the radio."""

    USRP = "usrp"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorSettings:
    """How a donor radio behaves."""

    keying: Keying
    keys_on: KeysOn = KeysOn.VOICE
    """What keys it in a USRP stream. An AllStarLink node waits for the first voice packet."""
    playout_s: float = 0.008
    """Play-out buffer of its sound device."""
    key_up_s: float = 0.0
    """From PTT to the carrier."""
    cor_delay_s: float = 0.0
    """From the carrier to COR; sound passes at once."""
    grid_steps: int = 0
    """Where its 20 ms grid starts, in steps (0 to 3)."""
    full_duplex: bool = False


@dataclass(frozen=True, slots=True)
class _Press:
    at: int
    on: bool
    cause: str


class DonorRadio(AirUnit):
    """One donor radio. `emit`, `hear` and `read` belong to the thread of the air."""

    def __init__(
        self,
        name: str,
        *,
        hz: int,
        settings: DonorSettings,
        socket: UsrpSocket,
        log: LineLog,
        zero: float,
    ) -> None:
        super().__init__(name, tx_hz=hz, full_duplex=settings.full_duplex)
        self.settings = settings
        self.socket = socket
        self.playout = Playout(delay_s=settings.playout_s)
        self.on_cor: Callable[[bool], None] = lambda _active: None
        """Told when the receiver opens or closes; called in the thread of the air."""
        self._log = log
        self._zero = zero
        self._presses: deque[_Press] = deque()
        self._lock = threading.Lock()
        self._stream_keyed = False
        self._keyed = False
        self._carrier_from = 0
        self._last_packet = 0
        self._carrier_since: int | None = None
        self._cor = False
        self._frame: Pcm = np.zeros(FRAME, np.int16)
        self._frame_open = False
        self._was_open = False

    @property
    def busy(self) -> bool:
        """Tell whether it transmits or receives."""
        return self._keyed or self._cor

    # -- keying ------------------------------------------------------------------------------

    def ptt(self, on: bool, at: float, cause: str) -> None:
        """The serial device's PTT changed at `at` (monotonic s). Thread-safe."""
        self._press(_Press(self._index(at), on, cause), at)

    def _press(self, press: _Press, at: float) -> None:
        with self._lock:
            self._presses.append(press)
        event = LineEvent(
            t=at - self._zero, radio=self.name, line="PTT", value=int(press.on), cause=press.cause
        )
        self._log.add(event)

    def _index(self, at: float) -> int:
        return round((at - self._zero) * RATE)

    # -- sound from the gateway --------------------------------------------------------------

    def read(self) -> None:
        """Take what the gateway has sent."""
        for packet in self.socket.receive():
            self.take(packet)

    def take(self, packet: UsrpPacket) -> None:
        """Take one packet: voice to play, or the end of a transmission."""
        arrival = self._index(packet.at)
        if packet.samples is not None:
            self.playout.put(packet.samples, arrival)
        elif not packet.keyed:
            self.playout.finish()
        if self.settings.keying is Keying.USRP:
            self._follow_stream(packet, arrival)

    def _follow_stream(self, packet: UsrpPacket, arrival: int) -> None:
        flagged = packet.keyed and self.settings.keys_on is KeysOn.FLAG
        if flagged or packet.samples is not None:
            self._last_packet = arrival
            if not self._stream_keyed:
                cause = "flag" if packet.samples is None else "voice"
                self._stream(on=True, at=packet.at, cause=cause)
        elif self._stream_keyed and not packet.keyed:
            self._stream(on=False, at=max(packet.at, self._time(self.playout.end)), cause="end")

    def _stream(self, *, on: bool, at: float, cause: str) -> None:
        self._stream_keyed = on
        self._press(_Press(self._index(at), on, cause), at)

    def _time(self, index: int) -> float:
        return self._zero + index / RATE

    # -- the air -----------------------------------------------------------------------------

    def emit(self, step: int) -> Emission | None:
        """Transmit what is being played, while keyed."""
        first = step * STEP
        self._watch_stream(first)
        played = SILENCE.copy()
        self.playout.take(first, played)
        spans = self._keyed_spans(first)
        if not spans:
            return None
        sent = SILENCE.copy()
        for begin, end in spans:
            sent[begin:end] = played[begin:end]
        return Emission(sent)

    def _watch_stream(self, first: int) -> None:
        if self._stream_keyed and first - self._last_packet > STREAM_STOPPED_S * RATE:
            self.playout.finish()
            self._stream(on=False, at=self._time(first), cause="stream stopped")

    def _keyed_spans(self, first: int) -> list[tuple[int, int]]:
        """Return the parts of this step with a carrier, as offsets into it."""
        spans: list[tuple[int, int]] = []
        position = 0
        with self._lock:
            while self._presses and self._presses[0].at < first + STEP:
                press = self._presses.popleft()
                at = min(max(press.at - first, position), STEP)
                self._span(spans, first, position, at)
                position = at
                if press.on and not self._keyed:
                    self._carrier_from = first + at + round(self.settings.key_up_s * RATE)
                self._keyed = press.on
        self._span(spans, first, position, STEP)
        return spans

    def _span(self, spans: list[tuple[int, int]], first: int, begin: int, end: int) -> None:
        begin = max(begin, self._carrier_from - first)
        if self._keyed and begin < end:
            spans.append((begin, end))

    def hear(self, step: int, reception: Reception) -> None:
        """Receive: COR to the interface, sound to the gateway."""
        first = step * STEP
        self._sense(first, carrier=reception.carrier)
        slot = (step - self.settings.grid_steps) * STEP % FRAME
        self._frame[slot : slot + STEP] = reception.samples
        self._frame_open = self._frame_open or self._cor
        if slot + STEP == FRAME:
            self._send_frame()

    def _sense(self, first: int, *, carrier: bool) -> None:
        if not carrier:
            self._carrier_since = None
        elif self._carrier_since is None:
            self._carrier_since = first
        opened = (
            self._carrier_since is not None
            and first - self._carrier_since >= self.settings.cor_delay_s * RATE
        )
        if opened != self._cor:
            self._cor = opened
            self._log.add(
                LineEvent(
                    t=(first + STEP) / RATE,
                    radio=self.name,
                    line="COR",
                    value=int(opened),
                    cause="carrier",
                )
            )
            self.on_cor(opened)

    def _send_frame(self) -> None:
        if self.settings.keying is Keying.SERIAL:
            self.socket.send(self._frame, keyed=False)
        elif self._frame_open:
            self.socket.send(self._frame, keyed=True)
            self._was_open = True
        if self._was_open and not self._cor:
            self.socket.send(None, keyed=False)
            self._was_open = False
        self._frame_open = False

    def close(self) -> None:
        """Close the sockets."""
        self.socket.close()
