"""A PulseAudio of our own with null sinks as radios, for the sound-card driver to find.

Needs no sound hardware and no rights; works as root and as anybody. The ALSA names `radio1`, ...
play into a null sink and capture what is played there (its monitor).
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_READY_S = 20.0

_RADIO = """
pcm.{name} {{
  type asym
  playback.pcm {{ type pulse device {name} }}
  capture.pcm {{ type pulse device {name}.monitor }}
  hint.description "{name}"
}}
"""


class PulseServer:
    """One pulseaudio child; `environment` makes ALSA and PortAudio use it."""

    def __init__(self, folder: Path, radios: Sequence[str] = ("radio1",)) -> None:
        self._folder = folder
        self._radios = radios
        self._socket = folder / "native"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        (folder / ".asoundrc").write_text("".join(_RADIO.format(name=name) for name in radios))

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs in its environment."""
        return {
            "HOME": str(self._folder),
            "XDG_RUNTIME_DIR": str(self._folder),
            "PULSE_RUNTIME_PATH": str(self._folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_LATENCY_MSEC": "20",
        }

    def start(self) -> None:
        """Start, and return when clients can connect."""
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["-L", f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"]
        for name in self._radios:
            command += ["-L", f"module-null-sink sink_name={name} rate=48000"]
        with (self._folder / "pulse.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | dict(self.environment), stdout=log, stderr=log
            )
        until = time.monotonic() + _READY_S
        while not self._socket.exists():
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise RuntimeError((self._folder / "pulse.log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """Let it stand still, with everything open."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def control(self, *command: str) -> str:
        """Run pactl; return what it says."""
        done = subprocess.run(
            ["pactl", *command],
            env=os.environ | dict(self.environment),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def plug_in(self, radio: str) -> None:
        """Make one sink again that was unplugged; PulseAudio gives it another number."""
        self.control("load-module", "module-null-sink", f"sink_name={radio}", "rate=48000")

    def unplug(self, radio: str) -> None:
        """Take one sink away."""
        for line in self.control("list", "short", "modules").splitlines():
            if f"sink_name={radio} " in line:
                self.control("unload-module", line.split()[0])

    def kill(self) -> None:
        """End it at once, as when the card is pulled."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._socket.unlink(missing_ok=True)
