"""Who has left, and who has not come yet, cannot decrypt: with all that a real broker ever showed.

Three agencies on a real mosquitto. Somebody at the broker stores every packet and every document,
and asks for all that is retained in the end. With that and its own gateway's key file, each agency
tries every key that it was ever given on every packet.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from radiobridge.drivers.link.mqtt import MqttLink
from radiobridge.drivers.store.key_files import GatewayKeys, GatewayPublic
from radiobridge.model.ids import AgencyId
from radiobridge.model.voice import FRAME_MEDIA_TIME, Claim, TalkClass
from radiobridge.wire.spurt import SpurtWriter
from radiobridge.wire.topics import voice_topic
from radiobridge_sim.broker import Broker
from radiobridge_sim.eavesdropper import Eavesdropper, Heard, given_keys, opened
from tests.services.consent_world import TAC1, TRIO, ConsentWorld, Site
from tests.wire.people import person

pytestmark = pytest.mark.real

EAR, PASSWORD = "ear/ear", "listens-to-everything"
PACKETS = 20
LIMIT_S = 20.0

OURS, THEIRS, MOUNTIES = "ca.opp/TAC1", "us.cbp/BORDER", "ca.rcmp/MOUNTED"


@dataclass
class RealSite(Site):
    """A site whose link goes to a real broker."""

    url: str = ""
    password_file: Path = field(default_factory=Path)

    def make_links(self) -> Any:
        settings = {
            "url": self.url,
            "username": str(self.id),
            "password_file": str(self.password_file),
        }
        return (MqttLink.from_settings("b0", settings, self.password_file.parent),)


class RealWorld(ConsentWorld):
    """TRIO on one broker, and somebody who stores all."""

    def __init__(self, folder: Path) -> None:
        super().__init__(*TRIO)
        passwords = {name: secrets.token_hex(8) for name in TRIO}
        self.broker = Broker(folder / "broker", {**passwords, EAR: PASSWORD})
        self.sites = {}
        for name, password in passwords.items():
            file = folder / name.replace("/", "-")
            file.touch(mode=0o600)
            file.write_text(password)
            self.sites[name] = RealSite(
                person(name).gateway, self, url=self.broker.url, password_file=file
            )
        self.marks: dict[str, int] = {}

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not done():  # noqa: ASYNC110  it is true of other things than one event
                await asyncio.sleep(0.02)

    async def in_force(self, patch: str, *names: str) -> None:
        await self.until(lambda: all(self[n].reason(patch) == "in-force" for n in names))

    async def knows(self, name: str, patch: str) -> None:
        await self.until(lambda: self[name].reason(patch) != "unknown")

    async def say(self, phase: str, ear: Eavesdropper) -> None:
        """Have windsor send a spurt on TAC1; wait until it has passed the broker."""
        windsor = self["windsor"]
        await self.until(lambda: windsor.keys.sending(TAC1) is not None)
        # The key in use may turn half a second after somebody has joined.
        await asyncio.sleep(0.7)
        grant = windsor.keys.sending(TAC1)
        assert grant is not None
        assert TAC1 in windsor.map.remote
        claim = Claim(windsor.id, TAC1, windsor.bridge.now_ms(), TalkClass.NORMAL, 0)
        signing = person(str(windsor.id)).signing
        writer = SpurtWriter(claim, grant.key, grant.epoch, signing, secrets.randbits(48))
        topic = voice_topic(windsor.id, TAC1.name)
        before = len(voice(ear.heard))
        for n in range(PACKETS):
            raw = writer.packet(b"\x08" * 20, n * FRAME_MEDIA_TIME, end=n == PACKETS - 1)
            assert windsor.links[0].publish_voice(topic, raw)
        await self.until(lambda: len(voice(ear.heard)) == before + PACKETS)
        self.marks[phase] = before


def voice(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if "/voice/" in one.topic]


def key_file(name: str) -> GatewayKeys:
    """Return what the key file of a gateway holds."""
    who = person(name)
    public = GatewayPublic(
        gateway=who.gateway,
        signing_key=who.public.public_bytes_raw(),
        hpke_key=who.hpke_public,
    )
    return GatewayKeys(gateway=who.gateway, signing=who.signing, hpke=who.hpke, public=public)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[RealWorld, Eavesdropper]]:
    world = RealWorld(tmp_path)
    await asyncio.to_thread(world.broker.start)
    ear = Eavesdropper(world.broker.url, EAR, PASSWORD)
    try:
        await asyncio.to_thread(ear.start)
        for site in world.sites.values():
            await site.start()
        yield world, ear
    finally:
        for site in world.sites.values():
            site.control.stop()
            await site.links[0].close()
        await asyncio.to_thread(ear.stop)
        await asyncio.to_thread(world.broker.stop)


async def test_neither_a_former_partner_nor_a_late_one_can_decrypt(
    made: tuple[RealWorld, Eavesdropper],
) -> None:
    world, ear = made
    windsor = world["windsor"]
    for site in world.sites.values():
        await world.until(lambda site=site: len(site.directory.rosters) == len(TRIO))
    # Two agree; the third has not come yet.
    await windsor.propose("river", OURS, THEIRS)
    await world.knows("detroit", "river")
    await world["detroit"].accept("river")
    await world.in_force("river", "windsor", "detroit")
    await world.say("two", ear)
    # It comes, by a patch that names all.
    await windsor.withdraw("river")
    await world.until(lambda: world["detroit"].reason("river") == "withdrawn")
    await windsor.propose("all", OURS, THEIRS, MOUNTIES)
    for name in ("detroit", "ottawa"):
        await world.knows(name, "all")
        await world[name].accept("all")
    await world.in_force("all", "windsor", "detroit", "ottawa")
    await world.say("three", ear)
    # One leaves; the rest goes on.
    await world["detroit"].withdraw("all")
    await world.until(lambda: windsor.state("all")["withdrawn_by"] == ["us.cbp"])
    await world.in_force("all", "windsor", "ottawa")
    await world.say("without", ear)

    everything = list(ear.heard) + await retained(world)
    found = {
        name: list(opened(ear.heard, TAC1, given_keys(everything, key_file(full), TAC1)))
        for name, full in (("detroit", "us.cbp/detroit"), ("ottawa", "ca.rcmp/ottawa"))
    }
    for name, entitled in (
        ("detroit", {"two": True, "three": True, "without": False}),
        ("ottawa", {"two": False, "three": True, "without": True}),
    ):
        for phase, may in entitled.items():
            start = world.marks[phase]
            assert found[name][start : start + PACKETS] == [may] * PACKETS, (name, phase)


async def retained(world: RealWorld) -> list[Heard]:
    """Return all that the broker has kept, as somebody finds it who comes now."""
    late = Eavesdropper(world.broker.url, EAR, PASSWORD)
    await asyncio.to_thread(late.start)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(late.stop)
    assert {AgencyId(one.topic.split("/")[2]) for one in late.heard} == {
        "ca.opp",
        "us.cbp",
        "ca.rcmp",
    }
    assert any("/key/" in one.topic for one in late.heard)
    return late.heard
