"""Log lines leave through a thread, so that a full pipe or a slow disk never stops the voice.

Bound: 4,096 lines. Beyond it new lines are dropped, and the next line that gets through says how
many were lost.
"""

import queue
import sys
import threading
from typing import TextIO

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


def configure_logging(style: str, level: str) -> LogWriter:
    """Send structlog to standard error: `json`, `console`, or `auto` (console on a terminal).

    Errors come with their way through the code, without local variables: keys are among them.
    """
    writer = LogWriter(sys.stderr)
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        errors: list[structlog.typing.Processor] = []
    else:
        renderer = structlog.processors.JSONRenderer()
        errors = [ExceptionRenderer(ExceptionDictTransformer(show_locals=False))]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *errors,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=writer,
        cache_logger_on_first_use=False,
    )
    return writer
