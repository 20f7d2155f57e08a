"""The Protocols that drivers implement. Services see these and nothing else.

Third parties register a class under an entry-point group: `radiobridge.interfaces` (a
`RadioInterface`), `radiobridge.audio` (an `AudioDriver`), `radiobridge.links` (a `Link`). Each
class is built by `from_settings`, as its Protocol says.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Protocol, Self

from radiobridge.model.audit import AuditEntry, AuditHead, AuditState
from radiobridge.model.interface import InterfaceEvent
from radiobridge.model.voice import PcmFrame
from radiobridge.text import Text


class Clock(Protocol):
    """The two clocks of a machine."""

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds: the same for all processes of this machine."""

    def wall_ms(self) -> int:
        """Return the system's wall clock in ms since 1970."""

    def synchronised(self) -> bool:
        """Tell whether the system says that its wall clock is synchronised."""


class RadioInterface(Protocol):
    """One radio's PTT and COR, inside the keyer process.

    A class that can tell its radio's channel says so by the attribute `reports_channel = True`.
    Where `radios.<radio>.channel` is set, it finds `report_channel: true` in its settings and tells
    ChannelReported soon after each opening, after each alarm `restarted`, and at each change. The
    radio is cut both ways until it has told the right one.

    Blocking calls are allowed: each radio has a thread of its own, and only it calls. Every method
    raises DriverError when the device fails; the keyer then closes the device, reports it lost and
    opens it again with backoff. Neither opening nor closing ever keys.
    """

    poll_s: float
    """How often `poll` must be called when `fileno` is not readable meanwhile, in s."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from checked settings (JSON values); opens nothing."""

    def open(self) -> None:
        """Open the device with PTT off."""

    def fileno(self) -> int | None:
        """Return a descriptor that becomes readable when `poll` has something, or None."""

    def key(self) -> None:
        """Ask to transmit. The answer comes from `poll` as KeyAnswered."""

    def refresh(self) -> None:
        """Renew a dead-man while keyed; called for each renewal of the lease."""

    def unkey(self) -> None:
        """Stop transmitting; return when the device has taken it."""

    def poll(self) -> Iterable[InterfaceEvent]:
        """Return what the device has told since the last call; never blocks longer than 50 ms."""

    def close(self) -> None:
        """Unkey and close; never raises."""


class VoiceInterface(RadioInterface, Protocol):
    """An interface that carries the voice in the same stream as the key (`usrp`)."""

    rate: int

    def write(self, samples: PcmFrame) -> None:
        """Send 20 ms while keyed; dropped when not keyed."""

    def read(self) -> Iterable[PcmFrame]:
        """Return voice received since the last call; called after `poll`."""


class InterfaceSink(Protocol):
    """Where a keyer line reports; called in the event loop."""

    def interface_event(self, event: InterfaceEvent) -> None:
        """Take one event; quick, never blocks, never raises."""


class KeyerLine(Protocol):
    """The gateway's hold on one radio's transmitter, through the keyer process."""

    def attach(self, sink: InterfaceSink) -> None:
        """Say who gets the events; once, before the first key."""

    def key(self) -> None:
        """Ask to transmit, starting a lease of 200 ms. Answered by KeyAnswered."""

    def renew(self) -> None:
        """Renew the lease; call at least every 60 ms while keying or keyed."""

    def unkey(self) -> None:
        """Stop transmitting now. Answered by Unkeyed."""


class AudioSink(Protocol):
    """Where an audio device delivers; called in the event loop."""

    def audio(self, samples: PcmFrame, at: float) -> None:
        """Take 20 ms of received audio whose last sample was heard at `at` (monotonic s)."""

    def audio_lost(self, reason: Text) -> None:
        """The device failed; the owner closes it and opens it again later."""


