"""The broker child: up, down, and gone with its parent."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from radiobridge.errors import DriverError
from radiobridge_sim.broker import Broker
from radiobridge_sim.certificates import Authority

pytestmark = pytest.mark.real


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_accepts_on_both_ports_until_it_stops(tmp_path: Path) -> None:
    with Broker(tmp_path / "b", {"u": "p"}, authority=Authority(tmp_path / "ca")) as broker:
        assert broker.tls_port is not None
        assert accepts(broker.port)
        assert accepts(broker.tls_port)
    assert not accepts(broker.port)
    assert broker.pid == 0


def test_it_comes_back_at_the_same_address_after_a_kill(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "b", {"u": "p"})
    broker.start()
    first, url = broker.pid, broker.url
    broker.kill()
    assert not accepts(broker.port)
    broker.start()
    broker.start()
    assert (broker.pid != first, broker.url) == (True, url)
    broker.stop()
    broker.stop()


def test_without_an_authority_there_is_no_tls(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no TLS"):
        _ = Broker(tmp_path / "b", {}).tls_url


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with Broker(tmp_path / "a", {"u": "p"}) as first:
        second = Broker(tmp_path / "b", {"u": "p"})
        config = tmp_path / "b" / "mosquitto.conf"
        config.write_text(f"listener {second.port} 127.0.0.1\nnonsense yes\n")
        with pytest.raises(DriverError, match="did not start"):
            second.start()
        assert accepts(first.port)


def test_passwords_are_not_in_any_file(tmp_path: Path) -> None:
    Broker(tmp_path / "b", {"u": "hunter2"})
    assert all("hunter2" not in path.read_text() for path in (tmp_path / "b").iterdir())
    assert (tmp_path / "b" / "passwords").stat().st_mode & 0o77 == 0


def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from radiobridge_sim.broker import Broker\n"
        "broker = Broker(Path(sys.argv[1]), {'u': 'p'})\n"
        "broker.start()\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "b")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        descriptor = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
    try:
        # Readable once the process has ended; the test's own time limit ends the wait.
        assert select.select([descriptor], [], [], 60.0)[0]
    finally:
        os.close(descriptor)
