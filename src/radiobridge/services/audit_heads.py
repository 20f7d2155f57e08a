"""How far the logs of other gateways go, kept durably: it shows when one is cut short.

    audit-head/<gateway>                the furthest head heard of the log as it is now
    audit-head/<gateway>/lost<0…15>     the furthest head of each log before it, the first sixteen
    audit-head/<gateway>/hour<0…47>     the first head of each hour, for two days
    audit-head/<gateway>/day<0…399>     the first head of each day, for 400 days

A log that goes back was cut, or its disk was lost: what shows that stays, and the log is followed
from there on, so that a later cut shows too. The older heads are for a log that was written anew
and has gone on since. A gateway keeps its own furthest head in the same way: it notices itself when
its log was cut or replaced while it was down.
"""

import structlog

from radiobridge.core.audit_chain import parse_head
from radiobridge.errors import RemoteProtocolError, StoreError
from radiobridge.model.audit import AuditEvent, AuditHead, Outcome
from radiobridge.model.ids import GatewayId
from radiobridge.services.auditing import Auditor
from radiobridge.services.tasks import Tasks
from radiobridge.spi import StateStore

log = structlog.get_logger()

AUDIT_HEAD_KEY = "audit-head/"

PERIODS = (("hour", 3_600_000, 48), ("day", 24 * 3_600_000, 400))
"""Name, length in ms, how many of them are kept."""

LOST = 16
"""Logs of one gateway that went back: of so many the furthest head stays; all are in our log."""


class AuditHeads:
    """The heads that this gateway holds. Values are `<sequence>:<hash>@<bridge time in ms>`."""

    def __init__(
        self,
        me: GatewayId,
        *,
        store: StateStore,
        auditor: Auditor,
        tasks: Tasks,
    ) -> None:
        self._me = me
        self._store = store
        self._auditor = auditor
        self._tasks = tasks
        self._storing: dict[str, str] = {}
        """By key, the newest value of what is being stored: one task for each, however slow the
        disk is."""

    def published(self, text: str, now_ms: int) -> None:
        """Keep the own head, as it is published; say so in the log when it went back itself."""
        if not text:
            return
        head, kept = parse_head(text), self._kept(self._me)
        if kept is not None and _behind(head, kept):
            log.error("audit-log-cut", kept=str(kept), found=text)
            self._auditor.after(
                AuditEvent.LOG_CUT,
                source="state",
                outcome=Outcome.FAILED,
                detail={"kept": str(kept), "found": text},
            )
        if kept != head:
            self._keep(AUDIT_HEAD_KEY + str(self._me), text, now_ms)

    def heard(self, gateway: GatewayId, text: str, issued_ms: int, now_ms: int) -> None:
        """Keep a head that `gateway` issued; raise RemoteProtocolError if it is none."""
        if not text:
            return
        name = AUDIT_HEAD_KEY + str(gateway)
        head, kept = parse_head(text), self._kept(gateway)
        if kept is not None and _behind(head, kept):
            if issued_ms <= _when(self._value(name)):
                # Not the log went back: a broker did, and served what it had kept.
                return
            self._went_back(gateway, head, kept)
        if kept != head:
            self._keep(name, text, now_ms)
        for period, length_ms, slots in PERIODS:
            count = now_ms // length_ms
            slot = f"{name}/{period}{count % slots}"
            if _when(self._value(slot)) // length_ms != count:
                self._keep(slot, text, now_ms)

    def status(self) -> dict[str, str]:
        """Return the furthest head held of each gateway."""
        held = self._store.items(AUDIT_HEAD_KEY)
        names = {key.removeprefix(AUDIT_HEAD_KEY): value for key, value in held.items()}
        own = str(self._me)
        return {n: v for n, v in sorted(names.items()) if n.count("/") == 1 and n != own}

    def held(self) -> list[str]:
        """Return all heads held of others, as lines `<gateway> <sequence>:<hash>@<ms>`."""
        lines = []
        for key, value in self._store.items(AUDIT_HEAD_KEY).items():
            gateway = "/".join(key.removeprefix(AUDIT_HEAD_KEY).split("/")[:2])
            if gateway != str(self._me):
                lines.append(f"{gateway} {value}")
        return sorted(set(lines))

    def _went_back(self, gateway: GatewayId, head: AuditHead, kept: AuditHead) -> None:
        """A log went back: the head that was kept stays beside, for it is what shows it."""
        log.error("audit-head-went-back", partner=str(gateway), kept=str(kept), heard=str(head))
        self._auditor.caused(
            gateway,
            AuditEvent.HEAD_WENT_BACK,
            source=f"head of {gateway}",
            outcome=Outcome.FAILED,
            detail={"kept": str(kept), "heard": str(head)},
        )
        name = AUDIT_HEAD_KEY + str(gateway)
        slots = (f"{name}/lost{number}" for number in range(LOST))
        free = next((slot for slot in slots if self._value(slot) is None), None)
        if free is not None:
            self._keep(free, str(kept), _when(self._value(name)))

    def _kept(self, gateway: GatewayId) -> AuditHead | None:
        value = self._value(AUDIT_HEAD_KEY + str(gateway))
        try:
            return None if value is None else parse_head(value.partition("@")[0])
        except RemoteProtocolError:
            return None

    def _value(self, key: str) -> str | None:
        """Return what is stored, or about to be."""
        return self._storing.get(key) or self._store.get(key)

    def _keep(self, key: str, text: str, now_ms: int) -> None:
        under_way = key in self._storing
        self._storing[key] = f"{text}@{now_ms}"
        if not under_way:
            self._tasks.spawn(self._put(key))

    async def _put(self, key: str) -> None:
        """Store, and again what has come meanwhile."""
        stored = None
        try:
            while stored != (value := self._storing[key]):
                await self._store.put(key, value)
                stored = value
        except StoreError as error:
            log.error("audit-head-not-stored", key=key, error=str(error))  # noqa: TRY400
        finally:
            del self._storing[key]


def _behind(head: AuditHead, kept: AuditHead) -> bool:
    """Tell whether `head` cannot be that of the same log, later."""
    if head.sequence == kept.sequence:
        return head.hash != kept.hash
    return head.sequence < kept.sequence


def _when(value: str | None) -> int:
    """Return when a kept head was heard; before all time if there is none."""
    when = (value or "").rpartition("@")[2]
    return int(when) if when.isdecimal() else -1
