"""What is logged of each thing that happens, and that partners cannot flood the log."""

import asyncio
import json
from dataclasses import replace

import pytest

from radiobridge.core.floor import FloorChange, FloorEvent
from radiobridge.core.patch_state import PatchState, Reason, why
from radiobridge.core.transmit import NotDelivered, NotDeliveredReason
from radiobridge.errors import StoreError
from radiobridge.model.audit import AuditEvent, Outcome
from radiobridge.model.ids import AgencyId, RadioName, parse_talkgroup
from radiobridge.model.patch import Terms
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.auditing import ALLOWANCE, ALLOWANCE_MS
from radiobridge.services.holds import ChannelChange
from radiobridge.wire.documents import DocumentHeader
from radiobridge.wire.terms import terms_hash
from radiobridge.wire.topics import TopicKind
from radiobridge.wire.words import KeyGrant, PatchWord, SpurtNotice, SpurtState, Verb
from tests.core.patch_world import PAIR, TRIO
from tests.services.audit_desk import DETROIT, WINDSOR, Desk
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import NOW_MS, entry, roster

TAC1 = parse_talkgroup("ca.opp/TAC1")
ACCEPT = PatchWord(patch=PAIR.patch, verb=Verb.ACCEPT, terms=PAIR)
WITHDRAW = PatchWord(patch=PAIR.patch, verb=Verb.WITHDRAW)
SECRET = b"\xa5secret, 32 bytes of voice key!\xa5"


def claim(start_ms: int = NOW_MS, sender: object = DETROIT) -> Claim:
    assert sender in (DETROIT, WINDSOR)
    who = DETROIT if sender == DETROIT else WINDSOR
    return Claim(who, TAC1, start_ms, TalkClass.EMERGENCY, 3)


def state(terms: Terms, reason: Reason) -> PatchState:
    return PatchState(
        patch=terms.patch, terms=terms, effective=terms, reason=reason, why=why(reason)
    )


@in_virtual_time
async def test_an_entry_says_what_when_where_source_outcome_and_identity() -> None:
    desk = Desk()
    await desk.auditor.consent(ACCEPT, source="command", by="local:dispatcher")
    (said,) = desk.log.entries
    assert said.what == AuditEvent.WORD_SAID
    assert said.when_ms == NOW_MS
    assert said.where == "ca.opp/windsor"
    assert said.source == "command"
    assert said.outcome is Outcome.DONE
    assert said.identity == "local:dispatcher"


@in_virtual_time
async def test_a_word_is_kept_whole_with_the_hash_of_its_terms() -> None:
    desk = Desk()
    header = DocumentHeader(
        type=TopicKind.PATCH,
        topic="rb/1/us.cbp/detroit/patch/pair",
        version=7,
        issued_ms=NOW_MS,
        expires_ms=NOW_MS + 1,
    )
    desk.auditor.word_heard(DETROIT, ACCEPT, header)
    (heard,) = desk.log.entries
    assert (heard.what, heard.identity) == (AuditEvent.WORD_HEARD, "us.cbp/detroit")
    assert heard.source == "rb/1/us.cbp/detroit/patch/pair@7"
    assert heard.detail["terms"] == terms_hash(PAIR)
    kept = PatchWord.from_body(json.loads(str(heard.detail["word"])), "pair")
    assert kept == ACCEPT


@in_virtual_time
async def test_a_consent_that_cannot_be_logged_is_remembered_until_it_can() -> None:
    desk = Desk()
    desk.log.failing = True
    with pytest.raises(StoreError):
        await desk.auditor.consent(ACCEPT)
    assert "cannot be written" in desk.auditor.refused[PAIR.patch].en
    desk.log.failing = False
    await desk.auditor.consent(ACCEPT)
    assert not desk.auditor.refused


@in_virtual_time
async def test_keys_are_logged_by_agency_talkgroup_and_epoch_and_never_themselves() -> None:
    desk = Desk()
    grant = KeyGrant(talkgroup=TAC1, epoch=7, key=SECRET, since_ms=NOW_MS)
    await desk.auditor.key_grant(grant, AgencyId("us.cbp"), [DETROIT])
    desk.auditor.key_renewed(grant, AgencyId("us.cbp"), [DETROIT])
    first, second = desk.log.entries
    assert first.identity == "us.cbp"
    assert first.detail == {"talkgroup": "ca.opp/TAC1", "epoch": 7, "gateways": "us.cbp/detroit"}
    assert (first.source, second.source) == ("consent", "renewal")
    assert "secret" not in repr(desk.log.entries)


