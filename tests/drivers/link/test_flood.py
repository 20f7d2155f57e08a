"""More documents than a gateway can read: its link says so, starts anew, and has what stands."""

from pathlib import Path

import pytest

from radiobridge.drivers.link import read_budget
from radiobridge_sim.broker import Broker
from radiobridge_sim.flood import Flood
from tests.drivers.link.conftest import USERS, MakeLink
from tests.drivers.link.sink import Sink

pytestmark = pytest.mark.real

WINDSOR, DETROIT = "ca.opp/windsor", "us.cbp/detroit"
VOICE = f"rb/1/{WINDSOR}/voice/TAC1"
WORD, HEAD = f"rb/1/{WINDSOR}/patch/p1", f"rb/1/{WINDSOR}/head"
RATE = 4000


@pytest.mark.parametrize("tls", [False, True])
async def test_a_flood_of_documents_ends_in_a_new_start_and_voice_passes(
    make_link: MakeLink,
    broker: Broker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tls: bool,
) -> None:
    monkeypatch.setattr(read_budget, "BURST", 200)
    monkeypatch.setattr(read_budget, "FLOODED_S", 0.5)
    talker, here = make_link(WINDSOR), Sink(WINDSOR)
    listener, there = make_link(DETROIT, tls=tls), Sink(DETROIT)
    listener.want_voice(frozenset({VOICE}))
    listener.want_documents(frozenset({WORD, HEAD}))
    talker.publish_document(WORD, b"word")
    await talker.open(here)
    await listener.open(there)
    await there.until(lambda: there.ups == here.ups == 1)
    password = tmp_path / "flood.password"
    password.write_text(USERS[WINDSOR])
    flood = Flood(("127.0.0.1", broker.port), WINDSOR, password, HEAD)
    flood.start(RATE)
    try:
        await there.until(lambda: bool(there.downs))
        there.documents.clear()
        assert talker.publish_voice(VOICE, b"voice")
        await there.until(lambda: there.heard() == [b"voice"])
        await there.until(lambda: there.newest(WORD) == b"word")
    finally:
        flood.stop()
    assert "too many documents" in there.downs[0].en
    assert "trop de documents" in there.downs[0].fr
    await there.until(lambda: there.ups > 1)
    talker.publish_document(HEAD, b"head")
    await there.until(lambda: there.newest(HEAD) == b"head")
