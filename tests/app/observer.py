"""Somebody at a broker who reads everything that is below `rb/1/`."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

USER, PASSWORD = "observer", "sees-what-a-broker-sees"
LIMIT_S = 10.0


@dataclass
class Observer:
    """A client of its own thread; keeps what it has read."""

    port: int
    user: str = USER
    password: str = PASSWORD
    read: list[tuple[str, bytes]] = field(default_factory=list)
    _acks: dict[int, ReasonCode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.username_pw_set(self.user, self.password)
        self._client.on_message = self._take
        self._client.on_publish = self._acknowledged
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> "Observer":
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        self._client.subscribe("rb/1/#", qos=1)
        assert self._subscribed.wait(LIMIT_S), "the broker does not answer"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, topic: str) -> list[bytes]:
        """Return what was read on a topic, in order."""
        return [payload for where, payload in self.read if where == topic]

    def wait(self, found: Callable[[], bool], what: str) -> None:
        """Wait until `found`."""
        until = time.monotonic() + LIMIT_S
        while not found():
            assert time.monotonic() < until, f"waited in vain: {what}"
            time.sleep(0.02)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish with QoS 1; tell whether the broker let it."""
        sent = self._client.publish(topic, payload, qos=1)
        self.wait(lambda: sent.mid in self._acks, "an acknowledgement")
        return not self._acks[sent.mid].is_failure

    def _take(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.read.append((message.topic, bytes(message.payload)))

    def _acknowledged(
        self, _client: Client, _userdata: object, mid: int, code: ReasonCode, _properties: object
    ) -> None:
        self._acks[mid] = code