@in_virtual_time
async def test_patches_are_logged_when_they_come_change_and_end() -> None:
    desk = Desk()
    waits = state(TRIO, Reason.WAITING_FOR)
    runs = state(TRIO, Reason.IN_FORCE)
    narrower = replace(runs, effective=replace(TRIO, members=TRIO.members[:2]))
    over = replace(state(TRIO, Reason.WITHDRAWN), agencies=(AgencyId("us.cbp"),))
    desk.auditor.patches([], [waits])
    desk.auditor.patches([waits], [runs])
    desk.auditor.patches([runs], [runs])
    desk.auditor.patches([runs], [narrower])
    desk.auditor.patches([narrower], [over])
    desk.auditor.patches([over], [])
    desk.auditor.patches([runs], [])
    assert desk.whats() == ["patch-in-force", "patch-in-force", "patch-over", "patch-over"]
    began, narrowed, ended, gone = (entry.detail for entry in desk.log.entries)
    assert "us.cbp/BORDER both" in str(began["members"])
    assert "us.cbp/BORDER" not in str(narrowed["members"])
    assert (ended["reason"], gone["reason"]) == ("withdrawn", "gone")
    assert desk.log.entries[2].identity == "us.cbp"


@in_virtual_time
async def test_a_roster_is_logged_when_it_counts_and_when_two_contradict() -> None:
    desk = Desk()
    first = roster("us.cbp", entry("us.cbp/detroit"), version=4)
    agency = AgencyId("us.cbp")
    desk.auditor.roster(agency, None, first)
    desk.auditor.roster(agency, first, first)
    desk.auditor.roster(agency, first, None)
    taken, refused = desk.log.entries
    assert taken.detail == {"version": 4, "gateways": "us.cbp/detroit"}
    assert (taken.source, taken.identity) == ("rb/1/us.cbp/roster", "us.cbp")
    assert (taken.outcome, refused.outcome) == (Outcome.DONE, Outcome.REFUSED)


@in_virtual_time
async def test_a_spurt_is_logged_at_its_start_and_with_its_duration_at_its_end() -> None:
    desk = Desk()
    taken = FloorEvent(change=FloorChange.TAKEN, claim=claim(), at=0.0)
    desk.auditor.spurt(taken, None, talker="mdc:1234")
    await asyncio.sleep(3.5)
    desk.auditor.spurt(replace(taken, change=FloorChange.CUT_OFF), None)
    began, ended = desk.log.entries
    assert (began.what, ended.what) == (AuditEvent.SPURT_STARTED, AuditEvent.SPURT_ENDED)
    assert began.identity == "us.cbp/detroit"
    assert began.detail["talkgroup"] == "ca.opp/TAC1"
    assert began.detail["class"] == "emergency"
    assert began.detail["talker"] == "mdc:1234"
    assert ended.detail["duration_ms"] == 3500
    assert ended.detail["ended"] == "cut-off"


@in_virtual_time
async def test_a_spurt_of_ours_names_the_radio_that_heard_it() -> None:
    desk = Desk()
    event = FloorEvent(change=FloorChange.TAKEN, claim=claim(sender=WINDSOR), at=0.0)
    desk.auditor.spurt(event, RadioName("tac1"))
    assert desk.log.entries[0].source == "radio tac1"


@in_virtual_time
async def test_a_spurt_that_goes_on_when_the_gateway_stops_ends_there() -> None:
    desk = Desk()
    desk.auditor.spurt(FloorEvent(change=FloorChange.TAKEN, claim=claim(), at=0.0), None)
    await asyncio.sleep(2.0)
    desk.auditor.stopped()
    assert desk.whats() == ["spurt-started", "spurt-ended", "stopped"]
    assert desk.log.entries[1].detail["duration_ms"] == 2000
    assert desk.log.entries[1].detail["ended"] == "stopped"


