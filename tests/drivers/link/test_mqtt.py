"""The MQTT link against a real mosquitto, plain and over TLS."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.errors import LocalProtocolError
from radiobridge_sim.broker import Broker
from radiobridge_sim.certificates import Authority
from radiobridge_sim.network import Network
from tests.drivers.link.conftest import MakeLink
from tests.drivers.link.sink import Sink

pytestmark = pytest.mark.real

WINDSOR, DETROIT = "ca.opp/windsor", "us.cbp/detroit"
VOICE = f"rb/1/{WINDSOR}/voice/TAC1"
VOICES = frozenset({"rb/1/ca.opp/+/voice/TAC1"})
DOCUMENTS = frozenset({"rb/1/ca.opp/+/presence/+", "rb/1/ca.opp/+/patch/+", "rb/1/ca.opp/+/head"})
ROOT = Path(__file__).parents[3]
PRESENCE = f"rb/1/{WINDSOR}/presence/main"


async def up(link: MqttLink, sink: Sink) -> None:
    await link.open(sink)
    await sink.until(lambda: sink.ups == 1)


async def pair(make_link: MakeLink, *, tls: bool = False) -> tuple[MqttLink, Sink, MqttLink, Sink]:
    """Return a talker and a listener, both up."""
    talker, listener = make_link(WINDSOR, tls=tls), make_link(DETROIT, tls=tls)
    here, there = Sink(WINDSOR), Sink(DETROIT)
    listener.want_voice(VOICES)
    listener.want_documents(DOCUMENTS)
    await up(listener, there)
    await up(talker, here)
    return talker, here, listener, there


async def fill(talker: MqttLink) -> None:
    """Publish voice until it is dropped, which must come to pass when nobody reads."""
    for _ in range(100_000):
        if not talker.publish_voice(VOICE, bytes(1000)):
            return
        await asyncio.sleep(0)
    pytest.fail("voice was never dropped")


@pytest.mark.parametrize("tls", [False, True])
async def test_voice_and_documents_arrive(make_link: MakeLink, tls: bool) -> None:
    talker, here, _, there = await pair(make_link, tls=tls)
    assert talker.publish_voice(VOICE, b"one")
    assert talker.publish_voice(VOICE, b"two")
    talker.publish_document(here.topic("patch/p1"), b"word")
    await there.until(lambda: there.heard() == [b"one", b"two"])
    await there.until(lambda: there.newest(here.topic("patch/p1")) == b"word")
    assert there.newest(PRESENCE) == b"online 1"
    assert {link for _, _, link in there.voices + there.documents} == {"main"}
    assert (here.downs, there.downs) == ([], [])


async def test_own_voice_does_not_come_back(make_link: MakeLink) -> None:
    talker, here, _, there = await pair(make_link)
    talker.want_voice(VOICES)
    talker.want_documents(frozenset({here.topic("#")}))
    talker.publish_voice(VOICE, b"mine")
    talker.publish_document(here.topic("head"), b"mine too")
    await there.until(lambda: there.newest(here.topic("head")) == b"mine too")
    assert here.voices == []
    assert here.newest(here.topic("head")) is None


async def test_what_was_said_before_a_listener_came_is_there(make_link: MakeLink) -> None:
    talker, here = make_link(WINDSOR), Sink(WINDSOR)
    talker.publish_document(here.topic("patch/p1"), b"old")
    talker.publish_document(here.topic("patch/p1"), b"new")
    await up(talker, here)
    listener, there = make_link(DETROIT), Sink(DETROIT)
    await up(listener, there)
    listener.want_documents(DOCUMENTS)
    await there.until(lambda: there.newest(here.topic("patch/p1")) is not None)
    assert there.newest(here.topic("patch/p1")) == b"new"


async def test_subscriptions_follow_what_is_wanted(make_link: MakeLink) -> None:
    talker, here, listener, there = await pair(make_link)
    listener.want_voice(frozenset({"rb/1/ca.opp/+/voice/TAC2"}))
    listener.want_documents(frozenset({"rb/1/ca.opp/+/alarm/+"}))
    topic, alarm = here.topic("voice/TAC2"), here.topic("alarm/a1")
    while not there.voices:  # until the broker knows
        talker.publish_voice(topic, b"new")
        await asyncio.sleep(0.01)
    talker.publish_document(alarm, b"help")
    await there.until(lambda: there.newest(alarm) == b"help")
    talker.publish_voice(VOICE, b"unwanted")
    talker.publish_document(here.topic("head"), b"unwanted")
    talker.publish_voice(topic, b"last")
    talker.publish_document(alarm, b"over")
    await there.until(lambda: there.heard()[-1] == b"last")
    await there.until(lambda: there.newest(alarm) == b"over")
    assert VOICE not in {topic for topic, _, _ in there.voices}
    assert there.newest(here.topic("head")) is None


async def test_a_notice_is_sent_once_and_not_kept(make_link: MakeLink) -> None:
    talker, here, listener, there = await pair(make_link)
    notice, alarm = here.topic("spurt/TAC1"), here.topic("alarm/a1")
    wanted = frozenset({notice, alarm})
    listener.want_documents(wanted)
    talker.publish_document(alarm, b"subscribed")
    await there.until(lambda: there.newest(alarm) is not None)
    talker.publish_notice(notice, b"talks")
    await there.until(lambda: there.newest(notice) == b"talks")
    late, later = make_link(DETROIT, name="late"), Sink(DETROIT)
    late.want_documents(wanted)
    await up(late, later)
    await later.until(lambda: later.newest(alarm) is not None)
    assert later.newest(notice) is None


async def test_a_notice_while_down_is_dropped_and_counted(make_link: MakeLink) -> None:
    talker = make_link(WINDSOR)
    talker.publish_notice("rb/1/ca.opp/windsor/spurt/TAC1", b"talks")
    assert talker.stats()["notices_dropped"] == 1
    assert not talker.publish_voice(VOICE, b"x")
    assert talker.stats()["voice_dropped"] == 1


async def test_close_says_goodbye(make_link: MakeLink) -> None:
    talker, here, _, there = await pair(make_link)
    await talker.close()
    await there.until(lambda: there.newest(PRESENCE) == b"offline 1")
    assert len(here.downs) == 1
    await talker.close()
    assert not talker.publish_voice(VOICE, b"x")


GATEWAY = """
import asyncio, sys
from pathlib import Path
from radiobridge.drivers.link.mqtt import MqttLink
from tests.drivers.link.sink import Sink

