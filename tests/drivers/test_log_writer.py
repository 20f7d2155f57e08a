"""Log lines leave by a thread: in order, bounded, and without what must stay secret."""

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import structlog

from radiobridge.drivers import log_writer
from radiobridge.drivers.log_writer import LINES, LogWriter, configure_logging, log_loop_error

SECRET = b"a voice key that nobody may see!"


class Slow(io.StringIO):
    """A pipe that nobody reads until `gate` opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.reached = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.gate.wait(30)
        return super().write(text)


class Closed(io.StringIO):
    """A pipe whose reader is gone, for the first lines."""

    def __init__(self, refusals: int, error: type[Exception]) -> None:
        super().__init__()
        self.refusals = refusals
        self.error = error

    def write(self, text: str) -> int:
        if self.refusals:
            self.refusals -= 1
            raise self.error
        return super().write(text)


def test_lines_come_out_in_order_and_close_waits_for_the_last() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    for number in range(100):
        writer.msg(f"line {number}")
    writer.close()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_every_level_writes_a_line() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    levels = ("debug", "info", "warning", "error", "critical", "exception", "fatal", "log")
    for level in levels:
        getattr(writer(), level)(level)
    writer.close()
    assert stream.getvalue().splitlines() == list(levels)


def test_a_pipe_that_nobody_reads_costs_lines_and_not_time() -> None:
    stream = Slow()
    writer = LogWriter(stream)
    writer.msg("first")
    assert stream.reached.wait(30)
    for number in range(LINES + 7):
        writer.msg(f"line {number}")
    stream.gate.set()
    writer.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "first"
    assert json.loads(lines[1]) == {"event": "log-lines-lost", "lines": 7}
    # The newest went: what was queued is whole.
    assert lines[2:] == [f"line {number}" for number in range(LINES)]


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_a_pipe_without_a_reader_ends_nothing(error: type[Exception]) -> None:
    stream = Closed(2, error)
    writer = LogWriter(stream)
    for line in ("one", "two", "three"):
        writer.msg(line)
    writer.close()
    assert stream.getvalue().splitlines() == ["three"]


def test_close_does_not_wait_for_a_pipe_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_FLUSH_S", 0.01)
    stream = Slow()
    writer = LogWriter(stream)
    for _ in range(LINES + 2):
        writer.msg("line")
    writer.close()
    assert not stream.gate.is_set()
    stream.gate.set()


@pytest.fixture
def _own_logging() -> Iterator[None]:
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    yield
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


def _break(key: bytes) -> None:
    payload = key * 2
    raise RuntimeError(len(payload))


@pytest.mark.usefixtures("_own_logging")
class TestConfigured:
    def test_json_lines_say_when_what_and_how_bad(self, capsys: pytest.CaptureFixture[str]) -> None:
        with closing(configure_logging("json", "info")):
            log = structlog.get_logger()
            log.debug("too-quiet")
            log.info("link-up", link="one")
        (line,) = capsys.readouterr().err.splitlines()
        said = json.loads(line)
        assert (said["event"], said["level"], said["link"]) == ("link-up", "info", "one")
        assert said["timestamp"].endswith("Z")

    def test_what_is_bound_to_the_gateway_is_on_every_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with (
            closing(configure_logging("json", "info")),
            structlog.contextvars.bound_contextvars(gateway="ca.opp/windsor"),
        ):
            structlog.get_logger().info("link-up")
        assert json.loads(capsys.readouterr().err)["gateway"] == "ca.opp/windsor"

    def test_auto_is_json_where_nobody_looks(self, capsys: pytest.CaptureFixture[str]) -> None:
        with closing(configure_logging("auto", "info")):
            structlog.get_logger().info("link-up")
        assert json.loads(capsys.readouterr().err)["event"] == "link-up"

    def test_auto_is_for_people_on_a_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        with closing(configure_logging("auto", "info")):
            structlog.get_logger().info("link-up", link="one")
        said = capsys.readouterr().err
        assert "link-up" in said
        assert "\x1b[" in said
        assert not said.startswith("{")

    @pytest.mark.parametrize("style", ["json", "console"])
    def test_an_error_shows_its_way_and_no_value_on_it(
        self, style: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with closing(configure_logging(style, "info")):
            try:
                _break(SECRET)
            except RuntimeError:
                structlog.get_logger().exception("radio-error", where="play")
        said = capsys.readouterr().err
        assert "RuntimeError" in said
        assert "_break" in said
        assert "nobody may see" not in said

    def test_what_a_library_says_is_a_line_like_ours(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(2):
            with closing(configure_logging("json", "info")):
                logging.getLogger("some.library").info("too quiet")
                logging.getLogger("some.library").warning("odd: %s", 12)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [(one["event"], one["logger"], one["said"], one["level"]) for one in lines] == [
            ("library", "some.library", "odd: 12", "warning")
        ] * 2

    def test_what_the_loop_reports_is_a_line_without_arguments(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def scene() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(log_loop_error)
            loop.call_soon(_break, SECRET)
            await asyncio.sleep(0)

        with closing(configure_logging("json", "info")):
            asyncio.run(scene())
        said = capsys.readouterr().err
        assert json.loads(said)["event"] == "loop-error"
        assert "_break" in said
        assert "nobody may see" not in said

    def test_no_value_commands_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        with closing(configure_logging("console", "info")):
            structlog.get_logger().info("link-down", reason="\x1b[2Jgone\x9b0m", more="a\r b")
        said = capsys.readouterr().err
        assert "\\x1b[2Jgone\\x9b0m" in said
        assert said.removesuffix("\n").isprintable()