class AudioDevice(Protocol):
    """A radio's sound, in frames of 20 ms mono int16 at `rate`."""

    rate: int
    underruns: int
    """Times the device ran dry while there was a spurt to play."""
    overruns: int
    """Frames dropped because a bounded ring was full (the oldest go)."""

    async def open(self, sink: AudioSink) -> None:
        """Open and start; raise DriverError when the device cannot be used."""

    def write(self, samples: PcmFrame) -> None:
        """Queue 20 ms to play; never blocks. Above 500 ms queued the oldest is dropped."""

    def queued_s(self) -> float:
        """Return how much is written and not yet played, in s."""

    def discard(self) -> None:
        """Drop what is not yet played."""

    async def close(self) -> None:
        """Stop and close; never raises."""


class AudioDriver(AudioDevice, Protocol):
    """An audio device that registers under `radiobridge.audio`."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from checked settings; opens nothing."""


class LinkSink(Protocol):
    """Where a link delivers; called in the event loop."""

    def voice(self, topic: str, payload: bytes, link: str) -> None:
        """Take one voice packet, whatever it holds; quick, never raises."""

    def document(self, topic: str, payload: bytes, link: str) -> None:
        """Take one document, whatever it holds; quick, never raises."""

    def presence(self, link: str, connection: int, *, online: bool) -> tuple[str, bytes]:
        """Return topic and payload of this gateway's presence, and (offline) of its will."""

    def link_up(self, link: str) -> None:
        """The link is connected and subscribed, own documents are published again."""

    def link_down(self, link: str, reason: Text) -> None:
        """The link is gone; it reconnects by itself."""


class Link(Protocol):
    """One way to the other gateways: an MQTT broker, or this process itself."""

    name: str

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], base: PurePath) -> Self:
        """Build from checked settings; relative paths start at `base`. Opens nothing."""

    async def open(self, sink: LinkSink) -> None:
        """Start; return at once and connect in the background, for ever."""

    def want_voice(self, topics: frozenset[str]) -> None:
        """Replace the set of voice topics (MQTT filters) to receive."""

    def want_documents(self, filters: frozenset[str]) -> None:
        """Replace the set of document filters to receive."""

    def publish_voice(self, topic: str, payload: bytes) -> bool:
        """Send now or drop: False when not connected or more than 4 KiB stay unsent."""

    def restart_voice(self) -> bool:
        """Throw away what waits: only late voice comes by this link. False: not now, too often."""

    def publish_document(self, topic: str, payload: bytes) -> None:
        """Send QoS 1 retained, and again at each connect; the newest for each topic is kept."""

    def publish_notice(self, topic: str, payload: bytes) -> None:
        """Send QoS 1, not retained, if connected (spurt documents); else drop."""

    def stats(self) -> Mapping[str, int]:
        """Return counters: sent, dropped, received, reconnects..."""

    async def close(self) -> None:
        """Say goodbye (offline presence), disconnect; never raises."""


class StateStore(Protocol):
    """What must survive a restart: epochs, bridge time, versions, inhibits. Small text values."""

    def get(self, key: str) -> str | None:
        """Return the value as last stored or loaded, from memory."""

    def items(self, prefix: str) -> Mapping[str, str]:
        """Return the values whose keys begin with `prefix`, from memory."""

    async def put(self, key: str, value: str) -> None:
        """Store; durable on the disk when it returns. Raises StoreError."""

    async def close(self) -> None:
        """Flush and close; never raises."""


class AuditLog(Protocol):
    """The append-only log of who did what; its order is the order of the calls.

    What grants goes through `before`. What takes away, emergencies and what merely happened goes
    through `after`, so that nothing ever waits for a disk.
    """

    async def before(self, entry: AuditEntry) -> None:
        """Write; durable on the disk when it returns, and only then may it take effect.

        Raises StoreError when it cannot be written, within 2 s whatever the disk does. An entry
        that reaches the disk after that is followed by one that says it took no effect.
        """

    def after(self, entry: AuditEntry) -> None:
        """Write as soon as the disk allows, in order; never blocks, never raises.

        Bounded: what does not fit any more is counted, and the count is written in its place.
        """

    def head(self) -> AuditHead | None:
        """Return number and hash of the last durable entry; None until the log could be read."""

    def state(self) -> AuditState:
        """Return how the log is: what waits, what failed and why."""

    async def close(self) -> None:
        """Write what waits, for 2 s at most; never raises."""


