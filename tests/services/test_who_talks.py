"""Two whole gateways: who talks is known on both, and signalling stays where it belongs."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from radiobridge import assembly
from radiobridge.config.radio import RadioConfig
from radiobridge.core.preroll import Preroll, PrerollSettings
from radiobridge.media.limiter import Limiter
from radiobridge.media.mdc1200 import Mdc1200Decoder, MdcPacket, mdc_burst
from radiobridge.media.opus import OpusEncoder
from radiobridge.model.ids import PatchId, TalkgroupId
from radiobridge.model.talker import Talker
from radiobridge.model.voice import Claim, TalkClass
from radiobridge.services.identities import Identities, holder_view
from radiobridge.services.in_band import InBand
from radiobridge.services.uplink import Uplink
from radiobridge.wire.canonical import Body
from radiobridge.wire.documents import read_document
from radiobridge.wire.topics import spurt_topic
from radiobridge.wire.words import SpurtNotice, SpurtState
from tests.media.hearing import framed, spoken
from tests.services.gateway_world import RIVER, GatewayWorld, Site
from tests.services.virtual_time import START_S, in_virtual_time, now
from tests.services.voices import BORDER, DETROIT, RATE, TAC1, WINDSOR
from tests.wire.people import HOUR_MS, NOW_MS, person

PTT = MdcPacket(op=0x01, arg=0x80, unit=0x1234)
POST = MdcPacket(op=0x01, arg=0x00, unit=0x1234)
EMERGENCY = MdcPacket(op=0x40, arg=0x80, unit=0x1234)
SETTINGS = RadioConfig(
    talkgroup="TAC1",
    interface={"driver": "none"},
    talkers={"mdc:1234": "Unité 12 – Tremblay"},
)
NAMED = {"talker": "mdc:1234", "alias": "Unité 12 – Tremblay"}
ALLOWED = replace(RIVER, members=tuple(replace(m, signalling=True) for m in RIVER.members))


def listens(site: Site, settings: RadioConfig = SETTINGS) -> None:
    """Let a site's radio listen to signalling, tied together as the program does."""
    runner = site.radio.runner
    up = Uplink(
        squelch=runner._squelch,
        preroll=Preroll(PrerollSettings(cor_delay_s=assembly._open_delay_s(settings))),
        encoder=OpusEncoder(RATE),
        limiter=Limiter(RATE),
        rate=RATE,
        ports=assembly._uplink_ports(settings, runner, site.voice, site.gateway),
        in_band=InBand(RATE, assembly._in_band_settings(settings)),
    )
    runner.assemble(up, runner.down)


async def world(**settings: Any) -> GatewayWorld:
    made = await GatewayWorld(**settings).start()
    listens(made.windsor)
    listens(made.detroit, RadioConfig(talkgroup="BORDER", interface={"driver": "none"}))
    return made


async def hear(site: Site, *waves: NDArray[np.int16]) -> None:
    """Let the site's receiver deliver these."""
    wave = np.concatenate(waves)
    for frame in framed(np.concatenate([wave, np.zeros(-len(wave) % 160, np.int16)]), RATE):
        await asyncio.sleep(0.02)
        site.radio.audio.hear(frame.copy())


def words(seconds: float) -> NDArray[np.int16]:
    return spoken()[: round(seconds * RATE)]


def holder(site: Site) -> Mapping[str, Any]:
    (floor,) = site.status["floor"]
    found: Mapping[str, Any] = floor["holder"]
    return found


def notices(made: GatewayWorld, site: Site) -> list[SpurtNotice]:
    topic = spurt_topic(site.id, site.talkgroup.name)
    now_ms = NOW_MS + round((now() - START_S) * 1000)
    public = person(str(site.id)).public
    raws = [raw for one, raw in made.brokers[0].notices if one == topic]
    return [SpurtNotice.from_body(read_document(raw, topic, public, now_ms).body) for raw in raws]


