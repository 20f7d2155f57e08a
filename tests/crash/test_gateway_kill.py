"""`kill -9` of a whole gateway at any moment of a busy life: voice, patches, inhibits.

All that passes the brokers is kept: what is encrypted twice under one key and counter is found.
The default run kills it some times; the nightly one at least a hundred times.
"""

import contextlib
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from radiobridge.core.audit_chain import verify
from radiobridge.drivers.store.audit_file import read_log
from radiobridge.errors import CommandError
from radiobridge.text import Text
from radiobridge.wire.spurt import epoch_of
from radiobridge.wire.topics import TopicKind, parse_topic
from radiobridge.wire.voice import parse_voice
from radiobridge_sim.agencies import Side
from radiobridge_sim.bench.crowd import Crowd, radio_name
from radiobridge_sim.eavesdropper import Eavesdropper, Heard
from tests.app.figures import Figures
from tests.crash.operator import Operator
from tests.crash.seed import chance

pytestmark = pytest.mark.real

NIGHTLY = os.environ.get("RADIOBRIDGE_NIGHTLY") == "1"
KILLS = int(os.environ.get("RADIOBRIDGE_KILLS") or (110 if NIGHTLY else 8))
EARLY = 0.3
"""The share of lives that end while the gateway starts, before it answers anybody."""

EARLY_S = (0.3, 1.5)
"""How old they get."""

BUSY_S = 3.0
"""How long the others live at most, from their first answer on."""

PAUSE_S = 0.5
"""Longest time between a death and the next life."""

UNKEYED_S = 0.5
"""The promise: a gateway that dies is unkeyed within that time."""

PRESS_S = 0.52
"""A press of the CCDI radio ends by itself, 500 ms by the radio's own clock."""

STARTING_S = 0.25
"""No new process keys anything earlier than this: its interpreter does not run yet."""

LIMIT_S = 60.0


@dataclass
class Deaths:
    """When the gateway died, and when the life after that began; s since the common zero."""

    died: list[float] = field(default_factory=list)
    born: list[float] = field(default_factory=list)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    """Three pairs: two with a plan, whose people talk all the time, and one for the operator."""
    world = Crowd(tmp_path, 3)
    try:
        world.start(lambda _doing: None)
        world.agree(world.pairs[0], world.pairs[2])
        yield world
    finally:
        world.stop()


def listen(crowd: Crowd) -> list[Eavesdropper]:
    user = crowd.sides[1]
    password = (crowd.home(user) / "broker.password").read_text().strip()
    ears = [Eavesdropper(one.url, str(user.gateway), password) for one in crowd.brokers]
    for ear in ears:
        ear.start()
    return ears


@pytest.mark.timeout(90 + 8 * KILLS)
def test_killed_at_any_moment_it_keeps_its_word_and_uses_nothing_twice(
    crowd: Crowd, figures: Figures
) -> None:
    draw, side = chance(), crowd.sides[0]
    operator = make_operator(crowd, side, draw)
    ears, deaths = listen(crowd), Deaths()
    crowd.talk()
    crowd.wait_until(lambda: on_air(crowd, side), LIMIT_S, Text("voice", "la voix"))
    for _ in range(KILLS):
        one_life(crowd, side, operator, draw, deaths)
    begin_life(crowd, side, deaths)
    operator.check(wait_answer(crowd, side))
    check_audit(crowd, side)
    crowd.hush()
    for ear in ears:
        ear.stop()
    check_lines(crowd, side, deaths)
    packets = [one for ear in ears for one in ear.heard]
    lives = check_nonces(packets, crowd, deaths)
    # Nothing is shown by lives that end before anything was promised or said in them.
    assert lives > KILLS // 10
    assert operator.account.promises > KILLS
    assert operator.account.checks > KILLS // 4
    figures.add(
        "killed",
        {
            "times": KILLS,
            "lives with voice": lives,
            "promises": operator.account.promises,
            "held after restarts": operator.account.checks,
            "packets": len(packets),
        },
    )


def on_air(crowd: Crowd, side: Side) -> bool:
    ours = [one.donor for one in crowd.all_sides if one.gateway == side.gateway]
    last = [events[-1].value for donor in ours if (events := crowd.lines.events(donor, "PTT"))]
    return any(last)


