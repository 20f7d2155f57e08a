import numpy as np

from radiobridge_sim.air import Air
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.sound import RATE, STEP

HZ = 151_137_500


def test_what_is_said_stands_exactly_where_it_was_to_be() -> None:
    speaker, ear = Handheld("opp-12", hz=HZ), Handheld("opp-13", hz=HZ)
    air = Air([speaker, ear])
    words = np.arange(1, 1001, dtype=np.int16)
    said = speaker.say("count", words, step=3)
    for _ in range(40):
        air.advance()
    assert (said.start, said.end) == (3 * STEP, 3 * STEP + 1000)
    out = speaker.said.samples()
    assert (out[said.start : said.end] == words).all()
    assert np.count_nonzero(out) == 1000
    heard = ear.heard.samples()
    assert abs(heard[said.start : said.end].astype(int) - words).max() < 100


def test_carrier_covers_the_phrase_and_nothing_else() -> None:
    speaker, ear = Handheld("opp-12", hz=HZ), Handheld("opp-13", hz=HZ)
    air = Air([speaker, ear])
    speaker.say("tone", np.full(1001, 900, np.int16), step=3)
    for _ in range(40):
        air.advance()
    assert [(h.start, h.end) for h in ear.heard_carrier] == [(3 * STEP, 29 * STEP)]
    assert ear.carrier_between(0, 40 * STEP) == 26 * STEP / RATE
    assert ear.carrier_between(0, 4 * STEP) == STEP / RATE
    assert speaker.heard_carrier == []


def test_phrases_wait_for_each_other() -> None:
    speaker = Handheld("opp-12", hz=HZ)
    air = Air([speaker])
    first = speaker.say("one", np.full(100, 1, np.int16), step=1)
    second = speaker.say("two", np.full(100, 2, np.int16), step=1)
    for _ in range(20):
        air.advance()
    assert second.start >= first.end + STEP - 20
    samples = speaker.said.samples()
    assert (samples[first.start : first.end] == 1).all()
    assert (samples[second.start : second.end] == 2).all()


def test_hush_ends_at_once() -> None:
    speaker = Handheld("opp-12", hz=HZ)
    air = Air([speaker])
    speaker.say("one", np.full(1000, 1, np.int16), step=0)
    air.advance()
    speaker.hush()
    for _ in range(5):
        air.advance()
    assert np.count_nonzero(speaker.said.samples()) == STEP