def on_the_air(site: Site) -> list[int]:
    """Return the MDC1200 units that somebody on the site's channel hears."""
    far = Mdc1200Decoder(RATE)
    return [p.unit for one in site.radio.audio.played for p in far.feed(one.samples)]


# --- who talks ------------------------------------------------------------------------------------


@in_virtual_time
async def test_who_talks_is_shown_on_both_sides_while_the_spurt_lasts() -> None:
    made = await world()
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.2))
    assert {key: holder(made.detroit)[key] for key in NAMED} == dict.fromkeys(NAMED)
    with capture_logs() as logs:
        await hear(made.windsor, mdc_burst(PTT, RATE), words(0.5))
    for site in (made.windsor, made.detroit):
        assert {key: holder(site)[key] for key in NAMED} == NAMED
        assert holder(site)["talkgroup"] == "ca.opp/TAC1"
    assert next(one for one in logs if one["event"] == "talker")["alias"] == NAMED["alias"]
    assert [one["talker"] for one in logs if one["event"] == "spurt-notice"] == ["mdc:1234"]
    made.windsor.radio.cor(active=False)
    await hear(made.windsor, np.zeros(3200, np.int16))
    assert made.detroit.status["floor"][0]["holder"] is None


@in_virtual_time
async def test_the_notices_name_the_talker_from_when_it_is_known() -> None:
    made = await world()
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.2), mdc_burst(PTT, RATE), words(0.2), mdc_burst(PTT, RATE))
    made.windsor.radio.cor(active=False)
    await hear(made.windsor, np.zeros(3200, np.int16))
    told = notices(made, made.windsor)
    assert [one.state for one in told] == [SpurtState.STARTED, SpurtState.STARTED, SpurtState.ENDED]
    assert [one.talker for one in told] == ["", "mdc:1234", "mdc:1234"]
    assert [one.alias for one in told] == ["", NAMED["alias"], NAMED["alias"]]
    assert len({one.start_ms for one in told}) == 1


@in_virtual_time
async def test_the_next_spurt_is_nobodys_until_somebody_tells() -> None:
    made = await world()
    for wave in (mdc_burst(PTT, RATE), words(0.3)):
        made.windsor.radio.cor(active=True)
        await hear(made.windsor, words(0.1), wave)
        shown = holder(made.detroit)["talker"]
        made.windsor.radio.cor(active=False)
        await hear(made.windsor, np.zeros(3200, np.int16))
    assert shown is None
    assert [one.talker for one in notices(made, made.windsor)][-1] == ""


@in_virtual_time
async def test_a_unit_without_an_alias_is_shown_by_its_number() -> None:
    made = await world()
    made.detroit.radio.cor(active=True)
    await hear(made.detroit, words(0.1), mdc_burst(PTT, RATE), words(0.2))
    assert (holder(made.windsor)["talker"], holder(made.windsor)["alias"]) == ("mdc:1234", None)


@in_virtual_time
async def test_who_does_not_tell_names_is_heard_all_the_same() -> None:
    made = await world()
    made.windsor.gateway.tells_talkers = False
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, mdc_burst(PTT, RATE), words(0.5))
    assert {key: holder(made.windsor)[key] for key in NAMED} == NAMED
    assert {key: holder(made.detroit)[key] for key in NAMED} == dict.fromkeys(NAMED)
    assert {(one.talker, one.alias) for one in notices(made, made.windsor)} == {("", "")}


@in_virtual_time
async def test_a_talker_keeps_its_name_through_another_patch() -> None:
    made = await world()
    other = replace(ALLOWED, patch=PatchId("lake"))
    for site in (made.windsor, made.detroit):
        site.plan(other)
    await asyncio.sleep(2.5)
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.1), mdc_burst(PTT, RATE), words(0.3))
    assert {key: holder(made.detroit)[key] for key in NAMED} == NAMED


