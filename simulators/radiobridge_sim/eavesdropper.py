"""A former partner that stores all: every packet and document of a broker, and its own keys.

It uses the partner's own account and key file, so what it cannot open, the partner cannot open.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from radiobridge.drivers.store.key_files import GatewayKeys
from radiobridge.errors import DriverError, RemoteProtocolError
from radiobridge.model.ids import GatewayId, TalkgroupId
from radiobridge.wire.canonical import Body, decode_bytes, parse
from radiobridge.wire.fields import Fields
from radiobridge.wire.seal import SealContext, unseal
from radiobridge.wire.sframe import SFrameKey
from radiobridge.wire.topics import TopicKind, parse_topic
from radiobridge.wire.voice import base_key_for, key_scope, parse_voice
from radiobridge.wire.words import KeyGrant

READY_S = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it passed the broker."""

    at: float
    """CLOCK_MONOTONIC, s."""
    topic: str
    payload: bytes


class Eavesdropper:
    """Subscribes to everything below `rb/1/` on one broker and forgets nothing."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.heard: list[Heard] = []
        self._ready = threading.Event()
        self._address = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message

    def start(self) -> None:
        """Connect, and return when everything is stored from now on; raise DriverError."""
        self._client.connect(self._address.hostname or "", self._address.port or 1883, 5)
        self._client.loop_start()
        if not self._ready.wait(READY_S):
            self.stop()
            raise DriverError("the broker does not answer", "le courtier ne répond pas")

    def stop(self) -> None:
        """Disconnect; what was stored stays."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self,
        client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        client.subscribe("rb/1/#")

    def _subscribed(
        self,
        _client: mqtt.Client,
        _data: object,
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._ready.set()

    def _message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append(Heard(time.monotonic(), message.topic, bytes(message.payload)))


def given_keys(heard: Iterable[Heard], keys: GatewayKeys, talkgroup: TalkgroupId) -> list[KeyGrant]:
    """Return every voice key of `talkgroup` in `heard` that was ever sealed to this gateway."""
    grants = []
    for message in heard:
        try:
            topic = parse_topic(message.topic)
            if topic.kind is not TopicKind.KEY or topic.talkgroup != talkgroup:
                continue
            grants.append(_grant(message, topic.gateway, keys, talkgroup))
        except RemoteProtocolError:
            continue
    return grants


def opened(
    heard: Iterable[Heard], talkgroup: TalkgroupId, grants: Iterable[KeyGrant]
) -> list[bool]:
    """Return for each voice packet of `talkgroup` whether any of these keys opens it.

    Every key is tried on every packet, whatever epoch the packet names.
    """
    known = list(grants)
    packets = [m for m in heard if _is_voice(m.topic, talkgroup)]
    return [any(_opens(m, talkgroup, grant) for grant in known) for m in packets]


def _grant(
    message: Heard, sender: GatewayId, keys: GatewayKeys, talkgroup: TalkgroupId
) -> KeyGrant:
    parts = message.payload.split(b".")
    if len(parts) != 3:
        raise RemoteProtocolError("not-a-document")
    payload = Fields(parse(decode_bytes(parts[1].decode("ascii", "replace"))))
    version = payload.integer("version")
    body: Body = payload.mapping("body", most=8)
    context = SealContext(topic=message.topic, version=version, sender=sender)
    return KeyGrant.from_body(unseal(body, keys.gateway, keys.hpke, context), talkgroup)


def _is_voice(topic: str, talkgroup: TalkgroupId) -> bool:
    try:
        parsed = parse_topic(topic)
    except RemoteProtocolError:
        return False
    return parsed.kind is TopicKind.VOICE and parsed.talkgroup == talkgroup


def _opens(message: Heard, talkgroup: TalkgroupId, grant: KeyGrant) -> bool:
    sender = parse_topic(message.topic).gateway
    try:
        frame = parse_voice(message.payload)
        kid = frame.sframe_header.kid
        base = base_key_for(grant.key, key_scope(sender, talkgroup), frame.header.start_ms, kid)
        SFrameKey(base, kid).decrypt(frame.sframe_header, frame.sframe, frame.metadata)
    except RemoteProtocolError:
        return False
    return True
