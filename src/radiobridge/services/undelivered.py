"""What could not be put on the air, here or elsewhere: told where the talker is.

A spurt of ours that a partner could not transmit comes back as a notice; one that a radio of this
gateway could not transmit is told here at once, as well. The newest are kept for `status`.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import structlog

from radiobridge.core.transmit import NotDelivered
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.model.voice import Claim
from radiobridge.services.auditing import Auditor
from radiobridge.wire.words import SpurtNotice, SpurtState

log = structlog.get_logger()

_KEPT = 20


class Undelivered:
    """The spurts of this gateway's talkers, and of others on its radios, that were not heard."""

    def __init__(
        self,
        me: GatewayId,
        *,
        auditor: Auditor,
        counters: Counter[str],
        publish: Callable[[TalkgroupId, SpurtNotice], None],
    ) -> None:
        """`publish(own talkgroup, notice)` tells the other gateways."""
        self._me = me
        self._auditor = auditor
        self._counters = counters
        self._publish = publish
        self._newest: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def status(self) -> list[dict[str, Any]]:
        """Return the newest spurts of ours that were not delivered somewhere, oldest first."""
        return list(self._newest)

    def here(
        self, radio: RadioName, talkgroup: TalkgroupId, claim: Claim | None, why: NotDelivered
    ) -> None:
        """A radio of this gateway, on `talkgroup`, could not transmit a spurt, or all of it."""
        self._auditor.not_delivered(radio, talkgroup, claim, why)
        self._counters[f"not-delivered-{why.reason.value}"] += 1
        if claim is None:
            return
        notice = SpurtNotice(
            talkgroup=claim.talkgroup,
            start_ms=claim.start_ms,
            talk_class=claim.talk_class,
            priority=claim.priority,
            radio=radio,
            state=SpurtState.REFUSED,
            reason=why.reason.value,
        )
        if claim.sender == self._me:
            self._tell(self._me, notice)
        else:
            self._publish(talkgroup, notice)

    def there(self, where: GatewayId, notice: SpurtNotice, topic: str) -> None:
        """A partner could not transmit a spurt of our agency."""
        self._tell(where, notice)
        self._auditor.not_delivered_there(where, notice, topic)

    def _tell(self, where: GatewayId, notice: SpurtNotice) -> None:
        self._newest.append(
            {
                "gateway": str(where),
                "radio": str(notice.radio),
                "talkgroup": str(notice.talkgroup),
                "start_ms": notice.start_ms,
                "reason": notice.reason,
            }
        )
        log.warning("not-delivered-at", partner=str(where), radio=str(notice.radio),
                    talkgroup=str(notice.talkgroup), reason=notice.reason)  # fmt: skip
