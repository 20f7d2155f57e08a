"""Alarms and what gateways say about them, to be told to an AlarmBook in any order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from radiobridge.core.emergency import AlarmBook, AlarmState
from radiobridge.model.ids import GatewayId, RadioName, TalkgroupId
from radiobridge.wire.alarms import Acknowledgement, Alarm, AlarmKind, Rank, Verdict
from tests.core.patch_world import BORDER, OPP, T0, TAC1, WINDSOR

LIFE = 24 * 3_600_000
FIRST, SECOND = b"1" * 16, b"2" * 16

Step: TypeAlias = Callable[[AlarmBook], None]


def alarm(
    token: bytes = FIRST,
    *,
    raiser: GatewayId = WINDSOR,
    talkgroup: TalkgroupId = TAC1,
    name: str = "a1",
    kind: AlarmKind = AlarmKind.FIELD,
    at: int = T0,
) -> Alarm:
    """Return an alarm as its raiser raises it; another token is another raising."""
    return Alarm(
        alarm=name,
        raiser=raiser,
        kind=kind,
        talkgroup=talkgroup,
        radio=RadioName("tac1"),
        talker="mdc:1234",
        alias="Unit 12",
        raised_ms=at,
        raises=token[0] - ord("0"),
        token=token,
        rank=Rank.HELD if kind is AlarmKind.FIELD else Rank.SPENT,
    )


def cleared(word: Alarm, verdict: Verdict = Verdict.VALID, by: str = "ann") -> Alarm:
    """Return the word that clears an alarm."""
    return replace(word, verdict=verdict, reason="over", by=by)


@dataclass(frozen=True)
class Says:
    """A gateway's word about an alarm, as a step that can be told to a book."""

    gateway: GatewayId
    word: Alarm | Acknowledgement
    version: int = 1
    expires_ms: int = T0 + LIFE

    def __call__(self, book: AlarmBook) -> None:
        if isinstance(self.word, Alarm):
            book.alarm(
                self.gateway,
                self.word,
                version=self.version,
                expires_ms=self.expires_ms,
                now_ms=T0,
            )
        else:
            book.ack(
                self.gateway,
                self.word,
                version=self.version,
                expires_ms=self.expires_ms,
                now_ms=T0,
            )


def raises(word: Alarm, version: int = 1) -> Says:
    """Return what the raiser says."""
    return Says(word.raiser, word, version)


def acks(gateway: GatewayId, word: Alarm, version: int = 1, by: str = "bob") -> Says:
    """Return an acknowledgement."""
    said = Acknowledgement(alarm=word.alarm, raiser=word.raiser, token=word.token, by=by)
    return Says(gateway, said, version)


def book(*steps: Step, members: Iterable[TalkgroupId] = (TAC1, BORDER)) -> AlarmBook:
    """Return a book of OPP's in a patch with CBP, that was told `steps`."""
    made = AlarmBook(OPP)
    made.set_members(frozenset(members))
    for step in steps:
        step(made)
    return made


def only(made: AlarmBook, at: int = T0) -> AlarmState:
    """Return the one alarm that there is."""
    (state,) = made.states(at)
    return state
