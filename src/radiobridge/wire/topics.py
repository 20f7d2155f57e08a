"""MQTT topics of protocol 1: written and parsed in one place. Source: docs/protocol.md, topics.

Each gateway writes below `rb/1/<agency>/<gateway>/` only, so its broker ACL is one line. A topic
says who sent what a packet or document claims to be; signatures and keys are bound to it.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, TalkgroupId, check_id

PREFIX = "rb/1"
"""Root and protocol version of every topic."""

MAX_TOPIC = 5 + 5 * 33
"""No valid topic is longer, in characters: prefix and five ids of 32 with their slashes."""


class TopicKind(StrEnum):
    """What a topic below a gateway's own name carries; the value is the word in the topic."""

    VOICE = "voice"
    SPURT = "spurt"
    PRESENCE = "presence"
    HEAD = "head"
    PATCH = "patch"
    ALARM = "alarm"
    ACK = "ack"
    PROBE = "probe"
    KEY = "key"
    ROSTER = "roster"


_NAMES = {
    TopicKind.HEAD: 0,
    TopicKind.ROSTER: 0,
    TopicKind.KEY: 2,
}
"""Ids that follow the kind, where not one."""

_ROOT = PREFIX.split("/")

_BY_WORD = {kind.value: kind for kind in TopicKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic, taken apart. `name` and `recipient` are empty where the kind has none."""

    kind: TopicKind
    gateway: GatewayId
    name: str = ""
    recipient: str = ""

    @property
    def talkgroup(self) -> TalkgroupId:
        """Return the sender's talkgroup that a voice, spurt or key topic is about."""
        return TalkgroupId(self.gateway.agency, self.name)


def voice_topic(gateway: GatewayId, tg_name: str) -> str:
    """Return where `gateway` sends the voice of its agency's talkgroup."""
    return _topic(gateway, TopicKind.VOICE, tg_name)


def spurt_topic(gateway: GatewayId, tg_name: str) -> str:
    """Return where `gateway` says who talks on a talkgroup (display only)."""
    return _topic(gateway, TopicKind.SPURT, tg_name)


def presence_topic(gateway: GatewayId, link: str) -> str:
    """Return where `gateway` shows itself on one link."""
    return _topic(gateway, TopicKind.PRESENCE, link)


def head_topic(gateway: GatewayId) -> str:
    """Return where `gateway` says which documents it knows."""
    return _topic(gateway, TopicKind.HEAD)


def patch_topic(gateway: GatewayId, patch: PatchId) -> str:
    """Return where `gateway` gives its word on a patch."""
    return _topic(gateway, TopicKind.PATCH, patch)


def probe_topic(gateway: GatewayId, patch: PatchId) -> str:
    """Return where `gateway` asks and answers whether a patch is ready."""
    return _topic(gateway, TopicKind.PROBE, patch)


def alarm_topic(gateway: GatewayId, alarm: str) -> str:
    """Return where `gateway` raises an alarm."""
    return _topic(gateway, TopicKind.ALARM, alarm)


def ack_topic(gateway: GatewayId, alarm: str) -> str:
    """Return where `gateway` acknowledges an alarm."""
    return _topic(gateway, TopicKind.ACK, alarm)


def key_topic(gateway: GatewayId, tg_name: str, recipient: AgencyId) -> str:
    """Return where `gateway` leaves the voice key of a talkgroup for one agency."""
    return _topic(gateway, TopicKind.KEY, tg_name, recipient)


def roster_topic(gateway: GatewayId) -> str:
    """Return where `gateway` republishes its agency's roster."""
    return _topic(gateway, TopicKind.ROSTER)


def voice_filter(agency: AgencyId, tg_name: str) -> str:
    """Return the filter for one talkgroup's voice from any gateway of its agency."""
    return f"{PREFIX}/{check_id(agency)}/+/{TopicKind.VOICE}/{check_id(tg_name)}"


def document_filters(agency: AgencyId) -> frozenset[str]:
    """Return the filters for all that the gateways of `agency` publish, except voice."""
    root = f"{PREFIX}/{check_id(agency)}/+"
    return frozenset(
        "/".join((root, kind, *("+" for _ in range(_NAMES.get(kind, 1)))))
        for kind in TopicKind
        if kind is not TopicKind.VOICE
    )


@lru_cache(maxsize=1024)
def parse_topic(text: str) -> Topic:
    """Take a topic apart; raise RemoteProtocolError when it is none of ours."""
    if len(text) > MAX_TOPIC:
        raise RemoteProtocolError("bad-topic", "too long")
    parts = text.split("/")
    kind = _BY_WORD.get(parts[4]) if len(parts) > 4 else None
    if kind is None or parts[:2] != _ROOT or len(parts) != 5 + _NAMES.get(kind, 1):
        raise RemoteProtocolError("bad-topic", repr(text))
    agency, gateway, names = parts[2], parts[3], parts[5:]
    sender = GatewayId(AgencyId(check_id(agency)), check_id(gateway))
    name, recipient = (*(check_id(name) for name in names), "", "")[:2]
    return Topic(kind=kind, gateway=sender, name=name, recipient=recipient)


def _topic(gateway: GatewayId, kind: TopicKind, *names: str) -> str:
    ids = (gateway.agency, gateway.name)
    return "/".join((PREFIX, *map(check_id, ids), kind, *map(check_id, names)))
