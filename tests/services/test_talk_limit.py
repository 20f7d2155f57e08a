"""Who talks too long is warned by his own side: in its status, its log, and its notices."""

import asyncio
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from radiobridge.cli.view import print_status
from radiobridge.core.floor import FloorSettings
from radiobridge.text import Language
from radiobridge.wire.documents import read_document
from radiobridge.wire.topics import spurt_topic
from radiobridge.wire.words import SpurtNotice, SpurtState
from tests.services.gateway_world import DETROIT, WINDSOR, GatewayWorld, Site
from tests.services.radios import COR
from tests.services.virtual_time import in_virtual_time
from tests.wire.people import person

LIMIT = FloorSettings()
NEARLY_OVER = "talk time nearly over"


def screen(site: Site) -> str:
    """Return what `radiobridge status` prints."""
    out = StringIO()
    print_status(site.status, Language.EN, Console(file=out, width=200))
    return out.getvalue()


def notices(made: GatewayWorld, site: Site) -> list[tuple[SpurtState, str]]:
    """Return what a gateway has told of its spurts, in order."""
    topic, key = spurt_topic(site.id, site.talkgroup.name), person(str(site.id)).public
    raws = [raw for one, raw in made.brokers[0].notices if one == topic]
    now_ms = site.clock.wall_ms()
    told = [SpurtNotice.from_body(read_document(raw, topic, key, now_ms).body) for raw in raws]
    return [(one.state, one.reason) for one in told]


def warned(log: list[Any]) -> list[str]:
    return [one["sender"] for one in log if one["event"] == "spurt-near-limit"]


@in_virtual_time
async def test_who_talks_too_long_is_warned_on_his_side_and_then_ended() -> None:
    made = GatewayWorld()
    site = made.windsor
    site.squelch = replace(COR, cor_limit_s=120.0)
    await made.start()
    logged = len(site.audit.entries)
    talking = asyncio.create_task(site.radio.talk(LIMIT.talk_limit_s + 2))
    with capture_logs() as log:
        await asyncio.sleep(LIMIT.talk_limit_s - LIMIT.warning_s - 0.5)
    before = [*warned(log), *screen(site).split(NEARLY_OVER)[1:]]
    with capture_logs() as log:
        await asyncio.sleep(1)
    assert before == []
    # The log of each side has it: both gateways write into this one.
    assert warned(log) == [WINDSOR, WINDSOR]
    assert site.status["floor"][0]["near_limit"] is True
    assert NEARLY_OVER in screen(site)
    await talking
    assert NEARLY_OVER not in screen(site)
    assert notices(made, site) == [
        (SpurtState.STARTED, ""),
        (SpurtState.STARTED, "near-limit"),
        (SpurtState.ENDED, "talk-limit"),
    ]
    assert notices(made, made.detroit) == []
    # A warning begins nothing and ends nothing: the audit log has the start and the end.
    assert len(site.audit.entries) == logged + 2
    voice = made.detroit.radio.spoken()
    assert voice[-1].at - voice[0].at == pytest.approx(LIMIT.talk_limit_s, abs=0.1)
    assert str(made.detroit.id) == DETROIT
    assert not made.detroit.radio.line.keyed
