"""Gateways that say heads, and trust their disks only once these have been checked."""

from typing import Any

from tests.services.consent_world import PAIR, ConsentWorld, Site, settle
from tests.services.fakes import FakeStore

OURS, THEIRS = "ca.opp/TAC1", "us.cbp/BORDER"
WITH_SIBLING = (*PAIR, "ca.opp/sarnia")


async def guarded(*names: str, brokers: int = 1, simulation: bool = True) -> ConsentWorld:
    made = ConsentWorld(*names, brokers=brokers)
    for site in made.sites.values():
        site.guarded, site.simulation = True, simulation
    await made.start()
    await settle(3.0)
    return made


async def agreed(*names: str, brokers: int = 1, patch: str = "river") -> ConsentWorld:
    made = await guarded(*(names or PAIR), brokers=brokers)
    await made["windsor"].propose(patch, OURS, THEIRS)
    await settle()
    await made["detroit"].accept(patch)
    await settle()
    assert made.reasons(patch) == {"in-force"}
    return made


def copy(store: FakeStore) -> FakeStore:
    return FakeStore(store.values)


def status(site: Site) -> dict[str, Any]:
    assert site.heads is not None
    return site.heads.status(site.bridge.now_ms())


async def restart(site: Site, store: FakeStore | None = None, seconds: float = 3.0) -> None:
    """Start again with another disk, or the same."""
    site.stop()
    if store is not None:
        site.store = store
    await site.start()
    await settle(seconds)
