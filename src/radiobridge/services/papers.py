"""What this gateway says in documents: signed, sealed where it is nobody else's business."""

from collections.abc import Iterable, Mapping

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from radiobridge.errors import LocalProtocolError, RadioBridgeError, RemoteProtocolError
from radiobridge.model.ids import GatewayId
from radiobridge.services.clock import BridgeTime
from radiobridge.spi import Link
from radiobridge.wire.canonical import Body
from radiobridge.wire.documents import Document, DocumentHeader, sign_document
from radiobridge.wire.seal import (
    MAX_RECIPIENTS,
    HpkePrivateKey,
    SealContext,
    hpke_public,
    seal,
    unseal,
)
from radiobridge.wire.topics import parse_topic

log = structlog.get_logger()


class Papers:
    """Signs, seals and publishes on all links. Versions are bridge time in ms, and always grow."""

    def __init__(
        self,
        me: GatewayId,
        *,
        signing_key: Ed25519PrivateKey,
        hpke_key: HpkePrivateKey,
        bridge: BridgeTime,
    ) -> None:
        self.links: tuple[Link, ...] = ()
        self._me = me
        self._signing_key = signing_key
        self._hpke_key = hpke_key
        self._bridge = bridge
        self._last_version = 0
        self.versions: dict[str, int] = {}
        """The version of what stands on each topic, of what was published in this run."""
        self._expires: dict[str, int] = {}

    def raise_floor(self, version: int) -> None:
        """Say nothing more under this version or a lower one: it was used before a restart."""
        self._last_version = max(self._last_version, version)

    def next_version(self) -> int:
        """Return a version that is higher than all before, also before a restart."""
        self._last_version = max(self._last_version + 1, self._bridge.now_ms())
        return self._last_version

    def signed(
        self, topic: str, body: Body, *, expires_ms: int, version: int | None = None
    ) -> bytes:
        """Return a document for `topic`, valid from now on."""
        header = DocumentHeader(
            type=parse_topic(topic).kind,
            topic=topic,
            version=self.next_version() if version is None else version,
            issued_ms=min(self._bridge.now_ms(), expires_ms - 1),
            expires_ms=expires_ms,
        )
        self.versions[topic] = header.version
        self._expires[topic] = expires_ms
        return sign_document(header, body, self._signing_key)

    def publish(self, topic: str, body: Body, *, expires_ms: int) -> None:
        """Publish for everybody, retained."""
        self.put(topic, self.signed(topic, body, expires_ms=expires_ms))

    def publish_sealed(
        self,
        topic: str,
        body: Body,
        recipients: Mapping[GatewayId, bytes],
        *,
        expires_ms: int,
        version: int | None = None,
    ) -> None:
        """Publish for `recipients` (their HPKE public keys), retained.

        Nobody stops the others: who cannot be sealed to is left out, and so are the last when they
        are more than a document takes. Raises LocalProtocolError when nobody is left.
        """
        version = self.next_version() if version is None else version
        try:
            raw = self._sealed(topic, body, recipients, expires_ms, version)
        except RadioBridgeError as error:
            readers, raw = self._fitting(topic, body, recipients, expires_ms, version)
            log.error("document-not-for-all", topic=topic, error=str(error),  # noqa: TRY400
                      left_out=sorted(map(str, recipients.keys() - readers)))  # fmt: skip
        self.put(topic, raw)

    def _sealed(
        self,
        topic: str,
        body: Body,
        recipients: Mapping[GatewayId, bytes],
        expires_ms: int,
        version: int,
    ) -> bytes:
        context = SealContext(topic=topic, version=version, sender=self._me)
        sealed = seal(body, recipients, context)
        return self.signed(topic, sealed, expires_ms=expires_ms, version=version)

    def _fitting(
        self,
        topic: str,
        body: Body,
        recipients: Mapping[GatewayId, bytes],
        expires_ms: int,
        version: int,
    ) -> tuple[frozenset[GatewayId], bytes]:
        """Return whom a document can be sealed to, and the document."""
        usable = [gateway for gateway, key in recipients.items() if _usable(key)]
        readers = {gateway: recipients[gateway] for gateway in usable[:MAX_RECIPIENTS]}
        while True:
            try:
                raw = self._sealed(topic, body, readers, expires_ms, version)
            except LocalProtocolError:
                if len(readers) < 2:
                    raise
                readers.popitem()
            else:
                return frozenset(readers), raw

    def standing(self, now_ms: int) -> dict[str, int]:
        """Return the versions of what was said in this run and still counts, by topic."""
        return {t: v for t, v in self.versions.items() if self._expires[t] > now_ms}

    def clear(self, topic: str) -> None:
        """Let brokers forget what they retain on a topic: nobody needs it any more.

        It changes nothing for whoever has read it: an empty payload means nothing.
        """
        self._forget(topic)
        self.put(topic, b"")

    def _forget(self, topic: str) -> None:
        self.versions.pop(topic, None)
        self._expires.pop(topic, None)

    def put(self, topic: str, raw: bytes) -> None:
        """Publish bytes that are a document already."""
        for link in self.links:
            link.publish_document(topic, raw)

    def notice(self, topic: str, body: Body, *, expires_ms: int) -> None:
        """Publish for display only: not retained, dropped where a link is down."""
        self._put_notice(topic, self.signed(topic, body, expires_ms=expires_ms))

    def notice_sealed(
        self,
        topic: str,
        body: Body,
        recipients: Mapping[GatewayId, bytes],
        *,
        expires_ms: int,
    ) -> None:
        """Publish for `recipients` now: not retained, dropped where a link is down."""
        raw = self._sealed(topic, body, recipients, expires_ms, self.next_version())
        self._put_notice(topic, raw)

    def _put_notice(self, topic: str, raw: bytes) -> None:
        """Send once; no broker keeps it, so nothing is kept of it here (each probe has a topic)."""
        self._forget(topic)
        for link in self.links:
            link.publish_notice(topic, raw)

    def opened(self, document: Document, sender: GatewayId) -> Body:
        """Return what `sender` sealed to us. Raises RemoteProtocolError."""
        context = SealContext(
            topic=document.header.topic, version=document.header.version, sender=sender
        )
        return unseal(document.body, self._me, self._hpke_key, context)


def _usable(key: bytes) -> bool:
    try:
        hpke_public(key)
    except RemoteProtocolError:
        return False
    return True


def subscribe(links: Iterable[Link], filters: frozenset[str]) -> None:
    """Ask for documents on all links."""
    for link in links:
        link.want_documents(filters)
