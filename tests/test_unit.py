"""The shipped unit lets the daemon do what it does, and gives it the time that it takes."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from radiobridge import serving
from radiobridge.cli.client import SOCKET_FOLDER
from radiobridge.config.gateway import GatewayConfig
from radiobridge.console import api
from radiobridge.drivers import clock
from radiobridge.drivers.audio import soundcard
from radiobridge.drivers.store import audit, state
from radiobridge.keyer import client
from radiobridge.services import tasks
from radiobridge.services.clock import OBSERVE_S

ROOT = Path(__file__).parents[1]
UNIT = (ROOT / "systemd" / "radiobridge@.service").read_text(encoding="utf-8")
AT_START = 2.0
"""The first sign of life of a gateway comes one house-keeping after its start; and some more."""


def values(key: str) -> list[str]:
    """Return what the unit sets, line by line; systemd adds them up or takes the last."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def words(key: str) -> set[str]:
    return {word for line in values(key) for word in line.split()}


def seconds(key: str) -> float:
    (only,) = values(key)
    return float(only)


def test_the_unit_can_be_read() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_the_clock_can_be_asked_whether_it_is_synchronised() -> None:
    """adjtimex(2) is in systemd's `@clock`, not in `@system-service`; ProtectClock takes both."""
    assert "adjtimex" in Path(clock.__file__).read_text(encoding="utf-8")
    # libc's adjtimex is one or the other, by its version and the machine.
    assert {"@system-service", "adjtimex", "clock_adjtime", "clock_adjtime64"} <= words(
        "SystemCallFilter"
    )
    assert values("ProtectClock") == ["no"]
    # So nothing can set it all the same.
    assert values("CapabilityBoundingSet") == values("AmbientCapabilities") == [""]
    assert values("SystemCallErrorNumber") == ["EPERM"]


def test_the_end_of_one_gateway_leaves_the_sockets_of_the_others() -> None:
    (folder,) = values("RuntimeDirectory")
    assert Path("/run", folder) == SOCKET_FOLDER
    assert values("RuntimeDirectoryPreserve") == ["yes"]


def test_the_state_has_its_folder() -> None:
    (folder,) = values("StateDirectory")
    default = GatewayConfig.model_fields["state"].get_default(
        call_default_factory=True, validated_data={"gateway": "windsor"}
    )
    assert default.parent == Path("/var/lib", folder)


def test_what_ends_in_order_has_the_time_for_it() -> None:
    """Each patience, one after the other: what ends together counts once, by the longest."""
    keyer_s = client.CLOSE_S + 2 * client.END_S
    together_s = max(tasks.PATIENCE_S, keyer_s, 2 * soundcard._END_S)
    # aiohttp waits for requests, then for what it has cancelled.
    in_order_s = 2 * api._CLOSING_S + together_s + audit.CLOSE_S + state.CLOSE_S + serving.EXIT_S
    assert in_order_s < serving.STOP_S < seconds("TimeoutStopSec")


def test_a_gateway_that_starts_anew_is_heard_in_time() -> None:
    assert seconds("WatchdogSec") > serving.BEAT_S + OBSERVE_S + AT_START


def test_it_is_tried_again_for_ever() -> None:
    assert values("Restart") == ["always"]
    assert values("StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize(
    ("devices", "module"), [("ttyUSB", "usbserial"), ("ttyACM", "cdc_acm"), ("alsa", "snd")]
)
def test_a_device_that_is_plugged_in_later_may_be_opened(devices: str, module: str) -> None:
    """systemd.resource-control(5): a pattern takes the groups that are known at the start."""
    assert f"char-{devices} rw" in values("DeviceAllow")
    assert f"modprobe@{module}.service" in words("Wants") & words("After")


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    here = tmp_path / "radiobridge@.service"
    here.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT, flags=re.MULTILINE))
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(here)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stderr
    assert "radiobridge@" not in said, said
