"""Whole control planes: whatever order documents arrive in, and how often, all see the same.

Operators of three agencies with two gateways each say what they like. Then one gateway loses its
disk, and gets all that was ever published, sealed and signed as it was, in any order, much of it
twice, old versions among it. It sees every patch as it did before.
"""

import contextlib
import os
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from radiobridge.errors import CommandError
from tests.services.consent_world import EVERYBODY, ConsentWorld, Site, settle
from tests.services.fakes import FakeStore
from tests.services.virtual_time import in_virtual_time

MEMBERS = {"ca.opp": "ca.opp/TAC1", "us.cbp": "us.cbp/BORDER", "ca.rcmp": "ca.rcmp/MOUNTED"}
OTHERS = ("us.cbp/BORDER", "ca.rcmp/MOUNTED")
SHOWN = (
    "in_force", "reason", "agencies", "withdrawn_by", "narrowed_by", "members", "start_ms",
    "end_ms", "terms",
)  # fmt: skip

NIGHTLY = os.environ.get("RADIOBRIDGE_NIGHTLY") == "1"

Deed = tuple[str, str, str, int]
"""Gateway, verb, patch, a number that the verb makes something of."""

deeds = st.lists(
    st.tuples(
        st.sampled_from(EVERYBODY),
        st.sampled_from(["accept"] * 4 + ["propose", "narrow", "withdraw"]),
        st.sampled_from(["river", "lake"]),
        st.integers(0, 2),
    ),
    min_size=3,
    max_size=10,
)


async def does(site: Site, verb: str, patch: str, number: int) -> None:
    """Have an operator try something; what is refused is refused."""
    with contextlib.suppress(CommandError):
        if verb == "propose":
            members = ["ca.opp/TAC1", *(OTHERS if number == 2 else OTHERS[number : number + 1])]
            await site.propose(patch, *members, host="ca.opp")
        elif verb == "accept":
            offers = site.control.desk.show(patch)
            others = [one["terms"] for one in offers["other_terms"]]
            terms = [offers["agreed"]["terms"], *others]
            await site.accept(patch, terms=terms[number % len(terms)])
        elif verb == "narrow":
            limit = {
                "talkgroup": MEMBERS[str(site.agency)],
                "access": ("listen", "talk", "none")[number],
            }
            await site.narrow(patch, limits=[limit])
        else:
            await site.withdraw(patch)


def view(site: Site) -> dict[str, dict[str, Any]]:
    """Return how each patch stands at a gateway."""
    return {
        one["id"]: {name: one[name] for name in SHOWN}
        for one in site.control.status()
        if one["reason"] != "not-ours"
    }


@settings(max_examples=500 if NIGHTLY else 15)
@given(done=deeds, loser=st.sampled_from(EVERYBODY), seed=st.integers(0, 2**32))
def test_a_gateway_that_hears_everything_in_any_order_sees_what_it_saw(
    done: list[Deed], loser: str, seed: int
) -> None:
    @in_virtual_time
    async def run() -> None:
        made = await ConsentWorld(*EVERYBODY).start()
        said: list[tuple[str, bytes]] = []
        taken = made.brokers[0].take_document

        def watch(topic: str, payload: bytes, *, retain: bool) -> None:
            said.append((topic, payload))
            taken(topic, payload, retain=retain)

        made.brokers[0].take_document = watch  # type: ignore[method-assign]
        said += made.brokers[0].retained.items()
        for patch in ("river", "lake"):
            await does(made["windsor"], "propose", patch, 2 if patch == "river" else 0)
        await settle()
        for name, verb, patch, number in done:
            await does(made[name], verb, patch, number)
            await settle()
        site = made[loser]
        before = view(site)
        await settle()
        assert view(site) == before
        site.stop()
        site.store = FakeStore()
        links, site.make_links = site.make_links, tuple  # type: ignore[method-assign]
        await site.start()
        site.make_links = links  # type: ignore[method-assign]
        order = random.Random(seed)
        heard = said + order.sample(said, len(said) // 2)
        order.shuffle(heard)
        # Of what comes before its sender's roster only some is kept: rosters first.
        heard.sort(key=lambda one: not one[0].endswith("/roster"))
        for topic, payload in heard:
            site.control.document(topic, payload, "b0")
        await settle()
        after = view(site)
        # Of a patch on which only the loser has spoken, and that it withdrew, no terms are left.
        gone = before.keys() - after.keys()
        assert all(before[patch]["reason"] == "withdrawn" for patch in gone), gone
        assert after == {patch: how for patch, how in before.items() if patch not in gone}

    run()