@in_virtual_time
async def test_supervisors_may_go_by_the_name_of_a_talker() -> None:
    made = await world()
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.1), mdc_burst(PTT, RATE), words(0.1))
    for site in (made.windsor, made.detroit):
        claim = Claim(WINDSOR, TAC1, holder(site)["start_ms"], TalkClass.NORMAL, 0)
        assert "mdc:1234" in site.gateway.emergency.talkers.names(claim)


# --- what crosses ---------------------------------------------------------------------------------


@in_virtual_time
async def test_signalling_does_not_cross_a_patch_that_does_not_say_so() -> None:
    made = await world()
    for _ in range(3):
        made.windsor.radio.cor(active=True)
        await hear(made.windsor, mdc_burst(PTT, RATE), words(0.5), mdc_burst(POST, RATE))
        made.windsor.radio.cor(active=False)
        await hear(made.windsor, np.zeros(16_000, np.int16))
    assert len(made.detroit.radio.spoken()) > 60
    assert on_the_air(made.detroit) == []
    assert made.windsor.radio.runner.status()["counters"]["silenced"] > 0
    assert made.windsor.radio.runner.status()["counters"]["mdc1200"] == 6


@in_virtual_time
async def test_signalling_crosses_a_patch_whose_terms_allow_it() -> None:
    made = await world(plan=ALLOWED)
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.5), mdc_burst(PTT, RATE), words(0.5))
    made.windsor.radio.cor(active=False)
    await hear(made.windsor, np.zeros(8000, np.int16))
    assert on_the_air(made.detroit) == [0x1234]


@in_virtual_time
async def test_it_is_the_speaking_members_terms_that_count() -> None:
    mine = tuple(replace(m, signalling=m.talkgroup == BORDER) for m in RIVER.members)
    made = await world(plan=replace(RIVER, members=mine))
    assert not made.windsor.voice.signalling(TAC1)
    assert made.detroit.voice.signalling(BORDER)
    for site in (made.windsor, made.detroit):
        site.plan()
    await asyncio.sleep(1)
    assert made.windsor.voice.signalling(TAC1)


# --- emergencies ----------------------------------------------------------------------------------


@in_virtual_time
async def test_an_emergency_button_raises_an_alarm_on_both_sides() -> None:
    made = await world()
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.1), mdc_burst(EMERGENCY, RATE), words(0.2))
    await asyncio.sleep(1)
    for site in (made.windsor, made.detroit):
        (alarm,) = site.status["alarms"]
        assert (alarm["kind"], alarm["talkgroup"]) == ("field", "ca.opp/TAC1")
        assert (alarm["radio"], alarm["talker"]) == ("tac1", "mdc:1234")
        assert alarm["alias"] == NAMED["alias"]


# --- hostile --------------------------------------------------------------------------------------

HOSTILE: list[Body] = [
    {"talker": "mdc:1234", "alias": "\x1b]0;owned\x07"},
    {"talker": "mdc:1234", "alias": "\u202eevil"},
    {"talker": "mdc:1234", "alias": "<script>"},
    {"talker": "mdc:1234", "alias": "../../etc/passwd"},
    {"talker": "mdc:1234", "alias": "x" * 40_000},
    {"talker": "mdc:1234\n", "alias": "x"},
    {"talker": "name:<b>", "alias": "x"},
    {"alias": "nobody"},
]


async def say(made: GatewayWorld, site: Site, body: Body, version: int) -> None:
    """Publish a notice under a site's name and signature, whatever is in it."""
    who, topic = person(str(site.id)), spurt_topic(site.id, site.talkgroup.name)
    now_ms = NOW_MS + round((now() - START_S) * 1000)
    raw = who.sign(topic, body, version=now_ms + version, issued_ms=now_ms,
                   expires_ms=now_ms + HOUR_MS)  # fmt: skip
    made.brokers[0].take_document(topic, raw, retain=False)
    await asyncio.sleep(0.001)