async def main():
    settings = {"url": sys.argv[1], "username": "ca.opp/windsor", "password_file": "secret"}
    link, sink = MqttLink.from_settings("main", settings, Path(sys.argv[2])), Sink()
    await link.open(sink)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_the_will_speaks_for_a_gateway_that_was_killed(
    make_link: MakeLink, broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("maple")
    listener, there = make_link(DETROIT), Sink(DETROIT)
    listener.want_documents(DOCUMENTS)
    await up(listener, there)
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, broker.url, str(tmp_path), cwd=ROOT
    )
    try:
        await there.until(lambda: there.newest(PRESENCE) == b"online 1")
    finally:
        gateway.kill()
        await gateway.wait()
    await there.until(lambda: there.newest(PRESENCE) == b"offline 1")


async def test_after_a_restart_of_the_broker_all_is_as_before_and_no_old_voice_comes(
    make_link: MakeLink, broker: Broker
) -> None:
    talker, here, _, there = await pair(make_link)
    talker.publish_document(here.topic("patch/p1"), b"word")
    await there.until(lambda: there.newest(here.topic("patch/p1")) == b"word")
    there.documents.clear()
    await asyncio.to_thread(broker.kill)
    await here.until(lambda: len(here.downs) >= 1)
    await there.until(lambda: len(there.downs) >= 1)
    for _ in range(50):
        assert not talker.publish_voice(VOICE, b"old")
    talker.publish_document(here.topic("head"), b"meanwhile")
    await asyncio.to_thread(broker.start)
    await here.until(lambda: here.ups == 2)
    await there.until(lambda: there.ups == 2)
    assert talker.publish_voice(VOICE, b"new")
    await there.until(lambda: bool(there.voices))
    assert there.heard() == [b"new"]
    await there.until(lambda: there.newest(here.topic("head")) == b"meanwhile")
    await there.until(lambda: there.newest(here.topic("patch/p1")) == b"word")
    await there.until(lambda: (there.newest(PRESENCE) or b"").startswith(b"online"))
    assert there.newest(PRESENCE) != b"online 1"
    assert talker.stats()["losses"] == 1


