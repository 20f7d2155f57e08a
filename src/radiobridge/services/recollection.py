"""What others have said, kept over restarts: rosters, and words on patches.

A broker may serve old documents to a gateway that has just started. What this one knew before does
not depend on the broker: a partner's withdrawal that was heard once stays heard, and a roster that
was replaced stays replaced. Storing is for later and never waited for.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import structlog

from radiobridge.core.patches import PatchBook
from radiobridge.errors import RadioBridgeError, StoreError
from radiobridge.model.ids import AgencyId, GatewayId, PatchId, parse_agency, parse_gateway
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore
from radiobridge.wire.words import PatchWord

log = structlog.get_logger()

ROSTER_KEY = "roster/"
HEARD_KEY = "heard/"
"""Then the gateway, then the patch."""


class Recollection:
    """Writes one value after the other; what changes meanwhile is written once."""

    def __init__(self, store: StateStore, patches: PatchBook, tasks: Tasks) -> None:
        self._store = store
        self._patches = patches
        self._tasks = tasks
        self._dirty: dict[str, str] = {}
        self._writing = False

    def rosters(self) -> Iterator[tuple[AgencyId, bytes]]:
        """Return the rosters that were known, as signed."""
        for key, text in self._store.items(ROSTER_KEY).items():
            yield parse_agency(key.removeprefix(ROSTER_KEY)), text.encode("ascii")

    def restore_words(self, me: GatewayId) -> None:
        """Tell the patches what others had said before a restart."""
        for key, text in self._store.items(HEARD_KEY).items():
            gateway, _, patch = key.removeprefix(HEARD_KEY).rpartition("/")
            if not text or gateway == str(me):
                continue
            try:
                for word, version, expires_ms in _words(json.loads(text), patch):
                    sender = parse_gateway(gateway)
                    self._patches.word(sender, word, version=version, expires_ms=expires_ms)
            except (RadioBridgeError, ValueError, KeyError, TypeError) as error:
                log.error("heard-word-not-restored", key=key, error=type(error).__name__)  # noqa: TRY400

    def roster(self, agency: AgencyId, raw: bytes) -> None:
        """Keep a roster that counts from now on."""
        self._keep(ROSTER_KEY + agency, raw.decode("ascii"))

    def heard(self, gateway: GatewayId, patch: PatchId) -> None:
        """Keep what a gateway has said about a patch until now."""
        record = self._patches.records(patch).get(gateway)
        if record is not None:
            words = [
                {"body": word.to_body(), "version": version, "expires": expires_ms}
                for word, version, expires_ms in record.words()
            ]
            self._keep(f"{HEARD_KEY}{gateway}/{patch}", json.dumps(words))

    def forget(self, patches: Iterable[PatchId]) -> None:
        """Forget patches that are long over."""
        over = set(patches)
        for key, text in self._store.items(HEARD_KEY).items() if over else ():
            if text and PatchId(key.rpartition("/")[2]) in over:
                self._keep(key, "")

    def _keep(self, key: str, value: str) -> None:
        if self._store.get(key) == value and key not in self._dirty:
            return
        self._dirty[key] = value
        if not self._writing:
            self._writing = True
            self._tasks.spawn(self._write())

    async def _write(self) -> None:
        try:
            while self._dirty:
                key = next(iter(self._dirty))
                value = self._dirty.pop(key)
                try:
                    await self._store.put(key, value)
                except StoreError as error:
                    log.error("heard-word-not-stored", key=key, error=str(error))  # noqa: TRY400
        finally:
            self._writing = False


def _words(values: Any, patch: str) -> Iterator[tuple[PatchWord, int, int]]:  # noqa: ANN401 - JSON
    for value in values:
        word = PatchWord.from_body(value["body"], patch)
        yield word, int(value["version"]), int(value["expires"])