def notice(talkgroup: TalkgroupId, start_ms: int) -> Body:
    return {
        "talkgroup": str(talkgroup), "start": start_ms, "class": "normal", "priority": 0,
        "radio": "x", "state": "started", "reason": "",
    }  # fmt: skip


@in_virtual_time
async def test_names_that_could_act_are_refused_counted_and_harm_nothing() -> None:
    made = await world()
    made.detroit.radio.cor(active=True)
    await hear(made.detroit, words(0.2))
    start_ms = holder(made.windsor)["start_ms"]
    for n, extra in enumerate(HOSTILE):
        await say(made, made.detroit, {**notice(BORDER, start_ms), **extra}, 1000 + n)
    assert made.windsor.status["counters"]["document-bad-body"] == len(HOSTILE)
    assert (holder(made.windsor)["talker"], holder(made.windsor)["alias"]) == (None, None)
    before = len(made.windsor.radio.spoken())
    await hear(made.detroit, words(0.4))
    assert len(made.windsor.radio.spoken()) > before + 10
    await say(made, made.detroit, {**notice(BORDER, start_ms), "talker": "mdc:00AF"}, 5000)
    assert holder(made.windsor)["talker"] == "mdc:00AF"


@in_virtual_time
async def test_a_megabyte_is_refused_before_it_is_read() -> None:
    made = await world()
    topic = spurt_topic(made.detroit.id, "BORDER")
    made.brokers[0].take_document(topic, b"x" * 1_000_000, retain=False)
    await asyncio.sleep(0.001)
    assert made.windsor.status["counters"]["document-too-large"] == 1


@in_virtual_time
async def test_nobody_names_anothers_talkers() -> None:
    made = await world()
    made.windsor.radio.cor(active=True)
    await hear(made.windsor, words(0.1), mdc_burst(PTT, RATE), words(0.1))
    start_ms = holder(made.windsor)["start_ms"]
    body = {**notice(TAC1, start_ms), "talker": "mdc:6666", "alias": "Mallory"}
    await say(made, made.detroit, body, 1000)
    assert {key: holder(made.windsor)[key] for key in NAMED} == NAMED


# --- the book itself ------------------------------------------------------------------------------

CLAIM = Claim(WINDSOR, TAC1, 1000, TalkClass.NORMAL, 0)
TREMBLAY, MARTIN = Talker(id="mdc:1234", alias="Tremblay"), Talker(id="mdc:5678")


def test_the_book_knows_the_newest_spurt_only() -> None:
    book = Identities()
    assert book.of(CLAIM) is None
    assert book.learn(WINDSOR, TAC1, 1000, TREMBLAY)
    assert not book.learn(WINDSOR, TAC1, 1000, TREMBLAY)
    assert book.of(CLAIM) == TREMBLAY
    assert book.learn(WINDSOR, TAC1, 1000, MARTIN)
    assert book.of(CLAIM) == MARTIN
    assert book.learn(WINDSOR, TAC1, 2000, TREMBLAY)
    assert book.of(CLAIM) is None
    assert not book.learn(WINDSOR, TAC1, 1000, MARTIN)
    assert book.of(replace(CLAIM, start_ms=2000)) == TREMBLAY
    assert book.of(replace(CLAIM, start_ms=2000, sender=DETROIT)) is None


def test_the_book_is_bounded() -> None:
    book = Identities()
    for n in range(2000):
        book.learn(WINDSOR, TalkgroupId(WINDSOR.agency, f"T{n}"), 1, TREMBLAY)
    assert len(book._known) == 1024


@pytest.mark.parametrize(
    ("talker", "alias"), [(None, None), (MARTIN, None), (TREMBLAY, "Tremblay")]
)
def test_what_is_shown_of_a_holder(talker: Talker | None, alias: str | None) -> None:
    assert holder_view(None, talker) is None
    shown = holder_view(CLAIM, talker)
    assert shown is not None
    assert (shown["talker"], shown["alias"]) == (talker.id if talker else None, alias)
