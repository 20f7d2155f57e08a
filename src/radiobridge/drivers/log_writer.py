"""Log lines leave through a thread, so that a full pipe or a slow disk never stops the voice.

Bound: 4,096 lines. Beyond it new lines are dropped, and the next line that gets through says how
many were lost.
"""

import asyncio
import logging
import queue
import sys
import threading
from typing import Any, TextIO

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

LINES = 4096
_FLUSH_S = 1.0


class LogWriter:
    """A structlog logger factory whose loggers write in a thread of their own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._queue: queue.Queue[str | None] = queue.Queue(LINES)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def __call__(self, *_args: object) -> "LogWriter":
        """Return the logger: there is one."""
        return self

    def msg(self, message: str) -> None:
        """Queue one line; drop it when the queue is full."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._lost += 1

    debug = info = warning = error = critical = exception = fatal = log = msg

    def close(self) -> None:
        """Write what is queued, for a second at most."""
        try:
            self._queue.put(None, timeout=_FLUSH_S)
        except queue.Full:
            return
        self._thread.join(_FLUSH_S)

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            lost, self._lost = self._lost, 0
            try:
                if lost:
                    self._stream.write(f'{{"event": "log-lines-lost", "lines": {lost}}}\n')
                self._stream.write(line + "\n")
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                # Nobody reads any more. The gateway goes on: voice matters more than the log.
                continue


class _Libraries(logging.Handler):
    """Turns what libraries say by the standard `logging` into lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            said=record.getMessage(),
            exc_info=record.exc_info or None,
        )


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what no callback and no task took care of.

    A loop's exception handler. Unlike asyncio's own it shows no handle, task or argument: they
    hold packets.
    """
    error = context.get("exception")
    structlog.get_logger().error("loop-error", said=context["message"], exc_info=error)


def configure_logging(style: str, level: str) -> LogWriter:
    """Send structlog to standard error: `json`, `console`, or `auto` (console on a terminal).

    Errors come with their way through the code, without local variables: keys are among them.
    Warnings and errors of libraries become lines of the same kind.
    """
    writer = LogWriter(sys.stderr)
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        last: list[structlog.typing.Processor] = [_without_controls]
    else:
        renderer = structlog.processors.JSONRenderer()
        last = [ExceptionRenderer(ExceptionDictTransformer(show_locals=False))]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=writer,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Libraries)]:
        root.removeHandler(handler)
    root.addHandler(_Libraries(logging.WARNING))
    return writer


def _without_controls(
    _logger: object, _name: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Show control characters instead of obeying them: brokers and devices wrote some values."""
    for key, value in line.items():
        if isinstance(value, str) and not value.isprintable():
            line[key] = "".join(
                c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in value
            )
    return line
