"""Who may decide what about a talker, and for whom."""

import pytest

from radiobridge.core.measures import (
    FREE,
    MAX_MEASURES,
    Level,
    MeasureBook,
    Reach,
    Standing,
    by_radio,
)
from radiobridge.errors import RemoteProtocolError
from radiobridge.model.ids import AgencyId, GatewayId, RadioName
from radiobridge.wire.alarms import AckVerb, Measure
from tests.core.patch_world import (
    BORDER,
    CBP,
    DETROIT,
    HOUR,
    OPP,
    OTTAWA,
    RCMP,
    SARNIA,
    T0,
    TAC1,
    WINDSOR,
)

WHO = "mdc:1234"


def decide(
    book: MeasureBook,
    gateway: GatewayId,
    verb: AckVerb,
    version: int = 1,
    *,
    talker: str = WHO,
    id_: str = "m1",
) -> None:
    word = Measure(id=id_, verb=verb, talkgroup=TAC1, talker=talker)
    book.measure(gateway, word, version=version, expires_ms=T0 + HOUR, now_ms=T0)


def standing(book: MeasureBook, *names: str, at: int = T0) -> Standing:
    return book.standing(TAC1, names or (WHO,), at)


@pytest.mark.parametrize("own", [OPP, CBP, RCMP])
@pytest.mark.parametrize("gateway", [WINDSOR, SARNIA])
def test_the_talkers_own_agency_decides_for_everybody(own: AgencyId, gateway: GatewayId) -> None:
    book = MeasureBook(own)
    decide(book, gateway, AckVerb.EXCLUDE)
    assert standing(book) == (Level.EXCLUDED, Level.EXCLUDED)
    assert book.states(T0)[0].reach is Reach.EVERYBODY


@pytest.mark.parametrize("own", [OPP, CBP, RCMP])
def test_so_does_the_host_of_the_patch_while_it_is_in_force(own: AgencyId) -> None:
    book = MeasureBook(own)
    assert book.set_hosts({TAC1: CBP, BORDER: CBP})
    assert not book.set_hosts({TAC1: CBP, BORDER: CBP})
    decide(book, DETROIT, AckVerb.DEMOTE)
    assert standing(book) == (Level.DEMOTED, Level.DEMOTED)
    assert book.set_hosts({})
    here = Level.DEMOTED if own == CBP else Level.NONE
    assert standing(book) == (Level.NONE, here)


def test_anybody_else_decides_for_its_own_transmitters() -> None:
    for own, here in ((RCMP, Level.EXCLUDED), (OPP, Level.NONE), (CBP, Level.NONE)):
        book = MeasureBook(own)
        book.set_hosts({TAC1: CBP})
        decide(book, OTTAWA, AckVerb.EXCLUDE)
        assert standing(book) == (Level.NONE, here)
        reach = Reach.OWN if own == RCMP else Reach.OTHERS
        assert book.states(T0)[0].reach is reach


def test_the_strictest_counts_and_each_lifts_its_own() -> None:
    book = MeasureBook(OPP)
    decide(book, WINDSOR, AckVerb.DEMOTE)
    decide(book, SARNIA, AckVerb.EXCLUDE)
    assert standing(book).everywhere is Level.EXCLUDED
    decide(book, WINDSOR, AckVerb.RESTORE, 2)
    assert standing(book).everywhere is Level.EXCLUDED
    decide(book, SARNIA, AckVerb.RESTORE, 2)
    assert standing(book) == FREE
    assert book.states(T0) == ()
    decide(book, SARNIA, AckVerb.EXCLUDE)
    assert standing(book) == FREE, "what is older does not come back"


def test_a_talker_goes_by_any_of_its_names() -> None:
    book = MeasureBook(OPP)
    name = by_radio(WINDSOR, RadioName("tac1"))
    assert name == "radio:windsor/tac1"
    decide(book, WINDSOR, AckVerb.EXCLUDE, talker=name)
    assert standing(book, "mdc:9999") == FREE
    assert standing(book, "mdc:9999", name).here is Level.EXCLUDED
    assert book.standing(BORDER, (name,), T0) == FREE


def test_it_ends_by_itself() -> None:
    book = MeasureBook(OPP)
    decide(book, WINDSOR, AckVerb.EXCLUDE)
    assert book.next_deadline_ms(T0) == T0 + HOUR
    assert standing(book, at=T0 + HOUR) == FREE


def test_a_gateway_fills_its_own_share_only() -> None:
    book = MeasureBook(OPP)
    for n in range(MAX_MEASURES):
        decide(book, DETROIT, AckVerb.EXCLUDE, id_=f"m{n}")
    with pytest.raises(RemoteProtocolError, match="too-many-measures"):
        decide(book, DETROIT, AckVerb.EXCLUDE, id_="more")
    decide(book, DETROIT, AckVerb.RESTORE, 2, id_="m3")
    decide(book, DETROIT, AckVerb.EXCLUDE, id_="more")
    decide(book, WINDSOR, AckVerb.EXCLUDE)
