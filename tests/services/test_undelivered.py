"""Where a talker's side learns that a spurt was not heard."""

from collections import Counter
from dataclasses import replace

from radiobridge.core.transmit import NotDelivered, NotDeliveredReason
from radiobridge.model.ids import RadioName, TalkgroupId
from radiobridge.services.undelivered import Undelivered
from radiobridge.wire.words import SpurtNotice, SpurtState
from tests.services.audit_desk import Desk as AuditDesk
from tests.services.virtual_time import in_virtual_time
from tests.services.voices import BORDER, DETROIT, TAC1, TAC2, WINDSOR, claim

DENIED = NotDelivered(reason=NotDeliveredReason.DENIED, detail="denied by the system")


class Desk:
    """windsor's desk: its radio tac1 transmits TAC1."""

    def __init__(self) -> None:
        self.published: list[tuple[TalkgroupId, SpurtNotice]] = []
        self.counters: Counter[str] = Counter()
        self.audit = AuditDesk()
        self.undelivered = Undelivered(
            WINDSOR,
            auditor=self.audit.auditor,
            counters=self.counters,
            publish=lambda talkgroup, notice: self.published.append((talkgroup, notice)),
        )


@in_virtual_time
async def test_a_partners_spurt_that_a_radio_here_was_denied_is_told_to_the_partner() -> None:
    desk = Desk()
    desk.undelivered.here(RadioName("tac1"), TAC1, claim(), DENIED)
    ((talkgroup, notice),) = desk.published
    assert talkgroup == TAC1
    assert (notice.talkgroup, notice.start_ms) == (BORDER, claim().start_ms)
    assert (notice.state, notice.reason, notice.radio) == (SpurtState.REFUSED, "denied", "tac1")
    assert desk.undelivered.status() == []
    assert desk.counters == {"not-delivered-denied": 1}


@in_virtual_time
async def test_our_own_spurt_that_a_radio_here_was_denied_is_told_here() -> None:
    desk = Desk()
    own = replace(claim(), sender=WINDSOR, talkgroup=TAC2)
    desk.undelivered.here(RadioName("tac1"), TAC1, own, DENIED)
    assert desk.published == []
    (shown,) = desk.undelivered.status()
    assert (shown["gateway"], shown["radio"]) == (str(WINDSOR), "tac1")
    assert (shown["talkgroup"], shown["reason"]) == (str(TAC2), "denied")


@in_virtual_time
async def test_what_a_partner_could_not_transmit_is_kept_and_no_more_than_twenty() -> None:
    desk = Desk()
    for number in range(25):
        notice = SpurtNotice(
            talkgroup=TAC1,
            start_ms=number,
            talk_class=claim().talk_class,
            priority=0,
            radio=RadioName("border"),
            state=SpurtState.REFUSED,
            reason="busy",
        )
        desk.undelivered.there(DETROIT, notice, "rb/1/us.cbp/detroit/spurt/BORDER")
    assert [shown["start_ms"] for shown in desk.undelivered.status()] == list(range(5, 25))
