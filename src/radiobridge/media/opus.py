"""Opus (RFC 6716) for voice frames of 20 ms, by libopus through opuslib-next.

Encoder and decoder each work at the rate of their own radio: libopus converts, so 8 kHz in and
48 kHz out need no resampler. It adds 6.5 ms (its lookahead) to the 20 ms of the frame.
"""

from typing import Any

import numpy as np

from radiobridge.errors import DependencyMissingError, LocalProtocolError, RemoteProtocolError
from radiobridge.model.voice import RADIO_RATES, PcmFrame

try:
    import opuslib_next
    from opuslib_next import api
    from opuslib_next.api import ctl
    from opuslib_next.api import decoder as decoder_api
    from opuslib_next.api import encoder as encoder_api
# opuslib-next raises a bare Exception when libopus itself is missing.
except Exception as error:
    raise DependencyMissingError(
        "libopus is missing; install it, on Debian and Ubuntu with: apt install libopus0",
        "libopus est introuvable; installez-la, sous Debian et Ubuntu avec: apt install libopus0",
    ) from error

MAX_PACKET = 1275
"""Bytes in the longest Opus frame (RFC 6716, section 3.2.1)."""

SIGNALLING_BITRATE = 24_000
"""At least this for frames that a far decoder shall understand: at 16 kbit/s and 48 kHz one bit of
an MDC1200 block in a hundred comes out wrong, at 24 one in a thousand (docs/signalling.md)."""

MIN_BITRATE = 6_000
MAX_BITRATE = 64_000
"""Above this mono voice gains nothing."""


class OpusEncoder:
    """Turns the frames of one radio into packets; keeps state from frame to frame."""

    def __init__(
        self, rate: int, *, bitrate: int = 16_000, complexity: int = 5, vbr: bool = True
    ) -> None:
        """Make an encoder for mono frames at `rate` Hz, `bitrate` in bit/s, complexity 0 to 10.

        Raises LocalProtocolError when a value is out of range.
        """
        _check_rate(rate)
        if not MIN_BITRATE <= bitrate <= MAX_BITRATE:
            raise LocalProtocolError(f"bitrate {bitrate} is not in {MIN_BITRATE}..{MAX_BITRATE}")
        if not 0 <= complexity <= 10:
            raise LocalProtocolError(f"complexity {complexity} is not in 0..10")
        self._size = rate // 50
        self._bitrate = self._bitrate_now = bitrate
        # The class owns the libopus state and frees it; we keep it for that.
        self._encoder: Any = opuslib_next.Encoder(rate, 1, opuslib_next.APPLICATION_VOIP)
        for request, value in (
            (ctl.set_bitrate, bitrate),
            (ctl.set_complexity, complexity),
            (ctl.set_vbr, int(vbr)),
            (ctl.set_dtx, 0),
        ):
            encoder_api.encoder_ctl(self._encoder.encoder_state, request, value)

    def encode(self, frame: PcmFrame, *, signalling: bool = False) -> bytes:
        """Return the packet of one frame, shape (rate // 50,) int16; at most 1275 bytes.

        A frame of `signalling` gets SIGNALLING_BITRATE if that is more.
        """
        if frame.shape != (self._size,) or frame.dtype != np.int16:
            raise LocalProtocolError(f"frame is {frame.shape} {frame.dtype}, not ({self._size},)")
        wanted = max(self._bitrate, SIGNALLING_BITRATE) if signalling else self._bitrate
        if wanted != self._bitrate_now:
            self._bitrate_now = wanted
            encoder_api.encoder_ctl(self._encoder.encoder_state, ctl.set_bitrate, wanted)
        packet: bytes = self._encoder.encode(frame.tobytes(), self._size)
        return packet

    def reset(self) -> None:
        """Forget the past, as for a new spurt."""
        self._encoder.reset_state()


class OpusDecoder:
    """Turns packets of one sender into frames; keeps state from frame to frame."""

    def __init__(self, rate: int) -> None:
        """Make a decoder that gives mono frames at `rate` Hz; raises LocalProtocolError."""
        _check_rate(rate)
        self._size = rate // 50
        # The class owns the libopus state and frees it; we keep it for that.
        self._decoder: Any = opuslib_next.Decoder(rate, 1)
        self._state = self._decoder.decoder_state
        # opuslib-next's own decode() copies each sample through a Python list: 55 µs at 48 kHz,
        # against 21 when its binding of opus_decode writes into one buffer that we keep.
        self._samples: PcmFrame = np.zeros(self._size, dtype=np.int16)
        self._out = self._samples.ctypes.data_as(api.c_int16_pointer)

    def decode(self, packet: bytes) -> PcmFrame:
        """Return the 20 ms in `packet` as a new array, shape (rate // 50,) int16.

        Raises RemoteProtocolError when it is not one Opus packet of exactly 20 ms. Whatever was
        decoded of it is not heard, and decoding can go on with the next packet or `conceal`.
        """
        if not 0 < len(packet) <= MAX_PACKET:
            raise RemoteProtocolError("bad-opus", f"{len(packet)} bytes")
        return self._decode(packet)

    def conceal(self) -> PcmFrame:
        """Return 20 ms that hide a lost packet, as `decode` does; fades out if repeated."""
        return self._decode(b"")

    def reset(self) -> None:
        """Forget the past, as for a new spurt."""
        self._decoder.reset_state()

    def _decode(self, packet: bytes) -> PcmFrame:
        # The buffer holds exactly 20 ms: libopus refuses what is longer, we what is shorter.
        count = decoder_api.libopus_decode(
            self._state, packet, len(packet), self._out, self._size, 0
        )
        if count != self._size:
            raise RemoteProtocolError("bad-opus", f"libopus returned {count}, not {self._size}")
        return self._samples.copy()


def _check_rate(rate: int) -> None:
    if rate not in RADIO_RATES:
        raise LocalProtocolError(f"rate {rate} is not one of {RADIO_RATES}")
