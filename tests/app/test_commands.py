"""`radiobridge status` and `radiobridge radio` against a daemon at work."""

import getpass
import signal

import pytest

from radiobridge.text import Text
from radiobridge_sim.agencies import CBP, OPP
from tests.app.commands import as_json, radiobridge
from tests.app.figures import Figures
from tests.app.river import LIMIT_S, NORTH, RADIOS, SOUTH, TAC1, River

pytestmark = pytest.mark.real


def inhibit(river: River, radio: str) -> None:
    done = radiobridge("radio", "inhibit", radio, socket=river.gateway(OPP).socket)
    assert done.returncode == 0, done.stderr


def allow(river: River, radio: str) -> None:
    done = radiobridge("radio", "allow", radio, socket=river.gateway(OPP).socket)
    assert done.returncode == 0, done.stderr


def test_the_status_of_a_gateway_at_work(river: River) -> None:
    socket = river.gateway(OPP).socket
    river.talk(CBP)
    river.wait_keyed(*TAC1)
    status = as_json("status", socket=socket)
    assert status["gateway"] == "ca.opp/windsor"
    assert [link["up"] for link in status["links"]] == [True, True]
    assert {radio["name"]: radio["state"] for radio in status["radios"]} == dict.fromkeys(
        RADIOS.values(), "voice"
    )
    assert all(radio["ptt"] for radio in status["radios"])
    assert [one["online"] for one in status["partners"]] == [True]
    holders = [floor["holder"] for floor in status["floor"] if floor["holder"]]
    assert [(one["sender"], one["talkgroup"]) for one in holders] == [
        ("us.cbp/detroit", "us.cbp/BORDER")
    ]
    assert any(one["id"] == river.patch and one["in_force"] for one in status["patches"])
    shown = radiobridge("status", socket=socket)
    assert shown.returncode == 0
    assert "in force" in shown.stdout
    assert "us.cbp/detroit" in shown.stdout
    river.hush(CBP)


def test_the_list_of_radios(river: River) -> None:
    radios = as_json("radio", "list", socket=river.gateway(OPP).socket)
    assert {radio["name"] for radio in radios} == set(RADIOS.values())
    assert {(r["interface"], r["audio"], r["ptt"], r["inhibited"]) for r in radios} == {
        ("up", "up", False, False)
    }
    shown = radiobridge("radio", "list", socket=river.gateway(OPP).socket, language="fr")
    assert all(name in shown.stdout for name in RADIOS.values())


def test_an_unknown_radio_is_named_and_the_known_ones_too(river: River) -> None:
    done = radiobridge("radio", "inhibit", "tac9", socket=river.gateway(OPP).socket)
    assert done.returncode == 1
    assert "tac9" in done.stderr
    assert "tac1" in done.stderr
    assert done.stdout == ""


def test_an_inhibit_holds_over_a_crash_until_it_is_lifted(river: River) -> None:
    for name in RADIOS.values():
        inhibit(river, name)
    river.signal(OPP, signal.SIGKILL)
    river.gateway(OPP).wait(LIMIT_S)
    river.start_gateway(OPP)
    up = Text("all up but inhibited", "tout prêt mais retiré des ondes")

    def back() -> bool:
        status = river.gateway(OPP).status()
        radios = (status or {}).get("radios") or []
        usable = bool(radios) and all(r["interface"] == r["audio"] == "up" for r in radios)
        return usable and river.in_force(river.patch)

    river.wait_until(back, LIMIT_S, up)
    for radio in as_json("radio", "list", socket=river.gateway(OPP).socket):
        assert radio["state"] == "inhibited"
        assert radio["inhibited_by"] == f"local:{getpass.getuser()}"

    at = river.clock.now()
    allow(river, RADIOS[NORTH])
    river.wait_said(river.talk(CBP, "radio-check-en"))
    assert river.ptt(OPP, at) == river.ptt(SOUTH, at) == []
    assert [event.value for event in river.ptt(NORTH, at)] == [1, 0]

    for side in (OPP, SOUTH):
        allow(river, RADIOS[side])
    river.ready()
    river.chirp(CBP)


def test_an_inhibit_of_a_radio_that_transmits_unkeys_it(river: River, figures: Figures) -> None:
    """It is off before the command returns; the others go on; lifting it does not key it again."""
    river.talk(CBP)
    river.wait_keyed(*TAC1)
    at = river.clock.now()
    inhibit(river, RADIOS[OPP])
    returned = river.clock.now()
    off = river.ptt(OPP, at)
    assert [event.value for event in off] == [0]
    assert off[0].t <= returned
    assert river.ptt(NORTH, at) == river.ptt(SOUTH, at) == []
    allow(river, RADIOS[OPP])
    river.hush(CBP)
    river.settle()
    assert [event.value for event in river.ptt(OPP, at)] == [0]
    figures.add("the whole command, ms", {"inhibit": 1000.0 * (returned - at)})
