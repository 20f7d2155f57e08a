"""The trunked system behind a donor radio, in virtual time."""

import numpy as np
import pytest

from radiobridge_sim.line_log import LineLog
from radiobridge_sim.radio import DonorSettings, Keying
from radiobridge_sim.sound import RATE, SILENCE, STEP, level_dbfs
from radiobridge_sim.trunked import Fate, Trunk, TrunkedSettings, Trunking, fates
from radiobridge_sim.usrp import UsrpPacket
from tests.simulators.test_radio import ZERO, Bench

GRANTED = TrunkedSettings(queued_share=0.0, denied_share=0.0, grant_s=(0.6, 0.6))
QUEUED = TrunkedSettings(queued_share=1.0, denied_share=0.0, grant_s=(0.3, 0.3), queue_s=(0.5, 0.5))
DENIED = TrunkedSettings(denied_share=1.0, grant_s=(0.2, 0.2))


def row(seed: int, count: int = 2000) -> list[Fate]:
    fate = fates(TrunkedSettings(seed=seed))
    return [fate() for _ in range(count)]


def test_a_seed_always_tells_the_same_fates() -> None:
    assert row(7, 50) == row(7, 50)
    assert row(7, 50) != row(8, 50)


@pytest.mark.parametrize("seed", range(5))
def test_one_in_twenty_is_queued_one_in_fifty_denied_and_all_are_answered_in_time(
    seed: int,
) -> None:
    told = row(seed)
    share = {answer: sum(f.answer is answer for f in told) / len(told) for answer in Trunk}
    assert 0.035 < share[Trunk.QUEUED] < 0.065
    assert 0.01 < share[Trunk.DENIED] < 0.03
    times = [f.answer_s for f in told]
    assert 0.15 <= min(times) < 0.16
    assert 1.49 < max(times) <= 1.5


def run(settings: TrunkedSettings, *, release_s: float = 9.0) -> list[tuple[str, float]]:
    changes: list[tuple[str, float]] = []
    trunk = Trunking(settings, lambda state, at: changes.append((state.name, at / RATE)))
    trunk.press(0)
    for first in range(0, round(release_s * RATE), STEP):
        trunk.advance(first + STEP)
    trunk.release(round(release_s * RATE))
    return changes


def test_the_answers_come_when_they_are_due() -> None:
    assert run(GRANTED) == [("ASKED", 0.0), ("GRANTED", 0.6), ("IDLE", 9.0)]
    assert run(QUEUED) == [("ASKED", 0.0), ("QUEUED", 0.3), ("GRANTED", 0.8), ("IDLE", 9.0)]
    assert run(DENIED) == [("ASKED", 0.0), ("DENIED", 0.2), ("IDLE", 9.0)]


def test_a_request_that_is_taken_back_is_never_answered() -> None:
    assert run(GRANTED, release_s=0.5) == [("ASKED", 0.0), ("IDLE", 0.5)]


@pytest.mark.parametrize(("settings", "hz"), [(GRANTED, 910), (QUEUED, 440), (DENIED, 310)])
def test_each_answer_has_its_tone(settings: TrunkedSettings, hz: int) -> None:
    trunk = Trunking(settings, lambda _state, _at: None)
    trunk.press(0)
    heard = []
    for first in range(0, RATE, STEP):
        trunk.advance(first)
        samples, sounds = trunk.sound(SILENCE, first)
        if sounds:
            heard.append(samples)
    loud = np.concatenate([part for part in heard if level_dbfs(part) > -30.0])
    spectrum = np.abs(np.fft.rfft(loud))
    assert abs(np.argmax(spectrum) * RATE / len(loud) - hz) < 40.0


def donor(settings: TrunkedSettings) -> DonorSettings:
    return DonorSettings(keying=Keying.SERIAL, playout_s=0.005, trunked=settings)


def talk(bench: Bench, until_s: float) -> None:
    while bench.air.step * 0.005 < until_s - 1e-9:
        now = bench.air.step * 0.005
        bench.voice(now)
        bench.run(now + 0.02)


def test_the_carrier_comes_with_the_grant_and_goes_with_ptt() -> None:
    bench = Bench(donor(GRANTED))
    bench.radio.ptt(True, ZERO + 0.1, "client")
    bench.run(0.68)
    talk(bench, 1.0)
    bench.radio.ptt(False, ZERO + 1.0, "client")
    bench.run(1.5)
    assert [(h.start / RATE, h.end / RATE) for h in bench.unit.heard_carrier] == [(0.7, 1.0)]
    assert not bench.radio.busy


def test_who_is_denied_never_comes_on_the_air() -> None:
    bench = Bench(donor(DENIED))
    bench.radio.ptt(True, ZERO + 0.1, "client")
    talk(bench, 1.0)
    assert bench.unit.heard_carrier == []


def test_the_radio_says_what_the_system_has_answered() -> None:
    bench, told = Bench(donor(QUEUED)), list[Trunk]()
    bench.radio.on_trunk = told.append
    bench.radio.ptt(True, ZERO + 0.1, "client")
    bench.run(1.2)
    bench.radio.ptt(False, ZERO + 1.2, "client")
    bench.run(1.3)
    assert told == [Trunk.ASKED, Trunk.QUEUED, Trunk.GRANTED, Trunk.IDLE]


@pytest.mark.parametrize("opens", [False, True])
def test_its_tones_open_cor_only_where_cor_follows_the_loudspeaker(opens: bool) -> None:
    settings = TrunkedSettings(denied_share=1.0, grant_s=(0.2, 0.2), tones_open_cor=opens)
    bench = Bench(donor(settings))
    bench.radio.ptt(True, ZERO + 0.1, "client")
    bench.run(1.5)
    assert [value for _, value, _ in bench.line("COR")] == ([1, 0] if opens else [])
    loud = [s for s, _, _ in bench.socket.sent if s is not None and level_dbfs(s) > -30.0]
    assert 0.4 < len(loud) * 0.02 < 0.6


def test_it_hears_nobody_while_it_asks() -> None:
    bench = Bench(donor(GRANTED))
    bench.unit.say("a", np.full(RATE, 5000, np.int16), step=20)
    bench.radio.ptt(True, ZERO + 0.05, "client")
    bench.run(0.5)
    assert bench.line("COR") == []


def test_a_line_log_shows_the_answers() -> None:
    bench = Bench(donor(GRANTED))
    bench.radio.ptt(True, ZERO + 0.1, "client")
    bench.run(1.0)
    assert isinstance(bench.log, LineLog)
    assert bench.line("GRANT") == [(0.7, 1, "granted")]


def test_voice_before_the_grant_is_lost_as_on_a_real_radio() -> None:
    bench = Bench(donor(GRANTED))
    bench.radio.ptt(True, ZERO, "client")
    bench.radio.take(UsrpPacket(True, np.full(160, 9000, np.int16), ZERO + 0.1))
    bench.run(1.0)
    assert np.abs(bench.unit.heard.samples()).max() < 1000
