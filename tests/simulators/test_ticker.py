import time

import numpy as np
import pytest

from radiobridge_sim.air import Air
from radiobridge_sim.handheld import Handheld
from radiobridge_sim.line_log import LineLog
from radiobridge_sim.measure import measure_phrase, percentile
from radiobridge_sim.phrases import load_phrases
from radiobridge_sim.radio import DonorRadio, DonorSettings, Keying
from radiobridge_sim.ticker import Ticker
from radiobridge_sim.usrp import UsrpSocket


@pytest.mark.real
def test_two_radios_back_to_back_add_a_frame_and_the_play_out_buffer() -> None:
    zero = time.monotonic()
    log = LineLog()
    settings = DonorSettings(keying=Keying.USRP, playout_s=0.1)
    here, there = (
        DonorRadio(name, hz=hz, settings=settings, socket=UsrpSocket(), log=log, zero=zero)
        for name, hz in (("here", 151_137_500), ("there", 154_452_500))
    )
    here.socket.peer, there.socket.peer = there.socket.address, here.socket.address
    speaker, ear = Handheld("a", hz=here.tx_hz), Handheld("b", hz=there.tx_hz)
    ticker = Ticker(Air([here, there, speaker, ear]), [here, there], zero)
    ticker.start()
    try:
        words = load_phrases()["dont-shoot-en"].samples()
        said = speaker.say("dont-shoot-en", words, step=ticker.soon())
        while ticker.step * 40 < said.end + 4000 and ticker.failure is None:
            time.sleep(0.02)
    finally:
        ticker.stop()
        here.close()
        there.close()
    assert ticker.failure is None
    found = measure_phrase(speaker.said.samples(), ear.heard.samples(), said.start, said.end)
    assert found.found > 0.5
    median = percentile(found.lags_ms, 50)
    assert median is not None
    # Not less than a whole frame and the buffer: nothing is heard before it can be.
    assert median >= 120.0
    assert [(e.radio, e.line, e.value) for e in log.events()][:2] == [
        ("here", "COR", 1),
        ("there", "PTT", 1),
    ]
    assert np.count_nonzero(speaker.heard.samples()) == 0