def make_operator(crowd: Crowd, side: Side, draw: random.Random) -> Operator:
    free = crowd.pairs[1].sides
    operator = Operator(
        crowd.gateway(side).socket,
        crowd.gateway(crowd.other(side)).socket,
        agency=f"{side.agency}/",
        members=(f"{free[0].agency}/{free[0].talkgroup}", f"{free[1].agency}/{free[1].talkgroup}"),
        draw=draw,
    )
    operator.inhibits(radio_name(crowd.pairs[2].sides[0]))
    return operator


def one_life(
    crowd: Crowd, side: Side, operator: Operator, draw: random.Random, deaths: Deaths
) -> None:
    gateway = crowd.gateway(side)
    if not gateway.running:
        begin_life(crowd, side, deaths)
    if draw.random() < EARLY:
        time.sleep(draw.uniform(*EARLY_S))
    else:
        busy_life(crowd, side, operator, draw.uniform(0.0, BUSY_S))
    deaths.died.append(crowd.end_gateway(side, signal.SIGKILL))
    assert gateway.wait(LIMIT_S) == -signal.SIGKILL, "it had ended before"
    check_audit(crowd, side)
    time.sleep(draw.uniform(0.0, PAUSE_S))


def busy_life(crowd: Crowd, side: Side, operator: Operator, seconds: float) -> None:
    status = wait_answer(crowd, side)
    end = time.monotonic() + seconds
    operator.check(status)
    while time.monotonic() < end:
        with contextlib.suppress(CommandError):
            operator.act()
        time.sleep(0.005)


def wait_answer(crowd: Crowd, side: Side) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def answers() -> bool:
        status = crowd.gateway(side).status()
        found.extend([status] if status is not None else [])
        return bool(found)

    crowd.wait_until(answers, LIMIT_S, Text("an answer", "une réponse"))
    return found[0]


def begin_life(crowd: Crowd, side: Side, deaths: Deaths) -> None:
    crowd.start_gateway(side)
    deaths.born.append(crowd.clock.now())


def check_audit(crowd: Crowd, side: Side) -> None:
    path = crowd.home(side) / "state" / "audit.db"
    verdict = verify(read_log(path))
    assert verdict.ok, verdict


def check_lines(crowd: Crowd, side: Side, deaths: Deaths) -> None:
    """Assert that whatever was on the air at a death was off in time, and nothing came on."""
    ours = [one for one in crowd.all_sides if one.gateway == side.gateway]
    keyed = 0
    for one in ours:
        promise = PRESS_S if one.interface == "ccdi" else UNKEYED_S
        spans = crowd.lines.intervals(one.donor, "PTT", crowd.clock.now())
        for died, born in zip(deaths.died, deaths.born, strict=True):
            for on, off in spans:
                if on <= died < off:
                    keyed += 1
                    assert off - died <= promise, (one.donor, "keyed without a gateway", on, off)
                assert not died < on < born + STARTING_S, (one.donor, "keyed by nobody", on, off)
    assert keyed, "nobody was on the air at any death: nothing was shown"


def check_nonces(packets: list[Heard], crowd: Crowd, deaths: Deaths) -> int:
    """Assert that no key and counter was used for two packets; count the lives that spoke."""
    seen: dict[tuple[str, int, int], bytes] = {}
    epochs: dict[tuple[str, int], set[int]] = defaultdict(set)
    for heard in packets:
        if parse_topic(heard.topic).kind is not TopicKind.VOICE:
            continue
        frame = parse_voice(heard.payload)
        kid, ctr, _ = frame.sframe_header
        first = seen.setdefault((heard.topic, kid, ctr), frame.sframe)
        assert first == frame.sframe, f"{heard.topic}: KID {kid:x} and CTR {ctr} used twice"
        # What the broker hands over after a death still comes from before it.
        life = sum(born + STARTING_S <= heard.at - crowd.zero for born in deaths.born)
        epochs[heard.topic, life].add(epoch_of(kid))
    ours = [key for key in epochs if parse_topic(key[0]).gateway == crowd.sides[0].gateway]
    for topic in {topic for topic, _ in ours}:
        lives = [epochs[key] for key in sorted(ours) if key[0] == topic]
        for before, after in pairwise(lives):
            assert max(before) < min(after), f"{topic}: an epoch of a former life is used again"
    return len({life for _, life in ours})