class PatchApi(Protocol):
    """Patches by command. Requests and answers are JSON values; `by` says who asked.

    Every method raises CommandError when it cannot be done as asked, and then nothing was done.
    With `preview` in the request, what gives is checked and shown, and nothing is done.
    """

    def patches(self) -> list[dict[str, Any]]:
        """Return how each patch stands."""

    def show(self, patch: str) -> dict[str, Any]:
        """Return all about one patch: terms, who said what, what others propose instead."""

    def plans(self) -> list[dict[str, Any]]:
        """Return what was agreed in advance, and the patches that came of it."""

    async def test(self, patch: str) -> dict[str, Any]:
        """Prove all of a patch but the radio wave, in two seconds, keying nothing."""

    async def propose(self, request: object, by: str) -> dict[str, Any]:
        """Accept terms of our own making; durable before it is said."""

    async def accept(self, patch: str, request: object, by: str) -> dict[str, Any]:
        """Accept what is proposed, narrowed if asked; durable before it is said."""

    async def extend(self, patch: str, request: object, by: str) -> dict[str, Any]:
        """Propose a patch with the same members that starts when this one ends."""

    async def activate(self, plan: str, request: object, by: str) -> dict[str, Any]:
        """Put a plan on demand into force."""

    async def narrow(self, patch: str, request: object, by: str) -> dict[str, Any]:
        """Restrict our own part at once, for good; stored afterwards (`durable`)."""

    async def withdraw(self, patch: str, by: str) -> dict[str, Any]:
        """Take our consent back at once, for good; stored afterwards (`durable`)."""


class EmergencyApi(Protocol):
    """Emergencies by command. Requests and answers are JSON values; `by` says who asked.

    Every method raises CommandError when it cannot be done as asked, and then nothing was done.
    An emergency acts first and is stored afterwards: `durable` in the answer says whether it is.
    """

    def list_alarms(self) -> list[dict[str, Any]]:
        """Return how each alarm that concerns this gateway stands, the newest first."""

    def list_measures(self) -> list[dict[str, Any]]:
        """Return the talkers that are demoted or excluded, by whom, and whom that binds."""

    async def raise_alarm(self, request: object, by: str) -> dict[str, Any]:
        """Raise an alarm on a talkgroup of this agency, or raise it again."""

    async def acknowledge(self, alarm: str, request: object, by: str) -> dict[str, Any]:
        """Say that somebody here has seen it and takes care of it."""

    async def clear(self, alarm: str, request: object, by: str) -> dict[str, Any]:
        """Say that an alarm of this agency is over: valid or false, and why."""

    async def decide(self, verb: str, request: object, by: str) -> dict[str, Any]:
        """Demote, exclude or restore one talker."""


class GatewayApi(Protocol):
    """What a running gateway shows and takes; the HTTP API serves it to the CLI and the console.

    Dictionaries hold JSON values. Commands raise CommandError when they cannot be done as asked;
    `by` says who asked, for the log.
    """

    @property
    def desk(self) -> PatchApi:
        """Return the commands on patches."""

    @property
    def emergency(self) -> EmergencyApi:
        """Return the commands on emergencies."""

    def status(self) -> dict[str, Any]:
        """Return the gateway as it is now: clock, links, radios, partners, patches and why."""

    def radios(self) -> list[dict[str, Any]]:
        """Return the radios as they are now."""

    def audit_heads(self) -> dict[str, Any]:
        """Return the heads of other gateways' audit logs that this one holds."""

    async def inhibit(self, radio: str, by: str) -> dict[str, Any]:
        """Unkey a radio and keep it off the air until allowed; return the radio."""

    async def allow(self, radio: str, by: str) -> dict[str, Any]:
        """Lift an inhibit; durable in the log before it takes effect. Return the radio."""

    async def confirm_state(self, by: str) -> dict[str, Any]:
        """Trust what this gateway remembers, after it lost its state; durable before it counts."""

    async def stop_transmit(self, by: str) -> dict[str, Any]:
        """Unkey every radio and keep all of them off the air until `lift_stop`."""

    async def lift_stop(self, by: str) -> dict[str, Any]:
        """Lift that; durable in the log before it takes effect. Return the radios."""