@in_virtual_time
async def test_what_was_not_delivered_is_logged_here_and_there() -> None:
    desk = Desk()
    why_not = NotDelivered(reason=NotDeliveredReason.BUSY)
    desk.auditor.not_delivered(RadioName("tac1"), TAC1, claim(), why_not)
    desk.auditor.not_delivered(RadioName("tac1"), TAC1, None, why_not)
    notice = SpurtNotice(
        talkgroup=TAC1,
        start_ms=NOW_MS,
        talk_class=TalkClass.NORMAL,
        priority=0,
        radio=RadioName("b1"),
        state=SpurtState.REFUSED,
        reason="denied",
    )
    desk.auditor.not_delivered_there(DETROIT, notice, "rb/1/us.cbp/detroit/spurt/BORDER")
    here, nobodys, there = desk.log.entries
    assert here.outcome is nobodys.outcome is there.outcome is Outcome.FAILED
    assert (here.detail["reason"], there.detail["reason"]) == ("busy", "denied")
    assert (here.identity, nobodys.identity) == ("us.cbp/detroit", "ca.opp/windsor")
    assert there.detail["radio"] == "b1"


@in_virtual_time
async def test_starts_stops_configurations_and_radios() -> None:
    desk = Desk()
    desk.auditor.started("0.1.0", "abcd")
    desk.auditor.configuration()
    desk.auditor.configuration(error="gateway.yaml:3: no")
    desk.auditor.inhibited("tac1", "local:root")
    await desk.auditor.allowing("tac1", "local:root")
    desk.auditor.not_allowed("tac1", "local:root", "the disk is full")
    desk.auditor.stopped()
    assert desk.whats() == [
        "started", "configuration", "configuration", "inhibit", "allow", "allow", "stopped",
    ]  # fmt: skip
    outcomes = [entry.outcome.value for entry in desk.log.entries]
    assert outcomes == ["done", "done", "refused", "done", "done", "failed", "done"]


@in_virtual_time
async def test_a_radio_that_left_its_channel_is_logged_with_both() -> None:
    desk = Desk()
    for reported, wrong in (("000013", True), ("000012", False)):
        change = ChannelChange(reported=reported, expected="12", wrong=wrong)
        desk.auditor.channel(RadioName("tac1"), change)
    left, back = desk.log.entries
    assert (left.what, left.source) == ("channel-wrong", "radio tac1")
    assert left.detail == {"radio": "tac1", "reported": "000013", "expected": "12"}
    assert (back.what, back.detail["reported"]) == ("channel-right", "000012")


@in_virtual_time
async def test_a_partner_that_floods_us_is_counted_not_kept() -> None:
    desk = Desk()
    event = FloorEvent(change=FloorChange.TAKEN, claim=claim(), at=0.0)
    for number in range(ALLOWANCE + 50):
        desk.auditor.spurt(replace(event, claim=claim(NOW_MS + number)), None)
    assert len(desk.log.entries) == ALLOWANCE
    own = FloorEvent(change=FloorChange.TAKEN, claim=claim(sender=WINDSOR), at=0.0)
    desk.auditor.spurt(own, RadioName("tac1"))
    assert len(desk.log.entries) == ALLOWANCE + 1, "what we do ourselves is always kept"
    desk.auditor.head_text()
    left_out = desk.log.entries[-1]
    assert (left_out.what, left_out.identity) == (AuditEvent.LEFT_OUT, "us.cbp/detroit")
    assert left_out.detail == {"count": 50, "of": "voice"}
    desk.auditor.head_text()
    assert desk.log.entries[-1] is left_out, "told once"
    desk.auditor.caused(DETROIT, AuditEvent.ALARM_RAISED, source="alarm", detail={})
    assert desk.log.entries[-1].what == AuditEvent.ALARM_RAISED, "no spurts drown an alarm"
    await asyncio.sleep(10 * ALLOWANCE_MS / 1000)
    for number in range(50):
        desk.auditor.spurt(replace(event, claim=claim(NOW_MS + 1000 + number)), None)
    assert len(desk.log.entries) == ALLOWANCE + 3 + 10


@in_virtual_time
async def test_a_withdrawal_said_and_a_consent_not_said() -> None:
    desk = Desk()
    desk.auditor.word_said(WITHDRAW, source="command", by="local:root")
    desk.auditor.not_said(ACCEPT)
    said, not_said = desk.log.entries
    assert (said.detail["verb"], said.outcome) == ("withdraw", Outcome.DONE)
    assert "terms" not in said.detail
    assert (not_said.detail["verb"], not_said.outcome) == ("accept", Outcome.FAILED)
