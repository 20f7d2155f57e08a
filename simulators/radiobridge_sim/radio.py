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

On a trunked system (`trunked`) PTT only asks: the carrier comes with the grant, and the radio hears
nothing but its own tones until PTT is released. On a shared channel `mute_hz` makes COR the mute
line of a tone squelch: it opens, and sound passes, only with that tone; `flat` hands the tone on
with the sound, as the flat output of a discriminator does.

How it differs from the real thing: no pre-emphasis, no limiter, no analog noise while idle; its
receiver tells COR at the end of the 5 ms step in which the carrier came.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from radiobridge_sim.air import QUIET, AirUnit, Emission, Reception
from radiobridge_sim.line_log import LineEvent, LineLog
from radiobridge_sim.playout import Playout
from radiobridge_sim.serial.usrp_peer import KeysOn
from radiobridge_sim.sound import FRAME, FULL_SCALE, RATE, SILENCE, STEP, Pcm
from radiobridge_sim.tones import CTCSS_DBFS, mixed, tone
from radiobridge_sim.trunked import LINES, Trunk, TrunkedSettings, Trunking
from radiobridge_sim.usrp import UsrpPacket, UsrpSocket

TONE_DECODED_S = 0.2
"""How long a tone must be there before the mute line follows."""

NOISE_DBFS = -14.0
"""Noise of the receiver between the end of a carrier and the closing of its squelch."""

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
    tail_s: float = 0.0
    """How long its squelch stays open, on noise, when a carrier ends."""
    ctcss_hz: float | None = None
    """The tone that it sends."""
    mute_hz: float | None = None
    """The tone without which its mute line (COR) stays closed and its sound silent."""
    flat: bool = False
    """Whether the tone that is received is in the sound."""
    trunked: TrunkedSettings | None = None
    """The trunked system that it works on."""


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
        tx_hz: int | None = None,
    ) -> None:
        """`hz` is received; sent is `tx_hz`, the input of a repeater, where it differs."""
        super().__init__(
            name,
            tx_hz=hz if tx_hz is None else tx_hz,
            rx_hz=hz,
            full_duplex=settings.full_duplex,
        )
        self.settings = settings
        self.socket = socket
        self.playout = Playout(delay_s=settings.playout_s)
        self.on_cor: Callable[[bool], None] = lambda _active: None
        """Told when the receiver opens or closes; called in the thread of the air."""
        self.on_trunk: Callable[[Trunk], None] = lambda _state: None
        """Told what the trunked system has answered; called in the thread of the air."""
        trunked = settings.trunked
        self.trunking = None if trunked is None else Trunking(trunked, self._trunk_changed)
        self._log = log
        self._zero = zero
        self._presses: deque[_Press] = deque()
        self._lock = threading.Lock()
        self._stream_keyed = False
        self._keyed = False
        self._carrier_from = 0
        self._last_packet = 0
        self._carrier_since: int | None = None
        self._tone_since: int | None = None
        self._open_until = 0
        self._cor = False
        noise = np.random.default_rng(len(name)).standard_normal(RATE)
        loud = noise * FULL_SCALE * float(10 ** (NOISE_DBFS / 20.0))
        self._noise = np.clip(loud, -32_768, 32_767).astype(np.int16)
        self._frame: Pcm = np.zeros(FRAME, np.int16)
        self._frame_open = False
        self._was_open = False

    @property
    def busy(self) -> bool:
        """Tell whether it transmits, asks to, or receives."""
        asks = self.trunking is not None and self.trunking.state is not Trunk.IDLE
        return self._keyed or self._cor or asks

    @property
    def on_air(self) -> bool:
        """Tell whether it transmits: keyed, and on a trunked system granted."""
        return self._keyed

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
        return Emission(sent, self.settings.ctcss_hz)

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
                self._follow_press(press, first + at)
        if self.trunking is not None:
            self.trunking.advance(first + STEP)
        self._span(spans, first, position, STEP)
        return spans

    def _follow_press(self, press: _Press, at: int) -> None:
        if self.trunking is not None:
            self.trunking.press(at) if press.on else self.trunking.release(at)
        else:
            self._key(on=press.on, at=at)

    def _key(self, *, on: bool, at: int) -> None:
        if on and not self._keyed:
            self._carrier_from = at + round(self.settings.key_up_s * RATE)
        self._keyed = on

    def _trunk_changed(self, state: Trunk, at: int) -> None:
        self._key(on=state is Trunk.GRANTED, at=at)
        line = state.value if state in LINES else "TRUNK"
        self._log.add(
            LineEvent(t=at / RATE, radio=self.name, line=line, value=1, cause=state.name.lower())
        )
        self.on_trunk(state)

    def _span(self, spans: list[tuple[int, int]], first: int, begin: int, end: int) -> None:
        begin = max(begin, self._carrier_from - first)
        if self._keyed and begin < end:
            spans.append((begin, end))

    def hear(self, step: int, reception: Reception) -> None:
        """Receive: COR to the interface, sound to the gateway."""
        first = step * STEP
        if self.trunking is not None and self.trunking.state is not Trunk.IDLE:
            reception = QUIET
        samples, own_tones = self._listen(first, reception), False
        if self.trunking is not None:
            samples, own_tones = self.trunking.sound(samples, first)
            own_tones = own_tones and self.trunking.settings.tones_open_cor
        self._set_cor(first, active=first < self._open_until or own_tones)
        slot = (step - self.settings.grid_steps) * STEP % FRAME
        self._frame[slot : slot + STEP] = samples
        self._frame_open = self._frame_open or self._cor
        if slot + STEP == FRAME:
            self._send_frame()

    def _listen(self, first: int, reception: Reception) -> Pcm:
        """Follow carrier and tone; return what its output gives."""
        settings = self.settings
        self._carrier_since = _since(self._carrier_since, first, there=reception.carrier)
        toned = settings.mute_hz is not None and reception.ctcss_hz == settings.mute_hz
        self._tone_since = _since(self._tone_since, first, there=toned)
        opened = _lasts(self._carrier_since, first, settings.cor_delay_s)
        if settings.mute_hz is not None:
            opened = opened and _lasts(self._tone_since, first, TONE_DECODED_S)
        if opened:
            self._open_until = first + STEP + round(settings.tail_s * RATE)
        if not reception.carrier and first < self._open_until:
            at = first % RATE
            return self._noise[at : at + STEP]
        if settings.mute_hz is not None and not opened:
            return SILENCE
        if settings.flat and reception.ctcss_hz is not None:
            return mixed(reception.samples, tone(reception.ctcss_hz, first, STEP, CTCSS_DBFS))
        return reception.samples

    def _set_cor(self, first: int, *, active: bool) -> None:
        if active == self._cor:
            return
        self._cor = active
        self._log.add(
            LineEvent(
                t=(first + STEP) / RATE,
                radio=self.name,
                line="COR",
                value=int(active),
                cause="carrier",
            )
        )
        self.on_cor(active)

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


def _since(since: int | None, now: int, *, there: bool) -> int | None:
    """Return since when something is there without a break."""
    if not there:
        return None
    return now if since is None else since


def _lasts(since: int | None, now: int, seconds: float) -> bool:
    """Tell whether something has been there for that long."""
    return since is not None and now - since >= seconds * RATE