async def test_a_broker_that_hangs_gets_no_backlog_and_blocks_nobody(
    make_link: MakeLink, broker: Broker
) -> None:
    talker, here, _, there = await pair(make_link)
    broker.pause()
    try:
        await fill(talker)
        voice = talker._voice
        assert voice is not None
        assert 4096 < voice.unsent() < 65536 + 2048
        assert not talker.publish_voice(VOICE, bytes(1000))
        dropped = talker.stats()["voice_dropped"]
        assert dropped == 2
        talker.publish_document(here.topic("head"), b"waits")
    finally:
        broker.resume()
    await there.until(lambda: there.newest(here.topic("head")) == b"waits")


async def test_a_burst_is_no_backlog(make_link: MakeLink) -> None:
    talker, _, _, there = await pair(make_link)
    burst = [bytes([n]) * 100 for n in range(200)]
    assert all(talker.publish_voice(VOICE, payload) for payload in burst)
    await there.until(lambda: len(there.voices) == len(burst))
    assert there.heard() == burst


async def test_what_stays_unsent_is_a_backlog_also_when_it_is_small(
    make_link: MakeLink, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    talker, _, _, _ = await pair(make_link)
    voice = talker._voice
    assert voice is not None
    now = 1000.0
    monkeypatch.setattr("radiobridge.drivers.link.voice_connection.monotonic", lambda: now)
    monkeypatch.setattr(voice, "unsent", lambda: 4097)
    assert talker.publish_voice(VOICE, b"x")
    now += 0.09
    assert talker.publish_voice(VOICE, b"x")
    now += 0.02
    assert not talker.publish_voice(VOICE, b"x")
    monkeypatch.setattr(voice, "unsent", lambda: 4096)
    assert talker.publish_voice(VOICE, b"x")
    monkeypatch.setattr(voice, "unsent", lambda: 65537)
    assert not talker.publish_voice(VOICE, b"x")
    assert broker.pid


async def test_a_short_queue_that_stands_is_a_backlog_too(
    make_link: MakeLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    talker, _, _, _ = await pair(make_link)
    voice = talker._voice
    assert voice is not None
    now, unsent = 1000.0, 1025
    monkeypatch.setattr("radiobridge.drivers.link.voice_connection.monotonic", lambda: now)
    monkeypatch.setattr(voice, "unsent", lambda: unsent)
    for _ in range(26):
        assert talker.publish_voice(VOICE, b"x")
        now += 0.02
    assert not talker.publish_voice(VOICE, b"x")
    unsent = 1024
    assert talker.publish_voice(VOICE, b"x")
    unsent = 1025
    assert talker.publish_voice(VOICE, b"x")


async def test_stuck_voice_does_not_hold_up_documents(make_link: MakeLink, broker: Broker) -> None:
    with Network() as network:
        route = network.route(broker.port)
        talker, listener = make_link(WINDSOR, url=route.url), make_link(DETROIT)
        here, there = Sink(WINDSOR), Sink(DETROIT)
        listener.want_documents(DOCUMENTS)
        await up(listener, there)
        await up(talker, here)
        route.hold(only=b"rbv")
        await fill(talker)
        talker.publish_document(here.topic("head"), b"in time")
        await there.until(lambda: there.newest(here.topic("head")) == b"in time")
        await talker.close()


async def test_a_link_that_lost_its_voice_only_brings_all_documents_again(
    make_link: MakeLink, broker: Broker
) -> None:
    with Network() as network:
        route = network.route(broker.port)
        talker, listener = make_link(WINDSOR, url=route.url), make_link(DETROIT, url=route.url)
        here, there = Sink(WINDSOR), Sink(DETROIT)
        listener.want_voice(VOICES)
        listener.want_documents(DOCUMENTS)
        talker.publish_document(here.topic("patch/p1"), b"word")
        await up(talker, here)
        await up(listener, there)
        await there.until(lambda: there.newest(here.topic("patch/p1")) == b"word")
        control = listener.stats()["connects"]
        await there.until(lambda: there.newest(PRESENCE) is not None)
        there.documents.clear()
        route.swallow()
        for _ in range(20):
            talker.publish_voice(VOICE, b"lost")
            listener.publish_voice(f"rb/1/{DETROIT}/voice/BORDER", b"lost")
            await asyncio.sleep(0.01)
        route.heal()  # resets what lost bytes: the voice connections
        await there.until(lambda: bool(there.downs) and there.ups == 2)
        assert listener.stats()["connects"] == control
        await there.until(lambda: there.newest(here.topic("patch/p1")) == b"word")
        await there.until(lambda: there.newest(PRESENCE) is not None)


async def test_stuck_documents_do_not_hold_up_voice(make_link: MakeLink, broker: Broker) -> None:
    with Network() as network:
        route = network.route(broker.port)
        talker, listener = make_link(WINDSOR, url=route.url), make_link(DETROIT)
        here, there = Sink(WINDSOR), Sink(DETROIT)
        listener.want_voice(VOICES)
        await up(listener, there)
        await up(talker, here)
        route.hold(only=b"rbc")
        for n in range(100):
            talker.publish_document(here.topic(f"patch/p{n}"), bytes(60_000))
        assert talker.publish_voice(VOICE, b"in time")
        await there.until(lambda: there.heard() == [b"in time"])
        await talker.close()


async def test_voice_that_cannot_leave_for_a_second_starts_its_connection_anew(
    make_link: MakeLink, broker: Broker
) -> None:
    talker, here, _, there = await pair(make_link)
    broker.pause()
    try:
        while not talker.stats()["voice_restarts"]:
            talker.publish_voice(VOICE, bytes(1000))
            await asyncio.sleep(0.001)
    finally:
        broker.resume()
    await there.until(lambda: bool(there.voices))
    while there.heard()[-1] != b"fresh":
        talker.publish_voice(VOICE, b"fresh")
        await asyncio.sleep(0.01)
    assert len(here.downs) <= 1


async def test_late_voice_is_thrown_away_when_the_receiver_says_so(
    make_link: MakeLink, broker: Broker
) -> None:
    talker, _, listener, there = await pair(make_link)
    listener.restart_voice()
    listener.restart_voice()
    assert listener.stats()["voice_restarts"] == 1
    while not there.voices:
        talker.publish_voice(VOICE, b"again")
        await asyncio.sleep(0.01)
    assert (there.downs, there.ups) == ([], 1)
    assert broker.pid


async def test_nobody_publishes_under_another_gateways_name(make_link: MakeLink) -> None:
    _, here, listener, there = await pair(make_link)
    own = there.topic("head")
    listener.publish_voice(VOICE, b"forged")
    listener.publish_document(here.topic("head"), b"forged")
    listener.publish_document(own, b"true")
    watcher, seen = make_link(WINDSOR, name="watch"), Sink(WINDSOR)
    watcher.want_documents(frozenset({own, here.topic("head")}))
    await up(watcher, seen)
    await seen.until(lambda: seen.newest(own) == b"true")
    assert seen.newest(here.topic("head")) is None
    assert there.voices == []
    await listener.close()
    assert listener.stats()["documents_refused"] == 1


async def test_a_wrong_password_is_told_in_both_languages_and_tried_again(
    make_link: MakeLink,
) -> None:
    link, sink = make_link(WINDSOR, password="hunter2"), Sink(WINDSOR)
    await link.open(sink)
    await sink.until(lambda: bool(sink.downs) and link.stats()["connects"] > 2)
    assert len(sink.downs) == 1
    assert "user name or password is wrong" in sink.downs[0].en
    assert "mot de passe est erroné" in sink.downs[0].fr
    assert "hunter2" not in sink.downs[0].en
    secret = link._settings.password_file
    assert secret is not None
    secret.write_text("maple")
    await sink.until(lambda: sink.ups == 1)


async def test_a_ca_that_did_not_sign_the_broker_is_refused(
    make_link: MakeLink, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "another CA")
    link, sink = make_link(WINDSOR, tls=True, ca=stranger.certificate), Sink(WINDSOR)
    await link.open(sink)
    await sink.until(lambda: bool(sink.downs) and link.stats()["connects"] > 2)
    assert "is not trusted" in sink.downs[0].en
    assert "n'est pas approuvé" in sink.downs[0].fr
    assert (len(sink.downs), sink.ups) == (1, 0)


async def test_a_name_that_the_certificate_does_not_carry_is_refused(
    make_link: MakeLink, broker: Broker
) -> None:
    url = f"mqtts://127.0.0.2:{broker.tls_port}"
    link, sink = make_link(WINDSOR, url=url), Sink(WINDSOR)
    await link.open(sink)
    await sink.until(lambda: bool(sink.downs))
    # mosquitto listens at 127.0.0.1 only, so 127.0.0.2 reaches nothing: no name to compare.
    assert "nothing listens" in sink.downs[0].en
    other, heard = make_link(WINDSOR, url=f"mqtts://127.1:{broker.tls_port}"), Sink(WINDSOR)
    await other.open(heard)
    await heard.until(lambda: bool(heard.downs))
    assert "is not trusted" in heard.downs[0].en


async def test_plain_against_the_tls_port_and_tls_against_the_plain_one_say_so(
    make_link: MakeLink, broker: Broker
) -> None:
    for url in (f"mqtt://127.0.0.1:{broker.tls_port}", f"mqtts://localhost:{broker.port}"):
        link, sink = make_link(WINDSOR, url=url), Sink(WINDSOR)
        await link.open(sink)
        await sink.until(lambda sink=sink: bool(sink.downs))  # type: ignore[misc]  # bound now
        assert "broker" in sink.downs[0].en
        assert sink.ups == 0


async def test_unreadable_files_are_named(make_link: MakeLink, tmp_path: Path) -> None:
    link, sink = make_link(WINDSOR, tls=True, ca=tmp_path / "missing.pem"), Sink(WINDSOR)
    await link.open(sink)
    await sink.until(lambda: bool(sink.downs))
    assert "missing.pem cannot be used: No such file" in sink.downs[0].en


async def test_nothing_is_left_running_after_close(make_link: MakeLink) -> None:
    before = asyncio.all_tasks()
    talker, _, listener, _ = await pair(make_link, tls=True)
    await asyncio.gather(talker.close(), listener.close())
    left = asyncio.all_tasks() - before
    if left:
        with suppress(TimeoutError):
            await asyncio.wait(left, timeout=1.0)
    assert [task for task in left if not task.done()] == []


async def test_closing_while_nobody_answers_is_quick(make_link: MakeLink, broker: Broker) -> None:
    link, sink = make_link(WINDSOR), Sink(WINDSOR)
    broker.pause()
    try:
        await link.open(sink)
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            await link.close()
    finally:
        broker.resume()
    assert sink.ups == 0


@pytest.mark.parametrize("topic", ["", "rb/1/+/head", "rb/1/#"])
def test_a_filter_is_no_topic(make_link: MakeLink, topic: str) -> None:
    with pytest.raises(LocalProtocolError):
        make_link().publish_document(topic, b"x")
    with pytest.raises(LocalProtocolError):
        make_link().publish_notice(topic, b"x")


async def test_many_documents_and_a_large_one_arrive(make_link: MakeLink) -> None:
    talker, here, _, there = await pair(make_link)
    topics = [here.topic(f"patch/p{n}") for n in range(100)]
    for topic in topics:
        talker.publish_document(topic, b"x" * 60_000)
    await there.until(lambda: all(there.newest(topic) for topic in topics))
    assert talker.stats()["documents_sent"] == 101


async def test_a_cleared_document_is_gone_for_who_comes_later(make_link: MakeLink) -> None:
    talker, here, _, there = await pair(make_link)
    talker.publish_document(here.topic("patch/p1"), b"word")
    talker.publish_document(here.topic("patch/p1"), b"")
    talker.publish_document(here.topic("head"), b"after")
    await there.until(lambda: there.newest(here.topic("head")) == b"after")
    late, later = make_link(DETROIT, name="late"), Sink(DETROIT)
    late.want_documents(DOCUMENTS)
    await up(late, later)
    await later.until(lambda: later.newest(here.topic("head")) == b"after")
    assert later.newest(here.topic("patch/p1")) is None
